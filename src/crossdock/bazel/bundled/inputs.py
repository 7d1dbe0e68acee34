"""What the actions for PEX files, zips and own wheels are given: targets, wheels and files."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crossdock.bazel.groups import add_groups
from crossdock.bazel.hubs.targets import version_of_tag
from crossdock.bundling.ready import BundleMember, WheelFile
from crossdock.errors import BadWheelError, UsageError
from crossdock.store.blobs import Store
from crossdock.store.files import digest_of
from crossdock.targets import parse_python, parse_target

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from crossdock.targets import Python, Target, TargetSpec

__all__ = [
    "add_members",
    "hold",
    "member_of",
    "only_wheel",
    "scratch_store",
    "spelled_target",
    "stored_wheel",
]


def add_members(parser: argparse.ArgumentParser) -> None:
    """Add the options that name targets and their wheels."""
    add_groups(parser, "--target", "--wheel")
    parser.add_argument("--python", metavar="VERSION")


def spelled_target(text: str, python: str | None) -> tuple[TargetSpec, Python | None]:
    """Read a target, with its Python behind a blank or named for all: ``linux/arm64+glibc2.28 cp311``.

    Raises:
        TargetError: It names no target, or no Python that is known.
    """
    platform, _, own = text.strip().partition(" ")
    spec = parse_target(platform)
    spelled = version_of_tag(own.strip() or python or "")
    return spec, parse_python(spelled) if spelled else None


@contextmanager
def scratch_store() -> Iterator[Store]:
    """Give a store that is gone in the end: an action keeps nothing but its outputs."""
    with tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True) as folder:
        yield Store(Path(folder) / "store")


def stored_wheel(store: Store, path: Path, *, own: bool = False) -> WheelFile:
    """Let a store hold a wheel where it lies.

    Raises:
        BadWheelError: It does not have the name of a wheel, or cannot be read.
    """
    try:
        name, version, *_ = parse_wheel_filename(path.name)
        sha256 = digest_of(path).removeprefix("sha256:")
    except InvalidWheelFilename as error:
        raise BadWheelError(
            f"{path.name} is not the name of a wheel", why=str(error), hint="give the file under its own name"
        ) from None
    except OSError as error:
        raise BadWheelError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    hold(store, path, sha256)
    return WheelFile(name=name, version=str(version), filename=path.name, sha256=sha256, own=own)


def hold(store: Store, path: Path, sha256: str) -> None:
    """Put a link to a file of known content into a store."""
    place = store.root / "blobs" / "sha256" / sha256[:2] / sha256
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        try:
            place.symlink_to(path.absolute())
        except OSError:  # where links are not for everybody, as on Windows
            store.add_file(path, expected=sha256)


def only_wheel(text: str) -> Path:
    """Give a wheel by its path, or by that of a folder with nothing else in it.

    Raises:
        BadWheelError: There is none, or there are several.
    """
    path = Path(text)
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.whl"))
    if len(found) == 1:
        return found[0]
    raise BadWheelError(f"{path} holds {len(found)} wheels", why="the project's own is one", hint="build it again")


def member_of(target: Target, wheels: Iterable[WheelFile], own: WheelFile) -> BundleMember:
    """Give a target with its wheels, in the order that selections have: by name, the project's own last.

    Raises:
        UsageError: Two wheels are of one distribution.
    """
    ordered: dict[str, WheelFile] = {}
    for wheel in sorted(wheels, key=lambda item: item.name):
        if ordered.setdefault(wheel.name, wheel) != wheel:
            raise UsageError(
                f"Two wheels of {wheel.name} are for {target}",
                why=f"{ordered[wheel.name].filename} and {wheel.filename}",
                hint="a bundle holds one version of a package: take all of them from one lock",
            )
    if own.name in ordered:
        raise UsageError(
            f"{ordered[own.name].filename} has the name of the application, {own.name}",
            why="two distributions of one name cannot be told apart",
            hint="give the application another name, or leave its own wheel out of the dependencies",
        )
    return BundleMember(target=target, wheels=(*ordered.values(), own))
