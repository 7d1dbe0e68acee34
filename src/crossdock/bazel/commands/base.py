"""``base``: the layers of a base in ``crossdock.lock``, and what is known of them; the one command that fetches."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.bases.image_lock import lock_scratch
from crossdock.bazel.handed.basefile import BaseFile, layer_names, write_base
from crossdock.bazel.handed.layerfile import LayerFile, write_layer
from crossdock.choosing.basing import Bases, ChosenBase
from crossdock.choosing.request import Request
from crossdock.choosing.targeting import check_for_image, image_target
from crossdock.errors import CompressionError, LockfileError
from crossdock.lockfile.file import read_if_any
from crossdock.lockfile.images import LockedLayer
from crossdock.oci.model import LAYER_TAR
from crossdock.projects.config import Config
from crossdock.projects.project import Project, load_project
from crossdock.steps.annotating import base_annotations
from crossdock.store.files import reported, write_whole
from crossdock.supply.inventory import shown_base
from crossdock.targets import Libc, parse_target

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

    from crossdock.choosing.basing import BaseInput
    from crossdock.services import Services
    from crossdock.steps.stack import Part
    from crossdock.targets import TargetSpec

__all__ = ["add_arguments", "run", "write_chosen"]

_ENCODER: Final = "deflate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--lock", required=True, type=Path, help="crossdock.lock")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--base", help="name of the base, as in crossdock.lock")
    what.add_argument("--project", type=Path, help="pyproject.toml whose base and interpreter it is")
    parser.add_argument("--platform", required=True, help="such as linux/arm64")
    parser.add_argument("--out", required=True, type=Path, help="folder")
    parser.add_argument("--files", help="what `crossdock fetch` wrote: looked at before any network")
    parser.add_argument("--offline", action="store_true", help="use no network")
    parser.add_argument("--encoder", type=Path, help="folder that the package `deflate` can be imported from")


def run(options: argparse.Namespace) -> int:
    """Write the layers of a base."""
    if options.encoder is not None:
        _import_encoder(options.encoder)
    spec = parse_target(options.platform)
    check_for_image([spec.platform])
    services = _services(options)
    project, bases = _bases(options, spec, services)
    chosen = _nothing(spec) if options.base == "scratch" else bases.find(spec)
    if chosen is None:
        raise _not_locked(options.lock, bases.name, spec)
    write_chosen(options.out, chosen, spec, project, services)
    return 0


def write_chosen(folder: Path, chosen: ChosenBase, spec: TargetSpec, project: Project, services: Services) -> None:
    """Write the layers of a base, and what is known of them.

    Args:
        folder: Where to.
        chosen: The base, and what is laid over it.
        spec: The platform, as it was asked for.
        project: Settings that name mirrors and where files lie.
        services: The store, registries and the network.

    Raises:
        CompressionError: What compresses files is not there.
        StoreError: What a layer is made of cannot be had, or is not what was locked.
        OutputError: A file cannot be written.
    """
    base = _described(project, spec, chosen)
    layers = _write_layers(project, base, spec, chosen, services, folder)
    names = tuple(layer_names(number)[1] for number in range(len(layers)))
    write_base(folder / "base.json", replace(base, metadata=names), layers)


def _import_encoder(folder: Path) -> None:
    """Import the encoder from a folder alone.

    Another release compresses otherwise, so one that this machine's Python has counts for nothing, even where it was
    imported already, to unpack by. And what lies beside the encoder stands before none of our own parts.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == _ENCODER]:
        del sys.modules[name]
    # Without one, no other is found either: where something has to be compressed, that tells of it.
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules[_ENCODER] = None
    spec = PathFinder.find_spec(_ENCODER, [str(folder)])
    if spec is None or spec.loader is None:
        return
    try:
        modules[_ENCODER] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        modules[_ENCODER] = None


def _services(options: argparse.Namespace) -> Services:
    from crossdock.services import Services
    from crossdock.store import Store

    fetched = None
    if options.files:
        from crossdock.steps.fetched import open_fetched

        fetched = open_fetched(Path(options.files))
    return Services(store=Store.default(), offline=options.offline, fetched=fetched, warn=_warn)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def _bases(options: argparse.Namespace, spec: TargetSpec, services: Services) -> tuple[Project, Bases]:
    """Give the settings that name a base, and the bases they name; ``crossdock.lock`` is where it is said to be."""
    from crossdock.plan import base_of

    if options.project is not None:
        project = load_project(options.project)
        bases = Bases(project, base_of(project), services)
    else:
        locked = read_if_any(options.lock).find(options.base, spec.platform.arch)
        # With which packages beside the usual ones it was locked is for the lock to say.
        packages = locked.requested if locked is not None else ()
        project = Project.without_sources(
            "base", options.lock.parent.absolute(), Config(base=options.base, packages=packages)
        )
        bases = Bases(project, options.base, services)
    bases.path = options.lock
    return project, bases


