"""Stub wheels: real wheels of real names with nothing in them, so that real installers choose offline and fast."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["LAST_RESORT", "last_resort", "make_stub", "stub_names"]

_NAMED = "FILENAME"
#: The tag that every Python 3 accepts, and ranks below all others.
LAST_RESORT = "py30-none-any"


def make_stub(folder: Path, filename: str) -> None:
    """Write a wheel of this name, unless it is there: metadata, and a file that says the wheel's own name."""
    path = folder / filename
    if path.exists():
        return
    name, version, _, tags = parse_wheel_filename(filename)
    # Installers compare with the file name as it is written, which may be neither normalised nor escaped.
    info = "-".join(filename.split("-")[:2]) + ".dist-info"
    tag_lines = "".join(f"Tag: {tag}\n" for tag in sorted(map(str, tags)))
    contents = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n{tag_lines}",
        _NAMED: filename,
    }
    contents["RECORD"] = "".join(f"{info}/{member},,\n" for member in (*contents, "RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(zipfile.ZipInfo(f"{info}/{member}"), text)


def last_resort(name: str, version: str) -> str:
    """Give the file name of a wheel that always fits but ranks last: who takes it found no other that fits."""
    return f"{name.replace('-', '_')}-{version}-{LAST_RESORT}.whl"


def stub_names(installed: Path) -> Iterable[str]:
    """Give the file names of the stubs that were installed into a folder."""
    for info in installed.glob("*.dist-info"):
        yield (info / _NAMED).read_text()
