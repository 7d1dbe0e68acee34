"""The targets of a hub: how they are spelled, and what Bazel's ``select()`` needs to know of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import UnknownTargetError, UsageError
from crossdock.targets import parse_python, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.projects.project import Project
    from crossdock.targets import Platform, Python, Target, TargetSpec

__all__ = ["FLOORS", "PYTHON", "HubTarget", "hub_targets", "spelling_of", "version_of_tag"]

#: What is meant where nothing is said: the defaults of the flags in bazel/config, by which a build chooses a target.
FLOORS = {"glibc": "2.28", "musl": "1.2", "macos": "14.0"}
PYTHON = "3.11"
#: A floor in a platform's spelling.
_FLOOR = re.compile(r"\+[a-z]*\d", re.ASCII | re.IGNORECASE)

#: An ABI or interpreter tag (PEP 425) in the place of a Python's version.
_TAG = re.compile(r"(cp|pp)(3)(\d{1,2})(t?)", re.ASCII)
#: Constraint values of ``@platforms//os`` and ``@platforms//cpu`` by the names of OCI.
_SYSTEMS = {"linux": "linux", "darwin": "macos", "windows": "windows"}
_CPUS = {"amd64": "x86_64", "arm64": "aarch64", "386": "x86_32", "ppc64le": "ppc64le", "arm": "armv7"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTarget:
    """A target, and what it is called in a hub.

    Attributes:
        key: Its platform and its Python: ``linux/arm64+glibc2.28 cp311``.
        target: The target.
    """

    key: str
    target: Target

    def facts(self) -> dict[str, Any]:
        """Give what tells it from others, in the words of Bazel's platforms."""
        platform, python = self.target.platform, self.target.python
        return {
            "os": _SYSTEMS[platform.os],
            "cpu": _cpu(platform),
            "libc": platform.libc.kind if platform.libc else None,
            "floor": _floor(platform),
            "platform": str(platform),
            "implementation": python.implementation,
            "python": python.short,
            "python_full_version": python.full_version,
            "abi": python.abi,
            "freethreaded": python.free_threaded,
            "spelling": spelling_of(self.target),
        }


def hub_targets(texts: Iterable[str], project: Project, python: str | None = None) -> list[HubTarget]:
    """Read targets, each a platform or runtime and a Python: ``linux/arm64+glibc2.28 3.11``.

    A floor that is left out is that of `FLOORS`. Runtimes have their own.

    Args:
        texts: As users spell them; the Python is a version, an ABI tag (``cp311``), or left out.
        project: The project, for its Python and its values of markers.
        python: The Python of targets that leave it out and are no runtime with one; None for that of the project's
            settings, or else `PYTHON`.

    Raises:
        TargetError: A spelling names no target.
        PythonChoiceError: The project does not run on a Python.
        UsageError: Two targets cannot be told apart.
    """
    found: dict[str, HubTarget] = {}
    for text in texts:
        target = _target(text, project, python)
        key = f"{target.name or target.platform.spelling} {_tag(target.python)}"
        item = HubTarget(key=key, target=target)
        if found.setdefault(key, item) != item:
            raise UsageError(
                f"The target {key} is there twice, as Python {found[key].target.python.full_version} and "
                f"{target.python.full_version}",
                hint="name one of them",
            )
    if not found:
        raise UsageError("no target is named", hint='name some, as in --target "linux/arm64+glibc2.28 3.11"')
    return list(found.values())


def spelling_of(target: Target) -> str:
    """Give the text that `hub_targets` reads as a target, with the Python in full."""
    return f"{target.name or target.platform.spelling} {target.python.spelling}"


def _target(text: str, project: Project, default: str | None) -> Target:
    from crossdock.choosing.request import Request
    from crossdock.choosing.targeting import plain_targets, wanted_python

    words = text.split()
    if not 1 <= len(words) <= 2:
        raise UnknownTargetError(
            f"Unknown target {text[:200]!r}",
            why="it is not a platform and a Python",
            hint='write "linux/arm64+glibc2.28 3.11", or a runtime: "aws-lambda-python3.13/arm64"',
        )
    spec = parse_target(words[0], project.root)
    if len(words) > 1:
        python = parse_python(version_of_tag(words[1]))
    elif spec.python is not None:
        python = spec.python
    else:
        python = parse_python(default) if default else wanted_python(project) or parse_python(PYTHON)
    # A path is relative to the project; `spelling` brings what the names of runtimes leave open.
    request = Request(targets=(_with_floor(words[0], spec),), pythons=(python.spelling,))
    if spec.given_tags is not None or spec.python is not None:
        spec.target(python)  # refuses another Python than its own
    found = plain_targets(project, request, None, _no_base)
    return found[0]


def _with_floor(text: str, spec: TargetSpec) -> str:
    """Complete a platform by the default floor of its system."""
    platform = spec.platform
    if spec.name or _FLOOR.search(text) or not platform.floor:
        return text
    kind = platform.libc.kind if platform.libc else "macos"
    return f"{platform}+{kind}{FLOORS[kind]}"


def _no_base(platform: Platform) -> Any:  # noqa: ANN401  never called: there is no base
    raise NotImplementedError(platform)


def version_of_tag(text: str) -> str:
    """Read the tag of an interpreter as the version it stands for; other texts are left as they are."""
    match = _TAG.fullmatch(text)
    if match is None:
        return text
    prefix = "pypy" if match[1] == "pp" else ""
    return f"{prefix}{match[2]}.{match[3]}{match[4]}"


def _tag(python: Python) -> str:
    return python.abi if python.implementation == "cpython" else python.interpreter


def _cpu(platform: Platform) -> str:
    if platform.arch == "arm" and platform.variant:
        return f"arm{platform.variant}"
    return _CPUS.get(platform.arch, platform.arch)


def _floor(platform: Platform) -> str | None:
    version = platform.libc.version if platform.libc else platform.macos
    return f"{version[0]}.{version[1]}" if version else None
