"""Records of finished actions: what an action with these inputs came to.

A record is a JSON file named by the hash of the action's inputs. It carries a hash of its own value, so that one
damaged by a full disk or a power cut counts as absent and the action is simply done again.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["JSON", "action_key", "canonical_json", "decode_record", "encode_record", "read_record"]

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

#: A record: the hash of its value, and the value, as `canonical_json` writes both.
_RECORD: Final = b'{"sha256":"%b","value":%b}\n'
_END: Final = b"}\n"


def canonical_json(value: JSON) -> bytes:
    """Encode a value so that equal values give equal bytes: sorted keys, no white space, ASCII only.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def action_key(kind: str, /, **inputs: JSON) -> str:
    """Name an action by everything its result depends on.

    Args:
        kind: What is done, with a version that changes when the way it is done does, such as ``"wheel-layer/1"``.
        **inputs: All inputs that can change the result.

    Returns:
        The SHA-256 of both, as 64 hexadecimal digits.
    """
    return hashlib.sha256(canonical_json({"kind": kind, "inputs": inputs})).hexdigest()


def encode_record(value: JSON) -> bytes:
    """Wrap a value with the hash that proves it undamaged."""
    text = canonical_json(value)
    return _RECORD % (hashlib.sha256(text).hexdigest().encode(), text)


def decode_record(data: bytes) -> Any | None:  # noqa: ANN401 - a record holds whatever JSON its action wrote
    """Unwrap a record; None when it is damaged."""
    text = data[len(_RECORD % (b"0" * 64, b"")) - len(_END) : -len(_END)]
    if data != _RECORD % (hashlib.sha256(text).hexdigest().encode(), text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_record(path: Path) -> Any | None:  # noqa: ANN401
    """Read a record; None when there is none, or only a damaged one."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return decode_record(data)
