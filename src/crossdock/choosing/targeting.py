"""From what users name as targets to complete targets: with the base's Python and C library, or without a base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.bases.spec import parse_base
from crossdock.errors import (
    BaseMismatchError,
    NoPythonInBaseError,
    PythonChoiceError,
    TargetError,
    UnknownTargetError,
    UnsupportedBaseError,
)
from crossdock.targets import Libc, parse_platform, parse_python, parse_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.choosing.request import Request
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.projects.project import Project
    from crossdock.targets import Platform, Python, Target, TargetSpec

__all__ = [
    "BASE_ARCHITECTURES",
    "DEFAULT_TARGETS",
    "check_for_image",
    "image_target",
    "plain_targets",
    "project_specs",
    "specs",
    "takes_base",
    "wanted_python",
]

DEFAULT_TARGETS = ("linux/amd64", "linux/arm64")
#: What a base of Debian packages can be made for, by OCI's names; an image has the platforms that it has.
BASE_ARCHITECTURES = frozenset({"amd64", "arm64"})


def specs(project: Project, request: Request) -> list[TargetSpec]:
    """Read the targets asked for, else the project's, else the defaults; one named twice counts once.

    Raises:
        TargetError: A spelling names no target.
    """
    if not request.targets:
        return project_specs(project)
    return _distinct([parse_target(text) for text in request.targets])


def project_specs(project: Project) -> list[TargetSpec]:
    """Read the project's targets, else the defaults.

    Raises:
        TargetError: A spelling names no target.
    """
    return _distinct([parse_target(text, project.root) for text in project.config.targets or DEFAULT_TARGETS])


def _distinct(found: list[TargetSpec]) -> list[TargetSpec]:
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

    Args:
        project: The project.
        request: What is asked for.
        spec: The target.
        base: Names the base, as configured.
        facts: What the base brings, with the Python of an interpreter that is put on top of it.

    Raises:
        NoPythonInBaseError: There is no Python.
        PythonChoiceError: The Python is not one that the project accepts or that was asked for.
        BaseMismatchError: The target wants another C library, or a newer one, than the base has.
    """
    python = _python_of(base, facts)
    asked: list[Python | None] = [parse_python(text) for text in request.pythons]
    asked = asked or [spec.python or wanted_python(project)]
    other = next((item for item in asked if item is not None and item.command != python.command), None)
    if other is not None:
        raise PythonChoiceError(
            f"{base} has Python {python.short}, not {other.command.removeprefix('python')}",
            why="--python, python in [tool.crossdock], or .python-version asks for another",
            hint="change that, or name another base; of several Pythons in a base, the python3 on its PATH counts",
        )
    check_requires_python(project, python, f"the Python {python.full_version} of {base}", "name another base")
    return _complete(project, request, spec, python, libc=_floor(spec.platform, base, facts))


def _python_of(base: str, facts: BaseFacts) -> Python:
    if not facts.python_version:
        raise NoPythonInBaseError(
            f"{base} has no Python",
            why="neither python3 nor python on its PATH is a CPython that could run anything",
            hint="choose a base with Python, such as python:3.12-slim, or set interpreter in [tool.crossdock]",
        )
    try:
        return parse_python(facts.python_version)
    except UnknownTargetError as error:
        raise PythonChoiceError(
            f"{base} has Python {facts.python_version}, which is not supported",
            why=error.why,
            hint="name another base",
        ) from None


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
    project: Project, request: Request, base: str | None, facts_of: Callable[[Platform], BaseFacts]
) -> list[Target]:
    """Complete targets for questions that need no base: every platform, with every Python asked for.

    What the project's base can be made for gets the base's Python and C library, so that the answer is the one an
    image would get. All others get the Python of the base. Those that are asked for by name win over the base's; a
    C library's floor that is not named is still that of the base. One that is newer than the base's, or another kind,
    means another place than an image of this project, which has no answer but its own.

    Args:
        project: The project.
        request: What is asked for.
        base: The project's base; None if there is none for the Python it wants.
        facts_of: Gives what the base has for a platform; fails for a base that is not known yet.

    Raises:
        TargetError: A spelling names no target.
        PythonChoiceError: A Python is not one that the project runs on.
        UnsupportedBaseError: The base is not known yet, and would have to be.
    """
    found = []
    wanted = specs(project, request)
    for spec in wanted:
        pythons = _pythons_for(spec, [parse_python(text) for text in request.pythons])
        facts = facts_of(spec.platform) if not pythons and base is not None and takes_base(spec, base) else None
        if base is not None and facts is not None and not _is_elsewhere(spec.platform, facts):
            found.append(image_target(project, request, spec, base, facts))
            continue
        for python in pythons or [wanted_python(project) or _python_anywhere(base, wanted, facts_of)]:
            what = f"Python {python.full_version}"
            check_requires_python(project, python, what, "name another with --python, in full (3.12.4) if that matters")
            found.append(_complete(project, request, spec, python, libc=_base_floor(spec, base, facts_of)))
    return list(dict.fromkeys(found))


