"""``crossdock sbom``: the bill of materials of an image that exists, or of one that would be built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.plan import Plan, TargetPlan
    from crossdock.verify.platforms import Platform

__all__ = ["sbom"]

_LAYOUT = "oci:"


def sbom(options: argparse.Namespace) -> int:
    """Print a bill of materials, or write it to a file."""
    data = _of_project(options) if _is_project(options.project) else _of_image(options)
    if options.output is None:
        # As it was attached, byte for byte: its digest may have been signed.
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    from crossdock.store.files import reported, write_whole

    output = Path(options.output)
    with reported(output):
        write_whole(output, data)
    return 0


def _is_project(text: str) -> bool:
    path = Path(text)
    return path.name == "pyproject.toml" or (path.is_dir() and not (path / "oci-layout").exists())


def _of_image(options: argparse.Namespace) -> bytes:
    from crossdock.oci.reference import parse_reference
    from crossdock.supply.read import LayoutImages, read_sbom

    _refuse_parts(options)
    text, platform = options.project, _platform(options.platform)
    if text.startswith(_LAYOUT):
        from crossdock.bases.spec import parse_base

        spec = parse_base(text)
        images = LayoutImages(Path(spec.path), text)
        return read_sbom(images, options.format, version=spec.version, platform=platform)
    if Path(text).exists():
        return read_sbom(LayoutImages(Path(text), text), options.format, platform=platform)
    reference = parse_reference(text)
    repository = services_of(options).repository(reference)
    return read_sbom(repository, options.format, version=reference.version, platform=platform)


def _refuse_parts(options: argparse.Namespace) -> None:
    if options.target or options.package:
        raise UsageError(
            f"{options.project} is an image, and --target and --package are for projects",
            hint="choose one of its platforms with --platform",
        )


def _of_project(options: argparse.Namespace) -> bytes:
    from crossdock.plan import make_plan
    from crossdock.projects.firstparty import build_own_wheel
    from crossdock.steps.annotating import source_date_epoch
    from crossdock.steps.built import with_built_sources
    from crossdock.steps.fetching import fetch_files
    from crossdock.steps.rewritten import with_rewritten_wheels
    from crossdock.supply.cyclonedx import cyclonedx_json
    from crossdock.supply.inventory import inventory, wheel_notes
    from crossdock.supply.spdx import spdx_json

    epoch, platform = source_date_epoch(), _platform(options.platform)
    services = services_of(options)
    plan = _single(make_plan(project_of(options), request_of(options), services), platform)
    own = build_own_wheel(plan.project, services, locked=plan.locked)
    fetch_files(plan, services)
    plan = with_rewritten_wheels(with_built_sources(plan, services, locked=plan.locked), services)
    (part,) = plan.targets
    listed = inventory(part, own, plan.project, wheel_notes(part, own, services.store))
    write = {"spdx": spdx_json, "cyclonedx": cyclonedx_json}[options.format]
    return write(listed, epoch=epoch)


def _single(plan: Plan, platform: Platform | None) -> Plan:
    """Keep the one target that is meant, before anything is fetched for the others."""
    from dataclasses import replace

    parts = [part for part in plan.targets if platform is None or _serves(part, platform)]
    if len(parts) == 1:
        return replace(plan, targets=tuple(parts))
    names = ", ".join(str(part.target.platform) for part in plan.targets)
    raise UsageError(
        f"{plan.project.name} is built for {'several targets' if parts else 'no such platform'}",
        why=f"they are {names}; each has a bill of materials of its own",
        hint="name one with --target",
    )


def _serves(part: TargetPlan, wanted: Platform) -> bool:
    oci = part.target.platform.oci
    same = (oci["os"], oci["architecture"]) == (wanted.os, wanted.architecture)
    return same and (not wanted.variant or wanted.variant == oci.get("variant", ""))


def _platform(text: str | None) -> Platform | None:
    if text is None:
        return None
    from crossdock.verify.platforms import Platform

    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise UsageError(
            f"--platform cannot be {text!r}", hint="write it as linux/arm64, or with a variant: linux/arm/v7"
        )
    return Platform(os=parts[0], architecture=parts[1], variant=parts[2] if len(parts) == 3 else "")
