"""Writing an OCI image layout, as a folder or as one tar file (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from crossdock.errors import OutputError
from crossdock.layers import tar
from crossdock.oci.model import Descriptor, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["MADE_BY", "write_layout", "write_layout_tar"]

#: Annotation of every entry crossdock writes into an index.json; only such a layout is ever replaced.
MADE_BY = "dev.crossdock.made-by"

_LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})
_COPY = 1 << 20
_PARTIAL = ".partial"
_BLOB_NAME = re.compile(r"[0-9a-f]{64}")


def write_layout(folder: Path, root: Descriptor, blobs: Mapping[str, bytes | Path]) -> None:
    """Write a layout, or bring an existing one of crossdock's up to date.

    The order of writes keeps the folder whole at every moment: blobs first, each appearing at once; then index.json,
    replaced at once; blobs nobody refers to any more go last. Of several runs with one folder, one writes at a time.

    Args:
        folder: Where; made if it is not there.
        root: What index.json refers to.
        blobs: All content by digest.

    Raises:
        OutputError: The folder holds something else, or cannot be written.
    """
    with _reported(folder), _alone(folder):
        _check_ours(folder)
        blob_folder = folder / "blobs" / "sha256"
        blob_folder.mkdir(parents=True, exist_ok=True)
        for digest, content in blobs.items():
            path = blob_folder / digest.removeprefix("sha256:")
            if not path.is_file() or path.stat().st_size != _size(content):
                _write_whole(path, content)
        for name, data in (("oci-layout", _LAYOUT), ("index.json", _index(root))):
            if not (folder / name).is_file() or (folder / name).read_bytes() != data:
                _write_whole(folder / name, data)
        kept = {digest.removeprefix("sha256:") for digest in blobs}
        unused = [path for path in blob_folder.iterdir() if _BLOB_NAME.fullmatch(path.name) and path.name not in kept]
        for path in (*unused, *blob_folder.glob(f".*{_PARTIAL}"), *folder.glob(f".*{_PARTIAL}")):
            path.unlink(missing_ok=True)


def write_layout_tar(path: Path, root: Descriptor, blobs: Mapping[str, bytes | Path]) -> None:
    """Write a layout as one uncompressed tar file, which appears whole or not at all.

    Raises:
        OutputError: It cannot be written, or a folder is there.
    """
    members: dict[str, bytes | Path] = {"oci-layout": _LAYOUT, "index.json": _index(root)}
    members |= {f"blobs/sha256/{digest.removeprefix('sha256:')}": content for digest, content in blobs.items()}
    with _reported(path), _whole_file(path) as out:
        for folder in ("blobs", "blobs/sha256"):
            out.write(b"".join(tar.headers(folder, type_="5", mode=0o755)))
        for name in sorted(members):
            content = members[name]
            size = _size(content)
            out.write(b"".join(tar.headers(name, size=size)))
            _copy(content, out)
            out.write(bytes(tar.padding(size)))
        out.write(bytes(tar.END))


def _index(root: Descriptor) -> bytes:
    return canonical_json({"schemaVersion": 2, "manifests": [root.to_json()]})


def _check_ours(folder: Path) -> None:
    """Refuse to write over anything that is not a layout made by crossdock."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise OutputError(
            f"{folder} is not a folder", hint="name another --output, or one ending in .tar for a tar file"
        )
    names = {path.name for path in folder.iterdir() if not path.name.endswith(_PARTIAL)}
    if names <= {"blobs", "oci-layout"}:
        return  # empty, or a first run that was cut off
    try:
        index = json.loads((folder / "index.json").read_bytes()) if (folder / "index.json").exists() else {}
        ours = (folder / "oci-layout").is_file() and all(
            MADE_BY in entry.get("annotations", {}) for entry in index.get("manifests", [])
        )
    except (ValueError, AttributeError, TypeError):
        ours = False
    if not ours:
        raise OutputError(
            f"{folder} already holds something that crossdock did not write",
            why="it would be replaced",
            hint="name an empty or new folder with --output",
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for other runs that write to the same folder, as each removes the blobs it does not know.

    The lock is the system's own and ends with the process. Where there is none (Windows, some network file systems),
    runs at the same time are not kept apart.
    """
    if sys.platform == "win32" or (folder.exists() and not folder.is_dir()):
        yield
        return
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _copy(content: bytes | Path, out: IO[bytes]) -> None:
    if isinstance(content, bytes):
        out.write(content)
        return
    with content.open("rb") as source:
        shutil.copyfileobj(source, out, _COPY)


def _write_whole(path: Path, content: bytes | Path) -> None:
    with _whole_file(path) as out:
        _copy(content, out)


@contextmanager
def _whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name only when all of it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=_PARTIAL)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
        os.chmod(temporary, 0o644)  # noqa: PTH101  as any tool would leave it; mkstemp's own mode is private
        os.replace(temporary, path)  # noqa: PTH105
    finally:
        # Gone already where it got its name; Ctrl-C may come right after that.
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be written",
            why=f"{reason}: {error.filename}" if error.filename else reason,
            hint="name another --output, or make room",
        ) from None
