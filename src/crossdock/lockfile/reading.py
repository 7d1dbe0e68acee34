"""Reading the tables of ``crossdock.lock`` strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.errors import LockfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["AGAIN", "check_keys", "checked", "table", "tables", "text_map", "texts", "value"]

#: What to do about a file that is not as this version writes it.
AGAIN = "run `crossdock lock` to make it again"


def value(data: Mapping[str, Any], key: str, kind: type, origin: str) -> Any:  # noqa: ANN401
    """Give a field that must be there, and of that type."""
    found = data.get(key)
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        raise LockfileError(f"{origin}: {key} is missing, or not of type {kind.__name__}", hint=AGAIN)
    return found


def texts(data: Mapping[str, Any], key: str, origin: str) -> tuple[str, ...]:
    """Give a field that must be an array of strings."""
    found = value(data, key, list, origin)
    if not all(isinstance(item, str) for item in found):
        raise LockfileError(f"{origin}: {key} is not an array of strings", hint=AGAIN)
    return tuple(found)


def table(data: Mapping[str, Any], key: str, origin: str) -> Mapping[str, Any]:
    """Give a table, or an empty one if it is not there."""
    found = data.get(key, {})
    if not isinstance(found, dict):
        raise LockfileError(f"{origin}: {key} is not a table", hint=AGAIN)
    return found


def text_map(data: Mapping[str, Any], key: str, origin: str) -> dict[str, str]:
    """Give a table of strings, or an empty one if it is not there."""
    found = table(data, key, origin)
    if not all(isinstance(item, str) for item in found.values()):
        raise LockfileError(f"{origin}: {key} is not a table of strings", hint=AGAIN)
    return dict(found)


def tables(data: Mapping[str, Any], key: str, origin: str) -> list[Mapping[str, Any]]:
    """Give an array of tables, or an empty one if it is not there."""
    items = data.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise LockfileError(f"{origin}: {key} is not an array of tables", hint=AGAIN)
    return items


def check_keys(data: Mapping[str, Any], known: set[str], origin: str) -> None:
    """Refuse a field that is not known."""
    if unknown := sorted(set(data) - known):
        raise LockfileError(f"{origin}: unknown field {unknown[0]!r}", hint=AGAIN)


def checked(check: Callable[[Any], None], item: object, origin: str) -> None:
    """Check an item, naming the file in the error."""
    try:
        check(item)
    except LockfileError as error:
        raise LockfileError(f"{origin}: {error.what}", hint=AGAIN) from error
