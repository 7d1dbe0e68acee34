"""PEX files: planned, made, proved, and only then handed over."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from crossdock.bundles.assemble import check_zip_limits
from crossdock.bundles.folder import check_folder, whole_folder
from crossdock.bundles.naming import place_names
from crossdock.bundles.pex.boot import boot_files, check_header
from crossdock.bundles.pex.dist import DEPENDENCIES, Distribution, dist_recipe, wheel_recipe
from crossdock.bundles.pex.entry import EntryRequest, code_path, decide_entry
from crossdock.bundles.pex.info import PexOptions, pex_info
from crossdock.bundles.pex.layouts import PexFiles, write_folder, write_zipapp
from crossdock.bundles.pex.pythons import default_shebang, filled, interpreter_constraints
from crossdock.bundles.pex.requirements import Needs, Package, requirements_of
from crossdock.bundles.pex.runtime import BOOTSTRAP, RuntimeOptions, check_pex, pex_runtime, runtime_recipe
from crossdock.bundling.ready import make_parts, ready_wheels
from crossdock.errors import ConfigError, EntrypointError, OutputError
from crossdock.store.files import reported, whole_file
from crossdock.verify.proof import prove_bundle
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from crossdock.bundles.pex.entry import CodeFile
    from crossdock.bundles.pex.info import EntryPoint, Layout
    from crossdock.bundles.pex.requirements import Requirements
    from crossdock.bundles.pex.runtime import KnownRuntime, PexRuntime
    from crossdock.bundles.zippart import MadePart, PartRecipe
    from crossdock.bundling.ready import BundleInputs, WheelFile
    from crossdock.plan import WheelPlan
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.store.blobs import Store
    from crossdock.targets import Target
    from crossdock.verify.contents import Contents

__all__ = ["BuiltPex", "PexWish", "make_pexes", "pexes_of"]

#: Programs that pex's code brings to make scripts on Windows; nothing starts them on the target.
_STUBS = f"{BOOTSTRAP}/pex/windows/stubs/"
_ADVICE = "build it with --layout packed or --layout loose, or leave packages out"
_MODE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class PexWish:
    """How PEX files are wanted.

    Attributes:
        folder: Where they go.
        file: The only one's name, in place of one made of the project's and the target's.
        layout: One file, a folder of archives, or a folder of files.
        multi_platform: One for all targets.
        options: How they behave.
        entry: What they run.
        clear: Whether a folder may be replaced.
        runtimes: pex's code, made before for some options; where none fits, pex is run.
    """

    folder: Path
    file: str = ""
    layout: Layout = "zipapp"
    multi_platform: bool = False
    options: PexOptions = field(default_factory=PexOptions)
    entry: EntryRequest = field(default_factory=EntryRequest)
    clear: bool = False
    runtimes: tuple[KnownRuntime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPex:
    """A PEX that was written.

    Attributes:
        path: Where it is.
        targets: What it is for.
        size: Bytes of the file, or of all files in the folder.
        sha256: Of the file, in hex; empty for a folder.
        report: Its proof.
    """

    path: Path
    targets: tuple[Target, ...]
    size: int
    sha256: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """What one target brings to a PEX."""

    target: Target
    wheels: tuple[WheelFile, ...]
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pex:
    """A PEX that is ready to be written."""

    path: Path
    members: tuple[_Member, ...]
    files: PexFiles
    parts: tuple[MadePart, ...]
    report: Report


def _check(project: Project, targets: Sequence[Target], services: Services, wish: PexWish) -> None:
    """Refuse what would be refused in the end, before any work is done for it.

    Raises:
        PexRuntimeError: pex is not installed, or another release is.
        OutputError: Something is there that must not be lost.
        ConfigError: A shebang or a constraint cannot be used for these targets.
    """
    for path, those in _grouped(project, targets, wish):
        shebang, _ = _behaviour(wish.options, those)
        if _known_runtime(wish, _runtime_options(wish, those, shebang)) is None:
            check_pex()
        if wish.layout != "zipapp":
            check_folder(path, clear=wish.clear, keep=(project.root, services.store.root))
        elif path.is_dir():
            raise OutputError(f"{path} is a folder", hint="remove it, or name another folder with --output")


def make_pexes(plan: WheelPlan, services: Services, wish: PexWish) -> tuple[BuiltPex, ...]:
    """Build PEX files, all of them or none.

    Args:
        plan: What goes into them.
        services: The store, and what it is filled by.
        wish: How they are wanted.

    Raises:
        EntrypointError: What is to be run is not decided, or not there.
        BundleTooLargeError: One would be larger than its form can be.
        ArtifactRefusedError: One holds what does not run on its target.
        CrossdockError: Whatever else can go wrong has its class.
    """
    _check(plan.project, [part.target for part in plan.targets], services, wish)
    return _made(ready_wheels(plan, services).inputs(), services, wish)


def pexes_of(inputs: BundleInputs, services: Services, wish: PexWish) -> tuple[BuiltPex, ...]:
    """Build PEX files of wheels that are there, all of them or none; arguments and errors as `make_pexes`."""
    _check(inputs.project, inputs.targets, services, wish)
    return _made(inputs, services, wish)


def _made(inputs: BundleInputs, services: Services, wish: PexWish) -> tuple[BuiltPex, ...]:
    recipes = _recipes((member.wheels for member in inputs.members), wish, services.store)
    grouped = _grouped(inputs.project, inputs.targets, wish)
    # What pex writes takes longest, and most of that is another process: all others are made meanwhile.
    parts = make_parts([*_runtimes((targets for _, targets in grouped), wish), *recipes.values()], services)
    members = [
        _Member(
            target=member.target,
            wheels=member.wheels,
            distributions=tuple(_distribution(item, parts[recipes[item].key], wish) for item in member.wheels),
        )
        for member in inputs.members
    ]
    ready_to_write = []
    for path, targets in grouped:
        own = tuple(member for member in members if member.target in targets)
        ready_to_write.append(_prepared(path, own, inputs.project, wish, services.store))
    for pex in ready_to_write:
        pex.report.require_ok()
    return _hand_over(ready_to_write, wish, services.store)


def _grouped(project: Project, all_targets: Sequence[Target], wish: PexWish) -> list[tuple[Path, tuple[Target, ...]]]:
    """Give the PEX files to be made, with their targets."""
    targets = tuple(dict.fromkeys(all_targets))
    if wish.multi_platform:
        return [(wish.folder / (wish.file or f"{project.name}.pex"), targets)]
    if wish.file and len(targets) > 1:
        raise OutputError(
            f"{wish.folder / wish.file} can be one PEX only, and there are {len(targets)} targets",
            hint="name a folder with --output, or build one PEX for all targets with --multi-platform",
        )
    return [
        (wish.folder / (wish.file or f"{project.name}_{place}.pex"), (target,))
        for place, target in zip(place_names(targets), targets, strict=True)
    ]


def _recipes(groups: Iterable[tuple[WheelFile, ...]], wish: PexWish, store: Store) -> dict[WheelFile, PartRecipe]:
    def recipe(wheel: WheelFile) -> PartRecipe:
        if not wish.options.pre_install_wheels:
            return wheel_recipe(store, wheel.filename, wheel.sha256)
        folder = "" if wish.layout == "packed" else f"{DEPENDENCIES}/{wheel.filename}"
        return dist_recipe(store, wheel.filename, wheel.sha256, folder)

    return {wheel: recipe(wheel) for group in groups for wheel in group}


def _runtimes(groups: Iterable[tuple[Target, ...]], wish: PexWish) -> Iterator[PartRecipe]:
    for targets in groups:
        options = _runtime_options(wish, targets, _behaviour(wish.options, targets)[0])
        if _known_runtime(wish, options) is None:
            yield runtime_recipe(options, packed=wish.layout == "packed")


def _distribution(wheel: WheelFile, part: MadePart, wish: PexWish) -> Distribution:
    packed = wish.layout == "packed" and wish.options.pre_install_wheels
    return Distribution.of(wheel.filename, part, f"{DEPENDENCIES}/{wheel.filename}" if packed else "")


def _prepared(path: Path, members: tuple[_Member, ...], project: Project, wish: PexWish, store: Store) -> _Pex:
    """Decide and prove one PEX."""
    targets = tuple(member.target for member in members)
    shebang, constraints = _behaviour(wish.options, targets)
    entry = _entry(members, project.name, wish, store)
    runtime = _runtime(wish, targets, shebang, store)
    distributions = tuple({item.filename: item for member in members for item in member.distributions}.values())
    info = pex_info(runtime.texts.info, wish.options, entry, constraints, distributions, _requirements(members))
    folder = wish.layout != "zipapp"
    files = PexFiles(
        boot=boot_files(runtime.texts, info.pex_hash, shebang, folder=folder),
        info=info,
        runtime=runtime.part,
        distributions=distributions,
    )
    parts = () if folder else files.parts(store)
    if wish.layout == "packed":
        for item in (runtime.part, *(item.part for item in distributions)):
            check_zip_limits([item], f"An archive in {path.name}", "build it with --layout loose")
    elif not folder:
        check_zip_limits(parts, path.name, _ADVICE)
    report = _report(path, members, runtime, project, packed=wish.layout == "packed")
    return _Pex(path=path, members=members, files=files, parts=parts, report=report)


def _behaviour(options: PexOptions, targets: Sequence[Target]) -> tuple[str, tuple[str, ...]]:
    """Give first line and interpreter constraints."""
    pythons = [target.python for target in targets]
    constraints = interpreter_constraints(options.constraints, pythons)
    if options.sh_boot:
        given = "" if options.shebang is None else filled(options.shebang, pythons[0])
        check_header(given, options.inject_python_args)
    if options.shebang is None:
        return default_shebang(pythons), constraints
    lines = list(dict.fromkeys(filled(options.shebang, python) for python in pythons))
    if len(lines) > 1:
        raise ConfigError(
            f"A PEX for several Pythons cannot begin with {options.shebang!r}",
            why=f"that would be {' and '.join(lines)}",
            hint="leave the placeholders out, as in /usr/bin/env python3",
        )
    return lines[0], constraints


def _entry(members: Sequence[_Member], project: str, wish: PexWish, store: Store) -> EntryPoint:
    found = {}
    for member in members:
        own = next(item for wheel, item in zip(member.wheels, member.distributions, strict=True) if wheel.own)
        entry = decide_entry(wish.entry, project, own, member.distributions, partial(_code, member.wheels, store))
        found[entry.target, entry.script] = entry
    if len(found) > 1:
        raise EntrypointError(
            "The PEX would run something else on each target",
            why=" and ".join(sorted(target or script for target, script in found)),
            hint="name a module with --entry-point, or build a PEX for each target",
        )
    return next(iter(found.values()))


def _code(wheels: Sequence[WheelFile], store: Store) -> Iterator[CodeFile]:
    """Give the files of wheels that can be imported, the project's own first."""
    for wheel in reversed(wheels):
        with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
            for member in archive.members:
                path = code_path(member.name)
                inside = [path.removeprefix(root) for root in wheel.roots if path.startswith(root)]
                yield from ((place, partial(archive.read, member)) for place in (*inside, path))


