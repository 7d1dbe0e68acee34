"""What a user can set about an image's own Python, and which of it is for which target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from crossdock.errors import ConfigError, InterpreterError, UnknownTargetError
from crossdock.targets import ARCHITECTURES, parse_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crossdock.targets import Platform, TargetSpec

__all__ = ["DebianPython", "InterpreterSetting", "StandaloneArchive", "archives_by_target", "settle_debian"]

_WHERE = "tool.crossdock.interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneArchive:
    """A standalone Python in an archive.

    Attributes:
        location: URL, or path relative to the project.
        sha256: Of the archive, in lower-case hexadecimal.
    """

    location: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPython:
    """Python from the Debian packages of a suite, such as ``bookworm``."""

    suite: str


#: Archives are by target as written.
InterpreterSetting: TypeAlias = "DebianPython | Mapping[str, StandaloneArchive]"


def settle_debian(base: str, setting: InterpreterSetting | None) -> tuple[str, InterpreterSetting | None]:
    """Turn Debian's packages on ``scratch`` into the base that they are, and drop those that the base has anyway.

    Args:
        base: As configured, such as ``scratch`` or ``debian:bookworm``.
        setting: The interpreter as configured.

    Returns:
        The base that is built on, and what of the setting is left to do.

    Raises:
        InterpreterError: Packages of one suite would be laid over those of another.
    """
    if not isinstance(setting, DebianPython):
        return base, setting
    wanted = f"debian:{setting.suite}"
    if base in {"scratch", wanted}:
        return wanted, None
    if base.startswith("debian:"):
        raise InterpreterError(
            f"the packages of {wanted} cannot be laid over the base {base}",
            why="files of two releases would be mixed",
            hint=f'remove interpreter, or write base = "{wanted}"',
        )
    return base, setting


def archives_by_target(
    archives: Mapping[str, StandaloneArchive],
    wanted: Sequence[TargetSpec],
    others: Sequence[TargetSpec],
    folder: Path,
) -> list[StandaloneArchive | None]:
    """Find the archive of each target.

    Args:
        archives: The setting.
        wanted: Targets that are built now.
        others: Further targets of the project: a key for one of them is no mistake.
        folder: The project's folder.

    Returns:
        For each of ``wanted`` its archive, or None if it has none.

    Raises:
        ConfigError: A key names no target that the project builds, or two are for one.
    """
    keys = {text: _parsed(text, folder) for text in archives}
    for text, key in keys.items():
        if not any(_is_for(key.platform, spec.platform) for spec in (*wanted, *others)):
            built = ", ".join(dict.fromkeys(str(spec.text) for spec in (*wanted, *others)))
            raise ConfigError(
                f"{_WHERE}: {text!r} is no target of the project",
                why=f"it builds {built}",
                hint="name it in targets, or remove its interpreter",
            )
    found: list[StandaloneArchive | None] = []
    for spec in wanted:
        matching = [text for text, key in keys.items() if _is_for(key.platform, spec.platform)]
        if len(matching) > 1:
            raise ConfigError(
                f"{_WHERE} has {len(matching)} archives for {spec.platform}",
                why=f"{' and '.join(map(repr, matching))} are the same target",
                hint="keep one of them",
            )
        found.append(archives[matching[0]] if matching else None)
    return found


def _parsed(text: str, folder: Path) -> TargetSpec:
    try:
        return parse_target(text, folder)
    except UnknownTargetError as error:
        raise ConfigError(f"{_WHERE}: {text!r} is no target", why=error.why, hint=error.hint) from None


def _is_for(key: Platform, target: Platform) -> bool:
    """Compare platforms; a floor counts only where the key names one."""
    if (key.os, key.arch, _variant(key)) != (target.os, target.arch, _variant(target)):
        return False
    if key.libc is None or target.libc is None:
        return key.libc is target.libc
    return key.libc.kind == target.libc.kind and (not key.libc_named or key.libc == target.libc)


def _variant(platform: Platform) -> str:
    return platform.variant or next(iter(ARCHITECTURES[platform.arch].variants), "")
