"""An artifact as it is used: its layers, or parts, on top of each other.

Implements "Applying Changesets" of the OCI image specification, "Image Layer Filesystem Changeset".
"""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, Final

from crossdock.verify.distributions import installed_ones, read_distributions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.headers.binary import Binary
    from crossdock.verify.contents import Contents, FileSeen
    from crossdock.verify.distributions import Distribution

__all__ = ["Tree"]

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
#: As Linux: a path that leads through more links is taken for one without an end.
_MOST_LINKS: Final = 40


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
        layers: How many layers or parts there are.
    """

    def __init__(self, parts: Sequence[Contents]) -> None:
        self.entries: dict[str, FileSeen] = {}
        self.binaries: dict[str, Binary] = {}
        self.texts: dict[str, str] = {}
        self.shebangs: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.whole = all(part.whole for part in parts)
        self.files = sum(part.files for part in parts)
        self.layers = len(parts)
        self._links: dict[str, str] = {}
        self._folders: dict[str, str] = {"": ""}
        for part in parts:
            self._lay(part)

    def _lay(self, part: Contents) -> None:
        """Put a layer on top."""
        whiteouts = frozenset(part.whiteouts)
        hidden = {self._place(path) for path in whiteouts}
        if hidden and self.entries:
            self._hide(hidden)
        covered = [seen.path for seen in part.entries if seen.kind != "directory" and self._is_folder(seen.path)]
        if covered:
            self._remove(set(covered), keep_self=False)
        for seen in part.entries:
            if seen.path in whiteouts:
                continue
            path = self._place(seen.path)
            if path in self.entries:
                self._forget(path)
            self.entries[path] = seen if path == seen.path else seen._replace(path=path)
            if seen.kind == "symlink":
                self._links[path] = seen.link
                self._folders = {"": ""}
        self.binaries |= {self._place(path): binary for path, binary in part.binaries if path not in whiteouts}
        self.texts |= {self._place(path): text for path, text in part.texts.items() if path not in whiteouts}
        self.shebangs |= {self._place(path): line for path, line in part.shebangs.items() if path not in whiteouts}
        self.secrets |= {self._place(path): name for path, name in part.secrets if path not in whiteouts}

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
        for known in (self.entries, self.binaries, self.texts, self.shebangs, self.secrets):
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
            known = self._folders[folder] = self._followed(folder) or folder
        return known

    def _followed(self, path: str) -> str | None:
        """Follow all links in a path; None if that never ends or leads nowhere sensible."""
        done: list[str] = []
        todo = [name for name in reversed(path.split("/")) if name not in ("", ".")]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                done = done[:-1]
                continue
            here = "/".join((*done, name))
            target = self._links.get(here)
            if target is None:
                done.append(name)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            if target.startswith("/"):
                done = []
            todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]
        return "/".join(done)

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

    def natives(self) -> Iterator[tuple[str, Binary]]:
        """Give the programs, by path, in the order they were seen."""
        yield from self.binaries.items()
