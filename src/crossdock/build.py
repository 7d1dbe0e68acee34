"""From a plan to an image: fetch what is missing, make the layers, prove them, write the index.

Nothing is written to the output before every layer of every image was proved.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import ConfigError, DamagedLayerError
from crossdock.oci.image import Image, make_image, make_index, timestamp
from crossdock.oci.layout import check_output, write_layout, write_layout_tar
from crossdock.oci.model import LAYER_GZIP, Descriptor
from crossdock.projects.firstparty import build_own_wheel, check_fits
from crossdock.steps.built import with_built_sources
from crossdock.steps.fetching import fetch_bases, fetch_files
from crossdock.steps.rewritten import with_rewritten_wheels
from crossdock.steps.runconfig import run_config
from crossdock.steps.stack import base_part, check_paths, stack
from crossdock.store.actions import action_key
from crossdock.verify.findings import LayerClaim
from crossdock.verify.platforms import Platform as ImagePlatform
from crossdock.verify.proof import prove_image
from crossdock.verify.report import Report
from crossdock.verify.scan import LayerFacts, scan_layer_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from crossdock.layers.cached import LayerRecipe, MadeLayer
    from crossdock.oci.reference import Reference
    from crossdock.plan import Plan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.services import Services
    from crossdock.steps.stack import Part
    from crossdock.store.blobs import Store

__all__ = ["Built", "StoreScanCache", "build_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came out.

    Attributes:
        index: Descriptor of the image index.
        report: What the proof saw.
    """

    index: Descriptor
    report: Report


