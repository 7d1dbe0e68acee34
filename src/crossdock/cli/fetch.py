"""``crossdock fetch``: everything a build needs, brought here or written out for a machine without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import UsageError

if TYPE_CHECKING:
    import argparse

__all__ = ["fetch"]


def fetch(options: argparse.Namespace) -> int:
    """Fetch what the targets need."""
    from crossdock.steps.fetched import check_fetched_output, write_fetched
    from crossdock.steps.fetching import fetch_everything

    if options.all_targets and options.target:
        raise UsageError("--all-targets and --target exclude each other", hint="name the targets, or leave them out")
    output = Path(options.output) if options.output else None
    if output is not None:
        check_fetched_output(output)
    services = services_of(options)
    everything = fetch_everything(project_of(options), request_of(options), services)
    if output is not None:
        repositories = everything.repositories
        write_fetched(output, everything.files, everything.answers, services.store, repositories=repositories)
    if not options.quiet:
        size = sum(file.size for file in everything.files)
        targets = "1 target" if everything.targets == 1 else f"{everything.targets} targets"
        print(f"{len(everything.files)} files, {size / 1e6:.1f} MB, for {targets}", file=sys.stderr)
    print(output if output is not None else services.store.root)
    return 0