def _runtime(wish: PexWish, targets: Sequence[Target], shebang: str, store: Store) -> PexRuntime:
    options = _runtime_options(wish, targets, shebang)
    return _known_runtime(wish, options) or pex_runtime(options, store, packed=wish.layout == "packed")


def _known_runtime(wish: PexWish, options: RuntimeOptions) -> PexRuntime | None:
    if wish.layout == "packed":  # of which pex's code is an archive of its own
        return None
    return next((item.runtime for item in wish.runtimes if item.fits(options)), None)


def _runtime_options(wish: PexWish, targets: Sequence[Target], shebang: str) -> RuntimeOptions:
    options = wish.options
    systems = {target.platform.os for target in targets}
    pythons = tuple(dict.fromkeys(target.python for target in targets))
    runtime = RuntimeOptions(
        os=systems.pop() if len(systems) == 1 else "linux",
        root=options.runtime_pex_root,
        venv=options.venv is not None,
        hermetic_scripts=options.venv_hermetic_scripts,
        inherits=options.inherit_path != "false",
        tools=options.tools,
        python_args=options.inject_python_args,
    )
    if options.sh_boot:
        named = "" if options.shebang is None else shebang
        runtime = replace(runtime, pythons=pythons, shebang=named, folder=wish.layout != "zipapp")
    return runtime


