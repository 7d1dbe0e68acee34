"""What `crossdock fetch --output` writes is all that a machine without a network needs, and no more than that.

The other machine is one with an empty cache, a copy of the project, and a network namespace in which there is nobody.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command, Outcome, blobs, lock_with_uv, write_files

from crossdock.steps.fetched import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's"),
]

CUT = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--net")

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[project.scripts]
app = "app:main"

[tool.crossdock]
base = "debian:bookworm"
targets = ["linux/amd64", "linux/arm64"]
"""
CODE = {"src/app/__init__.py": "def main():\n    print('app')\n"}

#: A package whose version is in the tags of its repository alone.
OFGIT = {
    "deep/pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27", "hatch-vcs"]
build-backend = "hatchling.build"

[project]
name = "ofgit"
dynamic = ["version"]

[tool.hatch.version]
source = "vcs"
raw-options = { root = ".." }
""",
    "deep/src/ofgit/__init__.py": "NAME = 'ofgit'\n",
}


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def make_repository(root: Path) -> str:
    """Make a repository with a tag on the commit, and one more commit and tag after it; gives the first commit."""
    write_files(root, OFGIT)
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    git(root, "tag", "v2.0")
    wanted = git(root, "rev-parse", "HEAD")
    write_files(root, {"later.txt": "later"})
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "two")
    git(root, "tag", "v3.0")
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The machine with a network, after it fetched.

    Attributes:
        project: Its folder, with the locks.
        commit: The locked commit of a repository that is not there any more; empty if there is none.
        repository: Where that was.
        digest: Of the image that was built online.
        sets: What was fetched: ``folder`` and ``tar``.
    """

    project: Path
    commit: str
    repository: Path
    digest: str
    sets: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """A machine without a network."""

    folder: Path
    project: Path

    def run(self, *arguments: str | Path, online: bool = False) -> Outcome:
        """Run crossdock on the project; ``online`` if it is not told that there is no network."""
        command = Command(cache=self.folder / "cache", prefix=CUT)
        name, *rest = arguments
        return command.run(str(name), self.project, *([] if online else ["--offline"]), *rest)

    def image(self, *options: str | Path) -> Outcome:
        """Build the image."""
        return self.run("image", "--output", self.output, *options)

    @property
    def output(self) -> Path:
        """Where the image goes."""
        return self.folder / "image.tar"

    def refused(self, code: int, *options: str | Path) -> str:
        """Try to build the image, which must leave nothing behind; gives what is told."""
        before = (self.project / "crossdock.lock").read_bytes()
        outcome = self.image("--quiet", *options)
        assert outcome.code == code, outcome.stderr
        assert "Traceback" not in outcome.stderr
        assert outcome.stdout == ""
        assert not self.output.exists()
        assert (self.project / "crossdock.lock").read_bytes() == before
        return outcome.stderr


def there(here: Here, folder: Path) -> There:
    """Take the project, and nothing else, to the other machine."""
    shutil.copytree(here.project, folder / "project", ignore=shutil.ignore_patterns("dist", ".venv"))
    return There(folder=folder, project=folder / "project")


@pytest.fixture(scope="module", autouse=True)
def _the_network_can_be_cut() -> None:
    script = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=5)"
    done = subprocess.run([*CUT, sys.executable, "-c", script], capture_output=True, text=True, check=False)
    if "Network is unreachable" not in done.stderr:
        pytest.fail(f"the network cannot be cut off by {' '.join(CUT)}, without which nothing is shown: {done.stderr}")


