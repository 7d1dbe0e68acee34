"""``crossdock verify``: prove an image that anybody built, on disk or in a registry, or a finished bundle."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import ArtifactRefusedError, LayoutUnreadableError, UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.oci.layout_files import Layout
    from crossdock.services import Services
    from crossdock.steps.rederive import Rederived

__all__ = ["verify"]

#: What files are named, and images in registries are not.
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".pex", ".pyz", ".zip", ".whl")


def verify(options: argparse.Namespace) -> int:
    """Prove an image or a bundle."""
    if options.project is not None and not options.deep:
        raise UsageError("--project is given without --deep", hint="--deep makes the layers again and compares")
    if _exists(options.image) and not Path(options.image).is_dir() and not Path(options.image).is_file():
        hint = "copy what comes out of a pipe or a device into a file first"
        raise LayoutUnreadableError(f"{options.image} is neither a file nor a folder", hint=hint)
    if not _exists(options.image) or _is_layout(Path(options.image)):
        return _verify_image(options)
    if options.target:
        return _verify_bundle(options)
    try:
        return _verify_image(options)
    except LayoutUnreadableError as error:
        hint = "to prove a PEX, a zip or tar archive or a folder, say what it is for, as in --target linux/arm64"
        raise LayoutUnreadableError(error.what, why=error.why, hint=f"{error.hint}; {hint}") from None


def _verify_image(options: argparse.Namespace) -> int:
    from crossdock.steps.making import StoreScanCache
    from crossdock.verify.image import verify_opened

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


def _verify_bundle(options: argparse.Namespace) -> int:
    if options.deep:
        raise UsageError(
            "--deep is for images", why=f"{options.image} has no layers", hint="build it again and compare the files"
        )
    from crossdock.steps.verifying import meant, verify_artifact
    from crossdock.targets import parse_python, parse_target

    pythons = [parse_python(text) for text in options.python]
    targets = [meant(parse_target(text), pythons) for text in options.target]
    report = verify_artifact(Path(options.image), targets, allow=options.allow)
    print(json.dumps(report.to_json(), indent=2) if options.json else report.to_text(), end="\n" * options.json)
    return 0 if report.ok else ArtifactRefusedError.exit_code


def _is_layout(path: Path) -> bool:
    """Say whether what is there is an image layout, be it a good one or not."""
    from crossdock.oci.tarfiles import TarFiles

    if path.is_dir():
        return (path / "oci-layout").exists()
    try:
        return TarFiles(path).size("oci-layout") is not None
    except (tarfile.TarError, OSError):
        return False


def _exists(text: str) -> bool:
    # os.path takes a text that is too long for a name for what it is: no path.
    return os.path.exists(text)  # noqa: PTH110


def _is_path(text: str) -> bool:
    """Say whether a text names a file or folder: one that is there, or that could be nothing else."""
    return _exists(text) or text.startswith((".", "/", "~")) or text.endswith(_SUFFIXES)


def _open(text: str, services: Services) -> Layout:
    if _is_path(text):
        if not _exists(text):
            raise LayoutUnreadableError(
                f"there is no image layout at {text[:4096]}",
                why="nothing is there",
                hint="name an image layout, a PEX, a zip or tar archive or a folder that is there",
            )
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
