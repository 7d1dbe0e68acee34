"""What a project sets for single packages: its files are read here, and what they come to is put into the lock."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from crossdock.errors import MalformedLockError
from crossdock.locks.model import LockedFile
from crossdock.locks.overrides import override, override_error

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.locks.model import Lock
    from crossdock.locks.overrides import Override
    from crossdock.projects.project import Project
    from crossdock.wheels.patch import Patch

__all__ = ["overridden", "override_json", "read_patches"]

_LARGEST_PATCH = 16 << 20


def overridden(project: Project, lock: Lock) -> Lock:
    """Apply a project's settings for packages to its lock.

    Local wheels are read for their hashes, and patches for being some; what they change is seen when there is a wheel.

    Raises:
        OverrideError: A setting applies to nothing or cannot be applied, or a file it names cannot be read.
        WheelError: A local wheel is damaged, unsafe or not supported.
        IndexConfigError: No index has the name or URL that is set.
    """
    overrides = project.config.overrides
    if not overrides:
        return lock
    indexes = {name: _index(project, item) for name, item in overrides.items() if item.index is not None}
    wheels = {name: _wheels(project, item) for name, item in overrides.items() if item.wheels}
    result = override(lock, overrides, wheels=wheels, indexes=indexes)
    for item in overrides.values():
        read_patches(project, item)
    return result


def read_patches(project: Project, item: Override) -> tuple[Patch, ...]:
    """Read the patches of a package, in their order.

    Raises:
        OverrideError: One cannot be read, or is not a patch.
    """
    from crossdock.wheels.patch import parse_patch

    patches = []
    for text in item.patches:
        path = _file(project, item, "patches", text)
        if path.stat().st_size > _LARGEST_PATCH:
            raise override_error(item, f"patches: {text} is larger than {_LARGEST_PATCH >> 20} MiB")
        try:
            patches.append(parse_patch(path.read_bytes(), text))
        except OSError as error:
            raise override_error(item, f"patches: {text} cannot be read", why=error.strerror or str(error)) from None
    return tuple(patches)


def override_json(project: Project, lock: Lock, name: str) -> dict[str, Any] | None:
    """Give what is set for a package, with the hashes of the files it names; None if nothing is.

    Args:
        project: The project.
        lock: Its lock, after `overridden`.
        name: Normalised name of the package.
    """
    item = project.config.overrides.get(name)
    if item is None:
        return None
    from crossdock.store.urls import redact

    files = {file.path: file.sha256 for package in lock.packages if package.name == name for file in package.files}
    return {
        "wheel": [{"path": text, "sha256": files.get(str(project.root / text))} for text in item.wheels],
        "index": None if item.index is None else redact(item.index),
        "exclude": list(item.exclude),
        "patches": [
            {"path": text, "sha256": patch.sha256}
            for text, patch in zip(item.patches, read_patches(project, item), strict=True)
        ],
        "dependencies": [str(dependency) for dependency in item.dependencies],
        "ignore_dependencies": list(item.ignore_dependencies),
        "from_source": item.from_source,
    }


def _wheels(project: Project, item: Override) -> tuple[LockedFile, ...]:
    return tuple(_wheel(project, item, text) for text in item.wheels)


def _wheel(project: Project, item: Override, text: str) -> LockedFile:
    from crossdock.locks.fields import file_name
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.metadata import read_metadata

    path = _file(project, item, "wheel", text)
    try:
        filename = file_name(path.name, "")
    except MalformedLockError:
        raise override_error(item, f"wheel: {text} is not named as a wheel") from None
    if not filename.endswith(".whl"):
        raise override_error(item, f"wheel: {text} is not a wheel", why="its name does not end in .whl")
    try:
        with WheelArchive(path, filename) as archive:
            read_metadata(archive)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise override_error(item, f"wheel: {text} cannot be read", why=error.strerror or str(error)) from None
    return LockedFile(filename=filename, sha256=digest, size=size, path=str(path))


def _file(project: Project, item: Override, key: str, text: str) -> Path:
    path = project.root / text
    try:
        regular = path.is_file()
    except (OSError, ValueError):
        regular = False
    if not regular:
        raise override_error(
            item,
            f"{key}: there is no file {text}",
            why=f"paths are relative to {project.root}",
            hint="correct the path, or make the file",
        )
    return path


def _index(project: Project, item: Override) -> str:
    from crossdock.store.config import load_index_config

    url = load_index_config(project.root).resolve_index(item.index or "")
    if not url.startswith(("http://", "https://")):
        raise override_error(item, "index is not one on the web", why="only http and https URLs can be named here")
    return url
