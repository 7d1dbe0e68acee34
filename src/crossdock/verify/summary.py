"""What was seen in a layer, short enough to be written beside it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import MISSING, asdict, fields
from typing import Any, Final

from crossdock.verify.binary import Binary
from crossdock.verify.scan import DEFAULT_LIMITS, LayerFacts

__all__ = ["LONGEST_SUMMARY", "read_summary", "write_summary"]

#: Characters of a summary. Layers have a few kinds of programs; one of many hundred is not worth being written down.
LONGEST_SUMMARY: Final = 32 << 10
_VERSION: Final = 1
#: No layer has so many; each costs memory wherever the summary is read.
_MOST_PROGRAMS: Final = 100_000
_LONGEST_TEXT: Final = 200
_MOST_MACHINES: Final = 32
_FORMATS: Final = frozenset({"elf", "macho", "pe"})
_DEFAULTS: Final = {item.name: item.default for item in fields(Binary) if item.default is not MISSING}


def write_summary(facts: LayerFacts) -> str | None:
    """Write the programs of a layer, each kind once with a path and how many there are; None if that is too long.

    Programs of one kind are judged alike, but for exceptions by path: so only a layer that needs none may be
    summarised.
    """
    counts = Counter(binary for _, binary in facts.binaries)
    if len(facts.binaries) > _MOST_PROGRAMS or not all(_is_sound(binary) for binary in counts):
        return None
    first: dict[Binary, str] = {}
    for path, binary in facts.binaries:
        first.setdefault(binary, path)
    programs = [[first[binary], count, _short(binary)] for binary, count in counts.items()]
    value = {"version": _VERSION, "files": facts.files, "tar_size": facts.tar_size, "programs": programs}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= LONGEST_SUMMARY else None


def read_summary(text: str, *, media_type: str, digest: str, size: int, diff_id: str) -> LayerFacts:
    """Make facts of what `write_summary` wrote, as far as judging and counting need them.

    Raises:
        ValueError: It is not that.
    """
    if len(text) > LONGEST_SUMMARY:
        raise ValueError("a summary is too long")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("a summary is nested too deeply") from None
    if not isinstance(value, dict) or value.get("version") != _VERSION:
        raise ValueError("not a summary, or one of another version")
    files, tar_size = _count(value.get("files")), _count(value.get("tar_size"), DEFAULT_LIMITS.max_bytes)
    binaries: list[tuple[str, Binary]] = []
    try:
        for path, count, kind in value["programs"]:
            binary = Binary(**{**kind, "machines": tuple(kind.get("machines", ()))})
            if not _is_sound(binary):
                raise ValueError("a summary has a program of no known kind")
            if not isinstance(path, str) or len(binaries) + _count(count, _MOST_PROGRAMS) > min(files, _MOST_PROGRAMS):
                raise ValueError("a summary counts more programs than files")
            binaries += [(path, binary)] * count
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a summary: {error}") from None
    return LayerFacts(
        media_type=media_type,
        digest=digest,
        size=size,
        diff_id=diff_id,
        tar_size=tar_size,
        files=files,
        binaries=tuple(binaries),
    )


def _short(binary: Binary) -> dict[str, Any]:
    return {key: value for key, value in asdict(binary).items() if key not in _DEFAULTS or value != _DEFAULTS[key]}


def _is_sound(binary: Binary) -> bool:
    """Whether every field is what it may be: texts among them are printed, and all of it is compared and hashed."""
    texts = (binary.label, binary.os_abi, binary.float_abi, binary.undecided, *binary.machines)
    return (
        binary.format in _FORMATS
        and len(binary.machines) <= _MOST_MACHINES
        and all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_TEXT for text in texts)
        and (binary.bits is None or (type(binary.bits) is int and binary.bits in (32, 64)))
        and isinstance(binary.hosted, bool)
        and isinstance(binary.managed, bool)
    )


def _count(value: object, most: int = DEFAULT_LIMITS.max_members) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"not a count: {str(value)[:50]}")
    return value
