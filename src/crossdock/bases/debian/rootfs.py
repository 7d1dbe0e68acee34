"""From package files to one root file system: merged-/usr, no maintainer script run, the same bytes every time."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from crossdock.bases.debian.dpkg import control_fields, dpkg_records, installed
from crossdock.bases.debian.packages import parse_dependencies
from crossdock.bases.debian.system_files import MERGED, fixed_entries, generated_files, merged_links
from crossdock.errors import DebError
from crossdock.layers.entry import Entry, directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.bases.debian.deb import Deb
    from crossdock.lockfile.bases import LockedPackage

__all__ = ["is_left_out", "lay_out", "merged_path"]

# For people at a terminal, for other packages' scripts, or for the archive's own checks.
_LEFT_OUT_FOLDERS = (
    "etc/profile.d",
    "etc/update-motd.d",
    "usr/share/base-files",
    "usr/share/bug",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
)
_DOC = "usr/share/doc/"


def merged_path(path: str) -> str:
    """Move a path of the old layout (``lib/...``) to where it is since /bin, /lib and /sbin are links."""
    return f"usr/{path}" if path.split("/", 1)[0] in MERGED else path


def is_left_out(entry: Entry) -> bool:
    """Tell whether a package's file stays out of the image; licences (``copyright`` files) never do."""
    path = entry.path
    if any(path == folder or path.startswith(f"{folder}/") for folder in _LEFT_OUT_FOLDERS):
        return True
    if "__pycache__" in path.split("/"):
        return True
    if not path.startswith(_DOC):
        return False
    if entry.kind == "directory":
        return True  # it comes back as the parent of what is kept
    # A package may share another's folder by a link: usr/share/doc/NAME -> OTHER.
    shared_folder = entry.kind == "symlink" and path.count("/") == _DOC.count("/")
    return posixpath.basename(path) != "copyright" and not shared_folder


def lay_out(packages: Iterable[tuple[LockedPackage, Deb]]) -> list[Entry]:
    """Put packages together to the entries of a root file system, sorted, every parent before its children.

    Args:
        packages: Each package with its contents, sorted by name; read one at a time.

    Raises:
        DebError: Two packages ship different files at one path, or a path leads through something not a folder.
    """
    tree = _Tree()
    for entry in fixed_entries():
        tree.entries[entry.path] = entry
    records = []
    for package, deb in packages:
        kept = [entry for entry in _plain_files(deb, package) if not is_left_out(entry)]
        records.append(installed(deb, package, kept))
        tree.add_package(package, deb, kept)
    generated = [*generated_files(tree.entries), *dpkg_records(records)]
    for entry in generated:
        tree.entries.setdefault(entry.path, entry)
    tree.add_parents()
    # Only now is it known which folders there are for the old names to link to.
    for entry in merged_links(tree.entries):
        tree.entries[entry.path] = entry
    return sorted(tree.entries.values(), key=lambda entry: entry.path.split("/"))


def _plain_files(deb: Deb, package: LockedPackage) -> list[Entry]:
    """Replace hard links by files: the name they link to may be left out, or come later in the sorted tree."""
    files = {entry.path: entry for entry in deb.entries if entry.kind == "file"}
    plain = []
    for entry in deb.entries:
        if entry.kind != "hardlink":
            plain.append(entry)
        elif entry.linkname in files:
            plain.append(replace(files[entry.linkname], path=entry.path))
        else:
            raise DebError(f"{package.filename}: the hard link {entry.path} leads to no file of the package")
    return plain


class _Tree:
    """The entries so far by path, and which package each file is from."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._owners: dict[str, str] = {}
        self._replaces: dict[str, frozenset[str]] = {}

    def add_package(self, package: LockedPackage, deb: Deb, kept: Iterable[Entry]) -> None:
        fields = control_fields(deb, package)
        groups = parse_dependencies(fields.get("Replaces", ""))
        self._replaces[package.name] = frozenset(item.name for group in groups for item in group)
        for entry in kept:
            if entry.path in MERGED and entry.kind != "file":
                continue  # the folder or link itself; its place is fixed
            self._add(replace(entry, path=merged_path(entry.path)), package.name)

    def _add(self, entry: Entry, owner: str) -> None:
        present = self.entries.get(entry.path)
        if present is None or self._may_replace(present, entry, owner):
            self.entries[entry.path] = entry
            self._owners[entry.path] = owner

    def _may_replace(self, present: Entry, entry: Entry, owner: str) -> bool:
        if present == entry or (entry.kind == "directory" and present.kind in {"directory", "symlink"}):
            return False  # as dpkg does: a package's folder may be a link to a folder here
        other = self._owners.get(entry.path, "")
        if other in self._replaces.get(owner, ()):
            return True
        if owner in self._replaces.get(other, ()):
            return False
        raise DebError(
            f"the packages {other or 'of the base'} and {owner} both bring /{entry.path}",
            why="their contents differ, and neither says that it replaces the other",
            hint="leave one of them out of the configuration's packages",
        )

    def add_parents(self) -> None:
        for path in list(self.entries):
            parent = posixpath.dirname(path)
            while parent:
                present = self.entries.setdefault(parent, directory(parent))
                if present.kind != "directory":
                    raise DebError(
                        f"/{path} lies below /{parent}, which is no folder", why=f"it comes from {self._owner(path)}"
                    )
                parent = posixpath.dirname(parent)

    def _owner(self, path: str) -> str:
        return f"package {self._owners[path]}" if path in self._owners else "the base itself"
