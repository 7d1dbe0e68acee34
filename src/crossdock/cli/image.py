"""``crossdock image``: build an image and hand it over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.build import Built
    from crossdock.oci.reference import Reference
    from crossdock.projects.project import Project
    from crossdock.steps.outputs import Outputs

__all__ = ["image"]

_COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip")


def image(options: argparse.Namespace) -> int:
    """Build an image index."""
    from crossdock.build import build_image
    from crossdock.plan import make_plan

    project = project_of(options)
    outputs = _outputs(options, project)
    services = services_of(options)
    made = make_plan(project, request_of(options), services)
    built = build_image(made, services, outputs)
    if not options.quiet:
        print(built.report.to_text(), end="", file=sys.stderr)
        _tell(built, outputs)
    name = outputs.push[0].name if outputs.push else outputs.reference.name
    _write_reports(options, built, outputs, name)
    print(f"{name}@{built.root.blob.descriptor.digest}")
    return 0


def _outputs(options: argparse.Namespace, project: Project) -> Outputs:
    from crossdock.oci.profile import profile_of
    from crossdock.oci.reference import parse_reference
    from crossdock.steps.outputs import Outputs
    from crossdock.steps.stack import LayerForm

    push = _pushed(options)
    if push:
        reference = push[0]
    else:
        if len(options.tag) > 1:
            raise UsageError("--tag is given several times", hint="several tags are for --push")
        reference = parse_reference(options.tag[0] if options.tag else project.name)
    _check_tagged(reference, "--tag")
    somewhere = push or options.docker_archive or options.load is not None
    default = None if somewhere else project.root / "dist" / f"{project.name}_image"
    cache_from = [parse_reference(text) for text in options.cache_from]
    return Outputs(
        reference=reference,
        layout=_layout(options.output) if options.output is not None else default,
        docker_archive=_archive(options.docker_archive) if options.docker_archive is not None else None,
        push=push,
        load=options.load,
        cache_from=() if options.no_cache_from else tuple(dict.fromkeys((*cache_from, *push))),
        profile=profile_of(options.profile),
        form=LayerForm(
            compression=options.compression or project.config.compression,
            compile=options.compile,
            grouping=options.layers,
        ),
        attachments=not options.no_attachments,
    )


def _pushed(options: argparse.Namespace) -> tuple[Reference, ...]:
    """Read where to push to; a tag alone is one more of the first repository."""
    from crossdock.oci.reference import parse_reference

    if options.push is None:
        return ()
    first = parse_reference(options.push)
    tags = [parse_reference(text if "/" in text or ":" in text else f"{first.name}:{text}") for text in options.tag]
    for reference in (first, *tags):
        _check_tagged(reference, "--push")
    return tuple(dict.fromkeys((first, *tags)))


def _check_tagged(reference: Reference, option: str) -> None:
    if reference.digest:
        raise UsageError(
            f"{option} cannot be {reference}",
            why="the digest is known when the image is built",
            hint=f"write {reference.name}:TAG",
        )


def _layout(text: str) -> Path:
    if not text.strip() or text.lower().endswith(_COMPRESSED):
        raise UsageError(
            f"--output cannot be {text!r}",
            why="a layout is a folder or an uncompressed .tar file; its layers are compressed already",
            hint="name a folder, or a file ending in .tar",
        )
    return Path(text)


def _archive(text: str) -> Path:
    if not text.lower().endswith(".tar"):
        raise UsageError(f"--docker-archive cannot be {text!r}", hint="name a file ending in .tar")
    return Path(text)


def _tell(built: Built, outputs: Outputs) -> None:
    for path in (outputs.layout, outputs.docker_archive):
        if path is not None:
            print(f"written to {path}", file=sys.stderr)
    if built.loaded is not None:
        platforms = ", ".join(built.loaded.platforms)
        print(f"loaded into {built.loaded.engine} as {built.loaded.name} ({platforms})", file=sys.stderr)
    for pushed in built.pushed:
        sent = f"{pushed.uploaded} blobs sent ({pushed.bytes_sent / 1e6:.1f} MB), {pushed.present} were there"
        print(f"pushed to {pushed.name} as {', '.join(pushed.tags)}: {sent}", file=sys.stderr)


def _write_reports(options: argparse.Namespace, built: Built, outputs: Outputs, name: str) -> None:
    from crossdock.reports.metadata import image_refs, metadata_json, write_report

    digest = built.root.blob.descriptor.digest
    if options.image_refs:
        names = dict.fromkeys(reference.name for reference in outputs.push) or {name: None}
        write_report(Path(options.image_refs), image_refs([f"{item}@{digest}" for item in names]))
    if options.metadata_file:
        references = [str(reference) for reference in outputs.push or (outputs.reference,)]
        write_report(Path(options.metadata_file), metadata_json(built.root, built.images, references))
