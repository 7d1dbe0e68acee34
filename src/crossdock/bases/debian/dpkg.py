"""dpkg's own records, so that scanners see which packages an image holds.

Formats: /var/lib/dpkg/status as dpkg(1) writes it, and the ``.list`` and ``.md5sums`` files beside it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import DebError
from crossdock.layers.entry import directory, file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.bases.debian.deb import Deb
    from crossdock.layers.entry import Entry
    from crossdock.lockfile.bases import LockedPackage

__all__ = ["Installed", "control_fields", "dpkg_records", "installed"]

_FOLDER = "var/lib/dpkg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One package's records: its stanza of the status file, and its two lists under ``record_name``."""

    record_name: str
    stanza: str
    file_list: str
    md5sums: str


def control_fields(deb: Deb, package: LockedPackage) -> dict[str, str]:
    """Read a package's control file, and check that it is the package it should be.

    Raises:
        DebError: The file is another package, or its control file holds more than one stanza.
    """
    from debian.deb822 import Deb822

    if "" in (line.strip() for line in deb.control.strip().splitlines()):
        raise DebError(f"the control file of {package.name} has an empty line")
    fields = dict(Deb822(deb.control).items())
    for field, wanted in (
        ("Package", package.name),
        ("Version", package.version),
        ("Architecture", package.architecture),
    ):
        if fields.get(field) != wanted:
            raise DebError(
                f"{package.filename} is not the package {package.name} {package.version}",
                why=f"its {field} is {fields.get(field)!r}, wanted {wanted!r}",
                hint="run `crossdock lock` again",
            )
    return fields


def installed(deb: Deb, package: LockedPackage, kept: Sequence[Entry]) -> Installed:
    """Make the records of one package, of which the entries ``kept`` are in the image."""
    fields = control_fields(deb, package)
    paths = {entry.path for entry in kept}
    same = fields.get("Multi-Arch") == "same"
    return Installed(
        record_name=f"{package.name}:{package.architecture}" if same else package.name,
        stanza=_stanza(deb, kept),
        file_list="".join(f"/{path}\n" for path in [".", *(entry.path for entry in kept)]),
        md5sums="".join(f"{md5}  {path}\n" for path, md5 in deb.md5sums.items() if path in paths),
    )


def _stanza(deb: Deb, kept: Sequence[Entry]) -> str:
    first, *rest = deb.control.strip().splitlines()
    lines = [first, "Status: install ok installed", *rest]
    contents = {f"/{entry.path}": entry.content for entry in kept if entry.kind == "file"}
    conffiles = [path for path in deb.conffiles if path in contents]
    if conffiles:
        lines.append("Conffiles:")
        # dpkg's format asks for MD5 here; nothing relies on it for security.
        lines += [f" {path} {hashlib.md5(contents[path], usedforsecurity=False).hexdigest()}" for path in conffiles]
    return "\n".join(lines) + "\n"


def dpkg_records(packages: Sequence[Installed]) -> list[Entry]:
    """Make dpkg's folder for ``packages``, which come sorted by name."""
    entries = [
        directory(_FOLDER),
        directory(f"{_FOLDER}/info"),
        file(f"{_FOLDER}/status", "\n".join(package.stanza for package in packages).encode()),
    ]
    for package in packages:
        record = f"{_FOLDER}/info/{package.record_name}"
        entries.append(file(f"{record}.list", package.file_list.encode()))
        if package.md5sums:
            entries.append(file(f"{record}.md5sums", package.md5sums.encode()))
    return entries
