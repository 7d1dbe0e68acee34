"""``image``: manifest and config of an image, from what is known of its layers; written only if it is proved."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bases.image_lock import lock_scratch
from crossdock.bazel.handed.basefile import BaseFile, read_base
from crossdock.bazel.handed.exceptions import last_day, read_exceptions, undated
from crossdock.bazel.handed.imagefile import Claimed, ImageFile, write_image
from crossdock.bazel.handed.layerfile import APPLICATION, SYSTEM, read_layer
from crossdock.bazel.handed.settings import read_settings
from crossdock.bazel.handed.sourcefiles import checked_path
from crossdock.bazel.images.composing import (
    Made,
    check_layers,
    check_project,
    described,
    platform_of,
    running,
    target_of,
)
from crossdock.bazel.images.meeting import check_paths
from crossdock.bazel.telling import tell_warnings
from crossdock.errors import BazelInputError, UsageError
from crossdock.oci.image import make_image
from crossdock.projects.project import Project, load_project
from crossdock.steps.annotating import project_annotations
from crossdock.steps.environment import environment_entries
from crossdock.store.files import reported, write_whole
from crossdock.targets import parse_target
from crossdock.verify.claim import Claim, ImageConfig
from crossdock.verify.manifests import LayerClaim
from crossdock.verify.platforms import Platform as ImagePlatform
from crossdock.verify.proof import prove_image
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Mapping

    from crossdock.bazel.handed.settings import Settings
    from crossdock.oci.image import Image, RunConfig
    from crossdock.targets import Platform, Target

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--name", default="", help="what to call the image; a project's own name by default")
    parser.add_argument("--base", type=Path, help="base.json; without it, nothing, which is no base for Python")
    parser.add_argument("--base-layer", action="append", default=[], type=Path, help="what is known of a base's layer")
    parser.add_argument("--layer", action="append", default=[], type=Path, help="likewise of one over it, lowest first")
    parser.add_argument("--platform", help="such as linux/arm64+glibc2.28; by default the base's")
    parser.add_argument("--settings", type=Path, help="JSON: how it runs")
    parser.add_argument("--exceptions", action="append", default=[], type=Path, help="JSON: exceptions to the proof")
    parser.add_argument("--layers", choices=("wheel", "grouped"), help="how wheels are divided, if nobody asked for it")
    parser.add_argument("--project", type=Path, help="pyproject.toml")
    parser.add_argument("--main", default="", help="the file that runs, relative to the application's files")
    parser.add_argument("--no-python", action="store_true", help="leave Python and its environment out")
    parser.add_argument("--epoch", type=_epoch, default=0, help="time of creation, seconds since 1970")
    for name in ("manifest", "config", "image"):
        parser.add_argument(f"--{name}", required=True, type=Path, help=f"where to write {name}.json")


def _epoch(text: str) -> int:
    from crossdock.steps.annotating import source_date_epoch

    return source_date_epoch({"SOURCE_DATE_EPOCH": text})


def run(options: argparse.Namespace) -> int:
    """Put an image together."""
    settings = read_settings(options.settings)
    made = _made(options, settings)
    spec = parse_target(options.platform or made.base.platform)
    target = target_of(made, spec) if made.python else None
    platform = target.platform if target is not None else platform_of(made.base, spec)
    check_layers(made, target)
    _check_paths(made, target)
    run_config = running(made)
    claim = _claim(made, platform, target, run_config)
    annotations = {**project_annotations(made.project, options.epoch), **settings.annotations}
    of_layer = replace(claim, subject="layer", lock=None, config=None, waived=frozenset())
    image = make_image(
        platform.oci,
        [described(layer, of_layer) for layer in made.layers],
        run_config,
        epoch=options.epoch,
        annotations={**annotations, **made.base.annotations, **settings.annotations},
    )
    report, until = _prove(made, claim, image)
    _write(
        options,
        made,
        image,
        annotations,
        report,
        Claimed(
            platform=platform,
            target=target,
            wheels=_names(made),
            waived=made.project.config.waived,
            allow=made.project.config.allow,
            until=until,
        ),
    )
    return 0


def _made(options: argparse.Namespace, settings: Settings) -> Made:
    base = _scratch(options) if options.base is None else read_base(options.base)
    beside = [options.base.parent / name for name in base.metadata] if options.base is not None else []
    system = [read_layer(path) for path in options.base_layer or beside]
    if len(system) != len(base.metadata):
        raise UsageError(
            f"image: {base.name} has {len(base.metadata)} layers, and {len(system)} --base-layer are given"
        )
    over = [read_layer(path) for path in options.layer]
    for layers, kinds, option in ((system, SYSTEM, "--base-layer"), (over, APPLICATION, "--layer")):
        if strange := next((layer for layer in layers if layer.kind not in kinds), None):
            raise BazelInputError(f"{strange.name} is given as {option}, and is a layer of the kind {strange.kind}")
    if options.no_python:
        system = [layer for layer in system if layer.kind == "base"]
    if not options.name and options.project is None:
        raise UsageError("image: it has no --name", hint="pass --name, or --project")
    if options.project is not None:
        project = load_project(options.project)
    else:
        project = Project.without_sources(options.name, Path(), read_settings(None).config)
    check_project(project, options.layers)
    config = settings.over(project.config)
    allow = tuple(dict.fromkeys((*config.allow, *read_exceptions(options.exceptions))))
    return Made(
        project=replace(project, config=replace(config, allow=allow)),
        base=base,
        layers=(*system, *over),
        main=checked_path(options.main, "image --main") if options.main else "",
        python=not options.no_python,
    )


def _scratch(options: argparse.Namespace) -> BaseFile:
    """Give the base that holds nothing."""
    if not options.platform or not options.no_python:
        raise UsageError(
            "image: it has no --base",
            why="only an image without Python can stand on nothing, and then has to say for which platform it is",
            hint="pass --base, or --no-python and --platform",
        )
    platform = parse_target(options.platform).platform
    return BaseFile(
        name="scratch",
        platform=options.platform,
        target=str(platform),
        python="",
        facts=lock_scratch(platform).facts,
        annotations={},
        metadata=(),
    )


def _names(made: Made) -> tuple[str, ...]:
    return tuple(wheel.filename for wheel in made.wheels)


def _check_paths(made: Made, target: Target | None) -> None:
    reserved: Mapping[str, str] = {}
    if target is not None:
        entries = environment_entries(target.python, made.base.facts)
        reserved = {entry.path: "a part of the environment" for entry in entries if entry.kind != "directory"}
    check_paths([layer for layer in made.layers if layer.kind in APPLICATION], reserved)


def _claim(made: Made, platform: Platform, target: Target | None, run_config: RunConfig) -> Claim:
    config = ImageConfig(
        env=run_config.env,
        entrypoint=run_config.entrypoint,
        user=run_config.user,
        working_dir=run_config.working_dir,
    )
    if target is not None:
        waived = made.project.config.waived
        return claim_of(target, "image", wheels=_names(made), waived=waived, config=config)
    oci = platform.oci
    return Claim(
        platform=ImagePlatform(os=oci["os"], architecture=oci["architecture"], variant=oci.get("variant", "")),
        subject="image",
        libc=platform.libc,
        config=config,
    )


def _prove(made: Made, claim: Claim, image: Image) -> tuple[Report, dt.date | None]:
    """Judge the image by what its layers hold; raise if it is not what it says.

    Returns:
        What was found, and the day to which exceptions let all of it through.

    Raises:
        ArtifactRefusedError: It is not.
    """
    prove = partial(
        prove_image,
        claim,
        [layer.facts for layer in made.layers],
        claims=[LayerClaim(digest=f"sha256:{one.digest}", diff_id=f"sha256:{one.diff_id}") for one in image.layers],
        entry=claim.platform,
        digest=image.manifest.descriptor.digest,
    )
    allow = made.project.config.allow
    report = Report(subject=made.project.name, images=(prove(allow=undated(allow)),))
    report.require_ok()
    tell_warnings(report)
    lasting = tuple(item for item in allow if item.expires is None)
    if lasting == allow:
        return report, None
    errors = [finding for finding in prove(allow=lasting).findings if finding.severity == "error"]
    return report, last_day(errors, allow)


def _write(
    options: argparse.Namespace,
    made: Made,
    image: Image,
    annotations: Mapping[str, str],
    report: Report,
    claim: Claimed,
) -> None:
    for path, blob in ((options.manifest, image.manifest), (options.config, image.config)):
        with reported(path, option="output"):
            write_whole(path, blob.data)
    about = ImageFile(
        name=options.name or made.project.name,
        manifest=image.manifest.descriptor,
        config=image.config.descriptor,
        layers=image.layers,
        annotations=annotations,
        base=made.base.name,
        claim=claim,
    )
    write_image(options.image, about, report.to_json())
