"""Archives of standalone Pythons in small: the real layout, with ELF files that only say what they need."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.unit.bases.interpreter.elfmaker import elf

from crossdock.bases.interpreter.archive import DEFAULT_LIMITS, open_archive
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from crossdock.bases.interpreter.archive import ArchiveLimits, PythonTree

Files = dict[str, "bytes | tarfile.TarInfo"]


def member(path: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """One member without content, below python/ unless the path says otherwise."""
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def python_files(
    *, loader: str = "/lib64/ld-linux-x86-64.so.2", version: str = "3.12.8", machine: int = 62, glibc: str = "2.17"
) -> Files:
    """What every archive has: interpreter, links to it, library, an extension module, a header and a script."""

    def binary(needs: str, *, data: bytes = b"", own: str = "") -> bytes:
        needed = {"libc.so.6": [f"GLIBC_{needs}"]} if needs else {}
        return elf(machine=machine, loader=own, versions=needed, data=data)

    return {
        "python/bin/python3.12": binary("2.2.5", own=loader),
        "python/bin/python3": member("", kind=tarfile.SYMTYPE, link="python3.12"),
        "python/bin/2to3": b"#!/bin/sh\n",
        "python/lib/libpython3.12.so.1.0": binary(glibc, data=b"\0" + version.encode() + b"\0"),
        "python/lib/python3.12/os.py": b"# os\n",
        "python/lib/python3.12/lib-dynload/_x.cpython-312-x86_64-linux-gnu.so": binary("2.14"),
        "python/include/python3.12/patchlevel.h": b'#define PY_VERSION  "%b"\n' % version.encode(),
    }


def tar_of(files: Mapping[str, bytes | tarfile.TarInfo], *, form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for path, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = path
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime, info.uid = len(content), 0o640, 1_700_000_000, 1000
            if "/bin/" in path:
                info.mode = 0o4775
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Shelf:
    """A store, and archives put into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "store")

    def add(self, files: Mapping[str, bytes | tarfile.TarInfo] | bytes) -> str:
        """Put an archive into the store and give its SHA-256."""
        data = files if isinstance(files, bytes) else gzip.compress(tar_of(files), mtime=0)
        return self.store.add_bytes(data)

    def write(self, files: Mapping[str, bytes | tarfile.TarInfo], name: str = "python.tar.gz") -> str:
        """Write an archive to the project's folder and give its SHA-256."""
        data = gzip.compress(tar_of(files), mtime=0)
        (self.folder / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def open(
        self, files: Mapping[str, bytes | tarfile.TarInfo] | bytes, limits: ArchiveLimits = DEFAULT_LIMITS
    ) -> AbstractContextManager[PythonTree]:
        return open_archive(self.store, self.add(files), origin="python.tar.gz", limits=limits)

    def leftovers(self) -> Iterable[Path]:
        return list((self.store.root / "tmp").iterdir())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)
