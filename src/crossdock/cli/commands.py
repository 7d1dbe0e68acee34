"""What each command does, in terms of the library."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import UsageError
from crossdock.store import Store, terminal_progress

if TYPE_CHECKING:
    import argparse

    from crossdock.plan import Plan, Services

__all__ = ["image", "lock", "plan", "verify"]

_COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip")
#: Each layer in the making takes memory, and past a few Python itself is what they wait for.
_MOST_JOBS = 4


def image(options: argparse.Namespace) -> int:
    """Build an image index."""
    from crossdock.build import build_image
    from crossdock.oci.reference import parse_reference
    from crossdock.plan import make_plan
    from crossdock.projects.project import load_project

    project = load_project(Path(options.project))
    reference = parse_reference(options.tag or project.name)
    output = _output(options.output, project.root / "dist" / f"{project.name}_image")
    services = _services(options)
    made = make_plan(project, options.target, services, locked=options.locked)
    built = build_image(made, services, output=output, reference=reference)
    if not options.quiet:
        print(built.report.to_text(), end="", file=sys.stderr)
        print(f"written to {output}", file=sys.stderr)
    print(f"{reference.name}@{built.index.digest}")
    return 0


def plan(options: argparse.Namespace) -> int:
    """Show a plan."""
    from crossdock.plan import make_plan, plan_json
    from crossdock.projects.project import load_project

    made = make_plan(load_project(Path(options.project)), options.target, _services(options), locked=options.locked)
    if options.json:
        print(json.dumps(plan_json(made), indent=2))
    else:
        print(_plan_text(made))
    return 0


def lock(options: argparse.Namespace) -> int:
    """Write crossdock.lock."""
    from crossdock.plan import lock_bases
    from crossdock.projects.project import load_project

    print(lock_bases(load_project(Path(options.project)), options.target, _services(options)))
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


def _services(options: argparse.Namespace) -> Services:
    from crossdock.plan import Services

    jobs = getattr(options, "jobs", None) or min(os.cpu_count() or 1, _MOST_JOBS)
    progress = None if options.quiet else terminal_progress()
    return Services(store=Store.default(), progress=progress, jobs=jobs, warn=_warn)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


def _plan_text(made: Plan) -> str:
    lines = [f"{made.project.name} on {made.base}, from {made.lock.name}"]
    for part in made.targets:
        target = part.target
        lines += ["", f"{target.platform}: Python {target.python.full_version}, {target.platform.libc}"]
        width = max((len(str(choice.package)) for choice in part.selection.choices), default=0)
        lines += [f"  {str(choice.package).ljust(width)}  {choice.file.filename}" for choice in part.selection.choices]
        lines += [f"  without {item.package}: {' or '.join(item.markers)} is false" for item in part.selection.skipped]
    return "\n".join(lines)
