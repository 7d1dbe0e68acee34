"""``pex``: one PEX, of wheels that are given and for targets that are named; nothing is resolved."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.bundled.app_wheel import runfiles_wheel
from crossdock.bazel.bundled.first_party import add_first_party, first_party, inputs_of, own_wheel_of
from crossdock.bazel.bundled.inputs import add_members, scratch_store, spelled_target, stored_wheel
from crossdock.bazel.bundled.pex_release import pex_on_path, read_runtime
from crossdock.bazel.groups import groups_of
from crossdock.bazel.telling import tell_warnings
from crossdock.bundles.pex.entry import EntryRequest
from crossdock.bundles.pex.runtime import PEX_VERSION
from crossdock.bundling.pex_options import add_entry, add_run, add_start, behaviour, entry_of
from crossdock.bundling.pexes import PexWish, pexes_of
from crossdock.errors import EntrypointError, PexRuntimeError, UsageError
from crossdock.services import Services

if TYPE_CHECKING:
    from crossdock.bazel.bundled.first_party import FirstParty
    from crossdock.bundling.ready import WheelFile
    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store
    from crossdock.targets import Target

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_members(parser)
    add_first_party(parser)
    add_entry(parser)
    add_start(parser)
    add_run(parser)
    parser.add_argument("--main", metavar="DEST")
    parser.add_argument("--layout", choices=("zipapp", "packed", "loose"))
    parser.add_argument("--pre-install-wheels", action=argparse.BooleanOptionalAction)
    parser.add_argument("--include-tools", action=argparse.BooleanOptionalAction)
    parser.add_argument("--pex-wheel", metavar="FILE")
    parser.add_argument("--runtime", nargs=2, metavar=("METADATA", "PART"), action="append", default=[])
    parser.add_argument("--out", required=True, metavar="PATH")


def run(options: argparse.Namespace) -> int:
    """Build and prove a PEX."""
    party = first_party(options)
    with scratch_store() as store:
        targets = _targets(options, store)
        if party.own is not None:
            if options.main:
                raise UsageError("--main is given with --project", hint="name a module with --entry-point instead")
            own, module = own_wheel_of(party, store), ""
        else:
            only = [target for target, _ in targets]
            made = runfiles_wheel(party.project.name, party.files, party.imports, options.main or "", only, store)
            own, module = made.wheel, made.module
        inputs = inputs_of(party.project, targets, own, store)
        wish = _wish(options, party, module, store)
        with pex_on_path(options.pex_wheel, store.root.parent):
            try:
                for pex in pexes_of(inputs, Services(store=store, offline=True), wish):
                    tell_warnings(pex.report)
            except EntrypointError as error:
                error.hint = error.hint.replace("--script", "script =").replace("--entry-point", "entrypoint =")
                raise
            except PexRuntimeError as error:
                if options.pex_wheel is None:
                    error.hint = f"give the wheel of pex {PEX_VERSION} by --pex-wheel, or a --runtime of these options"
                raise
    return 0


def _targets(options: argparse.Namespace, store: Store) -> list[tuple[Target, list[WheelFile]]]:
    """Give each target with its wheels.

    Raises:
        UsageError: There is no target, or one is named twice.
        TargetError: A target is not one.
    """
    common, groups = groups_of(options)
    if not groups:
        raise UsageError("no --target is given", hint="name what the PEX is for, as in --target 'linux/arm64 cp311'")
    wheels: dict[str, WheelFile] = {}
    for group in (common, *groups):
        for text in group.of("--wheel"):
            if text not in wheels:
                wheels[text] = stored_wheel(store, Path(text))
    found = {}
    for group in groups:
        spec, python = spelled_target(group.name, options.python)
        target = spec.target(python)
        if target in found:
            raise UsageError(f"--target {target} is given twice")
        found[target] = [wheels[text] for text in dict.fromkeys((*common.of("--wheel"), *group.of("--wheel")))]
    return list(found.items())


def _wish(options: argparse.Namespace, party: FirstParty, module: str, store: Store) -> PexWish:
    settings = party.project.config.pex
    out = Path(options.out)
    layout = options.layout or settings.layout
    return PexWish(
        folder=out.parent,
        file=out.name,
        layout=layout,
        multi_platform=True,
        options=behaviour(options, settings.options),
        entry=_entry(options, party.project, module),
        clear=layout != "zipapp",
        runtimes=tuple(read_runtime(Path(metadata), Path(part), store) for metadata, part in options.runtime),
    )


def _entry(options: argparse.Namespace, project: Project, module: str) -> EntryRequest:
    named = options.entry_point is not None or options.script is not None or options.no_entry_point
    if not module:
        asked = entry_of(options, project)
        if asked == EntryRequest() and not project.has_backend:
            raise EntrypointError(
                "Nothing says what the PEX runs",
                why="an application without a project has no console script of its own",
                hint="name its program with main, a function with entry_point, or a dependency's script with script",
            )
        return asked
    if named:
        raise UsageError("--main is given with another entry", hint="name one of them")
    return replace(EntryRequest(), target=module)
