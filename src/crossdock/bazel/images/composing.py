"""From what is known of layers to an image: what it is made of, how it runs, and what it claims to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from crossdock.bazel.handed.sourcefiles import RUNFILES
from crossdock.bazel.needs import check_needs
from crossdock.choosing.request import Request
from crossdock.choosing.targeting import image_target
from crossdock.errors import BazelInputError, ConfigError, EntrypointError
from crossdock.oci.image import Layer
from crossdock.projects.entrypoint import resolve_entrypoint
from crossdock.projects.firstparty import OwnWheel, check_fits
from crossdock.steps.describing import facts_of_wheels, said_of, seen_text
from crossdock.steps.environment import PREFIX, image_environment
from crossdock.steps.runconfig import configured
from crossdock.steps.stack import check_height
from crossdock.targets import Libc, parse_platform
from crossdock.verify.distributions import read_distributions

if TYPE_CHECKING:
    from crossdock.bazel.handed.basefile import BaseFile
    from crossdock.bazel.handed.layerfile import LayerFile, LayerWheel
    from crossdock.layers.grouping import Grouping
    from crossdock.oci.image import RunConfig
    from crossdock.projects.project import Project
    from crossdock.targets import Platform, Target, TargetSpec
    from crossdock.verify.claim import Claim

__all__ = ["Made", "check_layers", "check_project", "described", "platform_of", "running", "target_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an image is made of.

    Attributes:
        project: The project, or what a rule says in place of one.
        base: Its base.
        layers: All of them, lowest first.
        main: The file that runs, relative to the application's files; empty if something else does.
        python: Whether there is a Python in it.
    """

    project: Project
    base: BaseFile
    layers: tuple[LayerFile, ...]
    main: str = ""
    python: bool = True

    @property
    def wheels(self) -> list[LayerWheel]:
        """All that is installed, from the bottom up."""
        return [wheel for layer in self.layers for wheel in layer.wheels]

    @property
    def own(self) -> list[LayerWheel]:
        """The project's own wheel, if there is one."""
        return [wheel for layer in self.layers if layer.kind == "project" for wheel in layer.wheels]


def platform_of(base: BaseFile, spec: TargetSpec) -> Platform:
    """Give the platform of an image without Python, with the base's C library.

    Raises:
        BazelInputError: The base is for another one.
    """
    _check_platform(base, spec)
    facts = base.facts
    return spec.platform if facts.libc is None else spec.platform.with_libc(Libc(facts.libc, facts.libc_version))


def target_of(made: Made, spec: TargetSpec) -> Target:
    """Give the target of an image: its platform, with the Python and the C library of its base.

    Raises:
        BazelInputError: The base is for another platform.
        NoPythonInBaseError: It has no Python.
        PythonChoiceError: It has one that the project does not accept.
        BaseMismatchError: It has another C library, or an older one, than is asked for.
    """
    _check_platform(made.base, spec)
    return image_target(made.project, Request(), spec, made.base.name, made.base.facts)


def _check_platform(base: BaseFile, spec: TargetSpec) -> None:
    has = parse_platform(base.target)
    if spec.platform.oci != has.oci:
        raise BazelInputError(
            f"The base {base.name} that was passed is for {has}, and the image for {spec.platform}",
            hint="give base a target that follows the platform, as those of crossdock.base() do",
        )


def check_project(project: Project, assumed: Grouping | None) -> None:
    """Refuse settings of a project that are not followed.

    Args:
        project: The project.
        assumed: How its wheels were divided into layers where its rule does not say it; None if that does.

    Raises:
        ConfigError: There is such a one.
    """
    config = project.config
    if assumed is not None and config.layers != assumed:
        raise ConfigError(
            f'{project.name} has layers = "{config.layers}" in [tool.crossdock], and the image was made of others',
            why=f'rules cannot read it before they plan the layers, and took "{assumed}"',
            hint=f'give the rule layers = "{config.layers}", too; or remove the setting',
        )
    for setting, is_set in (("compile = true", config.compile), ('compression = "zstd"', config.compression == "zstd")):
        if is_set:
            raise ConfigError(
                f"{project.name} has {setting} in [tool.crossdock], which Bazel's rules do not follow",
                why="they make layers that all applications share, in gzip and without bytecode",
                hint="remove the setting, or build this image with `crossdock image`",
            )


