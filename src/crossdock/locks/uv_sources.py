"""Where the packages of a uv.lock come from: the ``source`` table, and the files below it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from crossdock.errors import UnpinnedRequirementError
from crossdock.locks.fields import locked_file, malformed
from crossdock.locks.files import distinct_files
from crossdock.locks.model import Source

if TYPE_CHECKING:
    from crossdock.locks.fields import Table
    from crossdock.locks.model import LockedFile, SourceKind

__all__ = ["file_or_url", "full_commit", "inner_folder", "read_files", "read_source", "repository_url", "url_fields"]

#: By key of the ``source`` table.
_SOURCES: dict[str, SourceKind] = {
    "registry": "registry",
    "url": "url",
    "path": "path",
    "directory": "directory",
    "editable": "directory",
    "virtual": "virtual",
    "git": "vcs",
}
#: What uv adds to the query of a repository's URL to say which revision was asked for.
_GIT_QUERY = frozenset({"rev", "tag", "branch", "subdirectory", "lfs"})
_GIT_SCHEMES = frozenset({"https", "http", "ssh", "git", "file"})
#: SHA-1, or SHA-256 in repositories of the newer kind.
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)


def read_source(table: Table) -> Source:
    """Read a ``source`` table.

    Raises:
        MalformedLockError: It is of no known kind, or is not safe to use.
        UnpinnedRequirementError: A repository without a full commit.
    """
    kinds = [key for key in _SOURCES if key in table.data]
    if len(kinds) != 1:
        raise malformed(table.where, f"'source' is none of {', '.join(_SOURCES)}")
    kind, location = kinds[0], table.required(kinds[0])
    if not location.isprintable():
        raise malformed(table.where, "'source' has control characters")
    if kind == "git":
        return _repository(location, table.where)
    subdirectory = inner_folder(table.text("subdirectory") or "", table.where)
    if kind == "url":
        # A fragment is for the tool that asked, never for the server.
        location = location.partition("#")[0]
    return Source(kind=_SOURCES[kind], location=location, editable=kind == "editable", subdirectory=subdirectory)


def inner_folder(folder: str, where: str) -> str:
    """Return a relative folder that does not leave what it is in; the top is the empty string."""
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts or "\\" in folder or ":" in folder or not folder.isprintable():
        raise malformed(where, "a subdirectory leads out of its archive or repository")
    return "" if path == PurePosixPath() else str(path)


def repository_url(url: str, where: str) -> str:
    """Return a repository's URL if it is one that git can be given safely; it is never put into a message."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise malformed(where, "the URL of a repository is not valid") from error
    if scheme not in _GIT_SCHEMES or not url.isprintable() or " " in url:
        raise malformed(where, f"the URL of a repository is none of {', '.join(sorted(_GIT_SCHEMES))}")
    return url


def url_fields(text: str, where: str) -> list[tuple[str, str]]:
    """Split the query or the fragment of a URL, of which no tool writes a long one."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=32)
    except ValueError as error:
        raise malformed(where, "a URL has too many fields") from error


def file_or_url(url: str) -> tuple[str | None, str | None]:
    """Give a URL without its fragment, or for a file: URL the path it stands for."""
    url = url.partition("#")[0]
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, None
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return None, unquote(parts.path)
    return url, None


def full_commit(commit: str, where: str) -> str:
    """Return a commit that names exactly one content.

    Raises:
        UnpinnedRequirementError: It is a branch, a tag, or shortened.
    """
    if not _COMMIT.fullmatch(commit.lower()):
        raise UnpinnedRequirementError(
            f"{where}: its repository has no full commit",
            why="a branch, a tag or the beginning of a commit can mean something else tomorrow",
            hint="make the lock again with the tool it is from",
        )
    return commit.lower()


def _repository(location: str, where: str) -> Source:
    base, _, commit = location.removeprefix("git+").partition("#")
    base, _, query = repository_url(base, where).partition("?")
    pairs = url_fields(query, where)
    rest = urlencode([(key, value) for key, value in pairs if key not in _GIT_QUERY])
    return Source(
        kind="vcs",
        location=f"{base}?{rest}" if rest else base,
        revision=full_commit(commit, where),
        subdirectory=inner_folder(dict(pairs).get("subdirectory", ""), where),
    )


def read_files(table: Table, source: Source) -> tuple[LockedFile, ...]:
    """Read the wheels and the source distribution of a package.

    Raises:
        MalformedLockError: A file is not safe to use, or one name has two hashes.
        UnpinnedRequirementError: A file has no SHA-256 hash.
    """
    if source.kind not in {"registry", "url", "path"}:
        return ()
    tables = [*table.tables("wheels")]
    if sdist := table.table("sdist"):
        tables.append(sdist)
    return distinct_files([_file(item, source) for item in tables], table.where)


def _file(table: Table, source: Source) -> LockedFile:
    url, path, name = table.text("url"), table.text("path"), table.text("filename")
    if url is None and path is None:
        # A file that is the package's source itself has its address there.
        url = source.location if source.kind == "url" else None
        path = source.location if source.kind == "path" else None
    elif path is not None and source.kind == "registry":
        # A folder of files is an index too; paths are relative to that folder.
        path = str(PurePosixPath(source.location) / path)
    if url is None and path is None:
        raise malformed(table.where, "a file has neither url nor path")
    digest = table.text("hash")
    if digest is None and url is None:
        raise _no_hash(table.where, path or "")
    url = url.partition("#")[0] if url else None
    return locked_file(table.where, name=name, url=url, path=path, digest=digest, size=table.integer("size"))


def _no_hash(where: str, path: str) -> UnpinnedRequirementError:
    name = "".join(char if char.isprintable() else "?" for char in path[:160])
    return UnpinnedRequirementError(
        f"{where}: {name!r} has no hash",
        why="uv records no hash for files in a folder, and a file without one could be anything",
        hint="name the file as the source, as in: [tool.uv.sources] NAME = { path = "
        f'"{name}" }}; then uv lock records its hash',
    )
