"""A Python of our own on real bases that have none: it runs there as its facts say, on both architectures.

The archives are made of Debian's binaries in the layout of standalone Pythons; GNU tar and mmdebstrap make the archives
and the bases, bubblewrap and QEMU run the results.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from tests.e2e.engines import MACHINES, require, require_machine, run_tool
from tests.support.standalonepython import LIBRARIES, SUITE, Archive, make_archive

from crossdock.bases.debian import DebianConfig, debian_requests, facts, lock_debian
from crossdock.bases.interpreter.debian import debian_over_facts, debian_over_recipe
from crossdock.bases.interpreter.setting import StandaloneArchive
from crossdock.bases.interpreter.standalone import (
    interpreter_facts,
    interpreter_recipe,
    interpreter_requests,
    lock_interpreter,
)
from crossdock.errors import InterpreterError
from crossdock.layers.cached import tree_recipe
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.steps.environment import environment_entries
from crossdock.store import Store, fetch
from crossdock.targets import parse_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crossdock.layers.cached import LayerRecipe
    from crossdock.lockfile.interpreters import LockedInterpreter

pytestmark = [pytest.mark.network, pytest.mark.engine]

CONFIG = DebianConfig()
PROBE = """
import bz2, ctypes, hashlib, json, lzma, os, platform, sqlite3, ssl, sys, sysconfig, uuid, zlib
libc = ctypes.CDLL(None)
libc.gnu_get_libc_version.restype = ctypes.c_char_p
print(json.dumps({
    "version": platform.python_version(),
    "machine": platform.machine(),
    "libc": libc.gnu_get_libc_version().decode(),
    "executable": os.path.realpath(sys.executable),
    "base_prefix": sys.base_prefix,
    "prefix": sys.prefix,
    "os": os.__file__,
    "dynload": sysconfig.get_path("platstdlib"),
    "site": [path for path in sys.path if path.endswith("site-packages")],
}))
"""


@pytest.fixture(scope="session")
def store(shared_cache: Path) -> Store:
    return Store(shared_cache)


@pytest.fixture(scope="session")
def archives(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Archive]:
    """Makes the archive for an architecture, once."""

    @functools.cache
    def make(architecture: str) -> Archive:
        return make_archive(store, architecture, tmp_path_factory.mktemp(f"archive-{architecture}"))

    return make


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Makes a root without Python, once for each kind; copy it before writing to it."""

    @functools.cache
    def make(architecture: str, variant: str) -> Path:
        require("mmdebstrap", "bwrap")
        root = tmp_path_factory.mktemp("base") / f"{variant}-{architecture}"
        include = [f"--include={','.join(LIBRARIES)}"] if variant == "extract" else []
        # What mmdebstrap looks for in place of trying is not there everywhere; `require_machine` is asked by tests.
        options = ["--quiet", "--skip=check/qemu", f"--variant={variant}", f"--architectures={architecture}", *include]
        run_tool(["mmdebstrap", *options, SUITE, root], timeout=600)
        assert not list(root.glob("usr/bin/python*"))
        return root

    return make


def copy(base: Path, root: Path) -> None:
    """Copy a root, but for its devices, whose content would never end."""
    shutil.copytree(base, root, symlinks=True, ignore=lambda folder, names: names if folder == f"{base}/dev" else ())


def lay(recipe: LayerRecipe, store: Store, root: Path) -> None:
    """Make a layer and unpack it over a root, as engines do, by GNU tar."""
    require("tar")
    blob = store.path(recipe.make(store).digest)
    run_tool(["tar", "--extract", "--gzip", "--keep-directory-symlink", "--file", blob, "--directory", root])


