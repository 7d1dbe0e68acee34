"""Standalone Pythons: locked by what is read in their archives, then one layer each, the same for all apps."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from crossdock.errors import InterpreterError
from crossdock.layers.cached import tree_recipe
from crossdock.lockfile.interpreters import LockedInterpreter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.bases.interpreter.setting import StandaloneArchive
    from crossdock.layers.cached import LayerRecipe
    from crossdock.layers.entry import Entry
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.store import FileRequest, HttpClient, Progress, Store

__all__ = [
    "TREE_VERSION",
    "interpreter_facts",
    "interpreter_recipe",
    "interpreter_requests",
    "lock_interpreter",
]

#: Raised whenever the same archive gives other entries.
TREE_VERSION = 1

_LARGEST_ARCHIVE = 1 << 30  # bytes


def lock_interpreter(
    archive: StandaloneArchive,
    architecture: str,
    *,
    root: Path,
    store: Store,
    libc: Literal["glibc", "musl"] | None = None,
    http: HttpClient | None = None,
    progress: Progress | None = None,
) -> LockedInterpreter:
    """Fetch an archive and read what it holds.

    Args:
        archive: Where it is, and its SHA-256.
        architecture: OCI's name of what it has to be for, such as ``arm64``.
        root: What its path is relative to: the project.
        store: Where it is kept.
        libc: The C library that the target has, where that is known.
        http: How it is read.
        progress: What draws how far the download is.

    Raises:
        InterpreterError: It is for another machine or C library, dangerous, or not understood.
        StoreError: It cannot be read, or is another file than its SHA-256 names.
    """
    from crossdock.bases.interpreter.archive import open_archive
    from crossdock.bases.interpreter.reading import read_python
    from crossdock.store.downloads import fetch

    request = _request(archive.location, archive.sha256, None, root)
    _check_there(request, archive.location)
    fetch(store, [request], http=http, progress=progress, max_bytes=_LARGEST_ARCHIVE)
    with open_archive(store, archive.sha256, origin=request.name) as tree:
        facts = read_python(tree, architecture)
    if libc is not None and facts.libc != libc:
        raise _other_libc(request.name, facts.libc, f"the target has {libc}")
    return LockedInterpreter(
        name=archive.location,
        architecture=architecture,
        sha256=archive.sha256,
        size=store.size(archive.sha256),
        python_version=facts.version,
        python_path=facts.path,
        libc=facts.libc,
        libc_version=facts.libc_version,
    )


def interpreter_requests(locked: Iterable[LockedInterpreter], root: Path) -> list[FileRequest]:
    """List the archives to fetch for locked interpreters.

    Args:
        locked: The interpreters.
        root: What a path in ``crossdock.lock`` is relative to: the project.
    """
    return [_request(item.name, item.sha256, item.size, root) for item in locked]


def _request(location: str, sha256: str, size: int | None, root: Path) -> FileRequest:
    from crossdock.store.downloads import FileRequest
    from crossdock.store.urls import redact

    remote = "://" in location
    name = (redact(location) if remote else location).rstrip("/").rpartition("/")[2] or location
    # A path is made one with a root: one that only looks like a URL ("file:x") must stay what it is.
    url = location if remote else str((root / location).absolute())
    return FileRequest(name=name, url=url, sha256=sha256, size=size)


def _check_there(request: FileRequest, location: str) -> None:
    """Say in the setting's own words that a file is not there, or is none."""
    if "://" in request.url:
        return
    try:
        regular = stat.S_ISREG(Path(request.url).stat().st_mode)
    except (OSError, ValueError) as error:
        raise InterpreterError(
            f"there is no archive {location} that can be read",
            why=f"{request.url}: {getattr(error, 'strerror', None) or error}",
            hint="the path in [tool.crossdock.interpreter] is relative to the project",
        ) from None
    if not regular:
        raise InterpreterError(f"{location} is no file", hint="name the archive itself, as it was downloaded")


def interpreter_recipe(locked: LockedInterpreter, store: Store) -> LayerRecipe:
    """Give the recipe of an interpreter's layer; the archive needs to be in the store only if it has to be made."""

    def entries() -> Iterator[Entry]:
        from crossdock.bases.interpreter.archive import open_archive

        with open_archive(store, locked.sha256, origin=locked.name.rpartition("/")[2]) as tree:
            yield from tree.entries()

    return tree_recipe("interpreter", [TREE_VERSION, locked.sha256], entries, encode=True)


def interpreter_facts(base: BaseFacts, locked: LockedInterpreter, *, base_name: str) -> BaseFacts:
    """Give what an image has to offer once the interpreter is laid over its base.

    Args:
        base: What the base brings; a Python of its own does not count any more.
        locked: The interpreter.
        base_name: Names the base in errors.

    Raises:
        InterpreterError: The base lacks the C library that the interpreter needs.
    """
    what = f"Python {locked.python_version} for linux/{locked.architecture}"
    if base.libc is None:
        raise InterpreterError(
            f"{what} cannot run on {base_name}",
            why=f"it is linked to {locked.libc}, and {base_name} has no C library",
            hint=f'name a base with {locked.libc}, or write interpreter = "debian:bookworm" in place of the archive',
        )
    if base.libc != locked.libc:
        raise _other_libc(what, locked.libc, f"{base_name} has {base.libc}")
    if base.libc_version < locked.libc_version:
        needed, has = ("{}.{}".format(*version) for version in (locked.libc_version, base.libc_version))
        raise InterpreterError(
            f"{what} cannot run on {base_name}",
            why=f"it needs {locked.libc} {needed}, and {base_name} has {has}",
            hint="name a newer base, or an archive that was built for older systems",
        )
    return replace(base, python_version=locked.python_version, python_path=locked.python_path)


def _other_libc(what: str, linked: str, why: str) -> InterpreterError:
    kind = {"glibc": "…-linux-musl-…", "musl": "…-linux-gnu-…"}[linked]
    return InterpreterError(
        f"{what} is linked to {linked}", why=why, hint=f"take the archive whose name has {kind}, or another base"
    )
