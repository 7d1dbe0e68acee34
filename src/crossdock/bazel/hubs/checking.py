"""A hub's JSON that is kept in a repository, compared with what its lock gives now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.keeping import RENEW, table
from crossdock.errors import StaleHubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["changes", "check_hub"]

_MOST_CHANGES = 12


def check_hub(path: Path, kept: Mapping[str, Any], made: Mapping[str, Any], lock: Path) -> None:
    """Refuse a hub that is not what its lock gives now.

    Raises:
        StaleHubError: It is such a one; the message says what differs.
    """
    if kept == made:
        return
    found = list(changes(kept, made))
    more = [f"and {len(found) - _MOST_CHANGES} more"] if len(found) > _MOST_CHANGES else []
    raise StaleHubError(
        f"{path} is not what {lock.name} gives now", why="\n       ".join([*found[:_MOST_CHANGES], *more]), hint=RENEW
    )


def changes(kept: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """Say what differs, a line each: targets, packages and files, then whatever else."""
    found = False
    for noun, key in (("target", "targets"), ("package", "packages"), ("file", "files")):
        old, new = table(kept.get(key)), table(made.get(key))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                found = True
                yield f"the {noun} {name} {_change(old.get(name), new.get(name))}"
    keys = sorted(key for key in kept.keys() | made.keys() if kept.get(key) != made.get(key))
    if keys == ["lock"] and {**table(kept.get("lock")), "content": ""} == {**made["lock"], "content": ""}:
        yield "it was changed by another than `crossdock bazel lock`: it is not what its own hash is of"
    elif not found:
        yield f"it differs in {', '.join(key for key in keys if key != 'lock') or 'what it says of the lock'}"


def _change(old: Any, new: Any) -> str:  # noqa: ANN401  whatever the file holds
    if old is None:
        return "is new"
    if new is None:
        return "is gone"
    old, new = table(old), table(new)
    if old.get("version") != new.get("version"):
        return f"was {old.get('version')}, and is {new.get('version')}"
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    targets = sorted({_differing(table(old.get(key)), table(new.get(key))) for key in keys} - {""})
    where = f" for {targets[0]}" if len(targets) == 1 else ""
    return f"has other {' and '.join(keys)}{where}"


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return keys[0] if len(keys) == 1 else ""
