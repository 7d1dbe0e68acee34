"""Executables: planned by their Pythons, made of pieces, proved, and only then handed over."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from crossdock.bundles.exe.assemble import assemble_exe
from crossdock.bundles.exe.entry import MAIN, python_options
from crossdock.bundles.exe.launcher import LAUNCHER_VERSION, Launch
from crossdock.bundles.exe.names import exe_names
from crossdock.bundles.exe.segment import exe_scheme, last_segment, wheels_segment
from crossdock.bundling.exe_entry import exe_entry
from crossdock.bundling.exe_interpreters import exe_interpreters, exe_target
from crossdock.bundling.ready import installed_together, ready_wheels
from crossdock.errors import OutputError
from crossdock.layers.collisions import TakenPaths
from crossdock.plan import make_wheel_plan
from crossdock.steps.making import make_and_see, seen_in
from crossdock.steps.wheel_facts import meeting_wheels, read_wheel_facts
from crossdock.store.actions import action_key
from crossdock.store.files import reported, whole_file
from crossdock.store.parallel import run_parallel
from crossdock.verify.proof import prove_bundle
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.bundles.exe.entry import Entry
    from crossdock.bundles.exe.names import NameStyle
    from crossdock.bundling.exe_interpreters import ExeInterpreter
    from crossdock.bundling.ready import ReadyWheels, WheelFile
    from crossdock.choosing.request import Request
    from crossdock.layers.cached import LayerRecipe, MadeLayer
    from crossdock.plan import TargetWheels, WheelPlan
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation
    from crossdock.targets import Target
    from crossdock.verify.report import ImageReport
    from crossdock.wheels.scheme import Scheme

__all__ = ["ExeOptions", "MadeExes", "build_exes"]

_MODE = 0o755


@dataclass(frozen=True, slots=True, kw_only=True)
class ExeOptions:
    """How executables are wanted.

    Attributes:
        output: The folder they go to.
        interpreters: Archives of Pythons, ``FILE`` or ``TARGET=FILE``, that win over the settings.
        style: The form of their names.
    """

    output: Path
    interpreters: tuple[str, ...] = ()
    style: NameStyle = "suffix"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeExes:
    """What came out.

    Attributes:
        paths: The executables, in the targets' order.
        report: What the proof saw.
    """

    paths: tuple[Path, ...]
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exe:
    """One executable, all of whose pieces can be made.

    Attributes:
        path: Where it goes.
        target: What it is for.
        interpreter: Its Python.
        wheels: Its packages, the project's own last.
        entry: What it starts.
        recipes: The pieces of the application's archive, in order.
    """

    path: Path
    target: Target
    interpreter: ExeInterpreter
    wheels: tuple[WheelFile, ...]
    entry: Entry
    recipes: tuple[LayerRecipe, ...]


def build_exes(project: Project, request: Request, options: ExeOptions, services: Services) -> MadeExes:
    """Build an executable for every target and hand it over.

    Args:
        project: The project.
        request: Targets and parts of the project.
        options: Where they go, and with which Pythons.
        services: The store, progress and how much is done at once.

    Raises:
        LauncherError: There is no launcher for a target.
        InterpreterError: A target has no Python, or one that cannot be used.
        EntrypointError: What to run is not decided, or not there.
        ArtifactRefusedError: A file does not fit its target; nothing was written.
        CrossdockError: Anything else that can go wrong has its class too.
    """
    interpreters = exe_interpreters(project, request, options.interpreters, services)
    targets = [exe_target(project, request, item) for item in interpreters]
    paths = [options.output / name for name in exe_names(project.name, targets, options.style)]
    for path in paths:
        _check_output(path)
    plan = make_wheel_plan(project, request, services, targets=targets)
    ready = ready_wheels(plan, services)
    exes = [
        _exe(ready, part, interpreter, path, services)
        for part, interpreter, path in zip(ready.plan.targets, interpreters, paths, strict=True)
    ]
    made = _make([recipe for exe in exes for recipe in exe.recipes], services)
    return MadeExes(paths=tuple(paths), report=_hand_over(plan, exes, made, services))


def _check_output(path: Path) -> None:
    """Refuse a place where something is that no file can replace, before any work is done."""
    hint = "name another folder for the executables with --output"
    with reported(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder", hint=hint)
        there = next(folder for folder in path.parents if folder.exists())
        if not there.is_dir():
            raise OutputError(f"{there} is not a folder", hint=hint)


def _exe(ready: ReadyWheels, part: TargetWheels, interpreter: ExeInterpreter, path: Path, services: Services) -> _Exe:
    store = services.store
    scheme = exe_scheme(interpreter.python)
    wheels = ready.of(part)
    _check_own_paths(wheels, scheme, store)
    entry = exe_entry(ready.plan.project, ready.own, wheels, store)
    groups = installed_together(wheels, scheme, store)
    pieces = [wheels_segment(store, [(item.filename, item.sha256) for item in group], scheme) for group in groups]
    return _Exe(
        path=path,
        target=part.target,
        interpreter=interpreter,
        wheels=wheels,
        entry=entry,
        recipes=(*pieces, last_segment(entry.files)),
    )


def _check_own_paths(wheels: Sequence[WheelFile], scheme: Scheme, store: Store) -> None:
    """Refuse wheels that would replace what makes the unpacked folder an environment.

    Raises:
        FileCollisionError: One would.
        WheelError: A wheel cannot be read.
    """
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.install import install

    programs = {"python", "python3", scheme.interpreter}
    reserved = {
        **{f"{scheme.scripts}/{name}": "the environment's Python" for name in programs},
        "pyvenv.cfg": "what makes the folder an environment",
        MAIN: "what starts the application",
    }
    facts = {wheel.sha256: read_wheel_facts(store, wheel.filename, wheel.sha256, scheme) for wheel in wheels}
    places = {sha256: item.places if item is not None else None for sha256, item in facts.items()}
    suspects = meeting_wheels(places, reserved)
    for wheel in wheels:
        if wheel.sha256 in suspects:
            taken = TakenPaths(reserved)
            with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
                for item in install(archive, scheme):
                    taken.take(item, archive)


def _make(recipes: Sequence[LayerRecipe], services: Services) -> dict[str, MadeLayer]:
    """Make pieces, each once, several at a time."""
    distinct = list({recipe.key: recipe for recipe in recipes}.values())

    def make(recipe: LayerRecipe, cancellation: Cancellation) -> MadeLayer:
        return make_and_see(recipe, services.store, cancellation.check)[0]

    made = run_parallel(make, distinct, jobs=services.jobs)
    return {recipe.key: item for recipe, item in zip(distinct, made, strict=True)}


def _hand_over(plan: WheelPlan, exes: Sequence[_Exe], made: dict[str, MadeLayer], services: Services) -> Report:
    """Prove everything, then write all executables, or none."""
    project = plan.project
    pieces = [[made[recipe.key] for recipe in exe.recipes] for exe in exes]
    prove = [partial(_prove, exe, own, project, services) for exe, own in zip(exes, pieces, strict=True)]
    Report(subject=project.name, images=tuple(item() for item in prove)).require_ok()
    with ExitStack() as stack:
        digests = []
        for exe, own in zip(exes, pieces, strict=True):
            stack.enter_context(reported(exe.path))
            out = stack.enter_context(whole_file(exe.path, mode=_MODE))
            launch = _launch(project, exe, own)
            digests.append(
                assemble_exe(
                    launch, exe.interpreter.locked.sha256, [piece.digest for piece in own], services.store, out
                )
            )
    images = tuple(item(digest=f"sha256:{digest}") for item, digest in zip(prove, digests, strict=True))
    return Report(subject=project.name, images=images)


def _prove(
    exe: _Exe, pieces: Sequence[MadeLayer], project: Project, services: Services, *, digest: str = ""
) -> ImageReport:
    """Judge an executable by the files of its Python and of its packages."""
    seen = [
        seen_in(piece, recipe.media_type, services.store).contents
        for piece, recipe in zip(pieces, exe.recipes, strict=True)
    ]
    report = prove_bundle(
        claim_of(
            exe.target,
            "bundle",
            wheels=[wheel.filename for wheel in exe.wheels],
            waived=project.config.waived,
        ),
        [exe.interpreter.contents, *seen],
        digest=digest,
        allow=project.config.allow,
        wheels=[wheel.filename for wheel in exe.wheels],
        tags=exe.target.tags,
    )
    # The pip of every standalone Python carries launchers for Windows, and the application sees none of it.
    told = [item for item in report.findings if not (item.code == "pe-launcher" and item.path.startswith("python/"))]
    return replace(report, findings=tuple(told))


def _launch(project: Project, exe: _Exe, pieces: Sequence[MadeLayer]) -> Launch:
    target, locked = exe.target, exe.interpreter.locked
    key = action_key("exe", version=LAUNCHER_VERSION, python=locked.sha256, app=[piece.digest for piece in pieces])
    libc = target.platform.libc
    return Launch(
        name=project.name,
        target=str(target.platform),
        architecture=target.platform.arch,
        libc=(locked.libc, libc.version if libc is not None else locked.libc_version),
        needs=exe.interpreter.needs,
        python=exe.interpreter.python,
        version=locked.python_version,
        python_folder=f"python-{locked.sha256[:32]}",
        app_folder=f"{project.name}-{key[:32]}",
        command=" ".join([*python_options(project.config.env), exe.entry.command]),
        env=project.config.env,
        about={
            "name": project.name,
            "version": project.version or "",
            "target": target.platform.spelling,
            "python": {"version": locked.python_version, "sha256": locked.sha256},
            "packages": [
                {"name": wheel.name, "version": wheel.version, "wheel": wheel.filename, "sha256": wheel.sha256}
                for wheel in exe.wheels
            ],
        },
    )