def fetched(project: Path, cache: Path, output: Path, *options: str) -> Path:
    outcome = Command(cache=cache).run("fetch", project, "--quiet", "--output", output, *options)
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout == f"{output}\n"
    return output


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Here:
    """A project locked by uv, with a wheel for each machine, a source distribution and a repository."""
    # uv keeps what it saw of a repository by its address, and a folder of pytest's has an address that comes again.
    top = tmp_path_factory.mktemp(f"here-{uuid.uuid4().hex}-")
    repository = top / "repository"
    commit = make_repository(repository)
    source = f'ofgit = {{ git = "{repository.as_uri()}", rev = "{commit}", subdirectory = "deep" }}'
    text = PYPROJECT.format(dependencies='"docopt==0.6.2", "markupsafe==3.0.2", "ofgit"')
    files = {**CODE, "pyproject.toml": f"{text}\n[tool.uv.sources]\n{source}\n"}
    uncopied = write_files(top / "unlocked", files)
    project = lock_with_uv(uncopied, top / "project")
    for name in ("requirements.txt", "pylock.toml"):
        (project / name).unlink()
    built = Command(cache=shared_cache).run("image", project, "--output", top / "online.tar")
    digest = built.digest
    sets = {kind: fetched(project, shared_cache, top / kind, "--all-targets") for kind in ("folder", "set.tar")}
    repository.rename(top / "gone")
    return Here(
        project=project,
        commit=commit,
        repository=repository,
        digest=digest,
        sets={"folder": sets["folder"], "tar": sets["set.tar"]},
    )


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Here:
    """A project whose lock is a requirements.txt: it has hashes, and only the index knows of what files."""
    top = tmp_path_factory.mktemp("hashed")
    text = PYPROJECT.format(dependencies='"docopt==0.6.2", "markupsafe==3.0.2"')
    project = write_files(top / "project", {**CODE, "pyproject.toml": text})
    shutil.copy(lock_with_uv(project, top / "locked") / "requirements.txt", project)
    # Here nothing is recorded in crossdock.lock before, so all of that is done by the fetch.
    written = fetched(project, shared_cache, top / "set.tar")
    built = Command(cache=shared_cache).run("image", project, "--locked", "--output", top / "online.tar")
    return Here(project=project, commit="", repository=top, digest=built.digest, sets={"tar": written})


def manifest(path: Path) -> dict[str, Any]:
    if path.is_dir():
        data = (path / MANIFEST).read_bytes()
    else:
        with tarfile.open(path) as tar:
            member = tar.extractfile(MANIFEST)
            assert member is not None
            data = member.read()
    document: dict[str, Any] = json.loads(data)
    return document


def names(path: Path) -> list[str]:
    """List the files of a set, which are those that its manifest has and no other."""
    listed = sorted(entry["path"] for entry in manifest(path)["files"])
    if path.is_dir():
        there = [item.relative_to(path).as_posix() for item in path.rglob("*") if item.is_file()]
    else:
        with tarfile.open(path) as tar:
            there = tar.getnames()
    assert sorted(there) == sorted([MANIFEST, *listed])
    return [name.removeprefix("files/") for name in listed]


def packaged(path: Path) -> list[str]:
    """List what a set has of the project's packages: neither bases nor what builds run on."""
    return [name for name in names(path) if name.startswith(("docopt", "MarkupSafe", "ofgit")) or ".bundle" in name]


WHEEL = "MarkupSafe-3.0.2-cp311-cp311-manylinux_2_17_{0}.manylinux2014_{0}.whl"
ARM64, AMD64 = WHEEL.format("aarch64"), WHEEL.format("x86_64")
SDIST = "docopt-0.6.2.tar.gz"


@pytest.mark.parametrize(("kind", "online"), [("folder", False), ("tar", True)], ids=["--offline", "as usual"])
def test_without_a_network_the_image_is_the_same(here: Here, tmp_path: Path, kind: str, online: bool) -> None:
    assert not here.repository.exists()
    machine = there(here, tmp_path)
    before = (machine.project / "crossdock.lock").read_bytes()
    options = ("--output", machine.output, "--files", here.sets[kind], "--locked")
    assert machine.run("image", *options, online=online).digest == here.digest
    assert (machine.project / "crossdock.lock").read_bytes() == before


def test_what_only_the_index_knows_is_in_the_set_too(hashed: Here, tmp_path: Path) -> None:
    machine = there(hashed, tmp_path)
    assert not (machine.project / "uv.lock").exists()
    assert machine.image("--files", hashed.sets["tar"], "--locked").digest == hashed.digest
    (answer,) = [entry for entry in manifest(hashed.sets["tar"])["answers"] if entry["name"] == "markupsafe"]
    # All that the index had, so that the choice is the same, but the files of the targets alone.
    assert len(answer["files"]) > 30
    assert packaged(hashed.sets["tar"]) == sorted([SDIST, ARM64, AMD64])


