"""Runs code in an artifact that was proved, for each platform it is for, and adds what came of it to the report."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayoutUnreadableError, UsageError
from crossdock.running.images import OpenedLayout, images_of
from crossdock.running.judging import judge_imports, judge_not_run, judge_run
from crossdock.running.machine import NotRun
from crossdock.running.runner import imports_of, run_in
from crossdock.running.staging import Runnable
from crossdock.steps.subjects import ImageSubject, open_subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.running.images import Image
    from crossdock.running.limits import RunLimits
    from crossdock.running.staging import Kind
    from crossdock.services import Services
    from crossdock.verify.finding import Finding
    from crossdock.verify.platforms import Platform
    from crossdock.verify.report import ImageReport, Report

__all__ = ["RunWish", "run_and_report"]

#: Asks for every module instead of a piece of code.
IMPORTS: Final = "imports"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWish:
    """What is to be run.

    Attributes:
        code: Python code, or ``imports``.
        base: The image to run it in, for what has no interpreter of its own, as the user names it; empty for none.
        python: The minor version it is for, ``3.11``; empty if that was not said.
        limits: What it may take.
        tell: Is told what the code printed, and how it ran.
    """

    code: str
    base: str = ""
    python: str = ""
    limits: RunLimits
    tell: Callable[[str], object] = lambda _: None


def run_and_report(subject: ImageSubject | Path, report: Report, wish: RunWish, services: Services) -> Report:
    """Run code in an artifact, on each platform that was proved.

    Args:
        subject: The artifact.
        report: What was seen of it.
        wish: What is to be run.
        services: For reading a base.

    Raises:
        UsageError: What is named as a base is no image.
        CrossdockError: The artifact cannot be unpacked.
    """
    with ExitStack() as stack:
        bases: tuple[Image, ...] = ()
        if wish.base:
            opened = stack.enter_context(open_subject(wish.base, services, whole=True))
            if not isinstance(opened, ImageSubject):
                raise UsageError(f"--base {wish.base} is no image", hint="name an image layout or a reference")
            bases = images_of(OpenedLayout(opened.layout, wish.base))
        own: tuple[Image, ...] = ()
        if isinstance(subject, ImageSubject):
            own = images_of(OpenedLayout(subject.layout, report.subject))
        images = []
        for image in report.images:
            findings = image.findings
            if image.platform is not None:
                findings += _asked(_runnable(subject, image.platform, own, bases, wish), image, wish)
            images.append(replace(image, findings=findings))
    return replace(report, images=tuple(images))


def _runnable(
    subject: ImageSubject | Path, platform: Platform, own: tuple[Image, ...], bases: tuple[Image, ...], wish: RunWish
) -> Runnable | NotRun:
    base = _for(platform, bases)
    if isinstance(subject, ImageSubject):
        image = _for(platform, own)
        if image is None:
            return NotRun(why=f"there is no image for {platform} that could be read")
        return Runnable(kind="image", platform=platform, image=image)
    kind = _kind(subject)
    if kind is None:
        return NotRun(
            why=f"{subject.name} is nothing that runs by itself",
            hint="run an image, a PEX, a zip of a function or a layer, or a virtual environment",
        )
    return Runnable(kind=kind, platform=platform, path=subject, python=wish.python, base=base)


def _for(platform: Platform, images: tuple[Image, ...]) -> Image | None:
    return next((image for image in images if image.platform.same_machine(platform)), None)


def _kind(path: Path) -> Kind | None:
    """Say what kind of thing is run; None for a wheel and everything else that is not."""
    if path.is_dir():
        if (path / "PEX-INFO").is_file():
            return "pex"
        return "venv" if (path / "pyvenv.cfg").is_file() else "function"
    if path.name.endswith((".whl", ".deb")):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "venv" if ".tar" in path.name or path.suffix == ".tgz" else None
    if "PEX-INFO" in names:
        return "pex"
    return "layer" if any(name.startswith("python/") for name in names) else "function"


def _asked(runnable: Runnable | NotRun, image: ImageReport, wish: RunWish) -> tuple[Finding, ...]:
    platform = image.platform
    assert platform is not None  # noqa: S101  only such images are asked
    if isinstance(runnable, NotRun):
        return (judge_not_run(runnable, platform),)
    try:
        if wish.code == IMPORTS:
            result = imports_of(runnable, limits=wish.limits)
            if not isinstance(result, NotRun):
                done = result.modules - len(result.failed) - result.untried
                wish.tell(
                    f"{platform}: {done} of {result.modules} modules imported {result.how}, {result.seconds:.1f} s"
                )
            return judge_imports(result, platform)
        ran = run_in(runnable, wish.code, limits=wish.limits)
    except LayoutUnreadableError as error:
        return (judge_not_run(NotRun(why=f"{error.what}: {error.why}", hint=error.hint), platform),)
    if not isinstance(ran, NotRun):
        printed = "".join(f"\n  {line}" for line in ran.stdout.splitlines()[:20])
        wish.tell(f"{platform}: ran {ran.how}, {ran.seconds:.1f} s{printed}")
    return judge_run(ran, platform)
