"""Complete platforms: a target as a JSON file, in the form that pex reads and writes.

Such a file is what ``pex3 interpreter inspect --markers --tags`` prints on the machine that will run the program:
the marker environment and the wheel tags of its interpreter. Rules are those of pex: marker values may be missing or
null, and are then not known; a marker that does not exist is an error; the tags are in order and are all there are;
other fields mean nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from crossdock.errors import CompletePlatformError, CrossdockError
from crossdock.targets.environment import MARKER_KEYS, marker_environment
from crossdock.targets.platform import ARCHITECTURE_ALIASES, Platform, parse_platform
from crossdock.targets.python import FIRST_PYTHON, LAST_PYTHON, Python, parse_python

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.tags import Tag

    from crossdock.targets.target import Target

__all__ = ["CompletePlatform", "complete_platform", "parse_complete_platform", "read_complete_platform"]

# A long list that interpreters print has some 4,000 tags and 150 kB; these are bounds for what is no such list.
_MOST_BYTES = 8 * 1024 * 1024
_MOST_TAGS = 50_000
_LONGEST_TAG = 256
_LONGEST_VALUE = 1024

_KNOWN_PYTHONS = " to ".join(f"{major}.{minor}" for major, minor in (FIRST_PYTHON, LAST_PYTHON))

_TAG_PART = re.compile(r"\w+(?:\.\w+)*", re.ASCII)
_INTERPRETER = re.compile(r"(cp|pp)(3)([0-9]{1,2})", re.ASCII)
_ABI = re.compile(r"(cp|pypy)([0-9]{2,3})([a-z]*|_pp[0-9]{2,3})", re.ASCII)
_MANYLINUX = re.compile(r"manylinux_([0-9]{1,3})_([0-9]{1,3})_(\w+)", re.ASCII)
_OLD_MANYLINUX = re.compile(r"manylinux(?:1|2010|2014)_(\w+)", re.ASCII)
_MUSLLINUX = re.compile(r"musllinux_([0-9]{1,3})_([0-9]{1,3})_(\w+)", re.ASCII)
_MACOS = re.compile(r"macosx_([0-9]{1,3})_([0-9]{1,3})_(arm64|x86_64)", re.ASCII)
_BARE_LINUX = re.compile(r"linux_(\w+)", re.ASCII)
_WINDOWS = {"win32", "win_amd64", "win_arm64"}
#: Tags that say a floor, and how that platform is spelled.
_FLOORS = (
    (_MANYLINUX, "linux/{}+glibc{}.{}"),
    (_MUSLLINUX, "linux/{}+musl{}.{}"),
    (_MACOS, "darwin/{}+macos{}.{}"),
)
#: A system of 64 bits runs programs of 32 and tells them its own machine.
_RUNS_TOO = {("386", "amd64"), ("arm", "arm64")}
_PYTHON_VERSION = re.compile(r"3\.[0-9]{1,2}", re.ASCII)
_FULL_VERSION = re.compile(r"(3\.[0-9]{1,2})\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?(?:\+[a-z0-9.]*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletePlatform:
    """What a complete platform's file says.

    Attributes:
        platform: Read from its tags.
        python: Read from its tags and markers.
        marker_values: All eleven markers; an empty value is one the file does not tell.
        tags: Its wheel tags, best first.
    """

    platform: Platform
    python: Python
    marker_values: tuple[tuple[str, str], ...]
    tags: tuple[Tag, ...]


def complete_platform(target: Target) -> dict[str, Any]:
    """Describe a target as pex's ``--complete-platform`` takes it; a value that is not known is left out."""
    return {
        "marker_environment": {key: value for key, value in target.environment.items() if value},
        "compatible_tags": [str(tag) for tag in target.tags],
    }


def read_complete_platform(path: Path) -> CompletePlatform:
    """Read a complete platform's file.

    Raises:
        CompletePlatformError: It cannot be read, or is none.
    """
    try:
        if not path.is_file():
            raise CompletePlatformError(
                f"There is no file {str(path)!r}",
                why="a target that ends in .json is the file of a complete platform",
                hint="write its path, from the folder crossdock runs in, or in pyproject.toml from the project",
            )
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CompletePlatformError(f"{str(path)!r} cannot be read", why=reason, hint="name another file") from None
    return parse_complete_platform(content, str(path))


