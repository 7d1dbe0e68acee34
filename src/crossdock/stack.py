"""Which layers an image is a stack of, and what is said of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.environment import PREFIX, environment_entries
from crossdock.layers.cached import LayerRecipe, MadeLayer, tree_recipe, wheel_recipe
from crossdock.layers.grouping import Group, SizedWheel, group_wheels
from crossdock.oci.image import Layer
from crossdock.oci.model import canonical_json
from crossdock.wheels.scheme import SCHEME_VERSION, posix_venv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.bases.debian.locked import LockedDebianBase
    from crossdock.locks import Choice
    from crossdock.plan import TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.store.blobs import Store
    from crossdock.wheels.scheme import Scheme

__all__ = ["Part", "base_part", "stack"]


@dataclass(frozen=True, slots=True)
class Part:
    """One layer of one image.

    Attributes:
        recipe: How it is made.
        created_by: What it is, for the image's history.
        annotations: What it is made of, for its descriptor.
    """

    recipe: LayerRecipe
    created_by: str
    annotations: Mapping[str, str]

    def layer(self, made: MadeLayer) -> Layer:
        """Give the finished layer with what is said of it."""
        return Layer(
            digest=made.digest,
            size=made.size,
            diff_id=made.diff_id,
            created_by=self.created_by,
            annotations=self.annotations,
        )


def stack(part: TargetPlan, own: OwnWheel, store: Store) -> list[Part]:
    """Divide an image into layers, lowest first: by how seldom they change."""
    scheme = posix_venv(PREFIX, part.target.python.short)
    groups = group_wheels([_sized(choice, store) for choice in part.selection.choices])
    return [
        base_part(part.base, store),
        _environment_part(part),
        *(_group_part(group, scheme, store) for group in groups),
        _own_part(own, scheme, store),
    ]


def base_part(base: LockedDebianBase, store: Store) -> Part:
    """Give the layer of a base; its packages need to be in the store only if it has to be made."""
    from crossdock.bases.debian.base import TREE_VERSION, debian_entries

    listed = [[package.name, package.version, package.sha256] for package in base.packages]
    return Part(
        tree_recipe(
            "debian", [TREE_VERSION, base.architecture, *listed], lambda: debian_entries(base, store), encode=True
        ),
        f"crossdock: {base.name}, {len(base.packages)} packages",
        {"dev.crossdock.layer": "base", "dev.crossdock.base": base.name},
    )


def _environment_part(part: TargetPlan) -> Part:
    entries = environment_entries(part.target.python, part.facts)
    inputs = [part.target.python.full_version, part.facts.python_path]
    return Part(
        tree_recipe("environment", inputs, lambda: entries, encode=False),
        f"crossdock: environment for Python {part.target.python.short}",
        {"dev.crossdock.layer": "environment"},
    )


def _group_part(group: Group, scheme: Scheme, store: Store) -> Part:
    wheels = group.wheels
    listed = [{"name": wheel.name, "version": wheel.version, "sha256": wheel.sha256} for wheel in wheels]
    names = ", ".join(f"{wheel.name} {wheel.version}" for wheel in wheels)
    return Part(
        wheel_recipe(store, [(wheel.filename, wheel.sha256) for wheel in wheels], scheme),
        f"crossdock: {names}",
        {
            "dev.crossdock.layer": "wheels",
            "dev.crossdock.scheme": str(SCHEME_VERSION),
            "dev.crossdock.wheels": canonical_json(listed).decode(),
        },
    )


def _own_part(own: OwnWheel, scheme: Scheme, store: Store) -> Part:
    return Part(
        # The wheel was compressed by this machine's zlib, so its streams must not be copied.
        wheel_recipe(store, [(own.filename, own.sha256)], scheme, copy_streams=False),
        f"crossdock: {own.filename}",
        {"dev.crossdock.layer": "project"},
    )


def _sized(choice: Choice, store: Store) -> SizedWheel:
    file = choice.file
    return SizedWheel(
        name=choice.package.name,
        version=str(choice.package.version),
        filename=file.filename,
        sha256=file.sha256,
        size=store.size(file.sha256),
        pure=choice.tag.platform == "any",
    )
