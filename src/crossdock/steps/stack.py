"""Which layers an image is a stack of, and what is said of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.bases.images import MOST_LAYERS
from crossdock.choosing.basing import ChosenBase
from crossdock.errors import TooManyLayersError
from crossdock.layers.cached import LayerRecipe, tree_recipe, wheel_recipe
from crossdock.layers.grouping import Group, Grouping, SizedWheel, group_wheels
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.oci.model import canonical_json
from crossdock.steps.environment import PREFIX, environment_entries
from crossdock.wheels.scheme import SCHEME_VERSION, posix_venv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from crossdock.bases.locking import LockedBase
    from crossdock.choosing.basing import BaseInput
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.lockfile.images import LockedImageBase
    from crossdock.lockfile.interpreters import LockedInterpreter
    from crossdock.locks import Choice
    from crossdock.plan import TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.targets import Python, Target
    from crossdock.wheels.bytecode import CompilerSpec
    from crossdock.wheels.scheme import Scheme

__all__ = [
    "MOST_LAYERS",
    "LayerForm",
    "LayerOptions",
    "Part",
    "base_parts",
    "check_height",
    "own_sized",
    "own_title",
    "scheme_of",
    "stack",
    "system_parts",
    "wheels_said",
    "wheels_title",
]

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
        wheels: Those that have to be in the store to make it.
        inputs: Packages or an archive that have to be in the store to make it.
    """

    recipe: LayerRecipe
    created_by: str
    annotations: Mapping[str, str]
    weight: int = 0
    wheels: tuple[SizedWheel, ...] = ()
    inputs: BaseInput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerForm:
    """How layers are wanted.

    Attributes:
        compression: Of the layers that are made; those of a base stay as they are.
        compile: Whether bytecode is added; None for what the project's settings say.
        grouping: Which wheels share a layer; None for what the project's settings say.
    """

    compression: Literal["gzip", "zstd"] = "gzip"
    compile: bool | None = None
    grouping: Grouping | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOptions:
    """How layers are made.

    Attributes:
        store: Where they, and what they are made of, are kept.
        size_of: Bytes of each wheel.
        image_base: Gives the recipes of an image's own layers.
        compilers: What compiles bytecode for a target's Python, if it is wanted.
        grouping: Which wheels share a layer.
        recompress: Gives the recipe of the same layer compressed otherwise, if that is wanted.
        warn: Told of files that bytecode cannot be compiled of.
    """

    store: Store
    size_of: Mapping[str, int]
    image_base: Callable[[LockedImageBase], Sequence[LayerRecipe]]
    compilers: Mapping[str, CompilerSpec]
    grouping: Grouping = "grouped"
    recompress: Callable[[LayerRecipe], LayerRecipe] | None = None
    warn: Callable[[str], None] = lambda _: None

    def compressed(self, recipe: LayerRecipe) -> LayerRecipe:
        """Give the recipe of a layer of crossdock's own as it is wanted."""
        return recipe if self.recompress is None else self.recompress(recipe)


def scheme_of(target: Target) -> Scheme:
    """Give where wheels go in an image."""
    return posix_venv(PREFIX, target.python.short)


def stack(part: TargetPlan, own: OwnWheel, options: LayerOptions) -> list[Part]:
    """Divide an image into layers, lowest first: by how seldom they change.

    Raises:
        TooManyLayersError: There would be more than engines can stack.
    """
    groups = group_wheels([_sized(choice, options.size_of) for choice in part.selection.choices], options.grouping)
    chosen = ChosenBase(base=part.base, interpreter=part.interpreter, facts=part.facts)
    parts = [
        *system_parts(chosen, part.target.python, options),
        *(_group_part(group, part.target, options) for group in groups),
        _own_part(own, part.target, options),
    ]
    check_height(str(part.target.platform), len(parts), len(base_parts(part.base, options)))
    return parts


def check_height(platform: str, layers: int, base: int) -> None:
    """Refuse an image that engines could not stack.

    Args:
        platform: What it is for.
        layers: How many it has.
        base: How many of them are the base's.

    Raises:
        TooManyLayersError: They are too many.
    """
    if layers > MOST_LAYERS:
        raise TooManyLayersError(
            f"The image for {platform} would have {layers} layers",
            why=f"engines stack {MOST_LAYERS} at most, and {base} of them are those of the base",
            hint="take a base of fewer layers: `skopeo copy` and `podman build --squash-all` can merge a base's layers",
        )


def system_parts(chosen: ChosenBase, python: Python, options: LayerOptions) -> list[Part]:
    """Give the layers that are the same for all applications: base, interpreter, and the environment's frame.

    Args:
        chosen: The base, and what is laid over it.
        python: Of the environment.
        options: How layers are made.
    """
    return [
        *base_parts(chosen.base, options),
        *_interpreter_parts(chosen.interpreter, options),
        _environment_part(chosen.facts, python, options),
    ]