def check_layers(made: Made, target: Target | None) -> None:
    """Refuse layers that do not go together.

    Raises:
        BazelInputError: A layer is for another Python, or for a Python that is not there; or not at its place; or what
            the project requires is not there.
        ImpureProjectError: The project's own wheel is for another Python.
        TooManyLayersError: There are more than engines can stack.
    """
    base = sum(layer.kind == "base" for layer in made.layers)
    check_height(made.base.platform, len(made.layers), base)
    has = target.python.short if target is not None else ""
    for layer in made.layers:
        if layer.python and layer.python != has:
            what = f"Python {has}" if has else "no Python"
            raise BazelInputError(
                f"{layer.name} was laid out for Python {layer.python}, and the image has {what}",
                why=f"the base {made.base.name} brings {what}" if target is None or has else "",
                hint="set crossdock's flag python_version to the base's Python, or take another base",
            )
    own = made.own
    if len(own) > 1:
        raise BazelInputError(f"There are {len(own)} layers of a project's own wheel", why="an image is of one project")
    for wheel in own if target is not None else ():
        assert target is not None  # noqa: S101
        check_fits(OwnWheel(filename=wheel.filename, sha256=wheel.sha256, scripts=wheel.facts.scripts), target)
        if canonicalize_name(wheel.name) != made.project.name:
            raise BazelInputError(
                f"{wheel.filename} is not the wheel of {made.project.name}",
                hint="pass the pyproject.toml it is built from",
            )
        check_needs(made.project, _requires(made), (item.name for item in made.wheels), target)


def _requires(made: Made) -> list[str]:
    """Give Requires-Dist of the project's own wheel."""
    own = [layer.facts.contents.texts for layer in made.layers if layer.kind == "project"]
    return [
        text
        for texts in own
        for distribution in read_distributions(texts)
        if distribution.name == made.project.name
        for text in distribution.requires
    ]


def running(made: Made) -> RunConfig:
    """Decide how containers run.

    Raises:
        EntrypointError: What to run is not decided, or not there.
    """
    facts, config = made.base.facts, made.project.config
    environment = image_environment(facts.env) if made.python else dict(facts.env)
    if any(path.startswith(f"{RUNFILES}/") for path in _own_files(made)):
        environment |= {"RUNFILES_DIR": f"/{RUNFILES}"}
    return configured(config, facts, environment, _entrypoint(made))


def _entrypoint(made: Made) -> tuple[str, ...]:
    setting = made.project.config.entrypoint
    if not made.python and not isinstance(setting, tuple):
        raise EntrypointError(
            f"{made.project.name} does not say what to run",
            why="an image without Python runs a program, by its path",
            hint='set entrypoint to an array such as ["/app/runfiles/_main/hello/hello"]',
        )
    if setting is None and made.main:
        return (f"/{PREFIX}/bin/python", f"/{_main(made)}")
    own = made.own
    if setting is None and not own:
        raise EntrypointError(
            f"{made.project.name} does not say what to run",
            why="it has no main file, and no entrypoint is set",
            hint='set main, or entrypoint = ["python", "-m", "app"]',
        )
    scripts = {name for wheel in made.wheels if wheel not in own for name in wheel.facts.scripts}
    own_scripts = own[0].facts.scripts if own else ()
    return resolve_entrypoint(made.project, f"/{PREFIX}", own_scripts, lambda: scripts)


def _main(made: Made) -> str:
    path = f"{RUNFILES}/{made.main}"
    if path not in _own_files(made):
        raise EntrypointError(
            f"{made.project.name} has no file {made.main} to run",
            why="it is not among the application's files",
            hint="name one of srcs as main",
        )
    return path


def _own_files(made: Made) -> set[str]:
    layers = [layer for layer in made.layers if layer.kind == "files"]
    return {seen.path for layer in layers for seen in layer.facts.contents.entries if seen.kind == "file"}


def described(layer: LayerFile, claim: Claim) -> Layer:
    """Give a layer with what is said of it in a manifest.

    Args:
        layer: The layer.
        claim: What its image is for, as the claim of a layer.
    """
    facts = facts_of_wheels({wheel.sha256: wheel.facts for wheel in layer.wheels})
    seen = seen_text(layer.facts, claim)
    return Layer(
        digest=layer.made.digest,
        size=layer.made.size,
        diff_id=layer.made.diff_id,
        created_by=layer.title,
        annotations=said_of(layer.described, layer.key, layer.made.diff_id, seen, facts),
        media_type=layer.media_type,
    )
