"""``wheel-info``: what a wheel is, as the rule of its repository has to know it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from crossdock.errors import BadWheelError, HashMismatchError
from crossdock.store.files import digest_of
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.metadata import read_metadata

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run", "wheel_info"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", type=Path)
    parser.add_argument("--sha256", help="what it has to have")


def run(options: argparse.Namespace) -> int:
    """Print what a wheel is."""
    print(json.dumps(wheel_info(options.file, options.sha256), sort_keys=True))
    return 0


def wheel_info(path: Path, wanted: str | None = None) -> dict[str, Any]:
    """Read what a wheel is.

    Args:
        path: The wheel, under its own name.
        wanted: The SHA-256 that it has to have; None if any will do.

    Raises:
        HashMismatchError: It has another one.
        WheelError: It is damaged, unsafe or not supported.
    """
    try:
        digest = digest_of(path).removeprefix("sha256:")
        if wanted not in (None, digest):
            raise HashMismatchError(
                f"{path.name} is not the wheel that is locked",
                why=f"its SHA-256 is {digest}, and {wanted} is wanted",
                hint="put the locked one back, or make the lock again",
            )
        with WheelArchive(path, path.name) as archive:
            metadata = read_metadata(archive)
            folder = f"{metadata.data}/scripts/"
            own = {member.name.removeprefix(folder) for member in archive.members if member.name.startswith(folder)}
            size = archive.size
    except OSError as error:
        raise BadWheelError(f"{path.name} cannot be read", why=error.strerror or str(error)) from None
    points = {point.name for point in metadata.entry_points}
    return {
        "name": metadata.name,
        "version": metadata.version,
        "filename": path.name,
        "sha256": digest,
        "size": size,
        # As the command line decides it, which sees no more of a wheel than its name; what WHEEL says may differ.
        "pure": all(tag.platform == "any" for tag in parse_wheel_filename(path.name)[3]),
        "scripts": sorted(points | {name for name in own if "/" not in name}),
    }
