"""The cases of `crossdock test`: found in settings, run side by side, each with a report of its own."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import ArtifactRefusedError, ConfigError, CrossdockError
from crossdock.projects.project import load_project, load_settings
from crossdock.projects.test_settings import CaseSettings
from crossdock.steps.subjects import is_path
from crossdock.store.files import reported
from crossdock.store.parallel import run_parallel
from crossdock.testing.building import build_artifact
from crossdock.testing.examining import examine, targets_as_written
from crossdock.verify.codes import AREAS, area_of
from crossdock.verify.expecting import Expected, expect
from crossdock.verify.finding import Finding
from crossdock.verify.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.store.parallel import Cancellation

__all__ = ["Case", "CaseResult", "exit_code", "find_cases", "run_cases"]

_TRANSPORTS = re.compile(r"(oci|oci-archive|docker-archive):(?!//)(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One artifact that is tested.

    Attributes:
        name: What it is called, as no other case is.
        root: The folder of the pyproject.toml that it stands in.
        settings: What it says.
    """

    name: str
    root: Path
    settings: CaseSettings

    @property
    def project(self) -> Path:
        """The project's folder."""
        return self.root / self.settings.project


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What came of a case.

    Attributes:
        case: The case.
        report: What was seen; of what could not be built or read, why.
        exit_code: What that makes of the command, taken by itself.
        seconds: How long it took.
        expected: What had to be there.
        warnings: What a user should know of the build.
        error: Why it could not be built or read, if so.
    """

    case: Case
    report: Report
    exit_code: int
    seconds: float
    expected: Expected = field(default_factory=Expected)
    warnings: tuple[str, ...] = ()
    error: CrossdockError | None = None

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.exit_code == 0


def find_cases(folders: Iterable[Path]) -> list[Case]:
    """Find the cases of projects and workspaces; a project that sets none is one itself.

    Args:
        folders: Each with a pyproject.toml.

    Raises:
        ProjectError: There is none, it has a mistake, or it is no project and has no cases.
        TargetError: A case is for a target that there is not.
    """
    cases: dict[str, Case] = {}
    for root in dict.fromkeys(folder.resolve() for folder in folders):
        for settings in load_settings(root).cases or (_own(root),):
            where = f"{root / 'pyproject.toml'}: the case {_title(root, settings)!r}"
            if settings.artifact is None and not (root / settings.project / "pyproject.toml").is_file():
                raise ConfigError(
                    f"{where} names no project",
                    why=f"there is no {root / settings.project / 'pyproject.toml'}",
                    hint="write its folder, relative to this pyproject.toml, as in project = 'apps/api'",
                )
            targets_as_written(settings.targets or (), root)
            name = _unlike(_title(root, settings), cases)
            cases[name] = Case(name=name, root=root, settings=settings)
    return list(cases.values())


def _own(root: Path) -> CaseSettings:
    load_project(root)  # complains of what is none
    return CaseSettings()


def _title(root: Path, settings: CaseSettings) -> str:
    if settings.name:
        return settings.name
    if settings.artifact is not None:
        return settings.artifact[:100]
    name = re.sub(r"[^\w.-]+", "-", (root / settings.project).resolve().name) or "project"
    return f"{name[:80]} {settings.kind}"


def _unlike(name: str, taken: Iterable[str], form: str = " ({})") -> str:
    """Number a name if it is taken."""
    others = set(taken)
    numbers = (f"{name}{form.format(number)}" for number in range(2, len(others) + 2))
    return next(text for text in (name, *numbers) if text not in others)


def run_cases(
    cases: Sequence[Case],
    services: Services,
    *,
    jobs: int,
    keep: Path | None = None,
    locked: bool = False,
    tell: Callable[[CaseResult], None] = lambda _: None,
) -> list[CaseResult]:
    """Run cases, several at a time; those of one project one after another, as they share its ``crossdock.lock``.

    Args:
        cases: The cases.
        services: The store, and the network.
        jobs: How many run at a time.
        keep: A folder for what is built, each in one of its own; None to remove it in the end.
        locked: Refuse to change any ``crossdock.lock``.
        tell: Told of each result, from any thread, one at a time.

    Raises:
        OutputError: The folder cannot be written.
    """
    telling = threading.Lock()
    groups = _groups(cases)
    workers = max(1, min(jobs, len(groups)))
    services = replace(services, progress=None, jobs=max(1, services.jobs // workers))
    with tempfile.TemporaryDirectory(prefix="crossdock-test-", ignore_cleanup_errors=True) as temporary:
        folders = _folders(cases, keep or Path(temporary))

        def work(group: Sequence[Case], cancellation: Cancellation) -> list[CaseResult]:
            results = []
            for case in group:
                cancellation.check()
                results.append(_run(case, folders[case.name], services, locked=locked))
                with telling:
                    tell(results[-1])
            return results

        done = {item.case.name: item for items in run_parallel(work, groups, jobs=workers) for item in items}
    return [done[case.name] for case in cases]


def _groups(cases: Sequence[Case]) -> list[list[Case]]:
    """Put the cases together that build the same project."""
    found: dict[object, list[Case]] = {}
    for case in cases:
        found.setdefault(case.project.resolve() if case.settings.artifact is None else case.name, []).append(case)
    return list(found.values())


def _folders(cases: Sequence[Case], root: Path) -> dict[str, Path]:
    """Give each case that builds something a folder, named after it."""
    found: dict[str, Path] = {}
    for case in cases:
        plain = re.sub(r"[^a-z0-9._-]+", "-", case.name.lower()).strip("-.")[:60] or "case"
        folder = root / _unlike(plain, [path.name for path in found.values()], "-{}")
        found[case.name] = folder
        if case.settings.artifact is None:
            with reported(folder, option="--keep"):
                folder.mkdir(parents=True, exist_ok=True)
    return found


def _run(case: Case, folder: Path, services: Services, *, locked: bool) -> CaseResult:
    begin = time.monotonic()
    warnings: list[str] = []
    services = replace(services, warn=warnings.append)
    expected, error = Expected(named=case.settings.packages), None
    try:
        if case.settings.artifact is not None:
            report, expected = _examine_given(case, services)
        else:
            report, expected = _examine_built(case, folder, services, locked=locked)
    except ArtifactRefusedError as refused:
        report = refused.report
    except CrossdockError as failed:
        report, error = _unread(failed), failed
    report = replace(report, subject=case.name)
    return CaseResult(
        case=case,
        report=report,
        exit_code=error.exit_code if error is not None else report.exit_code,
        seconds=time.monotonic() - begin,
        expected=expected,
        warnings=tuple(dict.fromkeys(warnings)),
        error=error,
    )


def _examine_given(case: Case, services: Services) -> tuple[Report, Expected]:
    settings = case.settings
    allow = load_settings(case.root).allow
    artifact = _placed(settings.artifact or "", case.root)
    targets = targets_as_written(settings.targets or (), case.root)
    expected = Expected(named=settings.packages, something=settings.packages is None)
    return expect(examine(artifact, services, targets=targets, allow=allow), expected), expected


def _examine_built(case: Case, folder: Path, services: Services, *, locked: bool) -> tuple[Report, Expected]:
    settings = case.settings
    project: Project = load_project(case.project)
    built = build_artifact(project, settings.kind, folder, services, targets=settings.targets or (), locked=locked)
    expected = Expected(named=settings.packages, planned=built.planned)
    return expect(examine(built, services), expected), expected


def _placed(text: str, root: Path) -> str:
    """Make the path that an artifact is named by relative to the settings' folder, and leave references alone."""
    if match := _TRANSPORTS.fullmatch(text):
        return f"{match[1]}:{root / match[2]}"
    return os.fspath(root / text) if (root / text).exists() or is_path(text) else text


def _unread(error: CrossdockError) -> Report:
    """Report on what was not looked at: it is not proved."""
    found = f"{error.what}: {error.why}" if error.why else error.what
    finding = Finding(code="nothing-read", severity="error", found=found, hint=error.hint)
    return Report(subject="", images=(), findings=(finding,))


def exit_code(results: Sequence[CaseResult]) -> int:
    """Give the exit code of the worst case: a wrong artifact, by the area of its findings; else what was not built."""
    wrong = [result for result in results if not result.ok]
    return min(wrong, key=_weight).exit_code if wrong else 0


def _weight(result: CaseResult) -> int:
    if result.error is not None:
        return len(AREAS)
    areas = {area_of(finding.code) for finding in result.report.all_findings if finding.severity == "error"}
    return min((AREAS.index(area) for area in areas), default=len(AREAS))