def _requirements(members: Sequence[_Member]) -> Requirements:
    return requirements_of(
        [
            Needs(
                environment=member.target.environment,
                packages=tuple(
                    Package(name=name, version=str(version), requires=item.requires)
                    for item in member.distributions
                    for name, version, *_ in [parse_wheel_filename(item.filename)]
                ),
            )
            for member in members
        ]
    )


def _report(path: Path, members: Sequence[_Member], runtime: PexRuntime, project: Project, *, packed: bool) -> Report:
    """Prove a PEX: what it holds for each target, for that target."""
    code = _without_stubs(runtime.part.contents.below(BOOTSTRAP) if packed else runtime.part.contents)
    return Report(
        subject=path.name,
        images=tuple(
            prove_bundle(
                claim_of(
                    member.target,
                    "bundle",
                    wheels=[item.filename for item in member.distributions],
                    waived=project.config.waived,
                ),
                [code, *(item.contents for item in member.distributions)],
                allow=project.config.allow,
                wheels=[item.filename for item in member.distributions],
                tags=member.target.tags,
            )
            for member in members
        ),
    )


def _without_stubs(contents: Contents) -> Contents:
    kept = tuple((path, binary) for path, binary in contents.binaries if not path.startswith(_STUBS))
    return replace(contents, binaries=kept)


def _hand_over(pexes: Sequence[_Pex], wish: PexWish, store: Store) -> tuple[BuiltPex, ...]:
    """Write all PEX files, or none."""
    with ExitStack() as stack:
        digests = [_write(pex, wish, store, stack) for pex in pexes]
    return tuple(_built(pex, digest) for pex, digest in zip(pexes, digests, strict=True))


def _write(pex: _Pex, wish: PexWish, store: Store, stack: ExitStack) -> str:
    """Write a PEX, which gets its name when the stack ends well; give its SHA-256, or nothing for a folder."""
    if wish.layout != "zipapp":
        root = stack.enter_context(whole_folder(pex.path, clear=wish.clear))
        write_folder(pex.files, store, root, wish.layout)
        return ""
    stack.enter_context(reported(pex.path))
    return write_zipapp(pex.files, pex.parts, store, stack.enter_context(whole_file(pex.path, mode=_MODE)))


def _built(pex: _Pex, sha256: str) -> BuiltPex:
    files = pex.path.rglob("*") if pex.path.is_dir() else [pex.path]
    images = tuple(replace(image, digest=f"sha256:{sha256}" if sha256 else "") for image in pex.report.images)
    return BuiltPex(
        path=pex.path,
        targets=tuple(member.target for member in pex.members),
        size=sum(path.lstat().st_size for path in files if path.is_file()),
        sha256=sha256,
        report=replace(pex.report, images=images),
    )
