"""``crossdock verify``: prove an image that anybody built, on disk or in a registry."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import ArtifactRefusedError, UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.oci.layout_files import Layout
    from crossdock.services import Services
    from crossdock.steps.rederive import Rederived

__all__ = ["verify"]


def verify(options: argparse.Namespace) -> int:
    """Prove an image."""
    from crossdock.steps.making import StoreScanCache
    from crossdock.verify.image import verify_opened

    if options.project is not None and not options.deep:
        raise UsageError("--project is given without --deep", hint="--deep makes the layers again and compares")
    services = services_of(options)
    layout = _open(options.image, services)
    cache = None if _is_path(options.image) else StoreScanCache(services.store)
    report = verify_opened(layout, options.image, scan_cache=cache, allow=options.allow)
    deep = None
    if options.deep and report.ok:
        deep = _rederive(options, layout, services)
        report = replace(report, findings=(*report.findings, *deep.findings))
    if options.json:
        print(json.dumps({**report.to_json(), **({} if deep is None else {"rederived": _json(deep)})}, indent=2))
    else:
        print(report.to_text(), end="")
        if deep is not None:
            _tell(deep)
    return 0 if report.ok else ArtifactRefusedError.exit_code


def _is_path(text: str) -> bool:
    """Say whether a text names a layout: one that is there, or that could be nothing else."""
    # os.path takes a text that is too long for a name for what it is: no path.
    return os.path.exists(text) or text.startswith((".", "/", "~")) or text.endswith(".tar")  # noqa: PTH110


def _open(text: str, services: Services) -> Layout:
    if _is_path(text):
        from crossdock.oci.layout_files import open_layout

        return open_layout(Path(text))
    from crossdock.oci.reference import parse_reference
    from crossdock.steps.pulled import pull_layout

    return pull_layout(parse_reference(text), services)


def _rederive(options: argparse.Namespace, layout: Layout, services: Services) -> Rederived:
    from crossdock.plan import make_plan
    from crossdock.steps.rederive import rederive

    plan = None
    if options.project is not None:
        plan = make_plan(project_of(options), request_of(options), services)
    return rederive(layout, services, plan)


def _json(deep: Rederived) -> dict[str, object]:
    return {"same": list(deep.same), "not_made_again": dict(deep.others)}


def _tell(deep: Rederived) -> None:
    from crossdock.verify.findings import printable

    wrong = len(deep.findings)
    print(f"made again: {len(deep.same)} layers, the same" + (f"; {wrong} findings" if wrong else ""))
    for digest, reason in deep.others.items():
        print(f"not made again: {digest[:19]}: {printable(reason)}", file=sys.stderr)
