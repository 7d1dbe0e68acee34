"""Reading and writing the JSON files by which actions hand on what they know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import BazelInputError
from crossdock.store.actions import canonical_json
from crossdock.store.files import reported, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.store.actions import JSON

__all__ = ["malformed", "read_json", "read_object", "write_json"]

_AGAIN: Final = "it is written by another action of crossdock's rules: build that target again"
#: Far more than is known of any layer: some hundred bytes for each file in it.
_LARGEST: Final = 256 << 20


def read_json(path: Path) -> Any:  # noqa: ANN401  it is whatever the file holds
    """Read a JSON file.

    Raises:
        BazelInputError: It cannot be read, or is no JSON.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise malformed(path, f"it has more than {_LARGEST:,} bytes")
        return json.loads(data)
    except OSError as error:
        raise BazelInputError(
            f"{path} cannot be read",
            why=error.strerror or str(error),
            hint="it has to be among the inputs of the action",
        ) from None
    except (ValueError, RecursionError) as error:
        raise malformed(path, f"it is no JSON: {error}") from None


def read_object(path: Path, version: int) -> dict[str, Any]:
    """Read a JSON file that holds an object of a version of crossdock's.

    Raises:
        BazelInputError: It cannot be read, or is not that.
    """
    value = read_json(path)
    if not isinstance(value, dict) or value.get("version") != version:
        raise malformed(path, "it is not of the form that this version of crossdock writes")
    return value


def malformed(path: Path, why: str) -> BazelInputError:
    """Give the error for a file that is not as another action writes it."""
    return BazelInputError(f"{path} is not what it must be", why=why, hint=_AGAIN)


def write_json(path: Path, value: JSON) -> None:
    """Write a JSON file in one way only; it appears whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with reported(path, option="output"):
        write_whole(path, canonical_json(value) + b"\n")
