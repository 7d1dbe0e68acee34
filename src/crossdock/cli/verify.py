"""``crossdock verify``: prove images, wheels and bundles that anybody built, wherever they are."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import CrossdockError, UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.services import Services
    from crossdock.steps.lock_claims import Wanted
    from crossdock.steps.rederive import Rederived
    from crossdock.steps.subjects import ImageSubject
    from crossdock.steps.verify_outputs import Result
    from crossdock.steps.verifying import Question
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.report import Report

__all__ = ["verify"]


def verify(options: argparse.Namespace) -> int:
    """Prove artifacts, and give the exit code of the worst."""
    from crossdock.steps.verify_outputs import Outputs, exit_code, settled, unreadable

    _check(options)
    outputs = Outputs.of(options)
    services = services_of(options)
    question = _question(options, services)
    results: list[Result] = []
    for name in options.image:
        try:
            results.append(_verify_one(name, options, services, question))
        except CrossdockError as error:
            # Alone, its own message is the best there is; of several, the others are proved all the same.
            if not outputs.wants_all(len(options.image)) or not 50 <= error.exit_code < 100:
                raise
            results.append(unreadable(name, error))
    results = settled(results, question.allow, _today(), refuse_warnings=options.strict)
    outputs.write(results)
    return exit_code(results)


def _check(options: argparse.Namespace) -> None:
    if options.lock and options.project is not None:
        raise UsageError("--lock and --project are given", hint="the project has its lock: leave --lock out")
    if options.rebuild is not None:
        _check_rebuild(options)
    if options.base and not options.code:
        raise UsageError("--base is given without --run", hint="--base is where the code of --run runs")
    if options.package and options.project is None:
        raise UsageError("--package is given without --project", hint="--project names the workspace")


def _check_rebuild(options: argparse.Namespace) -> None:
    from crossdock.steps.rebuilding import check_command

    if options.project is None:
        raise UsageError("--rebuild is given without --project", hint="--project is what is built again")
    check_command(_words(options.rebuild))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--rebuild {text!r} cannot be split into words", why=str(error)) from None


def _question(options: argparse.Namespace, services: Services) -> Question:
    from crossdock.steps.meant import meant
    from crossdock.steps.verifying import Question
    from crossdock.targets import parse_python, parse_target
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.policy import read_policy

    allow: list[Allowance] = [Allowance(path=pattern) for pattern in options.allow]
    for path in options.policy:
        allow += read_policy(Path(path))
    pythons = tuple(parse_python(text) for text in options.python)
    targets = tuple(meant(parse_target(text), pythons) for text in options.target)
    question = Question(targets=targets, pythons=pythons, allow=tuple(allow))
    if options.lock:
        from crossdock.steps.lock_claims import wanted_by_file

        return replace(question, wanted=wanted_by_file(Path(options.lock), options.extra, options.group))
    return question if options.project is None else _of_project(question, options, services)


def _of_project(question: Question, options: argparse.Namespace, services: Services) -> Question:
    """Take from a project what is not said: its lock, its targets, its exceptions."""
    from crossdock.choosing.survey import load_lock
    from crossdock.plan import targets_of
    from crossdock.steps.lock_claims import wanted_by_project
    from crossdock.steps.meant import Meant
    from crossdock.verify.targets import claim_of

    project, request = project_of(options), request_of(options)
    targets = question.targets
    if not options.target or not options.python:
        found = targets_of(project, request, services)
        targets = tuple(
            Meant(claim=claim_of(target, "bundle"), targets=(target,), tags=frozenset(target.tags)) for target in found
        )
    wanted: Wanted = wanted_by_project(load_lock(project, request))
    return replace(question, targets=targets, wanted=wanted, allow=(*question.allow, *project.config.allow))


def _verify_one(name: str, options: argparse.Namespace, services: Services, question: Question) -> Result:
    from crossdock.steps.subjects import ImageSubject, open_subject
    from crossdock.steps.verify_outputs import Result
    from crossdock.steps.verifying import verify_artifact, verify_image

    deep: Rederived | None = None
    whole = bool(options.deep or options.code or options.rebuild)
    with open_subject(name, services, whole=whole) as subject:
        if isinstance(subject, ImageSubject):
            report = verify_image(subject, name, question)
            if options.deep and report.ok:
                deep = _rederive(options, subject, services)
                report = replace(report, findings=(*report.findings, *deep.findings))
        elif options.deep:
            hint = "build it again and compare the files"
            raise UsageError("--deep is for images", why=f"{name} has no layers", hint=hint)
        else:
            report = verify_artifact(subject, question)
        report = _more(report, subject, options, services)
    return Result(report=report, exit_code=report.exit_code, deep=deep)


def _more(report: Report, subject: ImageSubject | Path, options: argparse.Namespace, services: Services) -> Report:
    """Build an artifact again and run it, if that was asked and nothing is wrong so far."""
    if options.rebuild and report.ok:
        from crossdock.projects.workspace import find_workspace
        from crossdock.steps.rebuilding import rebuild_and_compare

        project = project_of(options)
        workspace = find_workspace(project.root)
        root = workspace.root if workspace is not None else project.root
        words = _words(options.rebuild)
        member = project.root.relative_to(root).as_posix()
        findings = rebuild_and_compare(subject, report.subject, root, member, words, services)
        report = replace(report, findings=(*report.findings, *findings))
        if not findings:
            _tell(f"built again by `crossdock {options.rebuild}`: the same")
    if options.code and report.ok:
        from crossdock.running.limits import RunLimits
        from crossdock.steps.running import RunWish, run_and_report

        wish = RunWish(
            code=options.code,
            base=options.base or "",
            python=options.python[0] if len(options.python) == 1 else "",
            limits=RunLimits(seconds=options.run_timeout),
            tell=_tell,
        )
        report = run_and_report(subject, report, wish, services)
    return report


def _tell(text: str) -> None:
    from crossdock.verify.finding import printable

    print("\n".join(map(printable, text.splitlines())), file=sys.stderr)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _rederive(options: argparse.Namespace, subject: ImageSubject, services: Services) -> Rederived:
    from crossdock.plan import make_plan
    from crossdock.steps.rederive import rederive

    plan = None
    if options.project is not None:
        plan = make_plan(project_of(options), request_of(options), services)
    return rederive(subject.layout, services, plan)
