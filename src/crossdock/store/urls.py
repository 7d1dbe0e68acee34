"""Reading, showing and comparing URLs without ever showing what is secret in them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

__all__ = ["local_path", "origin", "redact", "scrub", "split_credentials"]

Origin = tuple[str, str, int | None]

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Up to the last "@" before the path: a password may hold some, and be written as it is.
_USERINFO = re.compile(r"//[^/\s]*@")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def redact(url: str) -> str:
    """Return a URL as it may be shown: no user, password, query or fragment, no control characters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a URL that cannot be read)"
    host = parts.netloc.rpartition("@")[2]
    return scrub(urlunsplit((parts.scheme, host, parts.path, "", "")))


def scrub(text: str) -> str:
    """Return a message of another program as it may be shown: no userinfo in URLs, no control characters."""
    return "".join(c if c.isprintable() else "?" for c in _USERINFO.sub("//", text))


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """Take user and password out of a URL.

    Returns:
        The URL without them, and (user, password), percent-decoded, or None.

    Raises:
        ValueError: The URL cannot be read.
    """
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    bare = urlunsplit(parts._replace(netloc=host))
    if not at or not userinfo:
        return bare, None
    user, _, password = userinfo.partition(":")
    return bare, (unquote(user), unquote(password))


def origin(url: str) -> Origin:
    """Return scheme, host and port: what credentials belong to.

    Raises:
        ValueError: The URL cannot be read.
    """
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())


def _path_of(url_path: str) -> str:
    if os.name != "nt":  # what url2pathname does there, without the cost of importing it
        return unquote(url_path)
    from urllib.request import url2pathname

    return url2pathname(url_path)


def local_path(location: str) -> Path | None:
    """Return the path that a ``file:`` URL or a plain path names; None for a URL of any other scheme.

    Raises:
        ValueError: A ``file:`` URL names another host, or cannot be read.
    """
    if location[:5].lower() == "file:":
        parts = urlsplit(location)
        if parts.netloc not in ("", "localhost"):
            raise ValueError("a file: URL must not name a host")
        path = _path_of(parts.path)
        if "\0" in path:
            raise ValueError("a path must not hold a NUL")
        return Path(path)
    if "://" in location and not _DRIVE.match(location):
        return None
    return Path(location)
