"""The distributions in an artifact, as their own metadata describes them.

Implements the reading side of "Recording installed projects" and "Core metadata" (packaging.python.org).
"""

from __future__ import annotations

import csv
import posixpath
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Distribution", "Recorded", "installed_ones", "read_distributions"]

_METADATA: Final = re.compile(
    r"(?P<folder>(?:.*/)?(?P<name>[^/]+)\.(?:dist-info|egg-info))/(?:METADATA|PKG-INFO|WHEEL|RECORD)"
)
_LONGEST_SIZE: Final = 20


class Recorded(NamedTuple):
    """One line of a RECORD.

    Attributes:
        path: Inside the artifact.
        algorithm: Of the hash; empty without one.
        hash: urlsafe base64 without padding, as it is written there.
        size: Bytes, or None if not said.
    """

    path: str
    algorithm: str
    hash: str
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution.

    Attributes:
        folder: Its ``.dist-info`` (or ``.egg-info``) folder.
        name: Normalised.
        version: As it is written.
        requires: Requires-Dist.
        extras: Provides-Extra, as written.
        tags: The Tag lines of WHEEL; None if there is no WHEEL.
        pure: Root-Is-Purelib; None if there is no WHEEL.
        record: The lines of its RECORD; None if there is none.
        label: Name and version for people.
    """

    folder: str
    name: str
    version: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    pure: bool | None = None
    record: tuple[Recorded, ...] | None = None

    @property
    def site(self) -> str:
        """The folder it is installed in; empty for the artifact's root."""
        return posixpath.dirname(self.folder)

    @property
    def label(self) -> str:
        """Name and version, for people: ``numpy 2.1.0``."""
        return f"{self.name} {self.version}"


def read_distributions(texts: Mapping[str, str]) -> tuple[Distribution, ...]:
    """Read all distributions whose metadata is among the texts of an artifact, by order of their folders."""
    folders: dict[str, str] = {}
    for path in texts:
        if match := _METADATA.fullmatch(path):
            folders.setdefault(match["folder"], match["name"])
    return tuple(_read(folder, name, texts) for folder, name in sorted(folders.items()))


def _read(folder: str, stem: str, texts: Mapping[str, str]) -> Distribution:
    parser = HeaderParser()
    metadata = parser.parsestr(texts.get(f"{folder}/METADATA") or texts.get(f"{folder}/PKG-INFO") or "")
    wheel = parser.parsestr(texts[f"{folder}/WHEEL"]) if f"{folder}/WHEEL" in texts else None
    name, _, version = stem.partition("-")
    record = texts.get(f"{folder}/RECORD")
    return Distribution(
        folder=folder,
        name=canonicalize_name(str(metadata.get("Name") or name).strip()),
        version=str(metadata.get("Version") or version.partition("-py")[0]).strip(),
        requires=_all(metadata.get_all("Requires-Dist")),
        extras=_all(metadata.get_all("Provides-Extra")),
        tags=None if wheel is None else _all(wheel.get_all("Tag")),
        pure=None if wheel is None else str(wheel.get("Root-Is-Purelib", "")).strip().lower() == "true",
        record=None if record is None else tuple(_recorded(posixpath.dirname(folder), record)),
    )


def installed_ones(distributions: Iterable[Distribution]) -> tuple[Distribution, ...]:
    """Leave out the distributions that another one carries in itself, as setuptools does: they are its own affair."""
    listed = list(distributions)
    folders = {distribution.folder for distribution in listed}
    carried: set[str] = set()
    for distribution in listed:
        for line in distribution.record or ():
            if line.path.endswith(("/METADATA", "/PKG-INFO")):
                folder = posixpath.dirname(line.path)
                if folder != distribution.folder and folder in folders:
                    carried.add(folder)
    return tuple(
        distribution
        for distribution in listed
        if distribution.folder not in carried and "/_vendor/" not in f"/{distribution.folder}"
    )


def _all(values: list[str] | None) -> tuple[str, ...]:
    return tuple(str(value).strip() for value in values or ())


def _recorded(site: str, text: str) -> Iterator[Recorded]:
    rows = csv.reader(text.replace("\0", "").splitlines())
    prefix = f"{site}/" if site else ""
    while True:
        try:
            for row in rows:
                if row and row[0]:
                    yield _line(prefix, row)
            return
        except csv.Error:
            continue


def _line(prefix: str, row: list[str]) -> Recorded:
    path = row[0]
    if path[0] in "/." or "/." in path or "\\" in path or "//" in path:
        # An absolute path is one of the machine it was installed on; in an artifact that is its root.
        path = posixpath.normpath(posixpath.join("/", prefix, path.replace("\\", "/"))).lstrip("/")
    else:
        path = prefix + path
    algorithm, _, digest = row[1].partition("=") if len(row) > 1 else ("", "", "")
    size = row[2] if len(row) > 2 else ""
    return Recorded(
        path,
        algorithm.strip().lower(),
        digest.strip().rstrip("="),
        int(size) if size.isascii() and size.isdigit() and len(size) < _LONGEST_SIZE else None,
    )