def test_without_the_set_nothing_is_built(here: Here, tmp_path: Path) -> None:
    told = there(here, tmp_path).refused(110)
    assert "the network may not be used" in told
    assert "hint: run `crossdock fetch` where there is a network first" in told


def test_the_network_is_really_cut(here: Here, tmp_path: Path) -> None:
    machine = there(here, tmp_path)
    outcome = machine.run("image", "--quiet", "--output", machine.output, online=True)
    assert outcome.code not in (0, 110)
    assert not blobs(tmp_path / "cache")


def test_the_set_has_what_is_needed_and_no_more(here: Here) -> None:
    assert names(here.sets["folder"]) == names(here.sets["tar"])
    assert packaged(here.sets["tar"]) == sorted([f"{here.commit}.bundle", SDIST, ARM64, AMD64])
    others = [name for name in names(here.sets["tar"]) if name not in packaged(here.sets["tar"])]
    debs = [name for name in others if name.endswith(".deb")]
    assert {name.rpartition("_")[2] for name in debs} <= {"amd64.deb", "arm64.deb", "all.deb"}
    assert {f"python3.11-minimal_{arch}" for arch in ("amd64", "arm64")} <= {
        f"{name.split('_')[0]}_{name.rpartition('_')[2].removesuffix('.deb')}" for name in debs
    }
    tools = {name.split("-")[0] for name in others if name not in debs}
    assert {"hatchling", "hatch_vcs", "setuptools", "setuptools_scm"} <= tools


def test_the_set_does_not_say_where_the_repository_is(here: Here) -> None:
    assert manifest(here.sets["tar"])["repositories"] == [
        {"commit": here.commit, "sha256": entry["sha256"]}
        for entry in manifest(here.sets["tar"])["files"]
        if entry["path"] == f"files/{here.commit}.bundle"
    ]
    assert str(here.repository).encode() not in here.sets["tar"].read_bytes()


def test_only_the_history_of_the_commit_is_in_the_set(here: Here, tmp_path: Path) -> None:
    bundle = here.sets["folder"] / "files" / f"{here.commit}.bundle"
    heads = git(tmp_path, "bundle", "list-heads", str(bundle)).splitlines()
    assert sorted(heads) == [f"{here.commit} HEAD", f"{here.commit} refs/tags/v2.0"]


def test_of_one_target_there_is_nothing_for_others(here: Here, tmp_path: Path) -> None:
    """Without a network, too: a set can be made from another one."""
    machine, part = there(here, tmp_path), tmp_path / "part.tar"
    done = machine.run("fetch", "--files", here.sets["tar"], "--target", "linux/arm64", "--output", part)
    assert done.code == 0, done.stderr
    assert packaged(part) == sorted([f"{here.commit}.bundle", SDIST, ARM64])
    assert not [name for name in names(part) if "amd64" in name or "x86_64" in name]
    other = there(here, tmp_path / "other")
    assert other.image("--files", part, "--target", "linux/arm64").code == 0
    assert "x86_64" in there(here, tmp_path / "more").refused(110, "--files", part)


def test_a_set_made_from_a_set_is_the_same(here: Here, tmp_path: Path) -> None:
    machine, copy = there(here, tmp_path), tmp_path / "copy.tar"
    done = machine.run("fetch", "--files", here.sets["folder"], "--output", copy)
    assert done.code == 0, done.stderr
    assert copy.read_bytes() == here.sets["tar"].read_bytes()


