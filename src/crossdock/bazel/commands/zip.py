"""``zip``: the zip of a function, or of a layer, of wheels that are given and for a target that is named."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.bazel.bundled.app_wheel import flat_files, flat_wheel
from crossdock.bazel.bundled.first_party import add_first_party, first_party, inputs_of, own_wheel_of
from crossdock.bazel.bundled.inputs import add_members, scratch_store, spelled_target, stored_wheel
from crossdock.bazel.groups import groups_of
from crossdock.bazel.telling import tell_warnings
from crossdock.bundling.function_targets import function_targets, kind_of
from crossdock.bundling.functions import FunctionOptions, check_functions, functions_of
from crossdock.choosing.request import Request
from crossdock.errors import BundleError, UsageError
from crossdock.projects.function_settings import FunctionSettings
from crossdock.services import Services
from crossdock.verify.finding import printable

if TYPE_CHECKING:
    import argparse

    from crossdock.bazel.bundled.first_party import FirstParty
    from crossdock.bazel.handed.sourcefiles import SourceFile
    from crossdock.bundling.ready import WheelFile
    from crossdock.store.blobs import Store
    from crossdock.targets import Target

__all__ = ["add_arguments", "run"]

_ROLES: Final = ("function", "layer", "deps", "app")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_members(parser)
    add_first_party(parser)
    parser.add_argument("--kind", choices=_ROLES, default="function")
    parser.add_argument("--handler", metavar="MODULE.FUNCTION")
    parser.add_argument("--without-boto3", action="store_true", default=None)
    parser.add_argument("--direct-upload", action="store_true")
    parser.add_argument("--out", required=True, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Build and prove a zip."""
    party, out = first_party(options, with_files=True), Path(options.out)
    wanted = FunctionOptions(
        folder=out.parent,
        file=out.name,
        roles=(options.kind,),
        handler=options.handler,
        without_sdk=options.without_boto3,
        direct_upload=options.direct_upload,
    )
    with scratch_store() as store:
        target, wheels = _target(options, party, store)
        if party.own is not None:
            # What lies beside the files that are given is not looked at, whether or not it can be seen.
            root = _folder_of({item.path: item for item in party.files}, store)
            project, own = replace(party.project, root=root), own_wheel_of(party, store)
        else:
            beside, files = _divided(party, target)
            root = _folder_of(beside, store)
            functions = FunctionSettings(include=tuple(path for path in beside if "/" in path))
            project = replace(party.project, root=root, config=replace(party.project.config, functions=functions))
            own = flat_wheel(project.name, files, target, store)
        check_functions(project, [target], wanted)
        inputs = inputs_of(project, [(target, wheels)], own, store)
        services = Services(store=store, offline=True, warn=_warn)
        try:
            tell_warnings(functions_of(inputs, services, wanted).report)
        except BundleError as error:
            error.what = error.what.replace(str(project.root), "the files that the rule lists (srcs)")
            raise
    return 0


def _target(options: argparse.Namespace, party: FirstParty, store: Store) -> tuple[Target, list[WheelFile]]:
    common, groups = groups_of(options)
    if len(groups) != 1:
        raise UsageError(
            f"{len(groups)} targets are given",
            why="a zip is for one",
            hint="name one, as in --target aws-lambda-python3.13/arm64",
        )
    (group,) = groups
    spec, python = spelled_target(group.name, options.python)
    pythons = (python.spelling,) if python is not None else ()
    (target,) = function_targets(party.project, Request(targets=(spec.text,), pythons=pythons))
    names = dict.fromkeys((*common.of("--wheel"), *group.of("--wheel")))
    return target, [stored_wheel(store, Path(text)) for text in names]


def _divided(party: FirstParty, target: Target) -> tuple[dict[str, SourceFile], dict[str, SourceFile]]:
    """Part what a cloud looks for beside the packages from what is imported."""
    files = flat_files(party.files, party.imports)
    kind = kind_of(target)
    if not kind.packages:
        return {}, files
    beside = {
        path: item
        for path, item in files.items()
        if path in kind.taken or (path.count("/") == 1 and path.endswith("/function.json"))
    }
    return beside, {path: item for path, item in files.items() if path not in beside}


def _folder_of(files: dict[str, SourceFile], store: Store) -> Path:
    """Put files where those of a project's folder are looked for."""
    root = store.root.parent / "root"
    root.mkdir()
    for path, item in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(item.read())
    return root


def _warn(text: str) -> None:
    print("\n".join(map(printable, f"warning: {text}".split("\n"))), file=sys.stderr)
