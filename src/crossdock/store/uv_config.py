"""What uv is configured with: its environment variables, ``[tool.uv]`` and ``uv.toml`` files.

See "Configuration files" and "Package indexes" in uv's documentation.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from crossdock.errors import IndexConfigError
from crossdock.store.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.store.places import Host

__all__ = ["from_environment", "from_files"]

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)=(?P<url>.+)")
_FALSE = frozenset({"", "0", "false", "f", "no", "n", "off"})


def from_environment(environ: Mapping[str, str]) -> Places:
    """Read uv's environment variables; an index may be given as ``name=url``."""
    default = environ.get("UV_DEFAULT_INDEX", "").strip() or environ.get("UV_INDEX_URL", "").strip()
    extra = environ.get("UV_INDEX", "").split() + environ.get("UV_EXTRA_INDEX_URL", "").split()
    links = [link.strip() for link in environ.get("UV_FIND_LINKS", "").split(",")]
    return Places(
        index_url=_unnamed(default, environ) if default else "",
        extra_index_urls=tuple(_unnamed(url, environ) for url in extra),
        find_links=tuple(link for link in links if link),
    )


def from_files(project: Path | None, host: Host) -> Iterator[Places]:
    """Read uv's configuration files, the nearest first.

    Raises:
        IndexConfigError: A file cannot be understood.
    """
    named = host.environ.get("UV_CONFIG_FILE", "")
    if named:
        yield _from_table(_read(Path(named)), Path(named), host.environ)
        return
    if host.environ.get("UV_NO_CONFIG", "").strip().lower() not in _FALSE:
        return
    if project is not None:
        folder = project.absolute()
        for parent in (folder, *folder.parents):
            yield _from_project(parent, host.environ)
    for path in _machine_files(host):
        yield _from_table(_read(path), path, host.environ)


def _machine_files(host: Host) -> Iterator[Path]:
    if sys.platform == "win32":
        yield Path(host.environ.get("APPDATA") or host.home / "AppData" / "Roaming") / "uv" / "uv.toml"
        yield Path(host.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "uv" / "uv.toml"
        return
    yield Path(host.environ.get("XDG_CONFIG_HOME") or host.home / ".config") / "uv" / "uv.toml"
    folders = host.environ.get("XDG_CONFIG_DIRS", "") or str(host.system / "xdg")
    yield from (Path(folder) / "uv" / "uv.toml" for folder in folders.split(":") if folder)
    yield host.system / "uv" / "uv.toml"


def _from_project(folder: Path, environ: Mapping[str, str]) -> Places:
    """Read a project's folder: uv looks at ``[tool.uv]`` only where there is no ``uv.toml``."""
    own = folder / "uv.toml"
    if own.is_file():
        return _from_table(_read(own), own, environ)
    path = folder / "pyproject.toml"
    tool = _read(path).get("tool", {})
    table = tool.get("uv", {}) if isinstance(tool, dict) else {}
    return _from_table(table if isinstance(table, dict) else {}, path, environ)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_understood(path, f"it is not TOML ({error})") from None


def _from_table(table: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> Places:
    index_url = _text(table, "index-url", path)
    extra = list(_texts(table, "extra-index-url", path))
    links = list(_texts(table, "find-links", path))
    for entry in _tables(table, "index", path):
        url = _with_credentials(_text(entry, "url", path), _text(entry, "name", path), environ)
        if entry.get("default") is True:
            index_url = url
        elif entry.get("format") == "flat":
            links.append(url)
        else:
            # An "explicit" index serves only packages assigned to it; the lock's hashes do that job here.
            extra.append(url)
    return Places(
        index_url=_absolute(index_url, path) if index_url else "",
        extra_index_urls=tuple(_absolute(url, path) for url in extra if url),
        find_links=tuple(_absolute(link, path) for link in links if link),
    )


def _unnamed(index: str, environ: Mapping[str, str]) -> str:
    match = _NAMED.fullmatch(index)
    # "https://host/?key=value" holds an equals sign, but ":" is not part of a name.
    return _with_credentials(match["url"], match["name"], environ) if match else index


def _with_credentials(url: str, name: str, environ: Mapping[str, str]) -> str:
    """Put the credentials that uv reads for a named index into its URL."""
    variable = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user, password = environ.get(f"{variable}_USERNAME", ""), environ.get(f"{variable}_PASSWORD", "")
    if not name or not (user or password):
        return url
    parts = urlsplit(url)
    userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc.rpartition('@')[2]}"))


def _absolute(location: str, path: Path) -> str:
    """Resolve a relative path, which uv takes as relative to the file it stands in."""
    return location if "://" in location or location.startswith("file:") else str(path.absolute().parent / location)


def _text(table: Mapping[str, Any], key: str, path: Path) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise _not_understood(path, f"{key} must be a string")
    return value


def _texts(table: Mapping[str, Any], key: str, path: Path) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _not_understood(path, f"{key} must be a list of strings")
    return value


def _tables(table: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _not_understood(path, f"{key} must be a list of tables")
    return value


def _not_understood(path: Path, why: str) -> IndexConfigError:
    return IndexConfigError(
        f"cannot read uv's configuration in {path}", why=why, hint="correct it, or set UV_NO_CONFIG=1 to use none"
    )
