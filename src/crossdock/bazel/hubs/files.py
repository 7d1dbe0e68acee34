"""The files of locks that hold hashes alone, for which the index has to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.choosing.survey import find_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.locks import LockedFile, Package
    from crossdock.services import Services

    Candidates = Callable[[Package], tuple[LockedFile, ...]]

__all__ = ["candidates_for"]


def candidates_for(inputs: Inputs, services: Services) -> Candidates:
    """Find the files of packages that the lock knows by hashes alone; other locks need no network.

    Raises:
        StoreError: The index gave no answer that can be used.
        OfflineError: It may not be asked, and was not before.
    """
    packages = [package for package in inputs.lock.packages if package.hashes]
    files = find_files(inputs.project_lock, packages, services) if packages else {}
    return files.__getitem__
