"""``push``: an image to a registry, tags last."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bases.spec import parse_base
from crossdock.bazel.images.assembled import add_image, assembled, blamed
from crossdock.errors import BazelInputError, CrossdockError, ExceptionEndedError
from crossdock.oci.reference import parse_reference
from crossdock.oci.registry import PushedBlob, Registries, push_image

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from crossdock.bazel.handed.imagefile import ImageFile
    from crossdock.bazel.images.assembled import Assembled
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Repository

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_image(parser)
    parser.add_argument("--repository", required=True, help="where to, as in registry.example/team/app")
    parser.add_argument("--tag", action="append", default=[], help="a tag that is to name the image")
    parser.add_argument("--tag-file", action="append", default=[], type=Path, help="file with a tag on each line")
    parser.add_argument("--quiet", action="store_true", help="print the result alone")


def run(options: argparse.Namespace) -> int:
    """Push an image."""
    reference = _repository(options.repository)
    tags = _tags(reference, [*options.tag, *_lines(options.tag_file)])
    image = assembled(options)
    _check_day(image.about, dt.datetime.now(dt.UTC).date())
    repository = Registries().repository(reference)
    repository.check_push()
    from crossdock.store import terminal_progress

    with blamed():
        stats = push_image(
            repository,
            image.root.blob,
            image.root.manifests,
            _blobs(image),
            tags=tags,
            mount_from=_neighbours(image, repository),
            progress=None if options.quiet else terminal_progress(),
        )
    if not options.quiet:
        there = stats.present + stats.mounted
        print(f"pushed {stats.uploaded} blobs ({stats.bytes_sent:,} bytes), {there} were there", file=sys.stderr)
        for tag in tags:
            print(f"tagged {reference.name}:{tag}", file=sys.stderr)
    print(f"{reference.name}@{image.root.blob.descriptor.digest}")
    return 0


def _repository(text: str) -> Reference:
    reference = parse_reference(text)
    if reference.name != text:
        raise BazelInputError(
            f"{text} is no repository alone",
            why="it has a tag or a digest",
            hint="name tags with --tag, each by itself",
        )
    return reference


def _check_day(about: Sequence[ImageFile], today: dt.date) -> None:
    """Refuse what an exception to the proof let through that has ended since.

    Raises:
        ExceptionEndedError: There is such a one.
    """
    for image in about:
        claim = image.claim
        if claim.until is not None and today > claim.until:
            ended = [item for item in claim.allow if item.expires == claim.until]
            raise ExceptionEndedError(
                f"{image.name} for {claim.platform.spelling} is refused since {claim.until}, when an exception ended",
                why="; ".join(f"it is for {item}: {item.reason}" for item in ended),
                hint="repair what it is for, or give it another date where it is written, and build again",
            )


def _lines(paths: Sequence[Path]) -> list[str]:
    lines: list[str] = []
    for path in paths:
        try:
            lines += path.read_text(encoding="utf-8").split()
        except (OSError, ValueError) as error:
            raise BazelInputError(f"{path} cannot be read as a list of tags", why=str(error)) from None
    return lines


def _tags(reference: Reference, texts: Sequence[str]) -> list[str]:
    """Give the tags, each once.

    Raises:
        ImageReferenceError: One is none.
        BazelInputError: One has a repository or a digest beside it.
    """
    for text in dict.fromkeys(texts):
        if parse_reference(f"{reference.name}:{text}") != reference.with_tag(text):
            raise BazelInputError(
                f"{text} is no tag alone", why="it has a digest, or a repository", hint="name the tag, as in --tag 1.0"
            )
    return list(dict.fromkeys(texts))


def _blobs(image: Assembled) -> Iterator[PushedBlob]:
    for one in image.images:
        yield PushedBlob(one.config.descriptor, one.config.data)
        for layer in one.layers:
            yield PushedBlob(layer.descriptor, image.blobs[layer.descriptor.digest])


def _neighbours(image: Assembled, target: Repository) -> dict[str, list[str]]:
    """Name the repositories of the target's registry that hold a layer: that of a base image."""
    found: dict[str, list[str]] = {}
    for about in image.about:
        try:
            reference = parse_base(about.base).reference
        except CrossdockError:  # what it was called is told for people, without its path
            continue
        if reference is None or reference.registry != target.registry or reference.repository == target.path:
            continue
        for layer in about.layers:
            if layer.annotations.get("dev.crossdock.layer") == "base":
                found.setdefault(layer.descriptor.digest, []).append(reference.repository)
    return found
