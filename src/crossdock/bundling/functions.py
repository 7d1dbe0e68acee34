"""Zips for functions: planned, made, proved, and only then handed over."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from errno import ENOTDIR
from functools import partial
from typing import TYPE_CHECKING, Literal

from crossdock.bundles.assemble import assemble_zip, check_zip_limits
from crossdock.bundles.functions.files import Importable, check_apart, package_sizes, required_names
from crossdock.bundles.functions.handler import has_module, parse_handler
from crossdock.bundles.functions.included import files_recipe, find_included
from crossdock.bundles.functions.kinds import AWS, AZURE
from crossdock.bundles.functions.roots import root_files
from crossdock.bundles.functions.sdk import SDK_NEEDS, left_to_runtime
from crossdock.bundles.functions.sizes import check_unpacked, check_zipped
from crossdock.bundles.naming import place_names
from crossdock.bundles.zippart import install_recipe
from crossdock.bundling.function_targets import kind_of
from crossdock.bundling.ready import installed_together, make_parts, ready_wheels
from crossdock.errors import BundleError, OutputError, UsageError
from crossdock.store.files import reported, whole_file
from crossdock.verify.proof import prove_bundle
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from crossdock.bundles.functions.handler import Handler
    from crossdock.bundles.functions.included import IncludedFile
    from crossdock.bundles.functions.kinds import FunctionKind
    from crossdock.bundles.zippart import MadePart, PartRecipe
    from crossdock.bundling.ready import BundleInputs, BundleMember, WheelFile
    from crossdock.plan import WheelPlan
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.targets import Target
    from crossdock.verify.report import ImageReport

__all__ = ["FunctionOptions", "FunctionZip", "MadeFunctions", "check_functions", "functions_of", "make_functions"]

Role = Literal["function", "layer", "deps", "app"]

#: Zips that hold what is called.
_CALLED = frozenset({"function", "app"})

#: What each part ends with, and a zip has once (APPNOTE 4.3.16).
_END_RECORD = 22
_ADVICE = "leave packages out, or build a container image: crossdock image --profile lambda"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions:
    """How zips are wanted.

    Attributes:
        folder: Where they go.
        roles: The zips of each target: a function with everything, or a layer with everything, or a layer of the
            dependencies, a function of the project alone, or both of these.
        handler: What is called; None for the settings' one.
        without_sdk: Leave the AWS SDK to the runtime; None for what the settings say.
        direct_upload: Refuse a zip that is too large to be uploaded directly.
        file: The only one's name, in place of one made of the project's and the target's.
    """

    folder: Path
    roles: tuple[Role, ...] = ("function",)
    handler: str | None = None
    without_sdk: bool | None = None
    direct_upload: bool = False
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionZip:
    """A zip that was written.

    Attributes:
        path: Where it is.
        target: What it is for.
        size: Its bytes.
        unpacked: Bytes of its files.
    """

    path: Path
    target: Target
    size: int
    unpacked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFunctions:
    """What came of it.

    Attributes:
        zips: All of them.
        report: Their proof, in the same order.
        notes: What a user should know of them, a line each.
    """

    zips: tuple[FunctionZip, ...]
    report: Report
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """What one target gets, over all its zips; and which packages its runtime has."""

    target: Target
    kind: FunctionKind
    wheels: tuple[WheelFile, ...]
    files: tuple[IncludedFile, ...]
    elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zip:
    """A zip to be made."""

    name: str
    function: _Function
    wheels: tuple[WheelFile, ...]
    files: tuple[IncludedFile, ...]
    recipes: tuple[PartRecipe, ...]


def make_functions(plan: WheelPlan, services: Services, options: FunctionOptions) -> MadeFunctions:
    """Make a function, a layer or both for every runtime, all of them or none.

    Args:
        plan: Wheels for runtimes, as `function_targets` gives them; `check_functions` let them pass.
        services: The store and what draws progress.
        options: How they are wanted.

    Raises:
        HandlerError: What is to be called is not there.
        BundleTooLargeError: A function is larger than its cloud takes.
        ArtifactRefusedError: The proof found errors.
        OutputError: The zips cannot be written.
        CrossdockError: Whatever can go wrong with wheels and downloads has its class.
    """
    services = replace(services, warn=_once(services.warn))  # what is true of one target often is of all
    return functions_of(ready_wheels(plan, services).inputs(), services, options)


def functions_of(inputs: BundleInputs, services: Services, options: FunctionOptions) -> MadeFunctions:
    """Make them of wheels that are there; arguments and errors as `make_functions`."""
    project, handler = inputs.project, _handler(inputs.project, options)
    functions: list[_Function] = []
    notes: list[str] = []
    for member in inputs.members:
        kind = kind_of(member.target)
        wheels = member.wheels
        gone: frozenset[str] = frozenset()
        if kind is AWS and _without_sdk(project, options):
            gone = _left_out(project, member, services)
            left = ", ".join(sorted(gone)) or "nothing, as boto3 is not needed"
            notes.append(f"left to {member.target.name}: {left}")
            wheels = tuple(wheel for wheel in wheels if wheel.name not in gone)
        function = _Function(target=member.target, kind=kind, wheels=wheels, files=(), elsewhere=gone)
        if _CALLED & set(options.roles):
            function = replace(function, files=_root(project, function, handler, services, options))
        functions.append(function)
    zips = [item for function in functions for item in _zips(project, functions, function, services, options)]
    made = make_parts([recipe for item in zips for recipe in item.recipes], services)
    _check_sizes(functions, zips, made, services, options)
    done = _write(project, zips, made, services, options)
    if handler is None and _CALLED & set(options.roles) and any(function.kind is not AZURE for function in functions):
        notes.append("no handler is named, so none was looked for: --handler MODULE.FUNCTION")
    return replace(done, notes=tuple(notes))


def check_functions(project: Project, targets: Sequence[Target], options: FunctionOptions) -> None:
    """Refuse what would be refused in the end, before any work is done for it.

    Args:
        project: The project.
        targets: What `function_targets` gave.
        options: How zips are wanted.

    Raises:
        UsageError: Something is asked for that only AWS Lambda has, of another cloud.
        HandlerError: The handler is not one.
        OutputError: The folder is a file.
    """
    _handler(project, options)
    kinds = [kind_of(target) for target in targets]
    other = next((kind for kind in kinds if kind is not AWS), None)
    only_aws = options.roles != ("function",) or options.without_sdk or options.direct_upload
    if other is not None and only_aws:
        raise UsageError(
            f"--layer, --split, --without-boto3 and --direct-upload are not for {other.service}",
            why="layers, the AWS SDK in the runtime and that limit are AWS Lambda's",
            hint="build for one cloud at a time",
        )
    if options.handler is not None and AZURE in kinds:
        raise UsageError(
            "--handler is not for Azure Functions",
            why="Azure looks for what it calls in function_app.py itself",
            hint="leave it away, or build for one cloud at a time",
        )
    with reported(options.folder):
        if options.folder.exists() and not options.folder.is_dir():
            raise NotADirectoryError(ENOTDIR, "it is not a folder")


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    said: set[str] = set()

    def warn_once(text: str) -> None:
        if text not in said:
            said.add(text)
            warn(text)

    return warn_once


def _handler(project: Project, options: FunctionOptions) -> Handler | None:
    text = project.config.functions.handler if options.handler is None else options.handler
    return None if text is None else parse_handler(text)


def _without_sdk(project: Project, options: FunctionOptions) -> bool:
    return project.config.functions.without_boto3 if options.without_sdk is None else options.without_sdk


def _left_out(project: Project, member: BundleMember, services: Services) -> frozenset[str]:
    """Decide which packages are left to the runtime."""
    names = {wheel.name for wheel in member.wheels}
    needed_by: dict[str, Collection[str]]
    if member.needed_by is None:
        edges = [(wheel.name, name) for wheel in member.wheels for name in required_names(services.store, wheel)]
        own = project.name
        needed_by = {name: {by if by != own else "" for by, needed in edges if needed == name} for name in names}
    else:
        needed_by = {name: member.needed_by.get(name, {""}) for name in names}
    gone = left_to_runtime(needed_by)
    for name in sorted(SDK_NEEDS & names - gone) if gone else ():
        services.warn(
            f"{name} stays, as other packages need it: the runtime's botocore will use it too, and has to work with it"
        )
    return gone


def _root(
    project: Project, function: _Function, handler: Handler | None, services: Services, options: FunctionOptions
) -> tuple[IncludedFile, ...]:
    """Check the handler, and give the files that go beside the packages."""
    kind, wheels = function.kind, function.wheels
    own = [wheel for wheel in wheels if wheel.own]
    there = Importable(services.store, own).paths if not kind.packages else frozenset()
    taken = [name for name in kind.taken if name not in there]
    included = find_included(project.root, project.config.functions.include, taken)
    if included:
        beside = wheels if "function" in options.roles else own
        check_apart(services.store, beside, flat(kind.packages), included)
    files = Importable(services.store, own, included)
    if handler is not None and not has_module(handler, files):
        files = Importable(services.store, wheels, included)
    version = function.target.python.version
    return root_files(kind, handler, included, files, python=version, warn=services.warn)


def _zips(
    project: Project, functions: Sequence[_Function], function: _Function, services: Services, options: FunctionOptions
) -> Iterator[_Zip]:
    """Give the zips of a target."""
    alike = [item.target for item in functions if item.kind is function.kind]
    place = place_names(alike)[alike.index(function.target)]
    for role in options.roles:
        scheme = flat("python" if role in ("layer", "deps") else function.kind.packages)
        wheels = [wheel for wheel in function.wheels if role in ("function", "layer") or wheel.own == (role == "app")]
        groups = installed_together(wheels, scheme, services.store)
        recipes = [
            install_recipe(services.store, [(wheel.filename, wheel.sha256) for wheel in group], scheme)
            for group in groups
        ]
        files = function.files if role in _CALLED else ()
        if files:
            recipes.append(files_recipe(files))
        if not recipes:
            raise BundleError(
                f"A layer of the dependencies of {project.name} would be empty for {function.target.name}",
                why="it has none, or all of them are left to the runtime",
                hint="leave deps out of --split",
            )
        name = options.file or f"{project.name}_{function.kind.name if role == 'function' else role}_{place}.zip"
        yield _Zip(name=name, function=function, wheels=tuple(wheels), files=files, recipes=tuple(recipes))


def _check_sizes(
    functions: Sequence[_Function],
    zips: Sequence[_Zip],
    made: Mapping[str, MadePart],
    services: Services,
    options: FunctionOptions,
) -> None:
    for item in zips:
        parts = [made[recipe.key] for recipe in item.recipes]
        check_zip_limits(parts, item.name, _ADVICE)
        check_zipped(
            item.function.kind,
            item.name,
            sum(part.size for part in parts) - _END_RECORD * (len(parts) - 1),
            direct=options.direct_upload,
            sizes=partial(package_sizes, services.store, item.wheels, item.files),
            warn=services.warn,
        )
    for function in functions:
        own = [item for item in zips if item.function is function]
        total = sum(made[recipe.key].unpacked for item in own for recipe in item.recipes)
        what = f"{' and '.join(item.name for item in own)} for {function.target.name}"
        sizes = partial(package_sizes, services.store, function.wheels, function.files)
        check_unpacked(function.kind, what, total, sizes, services.warn)


def _write(
    project: Project,
    zips: Sequence[_Zip],
    made: Mapping[str, MadePart],
    services: Services,
    options: FunctionOptions,
) -> MadeFunctions:
    """Prove all zips, write them, and hand them over."""
    parts = {item.name: [made[recipe.key] for recipe in item.recipes] for item in zips}
    images = [_prove(project, item, parts[item.name]) for item in zips]
    _report(project, images).require_ok()
    written = []
    with reported(options.folder), ExitStack() as stack:  # a file gets its name only when all of them are whole
        for item in zips:
            if (path := options.folder / item.name).is_dir():
                raise OutputError(f"{path} is a folder", hint="remove it, or name another --output")
        for number, item in enumerate(zips):
            path = options.folder / item.name
            out = stack.enter_context(whole_file(path))
            digest = assemble_zip(parts[item.name], services.store, out)
            images[number] = replace(images[number], digest=f"sha256:{digest}")
            unpacked = sum(part.unpacked for part in parts[item.name])
            written.append(FunctionZip(path=path, target=item.function.target, size=out.tell(), unpacked=unpacked))
    return MadeFunctions(zips=tuple(written), report=_report(project, images))


def _prove(project: Project, item: _Zip, parts: Sequence[MadePart]) -> ImageReport:
    # What a package needs may be in the other zip, or in the runtime.
    waived = project.config.waived | item.function.elsewhere | {wheel.name for wheel in item.function.wheels}
    return prove_bundle(
        claim_of(item.function.target, "bundle", wheels=[wheel.filename for wheel in item.wheels], waived=waived),
        [part.contents for part in parts],
        allow=project.config.allow,
        wheels=[wheel.filename for wheel in item.wheels],
        tags=item.function.target.tags,
    )


def _report(project: Project, images: Sequence[ImageReport]) -> Report:
    count = f"{len(images)} zip{'' if len(images) == 1 else 's'}"
    return Report(subject=f"{project.name}: {count} for functions", images=tuple(images))