def run(root: Path, *command: str) -> Any:
    isolation = ["bwrap", "--unshare-all", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    user = ["--uid", "65532", "--gid", "65532", "--clearenv", "--chdir", "/"]
    done = subprocess.run([*isolation, *user, *command], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def base_facts(libc_version: tuple[int, int] = (2, 36)) -> BaseFacts:
    return BaseFacts(
        libc="glibc",
        libc_version=libc_version,
        python_version="",
        python_path="",
        user="nobody",
        home="/",
        os_release={"ID": "debian", "VERSION_CODENAME": SUITE},
    )


def lock(archive: Archive, architecture: str, store: Store) -> LockedInterpreter:
    return lock_interpreter(archive.setting, architecture, root=Path("/"), store=store)


def newest_glibc(binaries: tuple[bytes, ...]) -> tuple[int, int]:
    """What pyelftools says that some binaries need."""
    found = {(0, 0)}
    for data in binaries:
        for section in ELFFile(io.BytesIO(data)).iter_sections():
            if isinstance(section, GNUVerNeedSection):
                names = [version.name for _, versions in section.iter_versions() for version in versions]
                numbers = [name.removeprefix("GLIBC_").split(".") for name in names if name.startswith("GLIBC_2")]
                found |= {(int(number[0]), int(number[1])) for number in numbers}
    return max(found)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_standalone_python_runs_on_a_base_without_one_as_its_facts_say(
    architecture: str,
    archives: Callable[[str], Archive],
    bases: Callable[[str, str], Path],
    store: Store,
    tmp_path: Path,
) -> None:
    require_machine(architecture)
    archive = archives(architecture)
    locked = lock(archive, architecture, store)
    assert (locked.python_version, locked.libc) == (archive.version, "glibc")
    assert locked.libc_version == newest_glibc(archive.binaries)

    has = interpreter_facts(base_facts(), locked, base_name="test")
    environment = environment_entries(parse_python(has.python_version), has)
    root = tmp_path / "root"
    copy(bases(architecture, "extract"), root)
    lay(interpreter_recipe(locked, store), store, root)
    lay(tree_recipe("environment", [architecture], lambda: environment, encode=False), store, root)

    own = run(root, locked.python_path, "-W", "error", "-c", PROBE)
    assert own["version"] == locked.python_version
    assert own["machine"] == MACHINES[architecture]
    assert tuple(map(int, own["libc"].split("."))) >= locked.libc_version
    assert own["executable"] == locked.python_path
    assert own["prefix"] == own["base_prefix"] == "/opt/python"
    assert own["os"] == "/opt/python/lib/python3.11/os.py"

    venv = run(root, "/app/.venv/bin/python", "-W", "error", "-c", PROBE)
    assert (venv["prefix"], venv["base_prefix"]) == ("/app/.venv", "/opt/python")
    assert venv["site"] == ["/app/.venv/lib/python3.11/site-packages"]


def test_its_layer_is_in_normal_form_and_holds_every_file_of_the_archive(
    archives: Callable[[str], Archive], store: Store, tmp_path: Path
) -> None:
    archive = archives("arm64")
    lay(interpreter_recipe(lock(archive, "arm64", store), store), store, tmp_path)
    run_tool(["tar", "--extract", "--gzip", "--file", archive.path, "--directory", tmp_path])

    def listed(top: Path) -> dict[str, tuple[str, bytes]]:
        return {
            str(path.relative_to(top)): (str(path.readlink()), b"") if path.is_symlink() else ("", path.read_bytes())
            for path in top.rglob("*")
            if path.is_symlink() or path.is_file()
        }

    assert listed(tmp_path / "opt" / "python") == listed(tmp_path / "python")
    stats = [path.lstat() for path in (tmp_path / "opt").rglob("*") if not path.is_symlink()]
    assert len(stats) > 500
    assert {item.st_mode & 0o7777 for item in stats} == {0o644, 0o755}
    assert {(item.st_mtime, item.st_uid, item.st_gid) for item in stats} == {(0, os.getuid(), os.getgid())}


def test_the_same_tree_by_zstandard_and_from_another_time_gives_the_same_layer(
    archives: Callable[[str], Archive], tmp_path: Path
) -> None:
    pytest.importorskip("crossdock.layers.zstd")
    require("tar", "zstd")
    archive = archives("amd64")
    own = Store(tmp_path / "store")
    run_tool(["tar", "--extract", "--gzip", "--touch", "--file", archive.path, "--directory", tmp_path])
    path = tmp_path / "python.tar.zst"
    run_tool(["tar", "--create", "--zstd", "--sort=name", "--format=pax", "--file", path, "-C", tmp_path, "./python"])
    other = replace(archive, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    layers = [interpreter_recipe(lock(item, "amd64", own), own).make(own) for item in (archive, other)]
    assert archive.sha256 != other.sha256
    assert layers[0] == layers[1]


@pytest.fixture
def served(archives: Callable[[str], Archive]) -> Iterator[str]:
    """The URL of the folder that the amd64 archive is in."""
    handler = functools.partial(_QuietHandler, directory=str(archives("amd64").path.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_it_is_fetched_by_its_url_and_again_on_a_fresh_machine(
    archives: Callable[[str], Archive], served: str, tmp_path: Path
) -> None:
    archive = archives("amd64")
    setting = StandaloneArchive(location=f"{served}/{archive.path.name}", sha256=archive.sha256)
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    locked = lock_interpreter(setting, "amd64", root=tmp_path, store=here)
    assert locked.name == setting.location
    fetch(there, interpreter_requests([locked], tmp_path))
    layers = [interpreter_recipe(locked, item).make(item) for item in (here, there)]
    assert layers[0] == layers[1]


def test_the_archive_of_the_other_machine_is_refused(archives: Callable[[str], Archive], store: Store) -> None:
    with pytest.raises(InterpreterError, match="is not a Python for linux/amd64") as caught:
        lock(archives("arm64"), "amd64", store)
    assert "aarch64 ELF" in caught.value.why


def test_a_real_static_program_is_told_to_be_one(store: Store, tmp_path: Path) -> None:
    require("mmdebstrap", "tar")
    root = tmp_path / "root"
    run_tool(["mmdebstrap", "--quiet", "--variant=extract", "--include=busybox-static", SUITE, root])
    (tmp_path / "python" / "bin").mkdir(parents=True)
    shutil.copy(root / "bin" / "busybox", tmp_path / "python" / "bin" / "python3.12")
    path = tmp_path / "python.tar.gz"
    run_tool(["tar", "--create", "--gzip", "--file", path, "--directory", tmp_path, "python"])
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    machine = next(name for name, kernel in MACHINES.items() if kernel == os.uname().machine)
    with pytest.raises(InterpreterError, match="holds a statically linked Python"):
        lock_interpreter(StandaloneArchive(location=str(path), sha256=sha256), machine, root=tmp_path, store=store)


# An installed system on one; on the other only unpacked packages, where /bin and /lib are no links into /usr yet.
@pytest.mark.parametrize(("architecture", "variant"), [("amd64", "essential"), ("arm64", "extract")])
def test_debians_python_runs_over_an_image_of_the_same_suite_and_only_adds(
    architecture: str, variant: str, bases: Callable[[str, str], Path], store: Store, tmp_path: Path
) -> None:
    require_machine(architecture)
    root = tmp_path / "root"
    copy(bases(architecture, variant), root)
    assert (root / "lib").is_symlink() == (variant == "essential")
    with (root / "etc" / "passwd").open("a") as users:
        users.write("app:x:1234:1234::/srv:/bin/sh\n")
    (root / "tmp").chmod(0o1777)
    before = _settings_of(root)
    locked = lock_debian(SUITE, architecture, packages=(), config=CONFIG, store=store)
    has = debian_over_facts(base_facts(), locked, base_name="test")
    assert (has.python_path, has.user) == ("/usr/bin/python3.11", "nobody")
    fetch(store, debian_requests(locked, CONFIG))
    lay(debian_over_recipe(locked, store), store, root)

    assert _settings_of(root) == before
    found = run(root, "/usr/bin/python3", "-W", "error", "-c", PROBE)
    assert (found["version"], found["executable"]) == (has.python_version, has.python_path)
    assert found["libc"] == "{}.{}".format(*facts(locked).libc_version)
    assert found["machine"] == MACHINES[architecture]
    stanza = (root / "var/lib/dpkg/status.d/python3.11-minimal").read_text()
    assert stanza.startswith("Package: python3.11-minimal\nStatus: install ok installed\n")


def _settings_of(root: Path) -> dict[str, tuple[int, bytes]]:
    """All that an image decides itself: everything outside /usr, but for what the layer is there to add."""
    tops = [top for top in root.iterdir() if top.name != "usr" and not top.is_symlink()]
    paths = [path for top in tops for path in (top, *top.rglob("*"))]
    added = (root / "etc/python3.11", root / "var/lib/dpkg/status.d")
    return {
        str(path.relative_to(root)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in paths
        if not path.is_symlink() and not path.is_socket() and not any(path.is_relative_to(place) for place in added)
    }