def _nothing(spec: TargetSpec) -> ChosenBase:
    """Give the base that holds nothing: there is nothing to be locked about it."""
    base = lock_scratch(spec.platform)
    return ChosenBase(base=base, interpreter=None, facts=base.facts)


def _not_locked(lock: Path, name: str, spec: TargetSpec) -> LockfileError:
    known = read_if_any(lock) if lock.exists() else None
    bases = [(item.name, item.architecture) for item in known.bases] if known else []
    bases += [(item.name, item.architecture) for item in known.images] if known else []
    names = sorted({f"{base} for {architecture}" for base, architecture in bases})
    return LockfileError(
        f"{lock} has no base {name} for {spec.platform}",
        why=f"it has {', '.join(names)}" if names else "it has no base at all" if known else "there is no such file",
        hint=f"run `crossdock lock --target {spec.text}` and commit the file; of a project, also after its packages "
        "or its interpreter changed",
    )


def _described(project: Project, spec: TargetSpec, chosen: ChosenBase) -> BaseFile:
    platform, python = spec.platform, ""
    if chosen.facts.python_version:
        target = image_target(project, Request(), spec, chosen.base.name, chosen.facts)
        platform, python = target.platform, target.python.full_version
    elif chosen.facts.libc is not None:
        platform = platform.with_libc(Libc(chosen.facts.libc, chosen.facts.libc_version))
    return BaseFile(
        name=shown_base(chosen.base.name),
        platform=spec.text,
        target=platform.spelling,
        python=python,
        facts=chosen.facts,
        annotations=base_annotations(chosen.base),
        metadata=(),
    )


def _write_layers(
    project: Project, base: BaseFile, spec: TargetSpec, chosen: ChosenBase, services: Services, folder: Path
) -> list[LayerFile]:
    from crossdock.steps.fetching import fetch_inputs
    from crossdock.steps.making import finished_layer

    parts = _parts(project, spec, chosen, services)
    missing = [part for part in parts if part.recipe.find(services.store) is None]
    _check_encoder(missing, base.name)
    fetch_inputs([part.inputs for part in missing if part.inputs is not None], project, services)
    layers = []
    for number, part in enumerate(parts):
        blob, metadata = layer_names(number)
        finished = finished_layer(part.recipe, services.store)
        layer = LayerFile(
            kind=part.annotations["dev.crossdock.layer"],
            title=part.created_by,
            described=part.annotations,
            key=part.recipe.key,
            made=finished.made,
            media_type=finished.media_type,
            facts=finished.facts,
        )
        with reported(folder, option="--out"):
            write_whole(folder / blob, services.store.path(finished.made.digest), f"sha256:{finished.made.digest}")
        write_layer(folder / metadata, layer)
        layers.append(layer)
    return layers


def _parts(project: Project, spec: TargetSpec, chosen: ChosenBase, services: Services) -> list[Part]:
    from crossdock.bases.image_layers import image_base_recipes
    from crossdock.bases.sources import open_source
    from crossdock.steps.stack import LayerOptions, base_parts, system_parts

    options = LayerOptions(
        store=services.store,
        size_of={},
        image_base=lambda locked: image_base_recipes(
            locked, lambda base: open_source(base, project.root, services.repository), services.store
        ),
        compilers={},
    )
    if not chosen.facts.python_version:
        return base_parts(chosen.base, options)
    target = image_target(project, Request(), spec, chosen.base.name, chosen.facts)
    return system_parts(chosen, target.python, options)


def _is_encoded(inputs: BaseInput) -> bool:
    """Say whether a layer is compressed here; those of images come as they are, if they are compressed at all."""
    return not isinstance(inputs, LockedLayer) or inputs.media_type == LAYER_TAR


def _check_encoder(parts: list[Part], name: str) -> None:
    """See that what compresses Debian's files and standalone Pythons is there, before anything is fetched."""
    encoded = [part for part in parts if part.inputs is not None and _is_encoded(part.inputs)]
    if encoded and find_spec(_ENCODER) is None:
        raise CompressionError(
            f"The layers of {name} cannot be compressed here",
            why="they are made of files, and the package `deflate` is not there",
            hint="it comes with crossdock's rules: see docs/bazel.md; or take a base that is an image in a registry",
        )
