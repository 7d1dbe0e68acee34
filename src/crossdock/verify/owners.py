"""Which package a path belongs to, as the artifact itself says.

Implements the reading side of "Recording installed projects" (packaging.python.org): RECORD in ``*.dist-info``.
"""

from __future__ import annotations

import csv
import posixpath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["distribution_of", "owned_paths"]

_SUFFIX: Final = ".dist-info"


def distribution_of(record_path: str) -> str | None:
    """Tell the distribution whose RECORD a path is: ``pydantic-core 2.1.0``; None if it is no such file."""
    folder, name = posixpath.split(record_path)
    if name != "RECORD" or not folder.endswith(_SUFFIX):
        return None
    project, dash, version = posixpath.basename(folder).removesuffix(_SUFFIX).partition("-")
    return f"{project.replace('_', '-')} {version}" if project and dash and version else None


def owned_paths(record_path: str, record: bytes, wanted: Collection[str]) -> Iterable[str]:
    """Yield those of the wanted paths that a RECORD lists.

    Args:
        record_path: Where in the artifact it is; its entries are relative to the folder above that.
        record: Its content; lines that are not CSV are passed over.
        wanted: Paths inside the artifact, without a leading slash.
    """
    site = posixpath.dirname(posixpath.dirname(record_path))
    rows = csv.reader(record.decode("utf-8", "surrogateescape").replace("\0", "").splitlines())
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            continue
        if row and (path := posixpath.normpath(posixpath.join("/", site, row[0])).lstrip("/")) in wanted:
            yield path
