"""``settings.json``: what a rule's attributes say of how an image runs, checked as ``[tool.crossdock]`` is."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from crossdock.bazel.handed.jsonfile import read_json
from crossdock.errors import ConfigError
from crossdock.projects.config import Config, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Settings", "read_settings"]

#: Those that mean what they mean in ``[tool.crossdock]``.
_SHARED: Final = ("entrypoint", "env", "labels", "ports", "user")
_KNOWN: Final = (*_SHARED, "annotations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a rule says.

    Attributes:
        config: The settings that a project may have too.
        annotations: Of manifest and index.
    """

    config: Config = field(default_factory=Config)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def over(self, config: Config) -> Config:
        """Put these settings over a project's: what is said here wins, key by key."""
        own = self.config
        return replace(
            config,
            entrypoint=own.entrypoint or config.entrypoint,
            env={**config.env, **own.env},
            labels={**config.labels, **own.labels},
            ports=own.ports or config.ports,
            user=own.user or config.user,
        )


def read_settings(path: Path | None) -> Settings:
    """Read the settings of a rule; none without a file.

    Raises:
        BazelInputError: The file cannot be read.
        ConfigError: A setting is unknown, or not what it must be.
    """
    if path is None:
        return Settings()
    value = read_json(path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds no settings", why="it has to be a JSON object")
    for key in value:
        if key not in _KNOWN:
            close = difflib.get_close_matches(key, _KNOWN, n=1)
            known = f"did you mean {close[0]!r}?" if close else f"the settings are {', '.join(_KNOWN)}"
            raise ConfigError(f"{path}: there is no setting {key[:100]!r}", hint=known)
    try:
        config = read_config({key: value[key] for key in _SHARED if value.get(key) not in (None, "", [], {})})
    except ConfigError as error:
        what = error.what.replace("tool.crossdock.", f"{path}: ").replace("tool.crossdock", str(path))
        raise ConfigError(what, why=error.why, hint=error.hint) from None
    return Settings(config=config, annotations=_annotations(value.get("annotations", {}), path))


def _annotations(value: Any, path: Path) -> dict[str, str]:  # noqa: ANN401  it is whatever the file holds
    if not isinstance(value, dict) or not all(key and isinstance(text, str) for key, text in value.items()):
        raise ConfigError(f"{path}: annotations has to be an object of strings")
    return dict(value)
