"""A folder or tar of fetched files, from which a machine without a network builds.

::

    crossdock-files.json     what is there: path, size and SHA-256 of each file, which of them is the bundle of which
                             commit, and what the index answered
    files/                   wheels, source distributions and Debian packages, under their own names; bundles of git

The files are found by their SHA-256 alone, which is that of a lock, and of a bundle only the locked commit is checked
out; so a set that was tampered with gives no other build, only an error. The folder ``files`` is also one that pip and
uv take with ``--find-links``.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from crossdock.errors import FetchedFilesError, HashMismatchError, OutputError
from crossdock.locks.model import LockedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from crossdock.store.blobs import Store

__all__ = ["Answer", "FetchedFile", "FetchedSet", "check_fetched_output", "open_fetched", "write_fetched"]

MANIFEST = "crossdock-files.json"
_VERSION = 1
_MAX_MANIFEST_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%!-]{0,254}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_AGAIN = "make it again with `crossdock fetch --output`"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """One file.

    Attributes:
        name: Its file name.
        sha256: 64 lower-case hexadecimal digits.
        size: Bytes.
    """

    name: str
    sha256: str
    size: int

    @property
    def path(self) -> str:
        """Where it is in the set."""
        return f"files/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the index said of a package that a lock knows by hashes alone.

    Attributes:
        name: Normalised project name.
        version: As locked.
        files: Every file that has one of the locked hashes, whether it is in the set or not.
    """

    name: str
    version: str
    files: tuple[LockedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedSet:
    """A set that was opened.

    Attributes:
        path: The folder or tar file.
        files: By SHA-256.
        answers: By name and version of the package.
        repositories: The SHA-256 of a commit's git bundle, by the commit.
    """

    path: Path
    files: Mapping[str, FetchedFile] = field(repr=False)
    answers: Mapping[tuple[str, str], Answer] = field(repr=False)
    repositories: Mapping[str, str] = field(repr=False)

    def answer(self, name: str, version: str, sha256s: Iterable[str]) -> tuple[LockedFile, ...] | None:
        """Give the files the index had for a package; None if it was not asked for these hashes."""
        found = self.answers.get((name, version))
        if found is None:
            return None
        return found.files if {file.sha256 for file in found.files} == set(sha256s) else None

    def supply(self, store: Store, sha256s: Iterable[str]) -> None:
        """Copy those of some files that the set has, and the store does not, into the store.

        Raises:
            FetchedFilesError: A file is not what the set says.
            CacheFolderError: The store cannot be written.
        """
        wanted = [file for sha256 in dict.fromkeys(sha256s) if (file := self.files.get(sha256))]
        missing = [file for file in wanted if store.find(file.sha256) is None]
        if not missing:
            return
        with _opened(self.path) as read:
            for file in missing:
                self._copy(store, file, read(file.path))

    def _copy(self, store: Store, file: FetchedFile, source: IO[bytes] | None) -> None:
        if source is None:
            raise _damaged(self.path, f"{file.path} is not there")
        with source, store.writer() as writer:
            while chunk := source.read(_CHUNK_BYTES):
                writer.write(chunk)
                if writer.size > file.size:
                    break
            try:
                writer.commit(file.sha256)
            except HashMismatchError:
                raise _damaged(self.path, f"{file.path} has another SHA-256 than {file.sha256}") from None


def check_fetched_output(path: Path) -> None:
    """Refuse an output that would be refused in the end, before anything is downloaded for it.

    Raises:
        OutputError: Something is there that must not be lost.
    """
    if path.suffix == ".tar":
        if path.is_dir():
            raise OutputError(f"{path} is a folder", hint="name another --output")
        return
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is not a folder", hint="name another --output, or one ending in .tar")
    if path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file():
        raise OutputError(
            f"{path} already holds something that crossdock did not write",
            why="it would be replaced",
            hint="name an empty or new folder with --output",
        )


def write_fetched(
    path: Path,
    files: Sequence[FetchedFile],
    answers: Sequence[Answer],
    store: Store,
    *,
    repositories: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write a set from files that are in the store; it appears whole or not at all.

    Args:
        path: The folder, or a path ending in ``.tar``. A folder that holds a set is replaced.
        files: What to write.
        answers: What the index said.
        store: Holds the files.
        repositories: The SHA-256 of a commit's git bundle, which is one of the files, by the commit.

    Raises:
        OutputError: It cannot be written, or would replace something else.
        MissingBlobError: The store does not hold a file.
    """
    check_fetched_output(path)
    distinct = {file.sha256: file for file in files}
    ordered = sorted(distinct.values(), key=lambda file: (file.name, file.sha256))
    _check_names(ordered)
    manifest = json.dumps(_manifest(ordered, answers, repositories), indent=1).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".partial") as name:
            made = Path(name) / "set"
            if path.suffix == ".tar":
                _write_tar(made, manifest, ordered, store)
                made.replace(path)
            else:
                _write_folder(made, manifest, ordered, store)
                if path.exists():
                    path.replace(Path(name) / "old")
                made.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path} cannot be written",
            why=f"{reason}: {error.filename}" if error.filename else reason,
            hint="name another --output, or make room",
        ) from None


def _check_names(files: Iterable[FetchedFile]) -> None:
    seen: dict[str, FetchedFile] = {}
    for file in files:
        other = seen.setdefault(file.name, file)
        if other is not file:
            raise OutputError(
                f"Two different files are called {file.name}",
                why=f"their SHA-256 are {other.sha256} and {file.sha256}",
                hint="fetch the targets one by one, each to an output of its own",
            )


def _manifest(
    files: Iterable[FetchedFile], answers: Iterable[Answer], repositories: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "schema_version": _VERSION,
        "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in files],
        "answers": [
            {
                "name": answer.name,
                "version": answer.version,
                "files": [
                    {"filename": file.filename, "sha256": file.sha256, "size": file.size} for file in answer.files
                ],
            }
            for answer in sorted(answers, key=lambda item: (item.name, item.version))
        ],
        "repositories": [{"commit": commit, "sha256": sha256} for commit, sha256 in sorted(repositories.items())],
    }


def _write_folder(folder: Path, manifest: bytes, files: Iterable[FetchedFile], store: Store) -> None:
    (folder / "files").mkdir(parents=True)
    for file in files:
        shutil.copyfile(store.path(file.sha256), folder / file.path)
    (folder / MANIFEST).write_bytes(manifest)


def _write_tar(path: Path, manifest: bytes, files: Iterable[FetchedFile], store: Store) -> None:
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, MANIFEST, len(manifest), io.BytesIO(manifest))
        for file in files:
            with store.path(file.sha256).open("rb") as source:
                _add(tar, file.path, file.size, source)


def _add(tar: tarfile.TarFile, name: str, size: int, source: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    tar.addfile(info, source)


def open_fetched(path: Path) -> FetchedSet:
    """Open a set.

    Raises:
        FetchedFilesError: There is none, or it is damaged.
    """
    if not path.exists():
        raise FetchedFilesError(f"There is no {path}", hint="name the folder or tar that `crossdock fetch` wrote")
    with _opened(path) as read:
        source = read(MANIFEST)
        if source is None:
            raise FetchedFilesError(
                f"{path} is no set of fetched files", why=f"it has no {MANIFEST}", hint=f"{_AGAIN} {path}"
            )
        with source:
            data = source.read(_MAX_MANIFEST_BYTES + 1)
    if len(data) > _MAX_MANIFEST_BYTES:
        raise _damaged(path, f"{MANIFEST} is larger than {_MAX_MANIFEST_BYTES >> 20} MiB")
    try:
        return _parse(path, json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"{MANIFEST} is not what crossdock writes: {type(error).__name__}") from None


def _parse(path: Path, document: dict[str, Any]) -> FetchedSet:
    if document["schema_version"] != _VERSION:
        raise FetchedFilesError(
            f"{path} is of version {str(document['schema_version'])[:20]}, which this crossdock does not read",
            hint=f"use the crossdock that wrote it, or {_AGAIN}",
        )
    files = [_file(entry) for entry in document["files"]]
    answers = [
        Answer(
            name=str(entry["name"]),
            version=str(entry["version"]),
            files=tuple(
                LockedFile(
                    filename=_checked(_NAME, item["filename"]),
                    sha256=_checked(_SHA256, item["sha256"]),
                    size=None if item["size"] is None else int(item["size"]),
                )
                for item in entry["files"]
            ),
        )
        for entry in document["answers"]
    ]
    by_sha256 = {file.sha256: file for file in files}
    return FetchedSet(
        path=path,
        files=by_sha256,
        answers={(answer.name, answer.version): answer for answer in answers},
        repositories=dict(_repository(entry, by_sha256) for entry in document["repositories"]),
    )


def _file(entry: Mapping[str, Any]) -> FetchedFile:
    name = _checked(_NAME, str(entry["path"]).removeprefix("files/"))
    return FetchedFile(name=name, sha256=_checked(_SHA256, entry["sha256"]), size=int(entry["size"]))


def _repository(entry: Mapping[str, Any], files: Mapping[str, FetchedFile]) -> tuple[str, str]:
    return _checked(_COMMIT, entry["commit"]), files[entry["sha256"]].sha256


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text) or ".." in text:
        raise ValueError(text)
    return text


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Give what opens a file of the set by its path in it, or None where there is no such regular file."""
    if path.is_dir():
        yield lambda name: (path / name).open("rb") if (path / name).is_file() else None
        return
    try:
        with tarfile.open(path, "r:") as tar:
            members = {member.name: member for member in tar if member.isreg()}
            yield lambda name: tar.extractfile(members[name]) if name in members else None
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _damaged(path, f"it cannot be read as a folder or tar: {error}") from None


def _damaged(path: Path, why: str) -> FetchedFilesError:
    return FetchedFilesError(f"{path} is damaged", why=why, hint=f"{_AGAIN} {path}, or copy it once more")
