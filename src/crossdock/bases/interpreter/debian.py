"""Python from Debian's packages, over a base that has none.

On ``scratch`` that is the same as a Debian base. Over an image of the same suite the layer only adds: programs and
libraries below /usr come from the packages, while the base's settings, users and package records stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from crossdock.bases.debian.base import TREE_VERSION, debian_entries, facts
from crossdock.errors import InterpreterError
from crossdock.layers.cached import tree_recipe
from crossdock.layers.entry import directory, file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.layers.cached import LayerRecipe
    from crossdock.layers.entry import Entry
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store

__all__ = ["SCRATCH", "check_suite", "debian_over_facts", "debian_over_recipe", "over_entries"]

SCRATCH = "scratch"
#: Raised whenever the same packages give other entries.
_OVER_VERSION = 1

_STATUS = "var/lib/dpkg/status"
_SCANNED = "var/lib/dpkg/status.d"
# Of /etc, what the interpreter itself reads: sitecustomize.py is a link to there.
_KEPT = re.compile(r"usr/.+|etc/python3\.[0-9]+(?:/.*)?")
# For the folders of the base, not for programs: certificates are the base's to choose.
_LEFT = re.compile(r"usr/lib/ssl/.*|usr/share/ca-certificates(?:/.*)?|usr/lib/os-release")


def check_suite(suite: str, base_name: str, base: BaseFacts) -> None:
    """Check that Debian's packages of a suite may be laid over a base.

    Args:
        suite: Such as ``bookworm``.
        base_name: Names the base, as configured.
        base: What the base brings.

    Raises:
        InterpreterError: The base is another system, or another release of Debian.
    """
    if base_name == SCRATCH:
        return
    system, codename = base.os_release.get("ID", ""), base.os_release.get("VERSION_CODENAME", "")
    if system == "debian" and codename == suite and base.libc == "glibc":
        return
    is_ = f"Debian {codename}" if system == "debian" and codename else base.os_release.get("PRETTY_NAME") or system
    raise InterpreterError(
        f"the packages of debian:{suite} cannot be laid over {base_name}",
        why=f"{base_name} is {is_}; files of the two systems would be mixed"
        if is_
        else f"{base_name} does not say in /etc/os-release that it is Debian {suite}",
        hint=f'write interpreter = "debian:{codename}"'
        if system == "debian" and codename
        else f'take the archive of a standalone Python, or base = "debian:{suite}"',
    )


def debian_over_facts(base: BaseFacts, locked: LockedDebianBase, *, base_name: str) -> BaseFacts:
    """Give what an image has to offer once the packages are laid over its base.

    Raises:
        InterpreterError: They may not be laid over this base.
        BaseFactsError: The packages do not say which Python and which libc they bring.
    """
    check_suite(locked.name.removeprefix("debian:"), base_name, base)
    own = facts(locked)
    if base_name == SCRATCH:
        return own
    return replace(
        base,
        libc="glibc",
        libc_version=own.libc_version,  # libc6 is among the packages, and its files are on top
        python_version=own.python_version,
        python_path=own.python_path,
    )


def debian_over_recipe(locked: LockedDebianBase, store: Store) -> LayerRecipe:
    """Give the recipe of the layer that goes over an image; ``scratch`` takes that of a Debian base in its place."""
    listed = [[package.name, package.version, package.sha256] for package in locked.packages]
    inputs: JSON = [_OVER_VERSION, TREE_VERSION, locked.architecture, *listed]
    return tree_recipe("debian-over", inputs, lambda: over_entries(debian_entries(locked, store)), encode=True)


def over_entries(entries: list[Entry]) -> Iterator[Entry]:
    """Leave out, of the entries of a Debian base, what an image of the same suite has to decide itself.

    dpkg's record becomes one file for each package in a folder that scanners look at too: the base's own stays.
    """
    records = _records(next((entry.content for entry in entries if entry.path == _STATUS), b""))
    kept = [entry for entry in entries if _KEPT.fullmatch(entry.path) and not _LEFT.fullmatch(entry.path)]
    taken = {entry.path: entry for entry in (*kept, *records)}
    for path in list(taken):
        while path := path.rpartition("/")[0]:
            taken.setdefault(path, directory(path))
    yield from sorted(taken.values(), key=lambda entry: entry.path.split("/"))


def _records(status: bytes) -> Iterator[Entry]:
    for stanza in status.split(b"\n\n"):
        name = re.match(rb"Package: ([a-z0-9][a-z0-9+.-]*)\n", stanza)
        if name:
            yield file(f"{_SCANNED}/{name[1].decode()}", stanza.rstrip(b"\n") + b"\n")
