"""Reads exceptions as people write them: in a policy file, and in ``[tool.crossdock.verify]``."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import InvalidName, canonicalize_name

from crossdock.errors import ConfigError
from crossdock.verify.codes import CODES
from crossdock.verify.exceptions import Allowance

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_exceptions", "read_policy"]

_KEYS: Final = frozenset({"code", "path", "package", "reason", "expires"})
_LARGEST: Final = 1 << 20
_EXAMPLE: Final = 'as in [[exceptions]] code = "tag-lie", package = "NAME", reason = "…", expires = 2027-01-31'


def read_policy(path: Path) -> tuple[Allowance, ...]:
    """Read a policy file: TOML with one table ``[[exceptions]]`` for each exception.

    Raises:
        ConfigError: It cannot be read, or says something that is not understood.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is too large for a policy", why=f"it has more than {_LARGEST:,} bytes")
        value = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(
            f"the policy {path} cannot be read", why=error.strerror or str(error), hint="--policy takes a TOML file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"the policy {path} is no TOML", why=str(error), hint=_EXAMPLE) from None
    if unknown := value.keys() - {"exceptions"}:
        raise ConfigError(f"{path}: there is no setting {min(unknown)!r}", hint=_EXAMPLE)
    return parse_exceptions(value.get("exceptions"), f"{path}: exceptions")


def parse_exceptions(value: Any, where: str) -> tuple[Allowance, ...]:  # noqa: ANN401  it is whatever the file holds
    """Read exceptions: tables, each with a reason, the last day it counts, and what it is for.

    Args:
        value: What the file holds; None for nothing.
        where: How messages name the place.

    Raises:
        ConfigError: It is not that.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ConfigError(f"{where} is no array of tables", hint=_EXAMPLE)
    return tuple(_exception(item, f"{where}, number {number}") for number, item in enumerate(value, start=1))


def _exception(value: Any, where: str) -> Allowance:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: it is no table", hint=_EXAMPLE)
    if unknown := value.keys() - _KEYS:
        raise ConfigError(f"{where}: there is no key {min(unknown)!r}", hint=f"known are {', '.join(sorted(_KEYS))}")
    code, path, package = (_text(value, key, where) for key in ("code", "path", "package"))
    if not (path or package):
        raise ConfigError(f"{where} names no path and no package", hint=_EXAMPLE)
    if code and code not in CODES:
        raise ConfigError(f"{where}: there is no finding {code!r}", hint="docs/verify.md lists all codes")
    try:
        package = canonicalize_name(package, validate=True) if package else ""
    except InvalidName:
        raise ConfigError(f"{where}: {package!r} is no name of a package") from None
    reason = _text(value, "reason", where)
    if not reason:
        raise ConfigError(f"{where} gives no reason", hint="say why it is all right, for whoever reads it next year")
    return Allowance(code=code, path=path, package=package, reason=reason, expires=_expires(value, where))


def _text(value: dict[str, Any], key: str, where: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str) or (key in value and not text.strip()):
        raise ConfigError(f"{where}: {key} is not a text")
    return text.strip()


def _expires(value: dict[str, Any], where: str) -> dt.date | None:
    given = value.get("expires")
    if given == "never":
        return None
    if isinstance(given, dt.datetime):
        return given.date()
    if isinstance(given, dt.date):
        return given
    try:
        return dt.date.fromisoformat(given) if isinstance(given, str) else _no_date(where)
    except ValueError:
        return _no_date(where)


def _no_date(where: str) -> dt.date:
    raise ConfigError(f"{where}: expires is no date", hint='write the last day it counts, as in 2027-01-31, or "never"')
