"""A hub's JSON that is kept in a repository: read, and compared with what its lock gives now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.document import VERSION
from crossdock.errors import StaleHubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["RENEW", "changes", "check_hub", "kept_inputs", "kept_parts", "kept_targets", "read_hub"]

RENEW = "run `crossdock bazel lock`, and commit what it writes"
_MOST_CHANGES = 12


def read_hub(path: Path) -> dict[str, Any]:
    """Read what `crossdock bazel lock` wrote.

    Raises:
        StaleHubError: There is none, or none of this version of the format.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StaleHubError(f"There is no {path}", hint=RENEW) from None
    except OSError as error:
        raise StaleHubError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise StaleHubError(f"{path} is not JSON", why=str(error)[:200], hint=RENEW) from None
    if not isinstance(kept, dict) or kept.get("version") != VERSION:
        raise StaleHubError(
            f"{path} is not what this version of crossdock writes", why=f"'version' is not {VERSION}", hint=RENEW
        )
    return kept


def kept_targets(kept: Mapping[str, Any]) -> list[str]:
    """Give the targets that a hub was made for, as they are spelled."""
    spellings = [_table(facts).get("spelling") for facts in _table(kept.get("targets")).values()]
    return [text for text in spellings if isinstance(text, str)]


def kept_parts(kept: Mapping[str, Any], kind: str) -> list[str]:
    """Give the extras or groups that were named when a hub was made."""
    names = _table(kept.get("asked")).get(kind)
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def kept_inputs(kept: Mapping[str, Any]) -> object:
    """Give the hash of what a hub was made from; None if the lock tells all of that."""
    return _table(kept.get("lock")).get("inputs")


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
    """Say what differs, a line each: targets, then packages, then whatever else."""
    found = False
    for noun, key in (("target", "targets"), ("package", "packages")):
        old, new = _table(kept.get(key)), _table(made.get(key))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                found = True
                yield f"the {noun} {name} {_change(old.get(name), new.get(name))}"
    if not found:
        keys = sorted(key for key in kept.keys() | made.keys() if kept.get(key) != made.get(key))
        yield f"it differs in {', '.join(keys)}"


def _change(old: Any, new: Any) -> str:  # noqa: ANN401  whatever the file holds
    if old is None:
        return "is new"
    if new is None:
        return "is gone"
    old, new = _table(old), _table(new)
    if old.get("version") != new.get("version"):
        return f"was {old.get('version')}, and is {new.get('version')}"
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    targets = sorted({_differing(_table(old.get(key)), _table(new.get(key))) for key in keys} - {""})
    where = f" for {targets[0]}" if len(targets) == 1 else ""
    return f"has other {' and '.join(keys)}{where}"


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return keys[0] if len(keys) == 1 else ""


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
