"""``layer``: the layer that installs some wheels, and what manifests have to know of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from crossdock.bazel.handed.layerfile import LayerFile, LayerWheel, write_layer
from crossdock.bazel.images.making import write_blob
from crossdock.errors import BazelInputError, UsageError
from crossdock.layers.cached import wheel_recipe
from crossdock.layers.grouping import SizedWheel
from crossdock.steps.environment import PREFIX
from crossdock.steps.stack import own_sized, own_title, wheels_said, wheels_title
from crossdock.steps.wheel_facts import facts_of_wheel
from crossdock.store.files import digest_of
from crossdock.targets import parse_python
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--python", required=True, help="series of Python it is for, such as 3.11")
    parser.add_argument("--wheel", action="append", required=True, type=Path, help="a wheel, under its own file name")
    parser.add_argument(
        "--distribution", action="append", default=[], metavar="NAME==VERSION", help="of each wheel, as the lock has it"
    )
    parser.add_argument("--kind", choices=("wheels", "project"), default="wheels")
    parser.add_argument("--out", required=True, type=Path, help="the layer")
    parser.add_argument("--metadata", required=True, type=Path, help="what is known of it")


def run(options: argparse.Namespace) -> int:
    """Write a layer of wheels."""
    given = _given(options.wheel, options.distribution)
    own = options.kind == "project"
    if own and len(given) != 1:
        raise UsageError(f"layer: --kind project is for one wheel, and there are {len(given)}")
    if own:
        given = {own_sized(wheel.filename, wheel.sha256): path for wheel, path in given.items()}
    python = parse_python(options.python).short
    scheme = posix_venv(PREFIX, python)
    wheels = sorted(given, key=lambda wheel: wheel.name)
    paths = _Paths({wheel.sha256: path for wheel, path in given.items()})
    recipe = wheel_recipe(paths, [(wheel.filename, wheel.sha256) for wheel in wheels], scheme)
    made, facts = write_blob(options.out, recipe.write)
    layer = LayerFile(
        kind=options.kind,
        title=own_title(wheels[0].filename) if own else wheels_title(wheels),
        described=wheels_said(options.kind, wheels),
        key=recipe.key,
        python=python,
        made=made,
        media_type=recipe.media_type,
        wheels=tuple(
            LayerWheel(
                name=wheel.name,
                version=wheel.version,
                filename=wheel.filename,
                sha256=wheel.sha256,
                facts=facts_of_wheel(given[wheel], wheel.filename, scheme),
            )
            for wheel in wheels
        ),
        facts=facts,
    )
    write_layer(options.metadata, layer)
    return 0


class _Paths:
    """The wheels, by their SHA-256."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def path(self, sha256: str, /) -> Path:
        return self._paths[sha256]


def _given(paths: Sequence[Path], distributions: Sequence[str]) -> dict[SizedWheel, Path]:
    """Take note of the wheels, with the names that a lock has for them.

    Raises:
        UsageError: The distributions are not those of the wheels.
        BazelInputError: A file is no wheel, or cannot be read.
    """
    if distributions and len(distributions) != len(paths):
        raise UsageError(f"layer: there are {len(paths)} wheels and {len(distributions)} distributions")
    return {_wheel(path, text): path for path, text in zip(paths, distributions or [""] * len(paths), strict=True)}


def _wheel(path: Path, distribution: str) -> SizedWheel:
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise BazelInputError(
            f"{path} has not the name of a wheel", why=str(error), hint="pass the file under the name that the lock has"
        ) from None
    said, separator, locked = distribution.partition("==")
    if distribution and not (separator and locked and canonicalize_name(said) == name):
        raise UsageError(
            f"layer: {path.name} is no wheel of {distribution!r}",
            hint="write NAME==VERSION, in the order of the wheels",
        )
    try:
        sha256, size = digest_of(path).removeprefix("sha256:"), path.stat().st_size
    except OSError as error:
        raise BazelInputError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    return SizedWheel(
        name=name,
        version=locked or str(version),
        filename=path.name,
        sha256=sha256,
        size=size,
        pure=False,  # which group it is in was decided before
    )
