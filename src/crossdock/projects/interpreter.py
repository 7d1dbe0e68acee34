"""``[tool.crossdock.interpreter]`` in pyproject.toml, checked key by key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crossdock.bases.interpreter.setting import DebianPython, StandaloneArchive
from crossdock.errors import ConfigError
from crossdock.projects.table import Table

if TYPE_CHECKING:
    from crossdock.bases.interpreter.setting import InterpreterSetting

__all__ = ["read_interpreter"]

_WHERE = "tool.crossdock.interpreter"
_DEBIAN = re.compile(r"debian:([a-z]+)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FORMS = 'write interpreter = "debian:bookworm", or a table of archives by target'


def read_interpreter(value: Any) -> InterpreterSetting | None:  # noqa: ANN401  it is whatever the file holds
    """Read the setting.

    Raises:
        ConfigError: A key is unknown, or a value is not what it must be.
    """
    if value is None:
        return None
    if isinstance(value, str):
        match = _DEBIAN.fullmatch(value)
        if match is None:
            raise ConfigError(f"tool.crossdock: interpreter cannot be {value!r}", hint=_FORMS)
        return DebianPython(suite=match[1])
    if not isinstance(value, dict):
        raise ConfigError(f"tool.crossdock: interpreter cannot be {value!r}", hint=_FORMS)
    if not value:
        raise ConfigError(f"{_WHERE} is empty", hint="name an archive for a target, or remove the table")
    return {target: _archive(item, f"{_WHERE}.{target!r}") for target, item in value.items()}


def _archive(value: Any, where: str) -> StandaloneArchive:  # noqa: ANN401
    if isinstance(value, str):
        raise ConfigError(
            f"{where} is not a table",
            why="a table of targets names archives",
            hint=f'write {{ url = "…", sha256 = "…" }}; {_FORMS.removeprefix("write ").partition(",")[0]} is for all',
        )
    table = Table(value, where)
    url, path, sha256 = table.text("url"), table.text("path"), table.text("sha256")
    table.finish()
    if (url is None) == (path is None):
        raise ConfigError(f"{where} needs one of url and path", hint="path is relative to the project")
    if sha256 is None or not _SHA256.fullmatch(sha256):
        raise ConfigError(
            f"{where}: sha256 must be the archive's SHA-256, 64 hexadecimal digits",
            hint="publishers list it beside the archive; `sha256sum FILE` prints that of a file",
        )
    location = _checked_url(url, where) if url is not None else _checked_path(str(path), where)
    return StandaloneArchive(location=location, sha256=sha256.lower())


def _checked_url(url: str, where: str) -> str:
    """Check a URL, which ``crossdock.lock`` will hold: it must be one, and must hold no password."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        parts, good = urlsplit(""), False
    if "@" in parts.netloc:  # it is not shown: what stands before it may be a password
        raise ConfigError(
            f"{where}: the URL holds a user or password",
            why="it is written to crossdock.lock and to messages",
            hint="put them into the netrc file",
        )
    if not good:
        raise ConfigError(f"{where}: url is not an http or https URL", hint="for a file, write path in place of url")
    return url


def _checked_path(path: str, where: str) -> str:
    if "://" in path or path[:5].lower() == "file:":
        raise ConfigError(f"{where}: path is not the path of a file", hint="write url for a URL")
    if not path.isprintable():
        raise ConfigError(f"{where}: path holds a character that no path should")
    return path