class StoreScanCache:
    """Remembers what was seen in a layer, by its digest, so that it is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, digest: str) -> LayerFacts | None:
        """Give what is known of a layer."""
        record = self._store.action(action_key("layer-facts/1", digest=digest))
        try:
            return LayerFacts.from_json(record) if record is not None else None
        except ValueError:
            return None

    def put(self, digest: str, facts: LayerFacts) -> None:
        """Remember it."""
        self._store.record(action_key("layer-facts/1", digest=digest), facts.to_json())


def build_image(plan: Plan, services: Services, *, output: Path, reference: Reference) -> Built:
    """Build an image index and write it as an OCI layout.

    Args:
        plan: What to build.
        services: The store, progress and how much is done at once.
        output: Folder of the layout, or a path ending in ``.tar``.
        reference: Name and tag recorded in the layout.

    Raises:
        ArtifactRefusedError: A file in a layer does not fit its target; nothing was written.
        CrossdockError: Anything else that can go wrong has its class too.
    """
    epoch = source_date_epoch()
    check_output(output)
    own = build_own_wheel(plan.project, services, locked=plan.locked)
    fetch_files(plan, services)
    plan = with_built_sources(plan, services, locked=plan.locked)
    plan = with_rewritten_wheels(plan, services)
    parts = [stack(part, own, services.store) for part in plan.targets]
    runs = [run_config(plan.project, part, own, services.store) for part in plan.targets]
    for part in plan.targets:
        check_fits(own, part.target)
    made = _make_all([part for image in parts for part in image], plan, own, services)
    annotations = _annotations(plan, epoch)
    images = [
        make_image(
            part.target.platform.oci,
            [item.layer(made[item.recipe.key][0]) for item in image_parts],
            run,
            epoch=epoch,
            annotations=annotations,
        )
        for part, image_parts, run in zip(plan.targets, parts, runs, strict=True)
    ]
    report = _prove(plan, images, parts, made)
    index = make_index(images, annotations)
    blobs: dict[str, bytes | Path] = {index.descriptor.digest: index.data}
    for image in images:
        blobs |= {blob.descriptor.digest: blob.data for blob in (image.manifest, image.config)}
        blobs |= {layer.descriptor.digest: services.store.path(layer.digest) for layer in image.layers}
    root = Descriptor(
        media_type=index.descriptor.media_type,
        digest=index.descriptor.digest,
        size=index.descriptor.size,
        annotations={
            "io.containerd.image.name": str(reference),
            "org.opencontainers.image.ref.name": reference.tag,
        },
    )
    write = write_layout_tar if output.suffix == ".tar" else write_layout
    try:
        write(output, root, blobs)
    except DamagedLayerError as error:
        services.store.discard(error.digest.removeprefix("sha256:"))
        raise
    return Built(index=index.descriptor, report=report)


def source_date_epoch(environ: Mapping[str, str] = os.environ) -> int:
    """Give the time written into images: SOURCE_DATE_EPOCH if set, else 0 (reproducible-builds.org specification).

    Raises:
        ConfigError: It is set, but not to seconds since 1970.
    """
    text = environ.get("SOURCE_DATE_EPOCH", "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) > 253402300799:
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {text!r}",
            why="it has to be a whole number of seconds since 1970",
            hint="unset it, or set it as `git log -1 --format=%ct` prints it",
        )
    return int(text)


def _make_all(
    parts: Iterable[Part], plan: Plan, own: OwnWheel, services: Services
) -> dict[str, tuple[MadeLayer, LayerFacts]]:
    """Make and read every distinct layer once, several at a time, and see that they go together."""
    # The largest first: one that is begun last would leave the other workers idle.
    recipes = {part.recipe.key: part.recipe for part in sorted(parts, key=lambda part: -part.weight)}
    missing = {key for key, recipe in recipes.items() if recipe.find(services.store) is None}
    bases = [part.base for part in plan.targets if base_part(part.base, services.store).recipe.key in missing]
    fetch_bases(bases, plan.project, services)
    cache = StoreScanCache(services.store)

    def make(recipe: LayerRecipe) -> tuple[MadeLayer, LayerFacts]:
        layer = recipe.make(services.store)
        facts = cache.get(f"sha256:{layer.digest}")
        if facts is None:
            facts = scan_layer_file(services.store.path(layer.digest), LAYER_GZIP)
            cache.put(facts.digest, facts)
        return layer, facts

    with ThreadPoolExecutor(max_workers=services.jobs) as pool:
        futures: dict[str, Future[tuple[MadeLayer, LayerFacts]]] = {
            key: pool.submit(make, recipe) for key, recipe in recipes.items()
        }
        checks = [pool.submit(check_paths, part, own, services.store) for part in plan.targets]
        try:
            for check in checks:
                check.result()
            return {key: future.result() for key, future in futures.items()}
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _annotations(plan: Plan, epoch: int) -> dict[str, str]:
    """Give the standard annotations (OCI image-spec, "Annotations") that the project's metadata has an answer to."""
    project = plan.project
    values = {
        "org.opencontainers.image.created": timestamp(epoch),
        "org.opencontainers.image.description": project.description,
        "org.opencontainers.image.documentation": project.urls.get("documentation", ""),
        "org.opencontainers.image.licenses": project.license,
        "org.opencontainers.image.source": project.urls.get("source", project.urls.get("repository", "")),
        "org.opencontainers.image.title": project.name,
        "org.opencontainers.image.url": project.urls.get("homepage", ""),
        "org.opencontainers.image.version": project.version or "",
    }
    return {key: value for key, value in values.items() if value}


def _prove(
    plan: Plan,
    images: Sequence[Image],
    parts: Sequence[Sequence[Part]],
    made: Mapping[str, tuple[MadeLayer, LayerFacts]],
) -> Report:
    """Judge every image by what its layers really hold; raise if one is not what it says."""
    reports = []
    for part, image, image_parts in zip(plan.targets, images, parts, strict=True):
        oci = part.target.platform.oci
        platform = ImagePlatform(os=oci["os"], architecture=oci["architecture"], variant=oci.get("variant", ""))
        claims = [
            LayerClaim(digest=f"sha256:{layer.digest}", diff_id=f"sha256:{layer.diff_id}") for layer in image.layers
        ]
        reports.append(
            prove_image(
                platform,
                [made[item.recipe.key][1] for item in image_parts],
                claims=claims,
                entry=platform,
                digest=image.manifest.descriptor.digest,
                allow=plan.project.config.allow,
            )
        )
    report = Report(subject=plan.project.name, images=tuple(reports))
    report.require_ok()
    return report
