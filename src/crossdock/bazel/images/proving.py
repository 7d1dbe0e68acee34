"""An image as Bazel has it, put together as a layout of links for the proof that any layout gets."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crossdock.bazel.handed.imagefile import read_image
from crossdock.errors import BazelInputError
from crossdock.oci.layout_files import open_layout
from crossdock.steps.meant import Meant
from crossdock.steps.subjects import ImageSubject
from crossdock.store.files import digest_of
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.bazel.handed.imagefile import ImageFile
    from crossdock.oci.model import Descriptor

__all__ = ["linked_images", "meant_by_image"]

_LARGEST_INDEX: Final = 8 << 20
_INDEX: Final = "application/vnd.oci.image.index.v1+json"


@contextmanager
def linked_images(images: Sequence[Path], index: str | None, blobs: Sequence[str]) -> Iterator[ImageSubject]:
    """Give a layout of images.

    Args:
        images: What describes each.
        index: The index that they are in, if they are in one.
        blobs: Manifests, configs and layers, in any order.

    Raises:
        BazelInputError: Something is not there, or an image is not in the index, or the index has others, too.
    """
    files = {_digest(Path(text)): Path(text) for text in blobs}
    about = [read_image(path) for path in images]
    roots = [item.manifest.to_json() for item in about]
    if index is not None:
        path = Path(index)
        digest = _digest(path)
        files[digest] = path
        _check_index(path, about)
        roots = [{"mediaType": _INDEX, "digest": digest, "size": path.stat().st_size}]
    for item in about:
        for wanted in (item.manifest, item.config, *(layer.descriptor for layer in item.layers)):
            _check_there(wanted, files, item)
    with tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        (root / "blobs" / "sha256").mkdir(parents=True)
        for digest, path in files.items():
            (root / "blobs" / "sha256" / digest.removeprefix("sha256:")).symlink_to(path.absolute())
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', encoding="utf-8")
        (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": roots}), encoding="utf-8")
        yield ImageSubject(layout=open_layout(root))


def meant_by_image(path: Path) -> Meant | None:
    """Give what an image was made for, with the wheels that it was made of; None if it has no Python.

    Raises:
        BazelInputError: The file does not describe an image.
    """
    claim = read_image(path).claim
    if claim.target is None:
        return None
    claimed = claim_of(claim.target, "bundle", wheels=claim.wheels, waived=claim.waived)
    return Meant(claim=claimed, targets=(claim.target,), tags=frozenset(claim.target.tags))


def _digest(path: Path) -> str:
    try:
        return digest_of(path)
    except OSError as error:
        raise BazelInputError(f"{path} cannot be read", why=error.strerror or str(error)) from None


def _check_index(path: Path, about: Sequence[ImageFile]) -> None:
    try:
        if path.stat().st_size > _LARGEST_INDEX:
            raise BazelInputError(f"{path} is larger than any index")
        value: Any = json.loads(path.read_bytes())
        named = {str(item["digest"]) for item in value["manifests"]}
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise BazelInputError(f"{path} is no index of images", why=f"{type(error).__name__}: {error}") from None
    passed = {item.manifest.digest for item in about}
    if named != passed:
        raise BazelInputError(
            f"The images that are passed are not those of the index {path.name}",
            why=f"{len(named - passed)} of them are missing, and {len(passed - named)} are not in it",
            hint="pass the image.json of each platform that the index was made of",
        )


def _check_there(wanted: Descriptor, files: dict[str, Path], image: ImageFile) -> None:
    if wanted.digest not in files:
        raise BazelInputError(
            f"No file of {len(files)} is the blob {wanted.digest} of {image.name}",
            why=f"it has {wanted.size:,} bytes, and is {wanted.media_type}",
            hint="pass every layer, config and manifest with --blob; if all are, one was changed: `bazel clean`",
        )
