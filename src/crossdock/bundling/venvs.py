"""Virtual environments and folders of packages: of each target's wheels, proved, then handed over together."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.bundles.folder import check_folder, whole_folder
from crossdock.bundles.naming import place_names
from crossdock.bundles.venv.forms import tar_form
from crossdock.bundles.venv.layout import check_prompt, environment, folder
from crossdock.bundles.venv.tree import plan_tree
from crossdock.bundles.venv.write import write_folder, write_tar
from crossdock.bundling.ready import ready_wheels
from crossdock.errors import OutputError, UsageError
from crossdock.store.files import reported, whole_file
from crossdock.verify.proof import prove_bundle
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.bundles.venv.layout import Layout
    from crossdock.bundles.venv.tree import Tree
    from crossdock.plan import TargetWheels, WheelPlan
    from crossdock.services import Services
    from crossdock.targets import Target
    from crossdock.verify.contents import Contents
    from crossdock.verify.report import ImageReport

__all__ = ["MadeVenv", "VenvOptions", "check_venvs", "make_venvs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvOptions:
    """What is wanted.

    Attributes:
        output: Folder or archive of the only target; a folder for folders of several; None for ``dist`` in the project.
        layout: An environment, or a folder for ``sys.path``.
        interpreter: Path of the Python on the target; None for the usual one.
        prompt: What the shell shows; None for the project's name.
        clear: Whether folders that are there may be replaced.
    """

    output: Path | None = None
    layout: Literal["venv", "flat"] = "venv"
    interpreter: str | None = None
    prompt: str | None = None
    clear: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeVenv:
    """What was written.

    Attributes:
        target: What it is for.
        path: Where it is.
        report: What its proof says.
    """

    target: Target
    path: Path
    report: ImageReport


def check_venvs(options: VenvOptions) -> None:
    """Refuse what needs no plan to be refused.

    Raises:
        UsageError: Options contradict each other.
    """
    if options.layout == "flat" and options.prompt is not None:
        raise UsageError("--prompt is for environments", why="--layout flat makes none")
    if options.prompt is not None:
        check_prompt(options.prompt)
    if options.output is not None and tar_form(options.output) and options.clear:
        raise UsageError("--clear is for folders", why="an archive is replaced as a whole in any case")


def make_venvs(plan: WheelPlan, services: Services, options: VenvOptions) -> tuple[MadeVenv, ...]:
    """Write an environment for each target of a plan; none of them appears unless all are proved.

    Raises:
        UsageError: An option does not suit a target, or the number of targets.
        OutputError: Something cannot be written, or would be lost.
        ArtifactRefusedError: A file is for another machine.
        CrossdockError: Whatever can go wrong with sources, wheels and downloads has its class.
    """
    paths = _paths(plan, options)
    for path in paths:
        if tar_form(path) is None:
            check_folder(path, clear=options.clear, keep=(plan.project.root, services.store.root))
        elif path.is_dir():
            raise OutputError(f"{path} is a folder", hint="name another --output")
    layouts = [_layout(part.target, plan.project.name, options) for part in plan.targets]
    ready = ready_wheels(plan, services)
    made = []
    with ExitStack() as stack:
        for part, layout, path in zip(ready.plan.targets, layouts, paths, strict=True):
            tree = plan_tree(layout, [(item.filename, services.store.path(item.sha256)) for item in ready.of(part)])
            made.append(_write(part, tree, path, plan, services, options, stack))
    return tuple(made)


def _paths(plan: WheelPlan, options: VenvOptions) -> Sequence[Path]:
    if options.output is not None and len(plan.targets) == 1:
        return [options.output]
    if options.output is not None and tar_form(options.output):
        raise UsageError(
            f"{options.output} is one archive, and there are {len(plan.targets)} targets",
            why=", ".join(str(part.target) for part in plan.targets),
            hint="name one of them with --target, or a folder with --output",
        )
    folder = plan.project.root / "dist" if options.output is None else options.output
    places = place_names([part.target for part in plan.targets])
    return [folder / f"{plan.project.name}_{place}" for place in places]


def _layout(target: Target, name: str, options: VenvOptions) -> Layout:
    if options.layout == "flat":
        return folder(target, interpreter=options.interpreter)
    return environment(target, interpreter=options.interpreter, prompt=options.prompt or name)


def _write(
    part: TargetWheels,
    tree: Tree,
    path: Path,
    plan: WheelPlan,
    services: Services,
    options: VenvOptions,
    stack: ExitStack,
) -> MadeVenv:
    """Write and prove one; it gets its name when the stack is left."""
    form = tar_form(path)
    stack.enter_context(reported(path))
    contents: Sequence[Contents]
    if form is None:
        root = stack.enter_context(whole_folder(path, clear=options.clear))
        contents, digest = write_folder(tree, root, jobs=services.jobs), ""
    else:
        facts = write_tar(tree, stack.enter_context(whole_file(path)), form)
        contents, digest = [facts.contents], facts.digest
    report = prove_bundle(
        claim_of(
            part.target,
            "bundle",
            wheels=[wheel.filename for wheel in tree.wheels],
            waived=plan.project.config.waived,
        ),
        contents,
        digest=digest,
        allow=plan.project.config.allow,
        wheels=[wheel.filename for wheel in tree.wheels],
        tags=part.target.tags,
    )
    Report(subject=str(path), images=(report,)).require_ok()
    return MadeVenv(target=part.target, path=path, report=report)
