"""Why a wheel tag does not fit a target, in the words of its properties (PEP 425, 600, 656)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from crossdock.targets import Target

__all__ = ["describe_platform", "differences", "nearest"]

#: A property that differs and the sentence that says how. Properties: python, abi, os, architecture, libc.
Difference = tuple[str, str]

_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MANYLINUX = re.compile(r"manylinux_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
_OLD_MANYLINUX = re.compile(r"(manylinux1|manylinux2010|manylinux2014)_(\w+)", re.ASCII)
_MUSLLINUX = re.compile(r"musllinux_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
_MACOS = re.compile(r"macosx_\d+_\d+_(\w+)", re.ASCII)
_INTERPRETER = re.compile(r"(cp|py|pp)(\d)(\d{0,3})", re.ASCII)
_ARCH = {"amd64": "x86_64", "arm64": "aarch64", "win32": "i686", "armv8l": "armv7l"}
_NAMES = {"linux": "Linux", "darwin": "macOS", "windows": "Windows"}

#: How far away a difference is: the nearest miss is the one whose worst difference is smallest.
_WEIGHT = {"libc": 1, "abi": 2, "python": 3, "architecture": 10, "os": 40}


def describe_platform(platform: str) -> tuple[str, str, tuple[str, tuple[int, int]] | None]:
    """Split a platform tag into operating system, architecture and C library; "" for what it leaves open."""
    if match := _MANYLINUX.fullmatch(platform):
        return "linux", match[3], ("glibc", (int(match[1]), int(match[2])))
    if match := _OLD_MANYLINUX.fullmatch(platform):
        return "linux", match[2], ("glibc", _LEGACY[match[1]])
    if match := _MUSLLINUX.fullmatch(platform):
        return "linux", match[3], ("musl", (int(match[1]), int(match[2])))
    if match := _MACOS.fullmatch(platform):
        arch = "" if match[1].startswith("universal") else match[1]
        return "darwin", _ARCH.get(arch, arch), None
    if platform == "win32" or platform.startswith("win_"):
        arch = platform.removeprefix("win_")
        return "windows", _ARCH.get(arch, arch), None
    if platform.startswith("linux_"):
        return "linux", platform.removeprefix("linux_"), None
    return ("", "", None) if platform == "any" else (platform.split("_", 1)[0], "", None)


def differences(tag: Tag, target: Target) -> tuple[Difference, ...]:
    """List what keeps a tag from fitting, the farthest first; empty only if nothing can be named."""
    return (*_platform(tag.platform, target), *_python(tag, target))


def _platform(tag: str, target: Target) -> Iterable[Difference]:
    if tag == "any":
        return
    os, machine, libc = describe_platform(tag)
    platform = target.platform
    if os != platform.os:
        yield "os", f"is for {_NAMES.get(os, os)}, the target is {_NAMES[platform.os]}"
    elif machine and machine != platform.machine:
        yield "architecture", f"is for {machine}, the target is {platform.machine}"
    if os != platform.os or libc is None or platform.libc is None:
        return
    kind, version = libc
    if kind != platform.libc.kind:
        yield "libc", f"needs {kind}, the target has {platform.libc.kind}"
    elif version > platform.libc.version:
        needed = f"{kind} {version[0]}.{version[1]}"
        floor = ".".join(map(str, platform.libc.version))
        yield "libc", f"needs {needed} or newer, the target's floor is {kind} {floor}"
    elif version[0] != platform.libc.version[0]:
        yield "libc", f"is for another major version of {kind}"


def _python(tag: Tag, target: Target) -> Iterable[Difference]:
    python = target.python
    match = _INTERPRETER.fullmatch(tag.interpreter)
    if match is None or match[1] == "pp":
        kind = "PyPy" if match else tag.interpreter
        yield "python", f"is for {kind}, the target runs CPython {python.short}"
        return
    version = (int(match[2]), int(match[3])) if match[3] else (int(match[2]),)
    named = ".".join(map(str, version))
    # py3 and py2.py3 wheels, and abi3 ones, fit every later version; cp311-none-any and such fit just one.
    forward = match[1] == "py" or tag.abi == "abi3"
    wanted = python.version[: len(version)]
    if version > wanted if forward else version != wanted or len(version) == 1:
        yield "python", f"is for Python {named}{' or newer' if forward else ''}, the target has {python.short}"
    elif match[1] == "py" and version[0] != python.version[0]:
        yield "python", f"is for Python {named}, the target has {python.short}"
    elif tag.abi not in {python.abi, "abi3", "none"}:
        yield "abi", f"needs the ABI {tag.abi}, the target has {python.abi}"


def nearest(tags: Iterable[Tag], target: Target) -> tuple[int, Tag, tuple[Difference, ...]] | None:
    """Find the tag that misses by least: (distance, tag, its differences); None if there are no tags."""
    found = None
    for tag in sorted(tags, key=str):
        apart = differences(tag, target)
        distance = sum(_WEIGHT[name] for name, _ in apart) if apart else 100
        if found is None or distance < found[0]:
            found = (distance, tag, apart)
    return found
