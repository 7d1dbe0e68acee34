"""What each command does, in terms of the library."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.plan import Plan

__all__ = ["image", "lock", "plan", "verify"]

_COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip")


def image(options: argparse.Namespace) -> int:
    """Build an image index."""
    from crossdock.build import build_image
    from crossdock.oci.reference import parse_reference
    from crossdock.plan import make_plan

    project = project_of(options)
    reference = parse_reference(options.tag or project.name)
    output = _output(options.output, project.root / "dist" / f"{project.name}_image")
    services = services_of(options)
    made = make_plan(project, request_of(options), services)
    built = build_image(made, services, output=output, reference=reference)
    if not options.quiet:
        print(built.report.to_text(), end="", file=sys.stderr)
        print(f"written to {output}", file=sys.stderr)
    print(f"{reference.name}@{built.index.digest}")
    return 0


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


def verify(options: argparse.Namespace) -> int:
    """Prove an image layout."""
    from crossdock.errors import ArtifactRefusedError
    from crossdock.verify.image import verify_layout

    report = verify_layout(Path(options.layout), allow=options.allow)
    if options.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print(report.to_text(), end="")
    return 0 if report.ok else ArtifactRefusedError.exit_code


def _output(text: str | None, default: Path) -> Path:
    if text is None:
        return default
    if not text.strip() or text.lower().endswith(_COMPRESSED):
        raise UsageError(
            f"--output cannot be {text!r}",
            why="a layout is a folder or an uncompressed .tar file; its layers are compressed already",
            hint="name a folder, or a file ending in .tar",
        )
    return Path(text)


def _plan_text(made: Plan) -> str:
    lines = [f"{made.project.name} on {made.base}, from {made.project_lock.lock.path.name}"]
    for part in made.targets:
        target = part.target
        lines += ["", f"{target.platform}: Python {target.python.full_version}, {target.platform.floor}"]
        width = max((len(str(choice.package)) for choice in part.selection.choices), default=0)
        lines += [f"  {str(choice.package).ljust(width)}  {choice.file.filename}" for choice in part.selection.choices]
        lines += [f"  without {item.package}: {' or '.join(item.markers)} is false" for item in part.selection.skipped]
    return "\n".join(lines)
