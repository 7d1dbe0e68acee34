"""A TOML table of settings, read key by key."""

from __future__ import annotations

import difflib
from typing import Any

from crossdock.errors import ConfigError

__all__ = ["Table"]


class Table:
    """A TOML table that is read key by key, so that unknown keys and wrong types are told with their place.

    Args:
        values: What the TOML reader gave.
        where: Its dotted name, for messages.

    Raises:
        ConfigError: It is no table; reading raises the same for a value of the wrong type.
    """

    def __init__(self, values: Any, where: str) -> None:  # noqa: ANN401  it is whatever the file holds
        if not isinstance(values, dict):
            raise ConfigError(f"{where} is not a table", hint=f"write [{where}] and its keys below it")
        self._values = values
        self._where = where
        self._known: dict[str, None] = {}  # in the order asked for

    def text(self, key: str) -> str | None:
        """Return a string that says something, or None."""
        value = self._take(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.wrong(key, "a string")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return an array of strings, or None."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.wrong(key, "an array of strings")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Return a table of strings, empty without one; numbers and booleans are written out."""
        value = self._take(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.wrong(key, "a table of strings")
        for name, item in value.items():
            if not isinstance(item, (str, int, float)):  # its value, or another's, may be a secret
                raise ConfigError(f"{self._where}.{key}: {name} must be a string")
        return {name: _as_text(item) for name, item in value.items()}

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._take(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return default if value is None else value

    def table(self, key: str) -> Table:
        """Return a table, empty without one."""
        value = self._take(key)
        return Table({} if value is None else value, f"{self._where}.{key}")

    def any(self, key: str) -> Any:  # noqa: ANN401
        """Return a value of any type, or None."""
        return self._take(key)

    def finish(self) -> None:
        """Refuse keys nobody asked for."""
        for key in self._values:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1)
                raise ConfigError(
                    f"{self._where} has no setting {key!r}",
                    hint=f"did you mean {close[0]!r}?" if close else f"the settings are {', '.join(self._known)}",
                )

    def wrong(self, key: str, wanted: str) -> ConfigError:
        """Give the error for a value that is not what it must be."""
        return ConfigError(f"{self._where}: {key} must be {wanted}, not {self._values[key]!r}")

    def _take(self, key: str) -> Any:  # noqa: ANN401
        self._known[key] = None
        return self._values.get(key)


def _as_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
