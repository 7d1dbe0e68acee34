"""``crossdock check``: whether every target has a file of every package."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.cli.table import Grid, Look, layout, look_of, paint, wrap
from crossdock.errors import MissingWheelsError, SelectionError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crossdock.choosing.survey import ProjectLock
    from crossdock.locks import Survey
    from crossdock.reports.checking import Check
    from crossdock.services import Services
    from crossdock.targets import Target

__all__ = ["check", "check_text", "grid_of", "survey_each"]

_NOT_NEEDED = "-"
_UNKNOWN = "?"
_LETTERS = {"wheel": "w", "pure": "p", "sdist": "s", "missing": "X", _NOT_NEEDED: "-", _UNKNOWN: "?"}
_COLOURS = {"missing": "red", _UNKNOWN: "red", "sdist": "yellow", _NOT_NEEDED: "dim"}
_MEANINGS = {
    "wheel": "wheel for the platform",
    "pure": "wheel for every platform",
    "sdist": "built from source",
    "missing": "MISSING",
    _NOT_NEEDED: "not needed",
    _UNKNOWN: "no answer",
}


def check(options: argparse.Namespace) -> int:
    """Check a lock for all targets; the exit code says whether everything is there."""
    from crossdock.choosing.survey import load_lock
    from crossdock.plan import targets_of
    from crossdock.reports.checking import check as compare
    from crossdock.reports.checking import check_json

    project, request, services = project_of(options), request_of(options), services_of(options)
    targets = targets_of(project, request, services)
    project_lock = load_lock(project, request)
    found = compare(targets, survey_each(project_lock, targets, services))
    if options.json:
        print(json.dumps(check_json(found, project_lock.lock.path.name), indent=2))
    else:
        print("\n".join(check_text(found, look_of(sys.stdout))))
    if found.misfits:
        return MissingWheelsError.exit_code
    return next((error.exit_code for error in found.errors.values()), 0)


def survey_each(
    project_lock: ProjectLock, targets: Sequence[Target], services: Services
) -> list[Survey | SelectionError]:
    """Survey every target, so that one that has no answer does not hide those of the others.

    Raises:
        SelectionError: No target has an answer, and for all of them it is the same reason.
        StoreError: The index had to be asked, and gave no answer.
    """
    from crossdock.choosing.survey import survey_targets

    try:
        return [*survey_targets(project_lock, targets, services)]
    except SelectionError:
        if len(targets) == 1:
            raise
    answers: list[Survey | SelectionError] = []
    for target in targets:
        try:
            answers += survey_targets(project_lock, [target], services)
        except SelectionError as error:
            answers.append(error)
    errors = {str(answer): answer for answer in answers if isinstance(answer, SelectionError)}
    if len(errors) == 1 and all(isinstance(answer, SelectionError) for answer in answers):
        raise next(iter(errors.values()))
    return answers


def check_text(found: Check, look: Look) -> list[str]:
    """Write a check for people: the table, what its words mean, and what is to be done about what is missing."""
    from crossdock.reports.checking import problems, summary

    lines = layout(grid_of(found), look) if found.rows else []
    for line in problems(found):
        lines += wrap(line, look.width, "  ")
    colour = None if found.ok else "red"
    end = [paint(line, colour, look) for line in wrap(summary(found), look.width, "  ")]
    return [*lines, *([""] if lines else []), *end]


def grid_of(found: Check) -> Grid:
    """Give the words of the table."""
    heads = [f"{label} (no answer)" if place in found.errors else label for place, label in enumerate(found.labels)]
    rows = [
        (
            str(row.package),
            [_UNKNOWN if place in found.errors else word or _NOT_NEEDED for place, word in enumerate(row.statuses)],
        )
        for row in found.rows
    ]
    return Grid(title="package", columns=heads, rows=rows, letters=_LETTERS, colours=_COLOURS, meanings=_MEANINGS)
