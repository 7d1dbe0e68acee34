"""From what users name as targets to complete targets: with the base's Python and C library, or without a base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.errors import BaseMismatchError, PythonChoiceError, TargetError, UnknownTargetError
from crossdock.targets import Libc, parse_python, parse_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.bases.facts import BaseFacts
    from crossdock.choosing.request import Request
    from crossdock.projects.project import Project
    from crossdock.targets import Platform, Python, Target, TargetSpec

__all__ = [
    "BASE_ARCHITECTURES",
    "DEFAULT_TARGETS",
    "check_for_image",
    "image_target",
    "plain_targets",
    "specs",
    "takes_base",
    "wanted_python",
]

DEFAULT_TARGETS = ("linux/amd64", "linux/arm64")
#: What the project's base can be made for, by OCI's names.
BASE_ARCHITECTURES = frozenset({"amd64", "arm64"})


def specs(project: Project, request: Request) -> list[TargetSpec]:
    """Read the targets asked for, else the project's, else the defaults; one named twice counts once.

    Raises:
        TargetError: A spelling names no target.
    """
    if request.targets:
        found = [parse_target(text) for text in request.targets]
    else:
        found = [parse_target(text, project.root) for text in project.config.targets or DEFAULT_TARGETS]
    return list({(spec.platform, spec.python, spec.name): spec for spec in found}.values())


def wanted_python(project: Project) -> Python | None:
    """Give the Python that the settings or ``.python-version`` ask for.

    Raises:
        PythonChoiceError: ``.python-version`` names none.
        UnknownTargetError: The settings name none.
    """
    if project.config.python:
        return parse_python(project.config.python)
    if not project.python_file:
        return None
    try:
        return parse_python(project.python_file)
    except UnknownTargetError as error:
        raise PythonChoiceError(
            f"{project.root / '.python-version'} says {project.python_file!r}",
            why=error.why,
            hint='write a version such as 3.11 there, or set [tool.crossdock] python = "3.11"',
        ) from None


def check_for_image(platforms: Sequence[Platform]) -> None:
    """Refuse platforms that no image can be made for, or not together.

    Raises:
        TargetError: One is not Linux, or two differ in their C library alone, for which an index has one place.
    """
    seen: dict[str, Platform] = {}
    for platform in platforms:
        if platform.os != "linux":
            raise TargetError(
                f"No image can be built for {platform}",
                why="images are built for Linux",
                hint="`crossdock check` and `crossdock explain` answer for every target",
            )
        other = seen.setdefault(str(platform), platform)
        if other is not platform:
            raise TargetError(
                f"Two targets are {platform}: one with {other.libc}, one with {platform.libc}",
                why="an image index can hold one image for each platform",
                hint="name one of them, or build two images",
            )


def image_target(project: Project, request: Request, spec: TargetSpec, base: str, facts: BaseFacts) -> Target:
    """Complete a target with what its base has.

    Raises:
        PythonChoiceError: The base's Python is not one that the project accepts or that was asked for.
        BaseMismatchError: The target wants another C library, or a newer one, than the base has.
    """
    python = parse_python(facts.python_version)
    asked: list[Python | None] = [parse_python(text) for text in request.pythons]
    asked = asked or [spec.python or wanted_python(project)]
    other = next((item for item in asked if item is not None and item.command != python.command), None)
    if other is not None:
        raise PythonChoiceError(
            f"{base} has Python {python.short}, not {other.command.removeprefix('python')}",
            why="--python, python in [tool.crossdock], or .python-version asks for another",
            hint="change that, or name another base",
        )
    check_requires_python(project, python, f"the Python {python.full_version} of {base}", "name another base")
    return _complete(project, request, spec, python, libc=_floor(spec.platform, base, facts))


def check_requires_python(project: Project, python: Python, what: str, hint: str) -> None:
    """Refuse a Python that the project does not run on.

    Raises:
        PythonChoiceError: It is such a one.
    """
    if not project.requires_python.contains(python.full_version, prereleases=True):
        raise PythonChoiceError(
            f"{project.name} does not run on {what}",
            why=f"requires-python is {str(project.requires_python)!r}",
            hint=hint,
        )


def plain_targets(
    project: Project, request: Request, base: str | None, facts_of: Callable[[str], BaseFacts]
) -> list[Target]:
    """Complete targets for questions that need no base: every platform, with every Python asked for.

    What the project's base can be made for gets the base's Python and C library, so that the answer is the one an
    image would get. All others get the Python of the base. Those that are asked for by name win over the base's; a
    C library's floor that is not named is still that of the base. One that is newer than the base's means another
    place than an image of this project, which has no answer but its own.

    Args:
        project: The project.
        request: What is asked for.
        base: The project's base; None if there is none for the Python it wants.
        facts_of: Gives what the base has for an OCI architecture.

    Raises:
        TargetError: A spelling names no target.
        PythonChoiceError: A Python is not one that the project runs on.
    """
    found = []
    for spec in specs(project, request):
        pythons = [spec.python] if spec.python else [parse_python(text) for text in request.pythons]
        if not pythons and base is not None and takes_base(spec):
            facts = facts_of(spec.platform.arch)
            if not _is_newer(spec.platform, facts):
                found.append(image_target(project, request, spec, base, facts))
                continue
        for python in pythons or [wanted_python(project) or parse_python(facts_of("amd64").python_version)]:
            what = f"Python {python.full_version}"
            check_requires_python(project, python, what, "name another with --python, in full (3.12.4) if that matters")
            floats = base is not None and takes_base(spec) and not spec.platform.libc_named
            libc = _floor(spec.platform, base or "", facts_of(spec.platform.arch)) if floats else None
            found.append(_complete(project, request, spec, python, libc=libc))
    return list(dict.fromkeys(found))


def _is_newer(platform: Platform, facts: BaseFacts) -> bool:
    """Say whether a platform asks for a newer C library than a base has."""
    return platform.libc_named and platform.libc is not None and platform.libc > Libc(facts.libc, facts.libc_version)


def takes_base(spec: TargetSpec) -> bool:
    """Say whether the project's base is what a target would run on: it names no Python, and no other C library."""
    platform = spec.platform
    glibc = platform.libc is not None and platform.libc.kind == "glibc"
    return platform.os == "linux" and platform.arch in BASE_ARCHITECTURES and glibc and spec.python is None


def _marker_values(project: Project, spec: TargetSpec) -> dict[str, str]:
    """Give the settings' values of marker variables: those for all targets, and over them those for this one."""
    values = dict(project.config.markers.get("", {}))
    for text, own in project.config.markers.items():
        named = parse_target(text, project.root) if text else None
        if named is not None and (named.platform, named.name) == (spec.platform, spec.name):
            values |= own
    return values


def _complete(
    project: Project, request: Request, spec: TargetSpec, python: Python, *, libc: Libc | None = None
) -> Target:
    values = _marker_values(project, spec)
    return spec.target(python, libc=libc, libc_policy=request.libc_policy, marker_values=tuple(sorted(values.items())))


def _floor(platform: Platform, base: str, facts: BaseFacts) -> Libc:
    """Decide the oldest C library that wheels may count on: the base's, or an older one the user named."""
    has = Libc(facts.libc, facts.libc_version)
    asked = platform.libc
    if asked is None or (asked.kind == has.kind and not platform.libc_named):
        return has
    if asked.kind != has.kind or asked > has:
        raise BaseMismatchError(
            f"The target {platform} asks for {asked}, but {base} has {has}",
            why="a wheel that needs the one cannot be loaded with the other",
            hint="leave the C library out of the target, or name another base",
        )
    return asked
