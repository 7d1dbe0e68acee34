"""How the layers of a plan's images are made, from the project's settings and what is wanted of the build."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from crossdock.bases.sources import open_source
from crossdock.bases.spec import parse_base
from crossdock.lockfile.images import LockedImageBase
from crossdock.steps.stack import LayerOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.bases.spec import BaseSpec
    from crossdock.layers.cached import LayerRecipe
    from crossdock.oci.content import ImageSource
    from crossdock.plan import Plan
    from crossdock.services import Services
    from crossdock.steps.registry_cache import RegistryCache
    from crossdock.steps.stack import LayerForm
    from crossdock.wheels.bytecode import CompilerSpec

__all__ = ["layer_options", "mountable"]


def layer_options(plan: Plan, form: LayerForm, services: Services, sizes: Mapping[str, int]) -> LayerOptions:
    """Decide how layers are made.

    Args:
        plan: The project and its targets.
        form: How layers are compressed, and whether bytecode is wanted.
        services: The store, and registries that bases are in.
        sizes: Bytes of each wheel.

    Raises:
        BytecodeError: Bytecode is wanted, and there is no interpreter that makes the target's.
        CompressionError: What compresses the layers is not installed.
    """
    recompress = None
    if form.compression == "zstd":
        from crossdock.layers.zstd import zstd_recipe

        recompress = partial(zstd_recipe, store=services.store)
    compiled = plan.project.config.compile if form.compile is None else form.compile
    return LayerOptions(
        store=services.store,
        size_of=sizes,
        image_base=lambda locked: _image_base(locked, plan, services),
        compilers=_compilers(plan) if compiled else {},
        grouping=form.grouping or plan.project.config.layers,
        recompress=recompress,
        warn=services.warn,
    )


def mountable(plan: Plan, cache: RegistryCache) -> dict[str, list[tuple[str, str]]]:
    """Name the places that hold layers, by the layers' digests: the repositories of bases, and those of the cache.

    Returns:
        Registry and repository of each place.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for part in plan.targets:
        reference = parse_base(part.base.name).reference
        if reference is not None and isinstance(part.base, LockedImageBase):
            for layer in part.base.layers:
                found.setdefault(layer.digest, []).append((reference.registry, reference.repository))
    for offered in cache.layers.values():
        place = (offered.repository.registry, offered.repository.path)
        found.setdefault(offered.descriptor.digest, []).append(place)
    return found


def _image_base(locked: LockedImageBase, plan: Plan, services: Services) -> Sequence[LayerRecipe]:
    from crossdock.bases.image_layers import image_base_recipes

    def source_of(spec: BaseSpec) -> ImageSource:
        return open_source(spec, plan.project.root, services.repository)

    return image_base_recipes(locked, source_of, services.store)


def _compilers(plan: Plan) -> dict[str, CompilerSpec]:
    from crossdock.steps.compiling import find_compiler

    pythons = {part.target.python.short: part.target.python for part in plan.targets}
    setting = plan.project.config.compile_python
    named = str(plan.project.root / setting) if setting else None
    return {short: find_compiler(python, setting=named) for short, python in pythons.items()}
