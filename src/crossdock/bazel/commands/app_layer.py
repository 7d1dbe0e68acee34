"""``app-layer``: the layer of an application's own files, which no wheel brings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.bazel.handed.layerfile import LayerFile, write_layer
from crossdock.bazel.handed.sourcefiles import (
    MAIN_REPOSITORY,
    RUNFILES,
    add_files,
    checked_path,
    in_image,
    listed_files,
)
from crossdock.bazel.images.making import write_blob
from crossdock.errors import BazelInputError
from crossdock.layers.writer import LayerWriter
from crossdock.oci.model import LAYER_GZIP
from crossdock.steps.environment import PREFIX
from crossdock.store.actions import action_key
from crossdock.targets import parse_python
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from crossdock.bazel.handed.sourcefiles import SourceFile
    from crossdock.layers.writer import Sink, Witness
    from crossdock.store.actions import JSON

__all__ = ["add_arguments", "run"]

#: Raised whenever the same files give other bytes.
_VERSION: Final = 1
_TITLE: Final = "crossdock: files of the application"
_IMPORTS: Final = "crossdock_runfiles.pth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_files(parser)
    parser.add_argument("--import", dest="imports", action="append", default=[], help="folder to import from")
    parser.add_argument("--python", help="series of Python that imports from there, such as 3.11")
    parser.add_argument("--out", required=True, type=Path, help="the layer")
    parser.add_argument("--metadata", required=True, type=Path, help="what is known of it")


def run(options: argparse.Namespace) -> int:
    """Write a layer of files."""
    files = listed_files(options, in_image)
    python = parse_python(options.python).short if options.python else ""
    added = _import_file(python, options.imports) if python else None
    made, facts = write_blob(options.out, lambda sink, witness: _write(files, added, sink, witness))
    layer = LayerFile(
        kind="files",
        title=_TITLE,
        described={"dev.crossdock.layer": "project"},
        key=_key(files, added),
        python=python,
        made=made,
        media_type=LAYER_GZIP,
        facts=facts,
    )
    write_layer(options.metadata, layer)
    return 0


def _import_file(python: str, imports: Sequence[str]) -> tuple[str, bytes]:
    """Give the file that puts folders on the path of the environment's Python (documentation of ``site``)."""
    folders = [MAIN_REPOSITORY, *(checked_path(path, "app-layer --import") for path in imports)]
    lines = [f"/{RUNFILES}/{folder}\n" for folder in dict.fromkeys(folders)]
    return f"{posix_venv(PREFIX, python).site_packages}/{_IMPORTS}", "".join(lines).encode()


def _key(files: Iterable[SourceFile], added: tuple[str, bytes] | None) -> str:
    listed: JSON = [[item.path, item.mode, _sha256(item)] for item in files]
    generated: JSON = None if added is None else [added[0], added[1].decode()]
    return action_key("files-layer", version=_VERSION, files=listed, imports=generated)


def _sha256(item: SourceFile) -> str:
    found = hashlib.sha256()
    for piece in item.pieces():
        found.update(piece)
    return found.hexdigest()


def _write(files: Iterable[SourceFile], added: tuple[str, bytes] | None, sink: Sink, witness: Witness | None) -> str:
    """Write the layer, without a compressor: what is written depends on the files alone."""
    writer = LayerWriter(sink, witness)
    folders: set[str] = set()
    if added is not None:
        path, content = added
        _folders(writer, path, folders)
        writer.header(path, size=len(content))
        writer.stored(content)
        writer.padding(len(content))
    for item in files:
        _folders(writer, item.path, folders)
        _write_file(writer, item)
    return writer.finish()


def _write_file(writer: LayerWriter, item: SourceFile) -> None:
    left = size = item.size
    writer.header(item.path, size=size, mode=item.mode)
    for piece in item.pieces():
        left -= len(piece)
        if left >= 0:
            writer.stored(piece)
    if left:
        raise BazelInputError(
            f"{item.source} changed while it was read", hint="build again, and see that nothing writes to it meanwhile"
        )
    writer.padding(size)


def _folders(writer: LayerWriter, path: str, known: set[str]) -> None:
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        folder = "/".join(parts[:depth])
        if folder not in known:
            known.add(folder)
            writer.header(folder, type_="5", mode=0o755)
