"""Named runtimes: what is known of well-known places programs run in, with a source for every fact.

The facts are data, in ``runtimes.toml`` next to this module.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from crossdock.errors import TargetError
from crossdock.targets.platform import ARCHITECTURES, Platform, parse_platform
from crossdock.targets.python import parse_python

__all__ = ["Fact", "Runtime", "parse_runtimes", "runtimes"]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-.][a-z0-9]+)+", re.ASCII)
_KEYS = {"name", "family", "os", "architectures", "libc", "python", "aliases", "note"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact and where it is from.

    Attributes:
        value: The fact.
        source: A page of documentation, or the image or package that shows it.
    """

    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A place that programs run in.

    Attributes:
        name: What targets call it.
        family: What it is one of, such as AWS Lambda.
        os: Operating system; ``linux`` for all there are.
        architectures: OCI names of the architectures it runs on, with spaces between.
        libc: C library and version, such as ``glibc2.34``.
        python: Its only Python, ``3.12`` or in full; None where there are several, or another than known ones.
        aliases: Other names for it.
        note: What else there is to know, a sentence or nothing.
    """

    name: str
    family: str
    os: Fact
    architectures: Fact
    libc: Fact
    python: Fact | None
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def archs(self) -> tuple[str, ...]:
        """The architectures one by one."""
        return tuple(self.architectures.value.split())

    def platform(self, arch: str) -> Platform:
        """Give its platform on an architecture."""
        return parse_platform(f"{self.os.value}/{arch}+{self.libc.value}")


@cache
def runtimes() -> dict[str, Runtime]:
    """Read the runtimes, by name, in the order of the file."""
    return parse_runtimes(files("crossdock.targets").joinpath("runtimes.toml").read_text(encoding="utf-8"))


def parse_runtimes(text: str) -> dict[str, Runtime]:
    """Read a file of runtimes and check every fact of it.

    Raises:
        TargetError: Something in it is not what it should be.
    """
    try:
        entries = tomllib.loads(text)["runtime"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise _bad("the file", str(error)) from None
    found: dict[str, Runtime] = {}
    taken: set[str] = set()
    for entry in entries:
        runtime = _runtime(entry)
        for name in (runtime.name, *runtime.aliases):
            if name in taken or not _NAME.fullmatch(name):
                raise _bad(name, "the name is taken, or no lower-case name with a version behind it")
            taken.add(name)
        found[runtime.name] = runtime
    return found


def _runtime(entry: dict[str, Any]) -> Runtime:
    name = str(entry.get("name"))
    if unknown := set(entry) - _KEYS:
        raise _bad(name, f"it has {', '.join(sorted(unknown))}, which means nothing")
    facts = {key: _fact(name, key, entry.get(key)) for key in ("os", "architectures", "libc")}
    runtime = Runtime(
        name=name,
        family=str(entry.get("family", "")),
        os=facts["os"],
        architectures=facts["architectures"],
        libc=facts["libc"],
        python=_fact(name, "python", entry["python"]) if "python" in entry else None,
        aliases=tuple(entry.get("aliases", ())),
        note=str(entry.get("note", "")),
    )
    if not runtime.family or not runtime.archs or not set(runtime.archs) <= set(ARCHITECTURES):
        raise _bad(name, "its family or its architectures are missing or unknown")
    try:
        for arch in runtime.archs:
            runtime.platform(arch)
        if runtime.python:
            parse_python(runtime.python.value)
    except TargetError as error:
        raise _bad(name, str(error)) from None
    return runtime


def _fact(name: str, key: str, data: object) -> Fact:
    if (
        not isinstance(data, dict)
        or set(data) != {"value", "source"}
        or not all(str(value).strip() for value in data.values())
    ):
        raise _bad(name, f"{key} is not a value with its source")
    return Fact(value=str(data["value"]), source=str(data["source"]))


def _bad(name: str, why: str) -> TargetError:
    return TargetError(
        f"The list of runtimes is damaged at {name!r}", why=why, hint="install crossdock again; report it if that fails"
    )
