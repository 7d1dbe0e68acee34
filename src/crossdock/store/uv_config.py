"""What uv is configured with: its environment variables, ``[tool.uv]`` and ``uv.toml`` files.

See "Configuration files" and "Package indexes" in uv's documentation.
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from crossdock.errors import IndexConfigError
from crossdock.store.places import Places, switch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.store.places import Host

__all__ = ["from_environment", "from_files"]

_NAMED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)=(?P<url>.+)")


def from_environment(environ: Mapping[str, str]) -> Places:
    """Read uv's environment variables; an index may be given as ``name=url``."""
    default = environ.get("UV_DEFAULT_INDEX", "").strip() or environ.get("UV_INDEX_URL", "").strip()
    extra = environ.get("UV_INDEX", "").split() + environ.get("UV_EXTRA_INDEX_URL", "").split()
    links = [link.strip() for link in environ.get("UV_FIND_LINKS", "").split(",")]
    first = _name_and_url(default, environ)
    others = [_name_and_url(index, environ) for index in extra]
    return Places(
        index_url=first[1],
        extra_index_urls=tuple(url for _, url in others),
        find_links=tuple(link for link in links if link),
        named=tuple((name, url) for name, url in (first, *others) if name),
        keyring_provider=environ.get("UV_KEYRING_PROVIDER", "").strip(),
        no_index=switch(environ.get("UV_NO_INDEX", "")),
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
    unused = host.environ.get("UV_NO_CONFIG", "").strip()
    if unused and switch(unused) is not False:
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
    table = table if isinstance(table, dict) else {}
    return replace(_from_table(table, path, environ), assigned=tuple(_assigned(table)))


def _assigned(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Read which packages have an index of their own; whatever else ``sources`` may hold is settled by the lock."""
    sources = table.get("sources", {})
    for name, entries in sources.items() if isinstance(sources, dict) else ():
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, dict) and isinstance(entry.get("index"), str):
                yield name, entry["index"]


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
    named = []
    for entry in _tables(table, "index", path):
        name = _text(entry, "name", path)
        url = _with_credentials(_text(entry, "url", path), name, environ)
        if name and url:
            named.append((name, _absolute(url, path)))
        if entry.get("default") is True:
            index_url = url
        elif entry.get("format") == "flat":
            links.append(url)
        elif entry.get("explicit") is not True:
            extra.append(url)
    return Places(
        index_url=_absolute(index_url, path) if index_url else "",
        extra_index_urls=tuple(_absolute(url, path) for url in extra if url),
        find_links=tuple(_absolute(link, path) for link in links if link),
        named=tuple(named),
        keyring_provider=_text(table, "keyring-provider", path),
        no_index=_flag(table, "no-index", path),
    )


def _name_and_url(index: str, environ: Mapping[str, str]) -> tuple[str, str]:
    match = _NAMED.fullmatch(index)
    # "https://host/?key=value" holds an equals sign, but ":" is not part of a name.
    return (match["name"], _with_credentials(match["url"], match["name"], environ)) if match else ("", index)


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


def _flag(table: Mapping[str, Any], key: str, path: Path) -> bool | None:
    value = table.get(key)
    if not isinstance(value, bool | None):
        raise _not_understood(path, f"{key} must be true or false")
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
