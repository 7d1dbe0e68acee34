"""The same inputs give the same bytes, whatever machine, user, folder, cache or Python they are built with.

Every build is compared by the digest of its image index, which all other bytes follow from.
"""

from __future__ import annotations

import base64
import bz2
import json
import os
import re
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e import layouts
from tests.e2e.builds import TINY, Command, Tiny, link_cache, lock_with_uv, write_files
from tests.e2e.pythons import installed_pythons, python_with_crossdock

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.network

_NOBODY = 65534
# Lets a process that is not root read what lies in root's home, such as the interpreter of the tests.
_AS_NOBODY = (
    "setpriv",
    f"--reuid={_NOBODY}",
    f"--regid={_NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)

# Python's own remedies for such a locale are off, so that ASCII really is what it reads names and writes text in.
_PLAIN_C = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

# Wheels are unpacked by zlib then; the base, whose packages have to be compressed anew, still has its encoder.
_WITHOUT_DEFLATE = """
import sys
sys.modules["deflate"] = None
import crossdock.wheels.streams
assert crossdock.wheels.streams._libdeflate is None
del sys.modules["deflate"]
from crossdock.cli.main import run
run()
"""


def _variables(**env: str) -> Callable[[Command], Command]:
    return lambda command: replace(command, env=env)


SURROUNDINGS: dict[str, Callable[[Command], Command]] = {
    "umask 022": lambda command: replace(command, umask=0o022),
    "umask 077": lambda command: replace(command, umask=0o077),
    "umask 000": lambda command: replace(command, umask=0o000),
    "time zone": _variables(TZ="Pacific/Kiritimati"),
    "plain C locale": _variables(**_PLAIN_C),
    "UTF-8 locale": _variables(LC_ALL="C.UTF-8", LANG="de_DE.UTF-8", LANGUAGE="de"),
    "hash seed": _variables(PYTHONHASHSEED="1"),  # and another one in each of the other builds
    "no compiled deflate": lambda command: replace(command, start=("-c", _WITHOUT_DEFLATE)),
}


@pytest.fixture
def cold(tiny: Tiny, tmp_path: Path) -> Command:
    """The command, with a cache from which each layer has still to be made."""
    return Command(cache=tiny.cache_without_layers(tmp_path / "cache"))


@pytest.fixture
def project(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the tiny project, in a folder of its own."""
    return tiny.copy(tmp_path / "Ein Projekt mit größerem Namen" / "tiny")


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_surroundings_leave_no_trace(
    surroundings: str, tiny: Tiny, cold: Command, project: Path, tmp_path: Path
) -> None:
    command = SURROUNDINGS[surroundings](cold)

    assert command.run("image", project, "--output", tmp_path / "out").digest == tiny.digest


@pytest.mark.parametrize("jobs", [1, 8])
def test_the_number_of_workers_leaves_no_trace(
    jobs: int, tiny: Tiny, cold: Command, project: Path, tmp_path: Path
) -> None:
    assert cold.run("image", project, "--jobs", str(jobs), "--output", tmp_path / "out").digest == tiny.digest


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_another_machine_with_an_empty_cache_gives_the_same_bytes(umask: int, tiny: Tiny, tmp_path: Path) -> None:
    """All at once, and the project's own wheel is built here too, from files that have this umask's permissions."""
    before = os.umask(umask)
    try:
        project = write_files(tmp_path / "elsewhere" / "checkout", TINY)
        for name in ("requirements.txt", "crossdock.lock"):
            (project / name).write_bytes((tiny.project / name).read_bytes())
    finally:
        os.umask(before)
    home = tmp_path / "home"
    home.mkdir()
    command = Command(
        cache=link_cache(tiny.downloads, tmp_path / "cache"),
        cwd=project,
        umask=umask,
        env={"HOME": str(home), "TMPDIR": str(home), "TZ": "America/St_Johns", **_PLAIN_C},
    )

    assert command.run("image", "--output", "out", "--jobs", "3").digest == tiny.digest


def test_another_user_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, and only with setpriv, can become another user")
    folder = Path("/tmp") / f"crossdock-nobody-{os.getpid()}"  # pytest's own folders are closed to others
    folder.mkdir()
    try:
        command = Command(
            cache=link_cache(tiny.downloads, folder / "cache"),
            prefix=_AS_NOBODY,
            env={"HOME": str(folder), "USER": "nobody", "LOGNAME": "nobody", "TMPDIR": str(folder)},
            cwd=folder,
        )
        tiny.copy(folder / "project")
        # Folders only: the files are links to other caches' files.
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            os.chown(path, _NOBODY, _NOBODY)

        assert command.run("image", "project", "--output", "out").digest == tiny.digest
        assert (folder / "out" / "index.json").stat().st_uid == _NOBODY
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("version", installed_pythons())
def test_every_python_gives_the_same_bytes(
    version: str, tiny: Tiny, cold: Command, project: Path, tmp_path: Path, shared_cache: Path
) -> None:
    """The version is a part of what the own wheel is remembered by, so each Python builds that wheel too."""
    python = python_with_crossdock(version, shared_cache / "pythons")

    assert replace(cold, python=python).run("image", project, "--output", tmp_path / "out").digest == tiny.digest


def test_a_full_cache_gives_the_same_bytes_again(tiny: Tiny, project: Path, tmp_path: Path) -> None:
    command = Command(cache=link_cache(tiny.built, tmp_path / "cache"))

    assert command.run("image", project, "--output", tmp_path / "first").digest == tiny.digest
    assert command.run("image", project, "--output", tmp_path / "second").digest == tiny.digest
    files = {path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file()}
    assert len(files) > 10
    for path in files:
        assert (tmp_path / "first" / path).read_bytes() == (tmp_path / "second" / path).read_bytes()


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
def test_every_format_of_one_lock_gives_the_same_bytes(name: str, tiny: Tiny, tmp_path: Path) -> None:
    locked = lock_with_uv(tiny.project, tmp_path / "locked")
    project = tiny.copy(tmp_path / "project")
    (project / "requirements.txt").unlink()
    shutil.copy(locked / name, project)
    command = Command(cache=link_cache(tiny.built, tmp_path / "cache"))

    assert command.run("image", project, "--output", tmp_path / "out").digest == tiny.digest


def test_a_folder_and_a_tar_file_hold_the_same_index_and_blobs(tiny: Tiny, project: Path, tmp_path: Path) -> None:
    command = Command(cache=link_cache(tiny.built, tmp_path / "cache"))

    assert command.run("image", project, "--output", tmp_path / "out.tar").digest == tiny.digest

    with tarfile.open(tmp_path / "out.tar", "r:") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    in_tar = {path.relative_to(tmp_path / "unpacked"): path for path in (tmp_path / "unpacked").rglob("*")}
    assert set(in_tar) == {path.relative_to(tiny.layout) for path in tiny.layout.rglob("*")}
    assert layouts.read_index(tmp_path / "unpacked").raw == layouts.read_index(tiny.layout).raw
    for path, unpacked in in_tar.items():
        if unpacked.is_file():
            assert unpacked.read_bytes() == (tiny.layout / path).read_bytes()


def test_two_tar_files_are_the_same_to_the_byte(tiny: Tiny, project: Path, tmp_path: Path) -> None:
    first = Command(cache=link_cache(tiny.built, tmp_path / "cache"), umask=0o077, env={"TZ": "Asia/Tokyo"})
    second = replace(first, umask=0o000, env={"PYTHONHASHSEED": "5"})

    first.run("image", project, "--output", tmp_path / "first.tar")
    second.run("image", project, "--output", tmp_path / "second.tar")

    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_source_date_epoch_changes_times_in_the_metadata_alone(
    tiny: Tiny, cold: Command, project: Path, tmp_path: Path
) -> None:
    command = replace(cold, env={"SOURCE_DATE_EPOCH": "1700000000"})

    digest = command.run("image", project, "--output", tmp_path / "out").digest

    dated, plain = layouts.read_index(tmp_path / "out"), layouts.read_index(tiny.layout)
    assert digest == dated.digest != plain.digest
    for architecture, image in dated.images.items():
        other = plain.images[architecture]
        assert image.layer_digests == other.layer_digests
        assert _without_times(image.config) == _without_times(other.config)
        assert _without_times(image.manifest) == _without_times({**other.manifest, "config": image.manifest["config"]})
    assert _times(dated) == {"2023-11-14T22:13:20Z"}
    assert _times(plain) == {"1970-01-01T00:00:00Z"}


def test_nothing_in_the_metadata_names_this_machine(tiny: Tiny) -> None:
    index = layouts.read_index(tiny.layout)
    texts = [index.raw.decode(), *(json.dumps(image.config) for image in index.images.values())]
    for image in index.images.values():
        packed = [layer["annotations"].pop("dev.crossdock.seen") for layer in image.manifest["layers"]]
        texts += [json.dumps(image.manifest), *(bz2.decompress(base64.b64decode(text)).decode() for text in packed)]

    for word in (os.uname().nodename, str(tiny.project), str(Path.home()), sys.prefix):
        names = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        assert [text for text in texts if names.search(text)] == []


def _times(index: layouts.Index) -> set[str]:
    found: set[str] = set()
    for document in (json.loads(index.raw), *(item for i in index.images.values() for item in (i.config, i.manifest))):
        _collect_times(document, found)
    return found


def _collect_times(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        found.update(item for key, item in value.items() if _is_time(key))
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _collect_times(item, found)


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if not _is_time(key)}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def _is_time(key: str) -> bool:
    return key in ("created", "org.opencontainers.image.created")
