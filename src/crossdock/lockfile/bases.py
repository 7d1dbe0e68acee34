"""The exact packages of a base, as ``crossdock.lock`` keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from crossdock.errors import LockfileError

__all__ = ["Archive", "LockedDebianBase", "LockedPackage", "check_locked_package"]

Archive = Literal["debian", "debian-security"]

# Debian policy 5.6.1 and 5.6.12; a pool path has no epoch, hence no colon.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")
_FILENAME = re.compile(r"pool/(?:[A-Za-z0-9][A-Za-z0-9+._~-]*/)+[A-Za-z0-9][A-Za-z0-9+._~%-]*\.deb")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE_LIMIT = 2 * 1024 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One .deb file.

    Attributes:
        name: Package name.
        version: With epoch and revision.
        architecture: Debian's name for it, or ``all``.
        archive: Which of the two archives has the file.
        filename: Path below the archive's URL; it begins with ``pool/``.
        size: In bytes.
        sha256: Lower-case hexadecimal.
    """

    name: str
    version: str
    architecture: str
    archive: Archive
    filename: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDebianBase:
    """The packages of one base for one architecture.

    Attributes:
        name: As in the configuration, such as ``debian:bookworm``.
        architecture: OCI's name, such as ``arm64``.
        requested: The extra packages that were asked for, sorted.
        packages: Sorted by name.
        warnings: What a user should know about how the lock was made; not kept in the file.
    """

    name: str
    architecture: str
    requested: tuple[str, ...]
    packages: tuple[LockedPackage, ...]
    warnings: tuple[str, ...] = ()


def check_locked_package(package: LockedPackage) -> None:
    """Check the form of every field, so that none can lead out of the archive's pool.

    Raises:
        LockfileError: A field is malformed.
    """
    checks = {
        "name": _NAME.fullmatch(package.name),
        "version": _VERSION.fullmatch(package.version),
        "architecture": package.architecture in {"amd64", "arm64", "all"},
        "archive": package.archive in {"debian", "debian-security"},
        "filename": _FILENAME.fullmatch(package.filename),
        "size": 0 < package.size <= _SIZE_LIMIT,
        "sha256": _SHA256.fullmatch(package.sha256),
    }
    for field, good in checks.items():
        if not good:
            raise LockfileError(f"package {package.name}: bad {field} {getattr(package, field)!r}")