def test_for_another_system_and_python(here: Here, shared_cache: Path, tmp_path: Path) -> None:
    """The bundle of the commit is in the cache since the first fetch, as all else is that was fetched."""
    options = ("--python", "3.12", "--target", "darwin/arm64")
    made = fetched(here.project, shared_cache, tmp_path / "set", *options)
    mac = "MarkupSafe-3.0.2-cp312-cp312-macosx_11_0_arm64.whl"
    assert packaged(made) == sorted([f"{here.commit}.bundle", SDIST, mac])
    assert not [name for name in names(made) if name.endswith(".deb") or "linux" in name]
    again = tmp_path / "again"
    offline = Command(cache=shared_cache, prefix=CUT)
    done = offline.run("fetch", here.project, "--offline", "--quiet", "--output", again, *options)
    assert done.code == 0, done.stderr
    assert (again / MANIFEST).read_bytes() == (made / MANIFEST).read_bytes()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("folder", ARM64), ("tar", SDIST), ("folder", "bundle"), ("tar", "deb")],
    ids=["wheel in folder", "source in tar", "bundle in folder", "base in tar"],
)
def test_a_damaged_file_is_refused(here: Here, tmp_path: Path, kind: str, name: str) -> None:
    filename = next(item for item in names(here.sets[kind]) if item.endswith(name))
    if kind == "folder":
        damaged = tmp_path / "set"
        shutil.copytree(here.sets[kind], damaged)
        flip(damaged / "files" / filename, 500)
    else:
        damaged = tmp_path / "set.tar"
        shutil.copy(here.sets[kind], damaged)
        with tarfile.open(damaged) as tar:
            offset = tar.getmember(f"files/{filename}").offset_data
        flip(damaged, offset + 500)
    told = there(here, tmp_path).refused(111, "--files", damaged)
    assert f"files/{filename} has another SHA-256" in told
    assert "hint: make it again with `crossdock fetch --output`" in told


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


def test_half_a_tar_is_refused(here: Here, tmp_path: Path) -> None:
    half = tmp_path / "set.tar"
    data = here.sets["tar"].read_bytes()
    half.write_bytes(data[: len(data) // 2])
    told = there(here, tmp_path).refused(111, "--files", half)
    assert f"{half} is damaged" in told


def without(here: Here, folder: Path, filename: str) -> Path:
    """Copy the set but for one file, with a manifest that does not have it either."""
    shutil.copytree(here.sets["folder"], folder)
    document = manifest(folder)
    (entry,) = [item for item in document["files"] if item["path"] == f"files/{filename}"]
    document["files"].remove(entry)
    document["repositories"] = [item for item in document["repositories"] if item["sha256"] != entry["sha256"]]
    (folder / MANIFEST).write_text(json.dumps(document))
    (folder / "files" / filename).unlink()
    return folder


@pytest.mark.parametrize("filename", [ARM64, SDIST])
def test_a_file_that_the_set_lacks_is_named(here: Here, tmp_path: Path, filename: str) -> None:
    told = there(here, tmp_path).refused(110, "--files", without(here, tmp_path / "set", filename))
    assert filename in told
    assert "crossdock fetch" in told


def test_a_repository_that_the_set_lacks_is_named(here: Here, tmp_path: Path) -> None:
    lacking = without(here, tmp_path / "set", f"{here.commit}.bundle")
    told = there(here, tmp_path).refused(110, "--files", lacking)
    assert f"The repository {here.repository.as_uri()} would have to be cloned" in told
    assert "crossdock fetch" in told


def test_a_bundle_of_another_repository_gives_no_other_build(here: Here, tmp_path: Path) -> None:
    """Whoever writes a set can make its manifest fit its files, but not other sources fit the locked commit."""
    other = tmp_path / "other"
    commit = make_repository(other)
    git(other, "commit", "--quiet", "--allow-empty", "--message", "evil")
    evil = tmp_path / "set"
    shutil.copytree(here.sets["folder"], evil)
    path = evil / "files" / f"{here.commit}.bundle"
    path.unlink()
    git(other, "bundle", "create", "--quiet", str(path), "--all", "HEAD")
    assert commit != here.commit
    sha256 = subprocess.run(["sha256sum", str(path)], capture_output=True, text=True, check=True).stdout[:64]
    document = manifest(evil)
    for entry in document["files"]:
        if entry["path"] == f"files/{path.name}":
            entry.update(sha256=sha256, size=path.stat().st_size)
    document["repositories"] = [{"commit": here.commit, "sha256": sha256}]
    (evil / MANIFEST).write_text(json.dumps(document))
    told = there(here, tmp_path).refused(111, "--files", evil)
    assert f"it does not hold the commit {here.commit}" in told
