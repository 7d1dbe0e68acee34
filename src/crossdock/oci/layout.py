"""Writing an OCI image layout, as a folder or as one tar file (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from crossdock.errors import OutputError
from crossdock.layers import tar
from crossdock.oci.model import Descriptor, canonical_json
from crossdock.store.exclusive import alone
from crossdock.store.files import PARTIAL, copy_content, digest_of, reported, whole_file, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["check_output", "write_layout", "write_layout_tar"]

#: Annotation of every index.json that crossdock writes; only such a layout is ever replaced.
MADE_BY = "dev.crossdock.made-by"

_LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})
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
        DamagedLayerError: A file does not have the digest it is said to have.
    """
    with reported(folder):
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
    with reported(folder), alone(folder):  # as each run removes the blobs it does not know
        _check_ours(folder)
        if not (folder / "index.json").exists():
            write_whole(folder / "index.json", _index(None))  # from here on the folder is known as ours
        blob_folder = folder / "blobs" / "sha256"
        blob_folder.mkdir(parents=True, exist_ok=True)
        for digest, content in blobs.items():
            _write_blob(blob_folder, digest, content)
        for name, data in (("oci-layout", _LAYOUT), ("index.json", _index(root))):
            if not (folder / name).is_file() or (folder / name).read_bytes() != data:
                write_whole(folder / name, data)
        kept = {digest.removeprefix("sha256:") for digest in blobs}
        unused = [path for path in blob_folder.iterdir() if _BLOB_NAME.fullmatch(path.name) and path.name not in kept]
        for path in (*unused, *blob_folder.glob(f".*{PARTIAL}"), *folder.glob(f".*{PARTIAL}")):
            path.unlink(missing_ok=True)


def write_layout_tar(
    path: Path, root: Descriptor, blobs: Mapping[str, bytes | Path], *, option: str = "--output"
) -> None:
    """Write a layout as one uncompressed tar file, which appears whole or not at all.

    Args:
        path: The file.
        root: What index.json refers to.
        blobs: All content by digest.
        option: Which option names the file.

    Raises:
        OutputError: It cannot be written, or a folder is there.
        DamagedLayerError: A file does not have the digest it is said to have.
    """
    members: dict[str, tuple[bytes | Path, str]] = {"oci-layout": (_LAYOUT, ""), "index.json": (_index(root), "")}
    for digest, content in blobs.items():
        members[f"blobs/sha256/{digest.removeprefix('sha256:')}"] = (content, digest)
    with reported(path, option=option), whole_file(path) as out:
        for folder in ("blobs", "blobs/sha256"):
            out.write(b"".join(tar.headers(folder, type_="5", mode=0o755)))
        for name in sorted(members):
            content, digest = members[name]
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            out.write(b"".join(tar.headers(name, size=size)))
            copy_content(content, out, digest)
            out.write(bytes(tar.padding(size)))
        out.write(bytes(tar.END))


def _index(root: Descriptor | None) -> bytes:
    manifests = [root.to_json()] if root else []
    return canonical_json({"schemaVersion": 2, "manifests": manifests, "annotations": {MADE_BY: "crossdock"}})


def check_output(path: Path, *, option: str = "--output") -> None:
    """Refuse an output that would be refused in the end, before any work is done for it.

    Args:
        path: Folder of a layout, or a tar file.
        option: Which option names it.

    Raises:
        OutputError: Something is there that must not be lost.
    """
    if path.suffix != ".tar":
        with reported(path):
            _check_ours(path)
    elif path.is_dir():
        raise OutputError(f"{path} is a folder", hint=f"name another {option}")


def _check_ours(folder: Path) -> None:
    """Refuse to write over anything that is not a layout made by crossdock."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise OutputError(
            f"{folder} is not a folder", hint="name another --output, or one ending in .tar for a tar file"
        )
    if all(path.name.endswith(PARTIAL) for path in folder.iterdir()):
        return
    try:
        ours = MADE_BY in json.loads((folder / "index.json").read_bytes())["annotations"]
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise OutputError(
            f"{folder} already holds something that crossdock did not write",
            why="it would be replaced",
            hint="name an empty or new folder with --output",
        )


def _write_blob(folder: Path, digest: str, content: bytes | Path) -> None:
    path = folder / digest.removeprefix("sha256:")
    if not path.is_file() or digest_of(path) != digest:
        write_whole(path, content, digest)
