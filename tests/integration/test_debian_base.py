"""Debian bases from a real mirror: they run, dpkg and apt agree with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.bases.debian import (
    DebianConfig,
    LockedDebianBase,
    debian_entries,
    debian_requests,
    facts,
    lock_debian,
)
from crossdock.bases.debian.sources import choose_mirrors, read_apt_sources, suite_sources
from crossdock.lockfile.file import Lockfile, format_lockfile, parse_lockfile
from crossdock.store import Store, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.layers.entry import Entry

pytestmark = pytest.mark.network

_CONFIG = DebianConfig()
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_BASES = [(suite, arch) for suite in ("bookworm", "trixie") for arch in ("amd64", "arm64")]

# Runs inside the base; prints what it finds.
_PROBE = r"""
import bz2, ctypes, curses, hashlib, json, lzma, mimetypes, os, platform, pwd, readline, socket, sqlite3, ssl, sys
import unicodedata, uuid, zlib
from datetime import datetime
from zoneinfo import ZoneInfo
ctypes.CDLL("libstdc++.so.6"), ctypes.CDLL("libgcc_s.so.1")
libc = ctypes.CDLL("libc.so.6")
libc.gnu_get_libc_version.restype = ctypes.c_char_p
database = sqlite3.connect(":memory:")
print(json.dumps({
    "machine": platform.machine(),
    "python": platform.python_version(),
    "executable": os.path.realpath(sys.executable),
    "libc": libc.gnu_get_libc_version().decode(),
    "codename": platform.freedesktop_os_release()["VERSION_CODENAME"],
    "user": [os.getuid(), pwd.getpwuid(os.getuid()).pw_name, os.path.expanduser("~")],
    "ca": len(ssl.create_default_context().get_ca_certs()),
    "sqlite": database.execute("select 6 * 7").fetchone()[0],
    "offset": datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset().total_seconds(),
    "https": socket.getservbyname("https"),
    "mime": mimetypes.guess_type("a.docx")[0],
    "encoding": sys.getfilesystemencoding(),
    "tmp": oct(os.stat("/tmp").st_mode & 0o7777),
    "shell": [path for path in ("/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/dpkg") if os.path.lexists(path)],
    "localtime": os.path.realpath("/etc/localtime"),
}))
database.close()
"""


@pytest.fixture(scope="session")
def store(shared_cache: Path) -> Store:
    return Store(shared_cache)


@pytest.fixture(scope="session")
def laid_out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> _LaidOut:
    return _LaidOut(store, tmp_path_factory)


class _LaidOut:
    """Locks a base and writes it to a folder, once each."""

    def __init__(self, store: Store, folders: pytest.TempPathFactory) -> None:
        self._store = store
        self._folders = folders
        self._locked: dict[tuple[str, str], LockedDebianBase] = {}
        self._roots: dict[tuple[str, str], Path] = {}

    def locked(self, suite: str, arch: str) -> LockedDebianBase:
        if (suite, arch) not in self._locked:
            self._locked[suite, arch] = lock_debian(suite, arch, packages=(), config=_CONFIG, store=self._store)
        return self._locked[suite, arch]

    def root(self, suite: str, arch: str) -> Path:
        if (suite, arch) not in self._roots:
            locked = self.locked(suite, arch)
            fetch(self._store, debian_requests(locked, _CONFIG))
            root = self._folders.mktemp(f"{suite}-{arch}")
            _write(debian_entries(locked, self._store), root)
            self._roots[suite, arch] = root
        return self._roots[suite, arch]


def _write(entries: Iterable[Entry], root: Path) -> None:
    """Write entries below ``root``; a path that is there already, or leads through a link, is a failure."""
    root.chmod(0o755)
    for entry in entries:
        path = root / entry.path
        assert path.parent.resolve() == path.parent
        if entry.kind == "directory":
            path.mkdir()
        elif entry.kind == "symlink":
            path.symlink_to(entry.linkname)
        else:
            assert entry.kind == "file"
            with path.open("xb") as stream:
                stream.write(entry.content)
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind != "symlink":
            path.chmod(entry.mode)


def _run(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    isolation = ["bwrap", "--unshare-all", "--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    user = ["--uid", "65532", "--gid", "65532", "--clearenv", "--chdir", "/"]
    return subprocess.run([*isolation, *user, *argv], capture_output=True, text=True, timeout=300)


def _needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(programs)}")


def _needs_machine(arch: str) -> None:
    machine = _MACHINES[arch]
    if os.uname().machine != machine and not Path(f"/proc/sys/fs/binfmt_misc/qemu-{machine}").exists():
        pytest.skip(f"programs for {machine} do not run here: register QEMU with binfmt_misc")


@pytest.mark.parametrize(("suite", "arch"), _BASES)
def test_the_base_runs_python_as_its_facts_say(laid_out: _LaidOut, suite: str, arch: str) -> None:
    _needs("bwrap")
    _needs_machine(arch)
    base = facts(laid_out.locked(suite, arch))
    done = _run(laid_out.root(suite, arch), "/usr/bin/python3", "-W", "error", "-c", _PROBE)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("ca") > 100
    assert found == {
        "machine": _MACHINES[arch],
        "python": base.python_version,
        "executable": base.python_path,
        "libc": ".".join(map(str, base.libc_version)),
        "codename": suite,
        "user": [65532, "nonroot", "/home/nonroot"],
        "sqlite": 42,
        "offset": 7200.0,
        "https": 443,
        "mime": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "encoding": "utf-8",
        "tmp": "0o1777",
        "shell": [],
        "localtime": "/usr/share/zoneinfo/Etc/UTC",
    }
    assert base.user == "65532:65532"


@pytest.mark.parametrize(("suite", "arch"), _BASES)
def test_every_library_a_binary_needs_is_there(laid_out: _LaidOut, suite: str, arch: str) -> None:
    """The left-out packages bring nothing that a program or an extension module of the base links to."""
    from elftools.elf.elffile import ELFFile

    root = laid_out.root(suite, arch)
    needed: dict[str, set[str]] = {}
    present = {path.name for path in root.rglob("*.so*")}
    for path in root.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.read_bytes()[:4] != b"\x7fELF":
            continue
        with path.open("rb") as stream:
            dynamic: Any = ELFFile(stream).get_section_by_name(".dynamic")
            tags = dynamic.iter_tags("DT_NEEDED") if dynamic is not None else ()
            needed[str(path.relative_to(root))] = {tag.needed for tag in tags}
    assert len(needed) > 100
    assert {path: missing for path, names in needed.items() if (missing := names - present)} == {}


@pytest.mark.parametrize(("suite", "arch"), _BASES)
def test_dpkg_sees_the_locked_packages_and_unchanged_files(laid_out: _LaidOut, suite: str, arch: str) -> None:
    _needs("dpkg-query", "dpkg")
    root = laid_out.root(suite, arch)
    show = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show"]
    fields = "--showformat=${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n"
    done = subprocess.run(
        [*show, fields],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = laid_out.locked(suite, arch).packages
    assert done.stdout.splitlines() == [f"{p.name} {p.version} {p.architecture} ii " for p in packages]
    verify = ["dpkg", f"--root={root}", "--verify"]
    assert subprocess.run(verify, capture_output=True, text=True).stdout == ""
    services = root / "etc/services"
    content = services.read_bytes()
    try:
        services.write_bytes(content + b"changed")
        assert "/etc/services" in subprocess.run(verify, capture_output=True, text=True).stdout
    finally:
        services.write_bytes(content)


@pytest.mark.parametrize(("suite", "arch"), _BASES)
def test_every_version_is_apts_candidate(laid_out: _LaidOut, suite: str, arch: str, tmp_path: Path) -> None:
    _needs("apt-get", "apt-cache")
    packages = laid_out.locked(suite, arch).packages
    mirrors = choose_mirrors(_CONFIG.with_environment(os.environ), read_apt_sources(Path("/etc/apt")))
    lines = [f"deb {source.uri} {source.suite} main\n" for source in suite_sources(mirrors, suite)]
    (tmp_path / "sources.list").write_text("".join(lines))
    (tmp_path / "status").touch()
    (tmp_path / "state/lists/partial").mkdir(parents=True)
    (tmp_path / "cache/archives/partial").mkdir(parents=True)
    options = {
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::Cache": str(tmp_path / "cache"),
        "Dir::Etc::SourceList": str(tmp_path / "sources.list"),
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": str(tmp_path / "state"),
        "Dir::State::status": str(tmp_path / "status"),
    }
    flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    subprocess.run(["apt-get", *flags, "update"], check=True, capture_output=True, env=env)
    policy = subprocess.run(
        ["apt-cache", *flags, "policy", *(package.name for package in packages)],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    ).stdout
    names = [line.rstrip(":") for line in policy.splitlines() if line and not line.startswith(" ")]
    candidates = [line.split()[1] for line in policy.splitlines() if line.startswith("  Candidate:")]
    assert dict(zip(names, candidates, strict=True)) == {package.name: package.version for package in packages}


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_ca_bundle_is_what_the_packages_own_script_makes(laid_out: _LaidOut, suite: str, tmp_path: Path) -> None:
    _needs("update-ca-certificates")
    root = laid_out.root(suite, "amd64")
    folder = root / "usr/share/ca-certificates"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.crt"))
    (tmp_path / "conf").write_text("".join(f"{name}\n" for name in names))
    (tmp_path / "certs").mkdir()
    (tmp_path / "none").mkdir()
    paths = {"certsconf": tmp_path / "conf", "certsdir": folder, "etccertsdir": tmp_path / "certs"}
    empty = {"localcertsdir": tmp_path / "none", "hooksdir": tmp_path / "none"}
    flags = [part for key, value in (paths | empty).items() for part in (f"--{key}", str(value))]
    subprocess.run(["update-ca-certificates", *flags], check=True, capture_output=True)
    made = (tmp_path / "certs/ca-certificates.crt").read_bytes()
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_bytes() == made


def test_a_lock_survives_its_file_and_the_layout_is_the_same_each_time(laid_out: _LaidOut, store: Store) -> None:
    locked = laid_out.locked("bookworm", "arm64")
    laid_out.root("bookworm", "arm64")
    text = format_lockfile(Lockfile(bases=(locked,)))
    again = parse_lockfile(text, origin="crossdock.lock").find("debian:bookworm", "arm64")
    assert again is not None
    assert debian_entries(again, store) == debian_entries(locked, store)
    assert "://" not in text


def test_wanted_packages_come_with_what_they_need(store: Store) -> None:
    locked = lock_debian("bookworm", "amd64", packages=["libpq5"], config=_CONFIG, store=store)
    names = {package.name for package in locked.packages}
    assert {"libpq5", "libldap-2.5-0", "libsasl2-2"} <= names
    assert locked.requested == ("libpq5",)
