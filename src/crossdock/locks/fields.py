"""Reading hostile text and tables: every value is checked, every complaint names its place."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from crossdock.errors import MalformedLockError, MissingLockError, UnpinnedRequirementError
from crossdock.locks.markers import parse_marker
from crossdock.locks.model import LockedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["MAX_LOCK_BYTES", "Table", "file_name", "load_toml", "locked_file", "project_name", "read_text", "sha256_of"]

#: A lock of ten thousand packages is about this large; more is not a lock.
MAX_LOCK_BYTES = 64 * 1024 * 1024
#: File names have the name in them, and file systems end them at 255.
_LONGEST_NAME = 255

#: Below the number of digits that Python refuses to read as a number.
_MAX_SPECIFIERS = 4096

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~-]{0,254}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def read_text(path: Path) -> str:
    """Read a UTF-8 file of bounded size.

    Raises:
        MissingLockError: It is no regular file, or cannot be read.
        MalformedLockError: It is too large, or not UTF-8.
    """
    try:
        if not path.is_file():
            raise MissingLockError(f"There is no lock file {path}", hint="check the name, and that it is a file")
        with path.open("rb") as stream:
            data = stream.read(MAX_LOCK_BYTES + 1)
    except (OSError, ValueError) as error:
        raise MissingLockError(f"Cannot read the lock file {path}", why=str(error)) from error
    if len(data) > MAX_LOCK_BYTES:
        raise MalformedLockError(f"{path} is larger than {MAX_LOCK_BYTES // 2**20} MiB", why="no lock file is")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedLockError(f"{path} is not UTF-8 text", why=f"byte {error.start} is not") from error


def load_toml(path: Path) -> Table:
    """Read a TOML file.

    Raises:
        MissingLockError: It cannot be read.
        MalformedLockError: It is not TOML; the message has the line.
    """
    text = read_text(path)
    try:
        return Table(tomllib.loads(text), where=str(path))
    except RecursionError as error:
        raise MalformedLockError(f"{path} is nested too deeply", why="no lock file is") from error
    except ValueError as error:
        raise MalformedLockError(
            f"{path} is not valid TOML", why=_short(str(error)), hint="make the lock again"
        ) from error


def _short(text: str, limit: int = 200) -> str:
    """Bound what a hostile file can put into a message, and keep control characters off the terminal."""
    clean = "".join(char if char.isprintable() else "?" for char in text[: limit + 1])
    return clean if len(clean) <= limit else clean[:limit] + "…"


def malformed(where: str, why: str) -> MalformedLockError:
    """Make the error for a value that breaks the format."""
    return MalformedLockError(
        f"{_short(where)}: the lock is not valid", why=_short(why), hint="make the lock again with the tool it is from"
    )


def file_name(value: str, where: str) -> str:
    """Return a plain file name: what follows can join it to a folder without leaving that folder."""
    if not _FILE_NAME.fullmatch(value) or ".." in value:
        raise malformed(where, f"{value[:80]!r} is not a plain file name")
    return value


def project_name(value: str, where: str) -> str:
    """Return a project or extra name in normalised form (PEP 503)."""
    if len(value) > _LONGEST_NAME:
        raise malformed(where, f"{value[:80]!r} begins a name that is too long")
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName as error:
        raise malformed(where, f"{value[:80]!r} is not a name") from error


def sha256_of(value: str, where: str) -> str:
    """Return the digits of a ``sha256:…`` hash.

    Raises:
        UnpinnedRequirementError: The hash is of another, weaker or rarer kind.
        MalformedLockError: The digits are not SHA-256's.
    """
    algorithm, _, digits = value.partition(":")
    if algorithm.lower() != "sha256":
        raise UnpinnedRequirementError(
            f"{_short(where)}: no SHA-256 hash",
            why=f"only a {_short(algorithm, 20)!r} hash is there" if digits else "the hash names no algorithm",
            hint="lock against an index that gives SHA-256 hashes",
        )
    if not _SHA256.fullmatch(digits.lower()):
        raise malformed(where, "the SHA-256 hash is not 64 hexadecimal digits")
    return digits.lower()


def locked_file(
    where: str,
    *,
    name: str | None = None,
    url: str | None = None,
    path: str | None = None,
    digest: str | None,
    size: int | None = None,
) -> LockedFile:
    """Check and make a file; its name is the given one, else the last component of its path or URL."""
    if url is not None:
        _check_url(url, where)
    if path is not None and not all(char.isprintable() for char in path):
        raise malformed(where, "the path has control characters")
    if name is None:
        # The last component is unquoted after splitting, so that a quoted separator stays in it and is refused.
        name = path.replace("\\", "/").rsplit("/", 1)[-1] if path else unquote(_url_path(url).rsplit("/", 1)[-1])
    if digest is None:
        raise UnpinnedRequirementError(
            f"{_short(where)}: {_short(name, 80)!r} has no hash",
            why="a file without a hash could be anything",
            hint="lock against an index that gives SHA-256 hashes",
        )
    if size is not None and size < 0:
        raise malformed(where, "a size is negative")
    return LockedFile(filename=file_name(name, where), sha256=sha256_of(digest, where), size=size, url=url, path=path)


def _url_path(url: str | None) -> str:
    try:
        return urlsplit(url or "").path
    except ValueError:
        return ""


def _check_url(url: str, where: str) -> None:
    # The URL stays out of the message: it may hold a password.
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise malformed(where, "a URL is not valid") from error
    if parts.scheme not in {"http", "https"} or not parts.netloc or not url.isprintable() or " " in url:
        raise malformed(where, "a URL is not an http or https one")


class Table:
    """A TOML table whose values are fetched with their type.

    Args:
        data: What the TOML reader gave.
        where: Names the table in messages.
    """

    __slots__ = ("data", "where")

    def __init__(self, data: Mapping[str, Any], *, where: str) -> None:
        self.data = data
        self.where = where

    def _typed(self, key: str, kind: type | tuple[type, ...], noun: str) -> Any:  # noqa: ANN401
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise malformed(self.where, f"{key!r} is not {noun}")
        return value

    def text(self, key: str) -> str | None:
        """Return a string, or None when there is none."""
        value: str | None = self._typed(key, str, "a string")
        return value

    def required(self, key: str) -> str:
        """Return a string that must be there."""
        value = self.text(key)
        if value is None:
            raise malformed(self.where, f"{key!r} is missing")
        return value

    def integer(self, key: str) -> int | None:
        """Return an integer, or None."""
        value: int | None = self._typed(key, int, "an integer")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return an array of strings; empty when there is none."""
        values = self._typed(key, list, "an array") or []
        if not all(isinstance(value, str) for value in values):
            raise malformed(self.where, f"{key!r} is not an array of strings")
        return tuple(values)

    def table(self, key: str, where: str = "") -> Table | None:
        """Return a sub-table, or None."""
        value = self._typed(key, dict, "a table")
        return None if value is None else Table(value, where=where or self.where)

    def tables(self, key: str, where: str = "") -> Iterator[Table]:
        """Yield an array's tables."""
        for value in self._typed(key, list, "an array") or []:
            if not isinstance(value, dict):
                raise malformed(self.where, f"{key!r} is not an array of tables")
            yield Table(value, where=where or self.where)

    def marker(self, key: str = "marker") -> str | None:
        """Return a marker that can be parsed, or None."""
        value = self.text(key)
        if value is not None:
            parse_marker(value, self.where)
        return value

    def specifiers(self, key: str) -> str | None:
        """Return version specifiers (PEP 440), or None."""
        value = self.text(key)
        if value is not None and len(value) > _MAX_SPECIFIERS:
            raise malformed(self.where, f"{key!r} is too long")
        try:
            return None if value is None else str(SpecifierSet(value))
        except InvalidSpecifier as error:
            raise malformed(self.where, f"{key!r} is not a list of version specifiers") from error

    def version(self, key: str = "version") -> str | None:
        """Return a version (PEP 440) as written, or None."""
        value = self.text(key)
        try:
            return None if value is None else str(Version(value))
        except (InvalidVersion, ValueError) as error:
            raise malformed(self.where, f"{key!r} is not a version") from error
