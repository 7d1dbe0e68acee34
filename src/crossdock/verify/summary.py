"""What was seen in a layer, short enough to be written beside it."""

from __future__ import annotations

import base64
import binascii
import bz2
import json
from dataclasses import MISSING, asdict, fields
from typing import Any, Final

from crossdock.headers.binary import Binary
from crossdock.headers.linking import Linking
from crossdock.verify.contents import Contents, binary_from_json
from crossdock.verify.distributions import read_distributions
from crossdock.verify.scan import DEFAULT_LIMITS, LayerFacts
from crossdock.verify.version import SUMMARY_VERSION

__all__ = ["LONGEST_SUMMARY", "read_summary", "write_summary"]

#: Characters of a summary: most layers need a few hundred; that of a thousand programs is not worth being written down.
LONGEST_SUMMARY: Final = 32 << 10
#: Bytes of what it unpacks to.
_MOST_UNPACKED: Final = 4 << 20
#: No layer has so many; each costs memory wherever the summary is read.
_MOST_PROGRAMS: Final = 20_000
_MOST_ITEMS: Final = 10_000
_LONGEST_TEXT: Final = 4096
_MOST_MACHINES: Final = 32
_FORMATS: Final = frozenset({"elf", "macho", "pe"})


def _defaults(cls: type) -> dict[str, Any]:
    return {item.name: item.default for item in fields(cls) if item.default is not MISSING}


_BINARY_DEFAULTS: Final = _defaults(Binary)
_LINKING_DEFAULTS: Final = _defaults(Linking)


def write_summary(facts: LayerFacts) -> str | None:
    """Write what the programs of a layer need and which distributions it has; None if that is too long.

    It says nothing of all other files, so only a layer in which every rule is content may be summarised.
    """
    contents = facts.contents
    if len(contents.binaries) > _MOST_PROGRAMS or not all(_is_sound(binary) for _, binary in contents.binaries):
        return None
    value = {
        "version": SUMMARY_VERSION,
        "files": contents.files,
        "programs": [[path, _short(binary)] for path, binary in contents.binaries],
        "packages": [[item.folder, item.name, item.version] for item in read_distributions(contents.texts)],
    }
    try:
        raw = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return None
    # These bytes are part of the manifest, and so of the image's digest: bzip2 gives the same ones in every build of
    # Python, which zlib does not.
    text = base64.b64encode(bz2.compress(raw)).decode()
    return text if len(text) <= LONGEST_SUMMARY and len(raw) <= _MOST_UNPACKED else None


def read_summary(text: str, *, media_type: str, digest: str, size: int, diff_id: str) -> LayerFacts:
    """Make facts of what `write_summary` wrote, as far as judging and counting need them.

    Raises:
        ValueError: It is not that.
    """
    value = _unpacked(text)
    if not isinstance(value, dict) or value.get("version") != SUMMARY_VERSION:
        raise ValueError("not a summary, or one of another version")
    files = _count(value.get("files"))
    binaries: list[tuple[str, Binary]] = []
    texts: dict[str, str] = {}
    try:
        for path, kind in value["programs"]:
            binary = binary_from_json(kind)
            if not _is_sound(binary) or not _is_text(path):
                raise ValueError("a summary has a program of no known kind")
            binaries.append((path, binary))
        for folder, name, version in value["packages"]:
            if not all(map(_is_text, (folder, name, version))):
                raise ValueError("a summary has a distribution of no known form")
            texts[f"{folder}/METADATA"] = f"Name: {name}\nVersion: {version}\n"
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a summary: {error}") from None
    if len(binaries) > min(files, _MOST_PROGRAMS) or len(texts) > files:
        raise ValueError("a summary counts more programs than files")
    contents = Contents(files=files, binaries=tuple(binaries), texts=texts, whole=False)
    return LayerFacts(media_type=media_type, digest=digest, size=size, diff_id=diff_id, contents=contents)


def _unpacked(text: str) -> Any:  # noqa: ANN401
    if len(text) > LONGEST_SUMMARY:
        raise ValueError("a summary is too long")
    try:
        unpacker = bz2.BZ2Decompressor()
        raw = unpacker.decompress(base64.b64decode(text, validate=True), _MOST_UNPACKED)
        if not unpacker.eof or unpacker.unused_data:
            raise ValueError("a summary is cut short, or too long")
        return json.loads(raw)
    except (binascii.Error, OSError, UnicodeError) as error:
        raise ValueError(f"not a summary: {error}") from None
    except RecursionError:
        raise ValueError("a summary is nested too deeply") from None


def _short(binary: Binary) -> dict[str, Any]:
    short = _changed(asdict(binary), _BINARY_DEFAULTS)
    if binary.linking:
        short["linking"] = [_changed(asdict(linking), _LINKING_DEFAULTS) for linking in binary.linking]
    return short


def _changed(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}


def _is_sound(binary: Binary) -> bool:
    """Whether every field is what it may be: texts among them are printed, and all of it is compared and hashed."""
    texts = (binary.label, binary.os_abi, binary.float_abi, binary.undecided, binary.damaged, *binary.machines)
    return (
        isinstance(binary.format, str)
        and binary.format in _FORMATS
        and len(binary.machines) <= _MOST_MACHINES
        and len(binary.linking) <= _MOST_MACHINES
        and all(map(_is_text, texts))
        and (binary.bits is None or (type(binary.bits) is int and binary.bits in (32, 64)))
        and isinstance(binary.hosted, bool)
        and isinstance(binary.managed, bool)
        and all(map(_is_sound_linking, binary.linking))
    )


def _is_sound_linking(linking: Linking) -> bool:
    for name, default in _LINKING_DEFAULTS.items():
        value = getattr(linking, name)
        if isinstance(default, bool):
            sound = isinstance(value, bool)
        elif isinstance(default, str):
            sound = _is_text(value)
        else:
            sound = isinstance(value, tuple) and len(value) <= _MOST_ITEMS
            sound = sound and all(_is_pair(item) if name == "versions" else _is_text(item) for item in value)
        if not sound:
            return False
    return True


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_text, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_TEXT


def _count(value: object, most: int = DEFAULT_LIMITS.max_members) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"not a count: {str(value)[:50]}")
    return value
