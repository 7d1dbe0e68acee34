"""Which layers an image is a stack of, and what is said of each."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.layers.cached import LayerRecipe, MadeLayer, tree_recipe, wheel_recipe
from crossdock.layers.grouping import Group, SizedWheel, group_wheels
from crossdock.oci.image import Layer
from crossdock.oci.model import canonical_json
from crossdock.steps.environment import PREFIX, environment_entries
from crossdock.store.actions import action_key
from crossdock.wheels.scheme import SCHEME_VERSION, posix_venv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.locks import Choice
    from crossdock.plan import TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.store.blobs import Store
    from crossdock.wheels.scheme import Scheme

__all__ = ["Part", "base_part", "check_paths", "stack"]

#: A byte of a Debian package is more work than one of a wheel: it is compressed anew.
_BASE_WEIGHT = 4


@dataclass(frozen=True, slots=True)
class Part:
    """One layer of one image.

    Attributes:
        recipe: How it is made.
        created_by: What it is, for the image's history.
        annotations: What it is made of, for its descriptor.
        weight: About how much work it is to make, in bytes.
    """

    recipe: LayerRecipe
    created_by: str
    annotations: Mapping[str, str]
    weight: int = 0

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
        weight=_BASE_WEIGHT * sum(package.size for package in base.packages),
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
        weight=sum(wheel.size for wheel in wheels),
    )


def _own_part(own: OwnWheel, scheme: Scheme, store: Store) -> Part:
    return Part(
        wheel_recipe(store, [(own.filename, own.sha256)], scheme),
        f"crossdock: {own.filename}",
        {"dev.crossdock.layer": "project"},
    )


def check_paths(part: TargetPlan, own: OwnWheel, store: Store) -> None:
    """Refuse wheels of one image that write one path differently, or over a file of the environment.

    Layers are made one by one, and which wheels share one is a question of size; so this looks at all of them together.

    Raises:
        FileCollisionError: There is such a path.
        WheelError: A wheel cannot be read.
    """
    scheme = posix_venv(PREFIX, part.target.python.short)
    wheels = [(choice.file.filename, choice.file.sha256) for choice in part.selection.choices]
    wheels.append((own.filename, own.sha256))
    key = action_key(
        "paths/1", scheme=SCHEME_VERSION, prefix=scheme.site_packages, wheels=[list(item) for item in wheels]
    )
    if store.action(key) is not None:
        return
    from crossdock.layers.collisions import TakenPaths
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.install import install

    entries = environment_entries(part.target.python, part.facts)
    taken = TakenPaths({entry.path: "a part of the environment" for entry in entries if entry.kind != "directory"})
    with ExitStack() as stack_:
        for filename, sha256 in wheels:
            archive = stack_.enter_context(WheelArchive(store.path(sha256), filename))
            for item in install(archive, scheme):
                taken.take(item, archive)
    store.record(key, True)


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