def _pythons_for(spec: TargetSpec, asked: Sequence[Python]) -> list[Python]:
    """Give the Pythons asked for, or the target's own, which is the exact one of its series if that is asked for."""
    own = spec.python
    if own is None:
        return list(asked)
    exact = [python for python in asked if python.command == own.command and spec.given_tags is None]
    return [*exact, own][:1]


def _python_anywhere(
    base: str | None, wanted: Sequence[TargetSpec], facts_of: Callable[[Platform], BaseFacts]
) -> Python:
    """Give the Python of the base for targets that it cannot be made for: that which it has for others."""
    places = [spec.platform for spec in wanted if base is not None and takes_base(spec, base)]
    unknown: UnsupportedBaseError | None = None
    for platform in (*places, *(parse_platform(text) for text in DEFAULT_TARGETS)):
        try:
            return _python_of(base or "", facts_of(platform))
        except UnsupportedBaseError as error:
            unknown = unknown or error
    assert unknown is not None  # noqa: S101  there are default targets
    raise unknown


def _base_floor(spec: TargetSpec, base: str | None, facts_of: Callable[[Platform], BaseFacts]) -> Libc | None:
    """Give the C library of the base for a target that leaves it open; None where the target's own counts.

    Whoever names a Python gets an answer for a base that is not known yet too: with the oldest C library in use.
    """
    if base is None or spec.platform.libc_named or not takes_base(spec, base):
        return None
    try:
        facts = facts_of(spec.platform)
    except UnsupportedBaseError:
        return None
    return None if _is_elsewhere(spec.platform, facts) else _floor(spec.platform, base, facts)


def _is_elsewhere(platform: Platform, facts: BaseFacts) -> bool:
    """Say whether a platform asks for a newer C library than a base has, or for another one."""
    if platform.libc is None or facts.libc is None:
        return False
    if platform.libc.kind != facts.libc:
        return platform.libc_kind_named
    return platform.libc_named and platform.libc > Libc(facts.libc, facts.libc_version)


def takes_base(spec: TargetSpec, base: str) -> bool:
    """Say whether the project's base is what a target would run on: it names no Python, and no other C library.

    What C library an image has is not asked here; one of Debian packages has glibc.
    """
    platform = spec.platform
    if platform.os != "linux" or spec.python is not None or platform.libc is None:
        return False
    if parse_base(base).kind != "debian":
        return True
    return platform.arch in BASE_ARCHITECTURES and platform.libc.kind == "glibc"


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
    if facts.libc is None:
        raise BaseMismatchError(
            f"{base} has no C library",
            why="Python and compiled wheels need glibc or musl",
            hint="name a base with a C library, such as debian:bookworm",
        )
    has = Libc(facts.libc, facts.libc_version)
    asked = platform.libc
    if asked is None or not (platform.libc_named or platform.libc_kind_named):
        return has
    if asked.kind == has.kind and not platform.libc_named:
        return has
    if asked.kind != has.kind or asked > has:
        names = str(asked) if platform.libc_named else asked.kind
        raise BaseMismatchError(
            f"The target {platform} asks for {names}, but {base} has {has}",
            why="a wheel that needs the one cannot be loaded with the other",
            hint="leave the C library out of the target, or name another base",
        )
    return asked
