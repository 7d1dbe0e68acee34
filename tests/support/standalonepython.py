"""Archives in the layout of standalone Pythons, made of Debian's binaries when a test runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.e2e.engines import require, run_tool

from crossdock.bases.debian import DebianConfig, debian_requests, lock_debian
from crossdock.bases.debian.deb import read_deb
from crossdock.bases.interpreter.setting import StandaloneArchive
from crossdock.store import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.layers.entry import Entry
    from crossdock.store import Store

__all__ = ["LIBRARIES", "SUITE", "Archive", "make_archive"]

SUITE = "bookworm"
#: Libraries that Debian's Python is linked to; standalone Pythons bring theirs.
LIBRARIES = (
    "base-files",
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libncursesw6",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libuuid1",
    "zlib1g",
)


@dataclass(frozen=True)
class Archive:
    """An archive, the version of Debian's package it was made of, and its binaries."""

    path: Path
    sha256: str
    version: str
    binaries: tuple[bytes, ...]

    @property
    def setting(self) -> StandaloneArchive:
        return StandaloneArchive(location=str(self.path), sha256=self.sha256)


def make_archive(store: Store, architecture: str, folder: Path) -> Archive:
    """Make the archive for an architecture in a folder."""
    require("tar")
    locked = lock_debian(SUITE, architecture, packages=("libpython3.11",), config=DebianConfig(), store=store)
    wanted = ("libpython3.11", "libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal")
    taken = replace(locked, packages=tuple(package for package in locked.packages if package.name in wanted))
    fetch(store, debian_requests(taken, DebianConfig()))
    binaries = []
    for package in taken.packages:
        for entry in read_deb(store.read_bytes(package.sha256), origin=package.name).entries:
            place = _place(entry.path)
            if place is not None and _write(entry, folder / "python" / place):
                binaries.append(entry.content)
    (folder / "python" / "bin" / "python3").symlink_to("python3.11")
    (folder / "python" / "bin" / "python").symlink_to("python3")
    path = folder / f"cpython-3.11-{architecture}-install_only.tar.gz"
    run_tool(["tar", "--create", "--gzip", "--file", path, "--directory", folder, "python"])
    version = next(package.version for package in taken.packages if package.name == "python3.11-minimal")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Archive(path=path, sha256=sha256, version=version.partition("-")[0], binaries=tuple(binaries))


def _place(path: str) -> str | None:
    """Where a file of Debian's packages is in a standalone Python."""
    if path == "usr/bin/python3.11":
        return "bin/python3.11"
    if path.startswith("usr/lib/") and path.endswith("linux-gnu/libpython3.11.so.1.0"):
        return "lib/libpython3.11.so.1.0"
    return path.removeprefix("usr/") if path.startswith("usr/lib/python3.11/") else None


def _write(entry: Entry, path: Path) -> bool:
    """Write a file; tell whether it is one whose symbols are loaded with the interpreter."""
    if entry.kind == "symlink" and not entry.linkname.startswith("/"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(entry.linkname)
    if entry.kind != "file":
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(entry.content)
    path.chmod(entry.mode)
    return entry.content.startswith(b"\x7fELF")