def base_parts(base: LockedBase, options: LayerOptions) -> list[Part]:
    """Give the layers of a base, lowest first."""
    if isinstance(base, LockedDebianBase):
        from crossdock.bases.debian.base import TREE_VERSION, debian_entries

        listed: list[JSON] = [[package.name, package.version, package.sha256] for package in base.packages]
        inputs: JSON = [TREE_VERSION, base.architecture, *listed]
        recipe = tree_recipe("debian", inputs, lambda: debian_entries(base, options.store), encode=True)
        return [_debian_part(base, recipe, options, "base")]
    from crossdock.supply.inventory import shown_base

    name = shown_base(base.name)  # where it lies on this machine is nobody's business
    return [
        Part(
            recipe,
            f"crossdock: layer {number} of {name}",
            {"dev.crossdock.layer": "base", "dev.crossdock.base": name},
            weight=layer.size,
            inputs=layer,
        )
        for number, (recipe, layer) in enumerate(zip(options.image_base(base), base.layers, strict=True), start=1)
    ]


def _debian_part(base: LockedDebianBase, recipe: LayerRecipe, options: LayerOptions, kind: str) -> Part:
    return Part(
        options.compressed(recipe),
        f"crossdock: {base.name}, {len(base.packages)} packages",
        {"dev.crossdock.layer": kind, "dev.crossdock.base": base.name},
        weight=_BASE_WEIGHT * sum(package.size for package in base.packages),
        inputs=base,
    )


def _interpreter_parts(interpreter: LockedInterpreter | LockedDebianBase | None, options: LayerOptions) -> list[Part]:
    if interpreter is None:
        return []
    if isinstance(interpreter, LockedDebianBase):
        from crossdock.bases.interpreter.debian import debian_over_recipe

        return [_debian_part(interpreter, debian_over_recipe(interpreter, options.store), options, "interpreter")]
    from crossdock.bases.interpreter.standalone import interpreter_recipe

    return [
        Part(
            options.compressed(interpreter_recipe(interpreter, options.store)),
            f"crossdock: Python {interpreter.python_version}",
            {"dev.crossdock.layer": "interpreter", "dev.crossdock.interpreter": interpreter.sha256},
            weight=_BASE_WEIGHT * interpreter.size,
            inputs=interpreter,
        )
    ]


def _environment_part(facts: BaseFacts, python: Python, options: LayerOptions) -> Part:
    entries = environment_entries(python, facts)
    inputs: list[JSON] = [python.full_version, facts.python_path]
    if facts.has_environment:
        inputs.append("hides the base's")
    return Part(
        options.compressed(tree_recipe("environment", inputs, lambda: entries, encode=False)),
        f"crossdock: environment for Python {python.short}",
        {"dev.crossdock.layer": "environment"},
    )


def _group_part(group: Group, target: Target, options: LayerOptions) -> Part:
    return _wheels_part("wheels", group.wheels, wheels_title(group.wheels), target, options)


def _own_part(own: OwnWheel, target: Target, options: LayerOptions) -> Part:
    return _wheels_part("project", (own_sized(own.filename, own.sha256),), own_title(own.filename), target, options)


def wheels_title(wheels: Iterable[SizedWheel]) -> str:
    """Say, for an image's history, what a layer of wheels is."""
    return "crossdock: " + ", ".join(f"{wheel.name} {wheel.version}" for wheel in wheels)


def own_title(filename: str) -> str:
    """Say, for an image's history, what the layer of a project's own wheel is."""
    return f"crossdock: {filename}"


def own_sized(filename: str, sha256: str) -> SizedWheel:
    """Give a project's own wheel, which shares its layer with no other."""
    name, version = filename.split("-")[:2]
    return SizedWheel(name=name, version=version, filename=filename, sha256=sha256, size=0, pure=True)


def wheels_said(kind: str, wheels: Iterable[SizedWheel], bytecode: JSON = None) -> dict[str, str]:
    """Give the annotations of a layer of wheels.

    Args:
        kind: What the layer is: ``wheels``, or ``project`` for the project's own.
        wheels: What it is made of.
        bytecode: The key of the compiler that added bytecode; None if none did.
    """
    listed = [{"name": wheel.name, "version": wheel.version, "sha256": wheel.sha256} for wheel in wheels]
    return {
        "dev.crossdock.layer": kind,
        "dev.crossdock.scheme": str(SCHEME_VERSION),
        "dev.crossdock.wheels": canonical_json(listed).decode(),
        **({"dev.crossdock.bytecode": canonical_json(bytecode).decode()} if bytecode is not None else {}),
    }


def _wheels_part(
    kind: str, wheels: tuple[SizedWheel, ...], created_by: str, target: Target, options: LayerOptions
) -> Part:
    files = [(wheel.filename, wheel.sha256) for wheel in wheels]
    compiler = options.compilers.get(target.python.short)
    recipe = wheel_recipe(options.store, files, scheme_of(target), compile=compiler, warn=options.warn)
    return Part(
        options.compressed(recipe),
        created_by,
        wheels_said(kind, wheels, compiler.key if compiler else None),
        weight=sum(wheel.size for wheel in wheels),
        wheels=wheels,
    )


def _sized(choice: Choice, size_of: Mapping[str, int]) -> SizedWheel:
    file = choice.file
    return SizedWheel(
        name=choice.package.name,
        version=str(choice.package.version),
        filename=file.filename,
        sha256=file.sha256,
        size=size_of[file.sha256],
        pure=choice.tag.platform == "any",
    )
