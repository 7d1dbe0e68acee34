"""A launcher and what follows it to one file, by copying."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from crossdock.bundles.exe.launcher import Payload, launcher
from crossdock.errors import DamagedLayerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.bundles.exe.launcher import Launch
    from crossdock.store.blobs import Store

__all__ = ["assemble_exe"]

_COPY = 1 << 20


def assemble_exe(launch: Launch, python: str, app: Sequence[str], store: Store, out: IO[bytes]) -> str:
    """Write an executable.

    Args:
        launch: What its launcher needs to know.
        python: SHA-256 of the Python's archive.
        app: SHA-256 of each piece of the application's archive, in order.
        store: Holds them.
        out: Takes the file from its beginning, and can be sought in.

    Returns:
        SHA-256 of the file, in hex.

    Raises:
        DamagedLayerError: A piece is not what it was when it was made.
    """
    python_size, app_size = store.size(python), sum(store.size(piece) for piece in app)
    # All digests are of one length, so that the place of what follows is known before its digest is.
    placeholder = launcher(launch, Payload(python=python_size, app=app_size, sha256="0" * 64))
    out.write(placeholder)
    both = hashlib.sha256()
    for piece in (python, *app):
        _copy(piece, store, out, both)
    head = launcher(launch, Payload(python=python_size, app=app_size, sha256=both.hexdigest()))
    out.seek(0)
    out.write(head)
    out.seek(0, 2)
    return _digest(head, (python, *app), store)


def _copy(piece: str, store: Store, out: IO[bytes], both: hashlib._Hash) -> None:
    own = hashlib.sha256()
    path = store.path(piece)
    with path.open("rb") as source:
        while data := source.read(_COPY):
            own.update(data)
            both.update(data)
            out.write(data)
    if own.hexdigest() != piece:
        store.discard(piece)
        raise DamagedLayerError(
            f"A part of an executable in the cache is damaged: sha256:{piece}",
            why=f"{path} now has the digest sha256:{own.hexdigest()}",
            hint="it was removed: run the same command again",
            digest=f"sha256:{piece}",
        )


def _digest(head: bytes, pieces: Sequence[str], store: Store) -> str:
    digest = hashlib.sha256(head)
    for piece in pieces:
        with store.path(piece).open("rb") as source:
            while data := source.read(_COPY):
                digest.update(data)
    return digest.hexdigest()
