"""From a plan to an image: see what is known, fetch what is missing, make the layers, prove them, hand the image over.

Nothing is written or pushed before every layer of every image was proved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from crossdock.oci.image import Image, Root, assemble, make_image
from crossdock.projects.firstparty import build_own_wheel, check_fits
from crossdock.steps.annotating import base_annotations, project_annotations, source_date_epoch
from crossdock.steps.collisions import check_paths
from crossdock.steps.describing import layer_of
from crossdock.steps.fetching import fetch_inputs
from crossdock.steps.layering import mountable
from crossdock.steps.making import known_layers, make_layers
from crossdock.steps.outputs import Finished, check_outputs, check_pushes, write_outputs
from crossdock.steps.preparing import prepare
from crossdock.steps.registry_cache import read_registry_cache
from crossdock.steps.runconfig import run_config
from crossdock.steps.verdicts import image_verdict
from crossdock.verify.claim import ImageConfig
from crossdock.verify.manifests import LayerClaim
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from crossdock.engines import Loaded
    from crossdock.oci.image import RunConfig
    from crossdock.plan import Plan
    from crossdock.services import Services
    from crossdock.steps.making import FinishedLayer
    from crossdock.steps.outputs import Outputs, Pushed
    from crossdock.steps.preparing import Prepared
    from crossdock.steps.registry_cache import KnownLayer, RegistryCache
    from crossdock.steps.stack import Part
    from crossdock.verify.claim import Claim
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.report import ImageReport

__all__ = ["Built", "build_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came out.

    Attributes:
        root: The index, or the only manifest.
        images: One for each target.
        report: What the proof saw.
        loaded: What an engine holds now; None if none was asked for.
        pushed: What came to registries.
    """

    root: Root
    images: tuple[Image, ...]
    report: Report
    loaded: Loaded | None
    pushed: tuple[Pushed, ...]


def build_image(plan: Plan, services: Services, outputs: Outputs) -> Built:
    """Build an image for every target and hand it over.

    Args:
        plan: What to build.
        services: The store, registries, progress and how much is done at once.
        outputs: Where the image goes, and in which form.

    Raises:
        ArtifactRefusedError: A file in a layer does not fit its target; nothing was written.
        CrossdockError: Anything else that can go wrong has its class too.
    """
    epoch = source_date_epoch()
    engine = check_outputs(outputs, [part.target.platform.oci for part in plan.targets])
    check_pushes(outputs, services)
    cache = read_registry_cache(outputs.cache_from, services)
    ready, parts, known = _gather(prepare(plan, outputs.form, cache, services), cache, outputs, services)
    plan, wheels = ready.plan, ready.wheels
    runs = [run_config(plan.project, part, ready.own, partial(wheels.scripts, part)) for part in plan.targets]
    finished = make_layers(parts, known, services, bring=lambda _: outputs.needs_bytes, checks=_checks(ready, services))
    annotations = project_annotations(plan.project, epoch)
    images = tuple(
        make_image(
            part.target.platform.oci,
            [layer_of(item, finished[item.recipe.key], wheels, part.target) for item in image_parts],
            run,
            epoch=epoch,
            annotations={**annotations, **base_annotations(part.base)},
            profile=outputs.profile,
        )
        for part, image_parts, run in zip(plan.targets, parts, runs, strict=True)
    )
    report = _prove(plan, images, runs, ready, parts, finished)
    root = assemble(images, annotations, outputs.profile)
    whole = Finished(
        root=root,
        images=images,
        layers={layer.made.digest: layer for layer in finished.values()},
        mountable=mountable(plan, cache),
    )
    loaded, pushed = write_outputs(outputs, whole, services, engine)
    if outputs.attaches:
        from crossdock.steps.attaching import Attachable, attach_all

        about = Attachable(ready=ready, root=root, images=images, epoch=epoch)
        attach_all(about, outputs.push, services)
    return Built(root=root, images=images, report=report, loaded=loaded, pushed=pushed)


def _gather(
    ready: Prepared, cache: RegistryCache, outputs: Outputs, services: Services
) -> tuple[Prepared, list[list[Part]], dict[str, KnownLayer]]:
    """See which layers a registry has, and bring here what all others are made of, and nothing else."""
    plan, own, wheels, store = ready.plan, ready.own, ready.wheels, services.store
    parts = ready.stacks()
    flat = [part for image in parts for part in image]
    known = known_layers(parts, [part.target for part in plan.targets], cache, store)
    missing = [part for part in flat if part.recipe.key not in known and part.recipe.find(store) is None]
    needed = {wheel.sha256 for part in missing for wheel in part.wheels}
    needed |= wheels.unknown(own, noted=outputs.attaches)
    wheels.bring(needed)
    met = {sha256 for part in plan.targets for _, sha256 in wheels.meeting(part, own)}
    wheels.bring(met)
    if own.sha256 in needed | met and store.find(own.sha256) is None:
        # It was only known by name so far.
        again = replace(ready, own=build_own_wheel(plan.project, services, locked=plan.locked))
        for part in plan.targets:
            check_fits(again.own, part.target)
        return _gather(again, cache, outputs, services)
    fetch_inputs([part.inputs for part in missing if part.inputs is not None], plan.project, services)
    return ready, parts, known


def _checks(ready: Prepared, services: Services) -> list[Callable[[], None]]:
    """Give what has to be in order between the wheels of each image."""
    meeting = [ready.wheels.meeting(part, ready.own) for part in ready.plan.targets]
    return [
        partial(check_paths, part, wheels, services.store)
        for part, wheels in zip(ready.plan.targets, meeting, strict=True)
    ]


def _prove(
    plan: Plan,
    images: Sequence[Image],
    runs: Sequence[RunConfig],
    ready: Prepared,
    parts: Sequence[Sequence[Part]],
    finished: Mapping[str, FinishedLayer],
) -> Report:
    """Judge every image by what its layers really hold; raise if one is not what it says."""
    reports = []
    for part, image, run, image_parts in zip(plan.targets, images, runs, parts, strict=True):
        config = ImageConfig(env=run.env, entrypoint=run.entrypoint, user=run.user, working_dir=run.working_dir)
        wheels = [filename for filename, _ in ready.wheels.of(part, ready.own)]
        waived = plan.project.config.waived
        claim = claim_of(part.target, "image", wheels=wheels, waived=waived, config=config)
        claims = [
            LayerClaim(digest=f"sha256:{layer.digest}", diff_id=f"sha256:{layer.diff_id}") for layer in image.layers
        ]
        layers = [finished[item.recipe.key] for item in image_parts]
        digest, allow = image.manifest.descriptor.digest, plan.project.config.allow
        prove = partial(_prove_image, claim, layers, claims, digest, allow)
        reports.append(image_verdict(claim, layers, digest, allow, ready.wheels.store, prove))
    report = Report(subject=plan.project.name, images=tuple(reports))
    report.require_ok()
    return report


def _prove_image(
    claim: Claim,
    layers: Sequence[FinishedLayer],
    claims: Sequence[LayerClaim],
    digest: str,
    allow: Sequence[Allowance],
) -> ImageReport:
    # Rules are many; a build with nothing to do needs none.
    from crossdock.verify.proof import prove_image

    facts = [layer.facts for layer in layers]
    return prove_image(claim, facts, claims=claims, entry=claim.platform, digest=digest, allow=allow)
