"""What each command does, in terms of the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of

if TYPE_CHECKING:
    import argparse

    from crossdock.plan import Plan

__all__ = ["lock", "plan"]


def plan(options: argparse.Namespace) -> int:
    """Show a plan."""
    from crossdock.plan import make_plan
    from crossdock.reports.plan_json import plan_json

    if options.diff is not None:
        return _plan_diff(options)
    made = make_plan(project_of(options), request_of(options), services_of(options))
    if options.json:
        print(json.dumps(plan_json(made), indent=2))
    else:
        print(_plan_text(made))
    return 0


def _plan_diff(options: argparse.Namespace) -> int:
    """Show what changed since an old plan; that something did is no failure."""
    from crossdock.plan import make_plan
    from crossdock.reports.plan_diff import compare, diff_json, diff_text, read_plan, view
    from crossdock.reports.plan_json import plan_json

    old = read_plan(Path(options.diff))  # before all else, as planning may have to ask the network
    made = make_plan(project_of(options), request_of(options), services_of(options))
    found = compare(old, view(plan_json(made)))
    print(json.dumps(diff_json(found), indent=2) if options.json else "\n".join(diff_text(found)))
    return 0


def lock(options: argparse.Namespace) -> int:
    """Write crossdock.lock."""
    from crossdock.errors import MissingLockError
    from crossdock.plan import lock_bases
    from crossdock.steps.fetching import lock_requirements

    project, request, services = project_of(options), request_of(options), services_of(options)
    path = lock_bases(project, request, services)
    try:
        lock_requirements(project, request, services)
    except MissingLockError:
        services.warn("there is no lock of packages yet, so what builds from source run on is not recorded")
    print(path)
    return 0


def _plan_text(made: Plan) -> str:
    lines = [f"{made.project.name} on {made.base}, from {made.project_lock.lock.path.name}"]
    for part in made.targets:
        target = part.target
        lines += ["", f"{target.platform}: Python {target.python.full_version}, {target.platform.floor}"]
        width = max((len(str(choice.package)) for choice in part.selection.choices), default=0)
        lines += [f"  {str(choice.package).ljust(width)}  {choice.file.filename}" for choice in part.selection.choices]
        lines += [f"  without {item.package}: {' or '.join(item.markers)} is false" for item in part.selection.skipped]
    return "\n".join(lines)
