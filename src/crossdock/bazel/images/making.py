"""Writing a layer to a file, and seeing what is written."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from crossdock.errors import BazelInputError
from crossdock.layers.cached import MadeLayer
from crossdock.oci.model import LAYER_GZIP
from crossdock.store.files import reported, whole_file
from crossdock.verify.looking import ContentsReader
from crossdock.verify.scan import LayerFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.layers.writer import Sink, Witness

__all__ = ["write_blob"]


class _Hashed:
    """A sink that knows the digest of what was written."""

    def __init__(self, out: IO[bytes], path: Path) -> None:
        self._out = out
        self._path = path
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | bytearray) -> None:
        self.digest.update(data)
        self.size += len(data)
        with reported(self._path, option="--out"):
            self._out.write(data)


def write_blob(path: Path, write: Callable[[Sink, Witness | None], str]) -> tuple[MadeLayer, LayerFacts]:
    """Write a layer, which appears whole or not at all.

    Args:
        path: The file.
        write: Writes the layer and gives its diff_id, as `crossdock.layers.cached.LayerRecipe` does.

    Raises:
        OutputError: It cannot be written.
        BazelInputError: Something that it is made of cannot be read.
        CrossdockError: Whatever is wrong with what it is made of has its class.
    """
    reader = ContentsReader()
    with reported(path, option="--out"), whole_file(path) as file:
        sink = _Hashed(file, path)
        try:
            diff_id = write(sink, reader)
        except OSError as error:  # those of the output are told apart
            raise BazelInputError(
                f"What {path.name} is made of cannot be read",
                why=": ".join(map(str, filter(None, (error.filename, error.strerror or error)))),
                hint="it has to be among the inputs of the action, and may not change meanwhile",
            ) from None
    made = MadeLayer(sink.digest.hexdigest(), sink.size, diff_id)
    facts = LayerFacts(
        media_type=LAYER_GZIP,
        digest=f"sha256:{made.digest}",
        size=made.size,
        diff_id=f"sha256:{made.diff_id}",
        contents=reader.contents(),
    )
    return made, facts
