"""Bases put together from Debian packages, distroless-style: no shell, no package manager, no maintainer script run."""

from crossdock.bases.debian.base import debian_entries, debian_requests, facts, lock_debian, suite_of
from crossdock.bases.debian.config import DebianConfig
from crossdock.lockfile.bases import LockedDebianBase, LockedPackage

__all__ = [
    "DebianConfig",
    "LockedDebianBase",
    "LockedPackage",
    "debian_entries",
    "debian_requests",
    "facts",
    "lock_debian",
    "suite_of",
]
