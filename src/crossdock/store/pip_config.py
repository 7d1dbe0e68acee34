"""What pip is configured with: its environment variables and its configuration files.

See "Configuration" in pip's documentation for the places and their precedence.
"""

from __future__ import annotations

import sys
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import IndexConfigError
from crossdock.store.places import Places, switch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.store.places import Host

__all__ = ["config_files", "from_environment", "from_files"]

_FILE_NAME = "pip.ini" if sys.platform == "win32" else "pip.conf"
# A later section overrides an earlier one, as for `pip download`.
_SECTIONS = ("global", "download")


def from_environment(environ: Mapping[str, str]) -> Places:
    """Read pip's environment variables; those with several values separate them by white space."""
    return Places(
        index_url=environ.get("PIP_INDEX_URL", "").strip(),
        extra_index_urls=tuple(environ.get("PIP_EXTRA_INDEX_URL", "").split()),
        find_links=tuple(environ.get("PIP_FIND_LINKS", "").split()),
        ca_bundle=environ.get("PIP_CERT", "").strip(),
        keyring_provider=environ.get("PIP_KEYRING_PROVIDER", "").strip(),
        no_index=switch(environ.get("PIP_NO_INDEX", "")),
    )


def from_files(host: Host) -> Places:
    """Read pip's configuration files.

    Raises:
        IndexConfigError: A file cannot be understood.
    """
    settings: dict[str, str] = {}
    for path in config_files(host):
        settings |= _read(path)
    return Places(
        index_url=settings.get("index-url", "").strip(),
        extra_index_urls=tuple(settings.get("extra-index-url", "").split()),
        find_links=tuple(settings.get("find-links", "").split()),
        ca_bundle=settings.get("cert", "").strip(),
        keyring_provider=settings.get("keyring-provider", "").strip(),
        no_index=switch(settings.get("no-index", "")),
    )


def config_files(host: Host) -> Iterator[Path]:
    """Return where pip's configuration files may be, those that override others last."""
    named = host.environ.get("PIP_CONFIG_FILE", "")
    # pip's documented way to say "no configuration at all".
    if named and named == "/dev/null":
        return
    yield from _global_files(host)
    if not (named and Path(named).exists()):
        yield from _user_files(host)
    yield host.prefix / _FILE_NAME
    if named:
        yield Path(named)


def _global_files(host: Host) -> Iterator[Path]:
    if sys.platform == "win32":
        yield Path(host.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "pip" / _FILE_NAME
        return
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip") / _FILE_NAME
    folders = host.environ.get("XDG_CONFIG_DIRS", "") or str(host.system / "xdg")
    yield from (Path(folder) / "pip" / _FILE_NAME for folder in folders.split(":") if folder)
    yield host.system / _FILE_NAME


def _user_files(host: Host) -> Iterator[Path]:
    if sys.platform == "win32":
        yield host.home / "pip" / _FILE_NAME
        yield Path(host.environ.get("APPDATA") or host.home / "AppData" / "Roaming") / "pip" / _FILE_NAME
        return
    yield host.home / ".pip" / _FILE_NAME
    support = host.home / "Library" / "Application Support" / "pip"
    if sys.platform == "darwin" and support.is_dir():
        yield support / _FILE_NAME
    else:
        yield Path(host.environ.get("XDG_CONFIG_HOME") or host.home / ".config") / "pip" / _FILE_NAME


def _read(path: Path) -> dict[str, str]:
    parser = RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        # pip, too, passes over files it may not read.
        return {}
    except UnicodeDecodeError:
        raise _not_understood(path, "it is not UTF-8 text") from None
    try:
        parser.read_string(text)
    except ConfigParserError as error:
        # The parser's own message quotes the line, which may hold a password.
        raise _not_understood(path, f"it is not an INI file ({type(error).__name__})") from None
    settings: dict[str, str] = {}
    for section in _SECTIONS:
        if parser.has_section(section):
            settings |= {key.lower().replace("_", "-").removeprefix("--"): text for key, text in parser.items(section)}
    return settings


def _not_understood(path: Path, why: str) -> IndexConfigError:
    return IndexConfigError(
        f"cannot read pip's configuration file {path}",
        why=why,
        hint="correct it (`pip config debug` shows it), or set PIP_CONFIG_FILE=/dev/null to use none",
    )
