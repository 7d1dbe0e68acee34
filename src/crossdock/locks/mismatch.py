"""Why a wheel tag does not fit a target, in the words of its properties (PEP 425, 600, 656, 703, 803)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from crossdock.targets import Libc, Python, Target

__all__ = ["describe_platform", "differences", "nearest"]

#: A property that differs and the sentence that says how. Properties: python, abi, os, architecture, libc.
Difference = tuple[str, str]

_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MANYLINUX = re.compile(r"manylinux_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
_OLD_MANYLINUX = re.compile(r"(manylinux1|manylinux2010|manylinux2014)_(\w+)", re.ASCII)
_MUSLLINUX = re.compile(r"musllinux_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
_MACOS = re.compile(r"macosx_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
_INTERPRETER = re.compile(r"(cp|py|pp)(\d)(\d{0,3})", re.ASCII)
#: One name for an architecture, however a system spells it; of macOS' names for several, which they hold.
_ARCH = {"amd64": "x86_64", "arm64": "aarch64", "win32": "i686", "x86": "i686", "armv8l": "armv7l", "i386": "i686"}
_MACOS_FORMATS = {
    "universal2": frozenset({"x86_64", "aarch64"}),
    "universal": frozenset({"x86_64"}),
    "intel": frozenset({"x86_64"}),
    "fat3": frozenset({"x86_64"}),
    "fat64": frozenset({"x86_64"}),
    "fat": frozenset({"i686"}),
}
_NAMES = {"linux": "Linux", "darwin": "macOS", "windows": "Windows"}
_IMPLEMENTATIONS = {"cp": "CPython", "pp": "PyPy"}
#: From macOS 11 on, tools look for tags with the major version alone.
_MACOS_WITHOUT_MINOR = 11

#: How far away a difference is: the nearest miss is the one whose worst difference is smallest.
_WEIGHT = {"libc": 1, "abi": 2, "python": 3, "architecture": 10, "os": 40}


def describe_platform(platform: str) -> tuple[str, str, tuple[str, tuple[int, int]] | None]:
    """Split a platform tag into operating system, architecture and C library or macOS; "" for what it leaves open."""
    if match := _MANYLINUX.fullmatch(platform):
        return "linux", match[3], ("glibc", (int(match[1]), int(match[2])))
    if match := _OLD_MANYLINUX.fullmatch(platform):
        return "linux", match[2], ("glibc", _LEGACY[match[1]])
    if match := _MUSLLINUX.fullmatch(platform):
        return "linux", match[3], ("musl", (int(match[1]), int(match[2])))
    if match := _MACOS.fullmatch(platform):
        arch = "" if match[3] == "universal2" else match[3]
        return "darwin", _ARCH.get(arch, arch), ("macOS", (int(match[1]), int(match[2])))
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
    os, machine, system = describe_platform(tag)
    platform = target.platform
    if os != platform.os:
        yield "os", f"is for {_NAMES.get(os, os)}, the target is {_NAMES[platform.os]}"
        return
    own = platform.machine.lower()
    own = _ARCH.get(own, own)
    held = _MACOS_FORMATS.get(machine, frozenset({machine})) if os == "darwin" else frozenset({machine})
    if machine and own not in held:
        # The system's own name for what the tag calls otherwise: arm64 on macOS, not aarch64.
        yield "architecture", f"is for {_native(machine, os)}, the target is {_native(own, os)}"
    if os == "darwin" and system:
        yield from _macos(system[1], platform.macos or (11, 0))
    if os == "linux" and system and platform.libc:
        yield from _libc(system[0], system[1], platform.libc)


def _native(machine: str, os: str) -> str:
    """Spell an architecture as the system's wheel tags do."""
    if os == "linux":
        return machine
    names = {"aarch64": "arm64", "x86_64": "x86_64" if os == "darwin" else "amd64", "i686": "x86"}
    return names.get(machine, machine)


def _libc(kind: str, version: tuple[int, int], libc: Libc) -> Iterable[Difference]:
    if kind != libc.kind:
        yield "libc", f"needs {kind}, the target has {libc.kind}"
    elif version > libc.version:
        floor = ".".join(map(str, libc.version))
        yield "libc", f"needs {kind} {version[0]}.{version[1]} or newer, the target's floor is {kind} {floor}"
    elif version[0] != libc.version[0]:
        yield "libc", f"is for another major version of {kind}"


def _macos(version: tuple[int, int], floor: tuple[int, int]) -> Iterable[Difference]:
    named = f"macOS {version[0]}.{version[1]}"
    if version > floor:
        yield "libc", f"needs {named} or newer, the target's floor is {floor[0]}.{floor[1]}"
    elif version[0] >= _MACOS_WITHOUT_MINOR and version[1]:
        yield "libc", f"is tagged for {named}, and installers look for macOS {version[0]}.0 only"


def _python(tag: Tag, target: Target) -> Iterable[Difference]:
    python = target.python
    own = _IMPLEMENTATIONS[python.interpreter[:2]]
    match = _INTERPRETER.fullmatch(tag.interpreter)
    if match is None or (match[1] != "py" and match[1] != python.interpreter[:2]):
        kind = _IMPLEMENTATIONS[match[1]] if match else tag.interpreter
        yield "python", f"is for {kind}, the target runs {own} {python.short}"
        return
    version = (int(match[2]), int(match[3])) if match[3] else (int(match[2]),)
    named = ".".join(map(str, version))
    stable = "abi3t" if python.free_threaded else "abi3"
    # py3 and py2.py3 wheels, and abi3 ones, fit every later version; cp311-none-any and such fit just one.
    forward = match[1] == "py" or (match[1] == "cp" and tag.abi in {"abi3", "abi3t"})
    wanted = python.version[: len(version)]
    label = "PyPy" if match[1] == "pp" else "Python"
    if match[1] == "py" and version[0] != python.version[0]:
        yield "python", f"is for Python {named}, the target has {python.short}"
    elif version > wanted if forward else version != wanted or tag.interpreter == "cp3":
        yield "python", f"is for {label} {named}{' or newer' if forward else ''}, the target has {python.short}"
    if tag.abi in {"none", python.abi} or (own == "CPython" and tag.abi == stable):
        return
    if version == wanted or forward:
        yield "abi", _abi(tag.abi, python)


def _abi(abi: str, python: Python) -> str:
    if abi == "abi3" and python.free_threaded:
        return f"needs the stable ABI abi3 of Pythons with a global interpreter lock; {python.abi} takes abi3t only"
    if abi == "abi3t" and python.implementation == "cpython":
        return f"needs the stable ABI abi3t of free-threaded Pythons, the target has {python.abi}"
    if abi == f"{python.abi}t" and python.implementation == "cpython":
        return f"needs the free-threaded ABI {abi}, the target has {python.abi}"
    if python.free_threaded and abi == python.abi.removesuffix("t"):
        return f"needs the ABI {abi}, the target is free-threaded and has {python.abi}"
    return f"needs the ABI {abi}, the target has {python.abi}"


def nearest(tags: Iterable[Tag], target: Target) -> tuple[int, Tag, tuple[Difference, ...]] | None:
    """Find the tag that misses by least: (distance, tag, its differences); None if there are no tags."""
    found = None
    for tag in sorted(tags, key=str):
        apart = differences(tag, target)
        distance = sum(_WEIGHT[name] for name, _ in apart) if apart else 100
        if found is None or distance < found[0]:
            found = (distance, tag, apart)
    return found
