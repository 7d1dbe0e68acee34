"""What a run tells about an artifact, as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crossdock.running.machine import NotRun
from crossdock.verify.finding import Finding, printable

if TYPE_CHECKING:
    from crossdock.running.runner import Imports, Ran
    from crossdock.verify.platforms import Platform

__all__ = ["NOT_RUN", "RUN_FAILED", "judge_imports", "judge_not_run", "judge_run"]

RUN_FAILED: Final = "run-failed"
NOT_RUN: Final = "not-run"
_LONGEST: Final = 500
_SLOW: Final = "give it more time, or see what it waits for: there is no network"
_FAILED: Final = "see that every package in it was made for this platform, and that the base has the libraries it needs"


def judge_run(result: Ran | NotRun, platform: Platform) -> tuple[Finding, ...]:
    """Judge how a piece of code ran.

    Args:
        result: What came of it.
        platform: The artifact's.
    """
    if isinstance(result, NotRun):
        return (judge_not_run(result, platform),)
    wanted = f"it should run on {platform}"
    if result.timed_out:
        found = f"the code was stopped after {result.seconds:.0f} s"
        return (_failed(found, wanted=f"{wanted} to its end", hint=_SLOW),)
    if result.exit_code == 0:
        return ()
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    said = printable(lines[-1])[:_LONGEST] if lines else f"exit code {result.exit_code}"
    return (_failed(f"the code fails: {said}", wanted=wanted, hint=_FAILED),)


def judge_imports(result: Imports | NotRun, platform: Platform) -> tuple[Finding, ...]:
    """Judge how all modules were imported: one finding for each that was not, and one if nothing was looked at."""
    if isinstance(result, NotRun):
        return (judge_not_run(result, platform),)
    findings = [
        _failed(
            f"module {failed.module} cannot be imported: {failed.error}",
            package=failed.package,
            wanted=f"it should import on {platform}",
            hint=_FAILED,
        )
        for failed in result.failed
    ]
    if result.problem:
        findings.append(_failed(f"the modules cannot be tried: {result.problem}", wanted=f"run on {platform}"))
    elif not result.modules:
        found = "no distribution in it declares a module"
        findings.append(_failed(found, wanted="--run imports is to import at least one"))
    if result.untried and not result.problem:
        found = f"{result.untried} of {result.modules} modules were not tried in time"
        findings.append(_failed(found, wanted=f"all should import on {platform}", hint=_SLOW))
    return tuple(findings)


def judge_not_run(result: NotRun, platform: Platform) -> Finding:
    """Tell that nothing was run: an error, as a run was asked for and proves nothing so."""
    return Finding(
        code=NOT_RUN,
        severity="error",
        found=f"not run: {printable(result.why)}",
        wanted=f"a run on {platform} was asked for",
        hint=result.hint,
    )


def _failed(found: str, *, package: str | None = None, wanted: str, hint: str = "") -> Finding:
    return Finding(code=RUN_FAILED, severity="error", package=package, found=found, wanted=wanted, hint=hint)
