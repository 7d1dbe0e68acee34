"""An artifact as it is used: its layers, or parts, on top of each other.

Implements "Applying Changesets" of the OCI image specification, "Image Layer Filesystem Changeset".
"""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from crossdock.verify.distributions import installed_ones, read_distributions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.headers.binary import Binary
    from crossdock.verify.contents import Contents, FileSeen
    from crossdock.verify.distributions import Distribution

__all__ = ["Tree"]

_Value = TypeVar("_Value")

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
#: As Linux: a path that leads through more links is taken for one without an end.
_MOST_LINKS: Final = 40
#: As Linux (PATH_MAX): what has a longer name cannot be opened by it.
_LONGEST_PATH: Final = 4096


class Tree:
    """What is where in an artifact, once upper layers have replaced and hidden what lower ones have.

    Attributes:
        entries: By path, without whiteouts.
        binaries: The programs, by path.
        texts: What small descriptive files say, by path.
        shebangs: The first lines of scripts, by path.
        secrets: What looks like a secret, by path.
        whole: Whether everything is known; False where of a part only a summary is left.
        files: How many files were looked at, hidden ones included.
        unread: Files that should be among the texts and are too large to be, by path.
        layers: How many layers or parts there are.

    Args:
        parts: Lowest first.
        whiteouts: Whether whiteout files mean anything; in a bundle they are files like any other.
    """

    def __init__(self, parts: Sequence[Contents], *, whiteouts: bool = True) -> None:
        self.entries: dict[str, FileSeen] = {}
        self.binaries: dict[str, Binary] = {}
        self.texts: dict[str, str] = {}
        self.shebangs: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.unread: dict[str, None] = {}
        self.whole = all(part.whole for part in parts)
        self.files = sum(part.files for part in parts)
        self.layers = len(parts)
        self._links: dict[str, str] = {}
        #: All folders that anything was ever in, also those that no entry names.
        self._parents: set[str] = set()
        self._folders: dict[str, str] = {"": ""}
        for part in parts:
            self._lay(part, frozenset(part.whiteouts) if whiteouts else frozenset())

    def _lay(self, part: Contents, whiteouts: frozenset[str]) -> None:
        """Put a layer on top."""
        hidden = {self._place(path) for path in whiteouts}
        if hidden and self.entries:
            self._hide(hidden)
        self._cover(part, whiteouts)
        secrets = dict(part.secrets)
        for seen in part.entries:
            if seen.path in whiteouts:
                continue
            path = self._place(seen.path)
            if path in self.entries:
                self._forget(path)
            placed = self._linked(seen, path, part, secrets) if seen.kind == "hardlink" else seen
            self.entries[path] = placed if path == seen.path else placed._replace(path=path)
            self._note_folders(path)
            if seen.kind == "symlink":
                self._links[path] = seen.link
                self._folders = {"": ""}
        self.binaries |= {self._place(path): binary for path, binary in part.binaries if path not in whiteouts}
        self.texts |= {self._place(path): text for path, text in part.texts.items() if path not in whiteouts}
        self.shebangs |= {self._place(path): line for path, line in part.shebangs.items() if path not in whiteouts}
        self.secrets |= {self._place(path): name for path, name in secrets.items() if path not in whiteouts}
        self.unread |= {self._place(path): None for path in part.unread if path not in whiteouts}

    def _cover(self, part: Contents, whiteouts: frozenset[str]) -> None:
        """Forget folders that a layer has something else in the place of, and all in them."""
        if not self.entries:
            return
        others = (self._place(seen.path) for seen in part.entries if seen.kind != "directory")
        covered = {path for path in others if path in self._parents or self._is_folder(path)} - whiteouts
        if covered:
            self._remove(covered, keep_self=False)

    def _linked(self, seen: FileSeen, path: str, part: Contents, secrets: Mapping[str, str]) -> FileSeen:
        """Give a hard link all that is known of the file it is another name of: that one may be hidden further up."""
        behind = self._place(seen.link)
        target = self.entries.get(behind)
        if target is None:
            return seen
        # Of a lower layer's file, or of one that came before in the same layer.
        _copy(self.binaries, behind, path)
        for known, own in (
            (self.texts, part.texts),
            (self.shebangs, part.shebangs),
            (self.secrets, secrets),
        ):
            _copy(known, behind, path)
            if seen.link in own:
                known[path] = own[seen.link]
        return seen._replace(size=target.size, sha256=target.sha256)

    def _note_folders(self, path: str) -> None:
        at = path.rfind("/")
        while at > 0 and path[:at] not in self._parents:
            self._parents.add(path[:at])
            at = path.rfind("/", 0, at)

    def _is_folder(self, path: str) -> bool:
        below = self.entries.get(path)
        return below is not None and below.kind == "directory"

    def _hide(self, whiteouts: set[str]) -> None:
        names, opaque = set(), set()
        for path in whiteouts:
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                opaque.add(folder)
            else:
                names.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        self._remove(names, keep_self=False)
        self._remove(opaque, keep_self=True)

    def _remove(self, paths: set[str], *, keep_self: bool) -> None:
        """Forget paths and all below them."""

        def is_gone(path: str) -> bool:
            if path in paths:
                return not keep_self
            at = path.rfind("/")
            while at > 0:
                if path[:at] in paths:
                    return True
                at = path.rfind("/", 0, at)
            return "" in paths and bool(path)

        for path in [path for path in self.entries.keys() | self.binaries.keys() if is_gone(path)]:
            self._forget(path)

    def _forget(self, path: str) -> None:
        for known in (self.entries, self.binaries, self.texts, self.shebangs, self.secrets, self.unread):
            known.pop(path, None)
        if self._links.pop(path, None) is not None:
            self._folders = {"": ""}

    def _place(self, path: str) -> str:
        """Give where a path really is: the folders above it may be links."""
        if not self._links:
            return path
        folder, _, name = path.rpartition("/")
        real = self._real_folder(folder)
        return path if real == folder else f"{real}/{name}".lstrip("/")

    def _real_folder(self, folder: str) -> str:
        known = self._folders.get(folder)
        if known is None:
            found = self._followed(folder)
            known = self._folders[folder] = folder if found is None else found
        return known

    def _followed(self, path: str) -> str | None:
        """Follow all links in a path; None if that never ends or leads nowhere sensible."""
        if len(path) > _LONGEST_PATH:
            return None
        done = ""
        todo = [name for name in reversed(path.split("/")) if name not in ("", ".")]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                done = done.rpartition("/")[0]
                continue
            here = f"{done}/{name}" if done else name
            target = self._links.get(here)
            if target is None:
                done = here
                continue
            links += 1
            if links > _MOST_LINKS or len(target) > _LONGEST_PATH:
                return None
            if target.startswith("/"):
                done = ""
            todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]
        return done

    def resolve(self, path: str) -> str | None:
        """Give the path of the file or folder that a path leads to, all links followed; None if nothing is there."""
        found = self._followed(path)
        if found is None:
            return None
        seen = self.entries.get(found)
        if seen is None:
            return found if found in self.binaries or found in self._all_folders else None
        return found

    @cached_property
    def _all_folders(self) -> frozenset[str]:
        """All folders, also those that no entry names."""
        found: set[str] = {""}
        for path in self.entries:
            at = path.rfind("/")
            while at > 0 and path[:at] not in found:
                found.add(path[:at])
                at = path.rfind("/", 0, at)
        return frozenset(found)

    def names_in(self, folder: str) -> frozenset[str]:
        """Give the names of what lies directly in a folder, by its real path."""
        return self._children.get(folder, frozenset())

    @cached_property
    def _children(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for path in self.entries.keys() | self.binaries.keys():
            folder, _, name = path.rpartition("/")
            found.setdefault(folder, set()).add(name)
        return {folder: frozenset(names) for folder, names in found.items()}

    @cached_property
    def distributions(self) -> tuple[Distribution, ...]:
        """The distributions in it, by order of their folders."""
        return read_distributions(self.texts)

    @cached_property
    def installed(self) -> tuple[Distribution, ...]:
        """The distributions that are there to be imported: without those that others carry in themselves."""
        return installed_ones(self.distributions)

    @cached_property
    def owners(self) -> Mapping[str, Distribution]:
        """The distribution whose RECORD lists a path; of several the first."""
        found: dict[str, Distribution] = {}
        for distribution in self.distributions:
            for line in distribution.record or ():
                found.setdefault(line.path, distribution)
        return found

    def package_of(self, path: str) -> str | None:
        """Name the distribution that a file belongs to, for people: ``numpy 2.1.0``; None if no RECORD lists it."""
        owner = self.owners.get(path)
        return owner.label if owner else None


def _copy(known: dict[str, _Value], path: str, other: str) -> None:
    if path in known:
        known[other] = known[path]