def parse_complete_platform(content: bytes, where: str) -> CompletePlatform:
    """Read a complete platform.

    Args:
        content: The JSON.
        where: The file's name, for messages.

    Raises:
        CompletePlatformError: It is none, is too large, or contradicts itself.
    """
    if len(content) > _MOST_BYTES:
        raise _bad(where, f"it is larger than {_MOST_BYTES // 1024 // 1024} MiB")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad(where, f"it is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise _bad(where, "it is not a JSON object")
    markers = _markers(where, data.get("marker_environment"))
    tags = _tags(where, data.get("compatible_tags"))
    own = _own_tag(where, tags)
    platform = _platform(where, tags, own)
    python = _python(where, own, markers)
    _agree(where, markers, platform, python)
    return CompletePlatform(platform=platform, python=python, marker_values=tuple(markers.items()), tags=tags)


def _markers(where: str, data: object) -> dict[str, str]:
    if not isinstance(data, dict):
        raise _bad(where, "marker_environment is missing or is not an object")
    for key, value in data.items():
        if key not in MARKER_KEYS:
            raise _bad(where, f"there is no marker {key[:100]!r}; there are {', '.join(MARKER_KEYS)}")
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE or not value.isprintable():
            raise _bad(where, f"the marker {key} is not a short text")
    values = {key: data.get(key) or "" for key in MARKER_KEYS}
    for key, form in (("python_version", _PYTHON_VERSION), ("python_full_version", _FULL_VERSION)):
        if values[key] and not form.fullmatch(values[key]):
            raise _bad(where, f"{key} is {values[key][:100]!r}, which is no version of Python 3")
    # A CPython built between two releases says 3.13.0+; the specification has only versions with something behind it.
    if values["python_full_version"].endswith("+"):
        values["python_full_version"] += "local"
    return values


def _tags(where: str, data: object) -> tuple[Tag, ...]:
    """Expand the tags, those compressed as in wheels' names too, and keep the first of equals."""
    from packaging.tags import Tag

    if not isinstance(data, list) or not data:
        raise _bad(where, "compatible_tags is missing or is not a list with tags in it")
    tags: dict[Tag, None] = {}
    count = 0
    for item in data:
        parts = item.split("-") if isinstance(item, str) and len(item) <= _LONGEST_TAG else []
        if len(parts) != 3 or not all(_TAG_PART.fullmatch(part) for part in parts):
            raise _bad(where, f"{str(item)[:100]!r} is not a wheel tag such as cp311-cp311-manylinux_2_28_x86_64")
        interpreters, abis, platforms = (part.split(".") for part in parts)
        count += len(interpreters) * len(abis) * len(platforms)
        if count > _MOST_TAGS:
            raise _bad(where, f"there are more than {_MOST_TAGS} tags")
        for triple in product(interpreters, abis, platforms):
            tags[Tag(*triple)] = None
    return tuple(tags)


def _own_tag(where: str, tags: tuple[Tag, ...]) -> Tag:
    """Find the tag that says which interpreter, ABI and platform this is: the first with all three."""
    for tag in tags:
        match = _INTERPRETER.fullmatch(tag.interpreter)
        abi = _ABI.fullmatch(tag.abi)
        if match is None or abi is None or tag.platform == "any":
            continue
        kinds = {match[1] == "cp", abi[1] == "cp", not abi[3].startswith("_")}
        if len(kinds) == 1 and abi[2] == match[2] + match[3]:
            return tag
    raise _bad(where, "no tag says which Python it is for, as cp311-cp311-manylinux_2_28_x86_64 does")


def _platform(where: str, tags: tuple[Tag, ...], own: Tag) -> Platform:
    """Read operating system, architecture and floor: the newest libc or macOS among the interpreter's own tags."""
    names = [tag.platform for tag in tags if (tag.interpreter, tag.abi) == (own.interpreter, own.abi)]
    for form, spelling in _FLOORS:
        found = [match for name in names if (match := form.fullmatch(name))]
        if found:
            version = max((int(match[1]), int(match[2])) for match in found)
            return _parsed(where, spelling.format(found[0][3], *version))
    if own.platform in _WINDOWS:
        return _parsed(where, own.platform)
    if match := _OLD_MANYLINUX.fullmatch(own.platform):
        return _parsed(where, f"linux/{match[1]}")
    if match := _BARE_LINUX.fullmatch(own.platform):
        return replace(_parsed(where, f"linux/{match[1]}"), libc=None)
    raise _bad(where, f"the platform of {str(own)[:200]!r} is not known")


def _parsed(where: str, spelling: str) -> Platform:
    try:
        return parse_platform(spelling)
    except CrossdockError as error:
        raise _bad(where, f"its tags are for {spelling}: {error.why or error.what}") from None


def _python(where: str, own: Tag, markers: dict[str, str]) -> Python:
    match = _INTERPRETER.fullmatch(own.interpreter)
    if match is None:
        raise _bad(where, f"{own} is for no known Python")
    version = (int(match[2]), int(match[3]))
    short = f"{version[0]}.{version[1]}"
    if not FIRST_PYTHON <= version <= LAST_PYTHON:
        raise _bad(where, f"its tags are for Python {short}, known are {_KNOWN_PYTHONS}")
    full = markers["python_full_version"]
    if match[1] == "cp":
        return Python(version=version, full_version=full or f"{short}.0", abi=own.abi)
    pypy = markers["implementation_version"]
    if not (full and pypy):
        try:
            assumed = parse_python(f"pypy{full or short}{'-' if pypy else ''}{pypy}")
        except CrossdockError as error:
            raise _bad(where, f"its tags are for PyPy {short}: {error.why}") from None
        full, pypy = full or assumed.full_version, pypy or assumed.pypy
    return Python(implementation="pypy", version=version, full_version=full, abi=own.abi, pypy=pypy)


def _agree(where: str, markers: dict[str, str], platform: Platform, python: Python) -> None:
    """Refuse markers and tags that speak of different systems or Pythons: one of them is another machine's."""
    derived = marker_environment(platform, python)
    same = ("implementation_name", "os_name", "platform_python_implementation", "platform_system", "python_version")
    for key in (*same, "sys_platform"):
        if markers[key] and markers[key] != derived[key]:
            raise _bad(where, f"{key} is {markers[key]!r}, but its tags are for {derived[key]!r}")
    arch = ARCHITECTURE_ALIASES.get(markers["platform_machine"].lower())
    if arch and arch != platform.arch and (platform.arch, arch) not in _RUNS_TOO:
        raise _bad(where, f"platform_machine is {markers['platform_machine']!r}, but its tags are for {platform}")
    full = _FULL_VERSION.fullmatch(markers["python_full_version"])
    if full and full[1] != derived["python_version"]:
        raise _bad(where, f"python_full_version is {full[0]!r}, but its tags are for {derived['python_version']}")


def _bad(where: str, why: str) -> CompletePlatformError:
    return CompletePlatformError(
        f"{where!r} is not a complete platform",
        why=why,
        hint="make it with `pex3 interpreter inspect --markers --tags` on the machine it is of, or with "
        "`crossdock target show T --complete-platform`",
    )
