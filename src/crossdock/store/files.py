"""Writing files that appear whole or not at all, of content that is proved once more on its way."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from crossdock.errors import DamagedLayerError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PARTIAL", "copy_content", "damaged", "digest_of", "reported", "whole_file", "write_whole"]

#: How the name of a file that is not whole yet ends.
PARTIAL = ".partial"

_COPY = 1 << 20


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a file that gets its name only when all of it was written; it can be sought in until then.

    Args:
        path: Its name.
        mode: Its permissions, whatever the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=PARTIAL)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
        os.chmod(temporary, mode)  # noqa: PTH101  as any tool would leave it; mkstemp's own mode is private
        os.replace(temporary, path)  # noqa: PTH105
    finally:
        # Gone already where it got its name; Ctrl-C may come right after that.
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


def write_whole(path: Path, content: bytes | Path, digest: str = "") -> None:
    """Write a file whole; errors as `copy_content`."""
    with whole_file(path) as out:
        copy_content(content, out, digest)


def copy_content(content: bytes | Path, out: IO[bytes], digest: str) -> None:
    """Copy content; what comes out of a file is proved to be what was proved when it went in.

    Raises:
        DamagedLayerError: A file does not have the digest it is said to have.
    """
    if isinstance(content, bytes):
        out.write(content)
        return
    read = hashlib.sha256()
    with content.open("rb") as source:
        while piece := source.read(_COPY):
            read.update(piece)
            out.write(piece)
    if digest != f"sha256:{read.hexdigest()}":
        raise damaged(digest, content, f"sha256:{read.hexdigest()}")


def damaged(digest: str, path: Path, found: str) -> DamagedLayerError:
    """Give the error for a file of the cache that does not have its digest any more."""
    return DamagedLayerError(
        f"The layer {digest} in the cache is damaged",
        why=f"{path} now has the digest {found}",
        hint="it was removed: run the same command again",
        digest=digest,
    )


def digest_of(path: Path) -> str:
    """Give the digest of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@contextmanager
def reported(path: Path, *, option: str = "--output") -> Iterator[None]:
    """Turn the system's errors about an output into ours.

    Args:
        path: The output.
        option: Which option names it.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be written",
            why=f"{reason}: {error.filename}" if error.filename else reason,
            hint=f"name another {option}, or make room",
        ) from None
