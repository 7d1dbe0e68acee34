"""Unified diffs, applied exactly or not at all.

A patch is part of what a build is made of, like a lock: where the file is no longer the one it was written for, the
build stops. So hunks are neither moved nor applied to context that only resembles theirs, as other tools do, and line
endings are part of a line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.errors import OverrideError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FilePatch", "Hunk", "Patch", "apply_hunks", "parse_patch"]

_HUNK = re.compile(rb"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_NOTHING = "/dev/null"
#: What git says of a file that is not a change of its text.
_UNSUPPORTED = {
    b"old mode ": "changes a file's mode",
    b"rename ": "renames a file",
    b"copy ": "copies a file",
    b"GIT binary patch": "changes a binary file",
    b"Binary files ": "changes a binary file",
}
_FILE_MODES = {b"100644": False, b"100755": True}


@dataclass(frozen=True, slots=True)
class Hunk:
    """One change within a file.

    Attributes:
        number: Its place among the file's, from 1.
        start: Index of the first line it replaces.
        old: The lines that must be there, endings included.
        new: What takes their place.
    """

    number: int
    start: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePatch:
    """What a patch does to one file.

    Attributes:
        path: The file, without what -p1 strips.
        action: What becomes of it.
        executable: Whether a created file may be executed.
        hunks: Its changes, in the file's order.
    """

    path: str
    action: Literal["change", "create", "delete"]
    executable: bool = False
    hunks: tuple[Hunk, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A patch file.

    Attributes:
        name: What to call it in messages.
        sha256: Of its bytes.
        files: What it does, in its order.
    """

    name: str
    sha256: str
    files: tuple[FilePatch, ...]


def parse_patch(data: bytes, name: str) -> Patch:
    """Read a unified diff as ``diff -u`` and git write it.

    Where the old and the new name differ in their first folder alone (``a/`` and ``b/``), that folder is not part of
    the path (``-p1``); where they are the same, all of it is (``-p0``).

    Raises:
        OverrideError: It is none, is damaged, or does something other than to change, create and delete text files.
    """
    files = tuple(_Reader(data, name).read())
    if not files:
        raise OverrideError(f"{name} is not a patch", why="it changes no file", hint="make it with git diff or diff -u")
    return Patch(name=name, sha256=hashlib.sha256(data).hexdigest(), files=files)


def apply_hunks(content: bytes, file: FilePatch, patch: str) -> bytes:
    """Apply a file's changes to its content.

    Args:
        content: The file; empty for one that is created.
        file: What is done to it.
        patch: Names the patch in messages.

    Raises:
        OverrideError: A hunk's old lines are not exactly at its place.
    """
    lines = _lines(content)
    result: list[bytes] = []
    at = 0
    for hunk in file.hunks:
        end = hunk.start + len(hunk.old)
        if hunk.start < at or tuple(lines[hunk.start : end]) != hunk.old:
            raise _misfit(lines, at, hunk, file, patch)
        result += lines[at : hunk.start]
        result += hunk.new
        at = end
    result += lines[at:]
    if any(not line.endswith(b"\n") for line in result[:-1]) or (file.action == "delete" and result):
        why = "lines are left over" if file.action == "delete" else "it ends a line without a newline within the file"
        raise OverrideError(f"{patch} does not apply to {file.path}", why=why, hint="make the patch again")
    return b"".join(result)


def _lines(data: bytes) -> list[bytes]:
    """Split at newlines alone, which stay; splitlines() would split at carriage returns too."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _misfit(lines: Sequence[bytes], at: int, hunk: Hunk, file: FilePatch, patch: str) -> OverrideError:
    found = lines[hunk.start : hunk.start + len(hunk.old)]
    if hunk.start < at:
        why = "it overlaps the hunk before it"
    else:
        index = next((i for i, pair in enumerate(zip(found, hunk.old, strict=False)) if pair[0] != pair[1]), len(found))
        there = f"is {_shown(found[index])}" if index < len(found) else "does not exist"
        wants = _shown(hunk.old[index]) if index < len(hunk.old) else "the end of the file"
        why = f"line {hunk.start + index + 1} {there}, and the patch expects {wants}"
    hint = "make the patch again from the file in this wheel; patches are applied exactly, without fuzz or offset"
    if [line.replace(b"\r\n", b"\n") for line in found] == [line.replace(b"\r\n", b"\n") for line in hunk.old]:
        hint = "only line endings differ: keep the patch as it was made (in git: *.patch -text in .gitattributes)"
    return OverrideError(f"{patch} does not apply to {file.path}: hunk {hunk.number} does not fit", why=why, hint=hint)


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace")
    return repr(text if len(text) <= 80 else text[:80] + "…")


class _Reader:
    """Goes through a patch's lines once."""

    def __init__(self, data: bytes, name: str) -> None:
        self._lines = _lines(data if data.endswith(b"\n") else data + b"\n")
        self._name = name
        self._at = 0
        self._files: list[FilePatch] = []

    def read(self) -> list[FilePatch]:
        while self._at < len(self._lines):
            line = self._peek()
            if line.startswith(b"diff --git "):
                self._git()
            elif line.startswith(b"--- ") and self._peek(1)[:4] == b"+++ ":
                self._file(executable=False)
            elif line.startswith(b"@@ -"):
                raise self._malformed("a hunk belongs to no file")
            elif line.startswith(b"Binary files "):
                raise self._unsupported(_UNSUPPORTED[b"Binary files "])
            else:
                self._at += 1  # a description, or what git and diff say beside
        return self._files

    def _peek(self, ahead: int = 0) -> bytes:
        index = self._at + ahead
        return self._lines[index] if index < len(self._lines) else b""

    def _git(self) -> None:
        names = self._peek()[len(b"diff --git ") :].rstrip(b"\r\n")
        self._at += 1
        mode: bytes | None = None
        deleted = False
        while line := self._peek():
            for start, does in _UNSUPPORTED.items():
                if line.startswith(start):
                    raise self._unsupported(does)
            if line.startswith(b"new file mode "):
                mode = line.split()[-1]
            elif line.startswith(b"deleted file mode "):
                deleted = True
            elif not line.startswith((b"index ", b"similarity ", b"dissimilarity ")):
                break
            self._at += 1
        if mode is not None and mode not in _FILE_MODES:
            raise self._unsupported("creates what is not a regular file")
        if line.startswith(b"--- ") and self._belongs(names):
            self._file(executable=_FILE_MODES.get(mode or b"", False))
        elif mode is not None or deleted:  # an empty file has no hunks
            half = len(names) // 2
            old, new = self._decode(names[:half]), self._decode(names[half + 1 :])
            path, _ = self._path(old, new)
            action: Literal["create", "delete"] = "delete" if deleted else "create"
            self._files.append(FilePatch(path=path, action=action, executable=_FILE_MODES.get(mode or b"", False)))
        else:
            raise self._malformed(f"nothing follows {names[:80]!r}")

    def _belongs(self, names: bytes) -> bool:
        """Whether the lines --- and +++ here are of the file that git names; an empty file has none."""
        old, new = (self._peek(ahead)[4:].rstrip(b"\r\n").partition(b"\t")[0] for ahead in (0, 1))
        nothing = _NOTHING.encode()
        if old == nothing:
            return names.endswith(b" " + new)
        return names.startswith(old + b" ") if new == nothing else names == old + b" " + new

    def _file(self, *, executable: bool) -> None:
        old = self._decode(self._peek()[4:].rstrip(b"\r\n"))
        if not self._peek(1).startswith(b"+++ "):
            raise self._malformed("a line --- is followed by no line +++")
        new = self._decode(self._peek(1)[4:].rstrip(b"\r\n"))
        path, action = self._path(old, new)
        self._at += 2
        hunks: list[Hunk] = []
        while self._peek().startswith(b"@@ "):
            hunks.append(self._hunk(len(hunks) + 1))
        if not hunks:
            raise self._malformed(f"{path} has no hunk")
        line = self._peek()
        if line.startswith((b"+", b" ")) or (line.startswith(b"-") and not line.startswith((b"--- ", b"-- "))):
            raise self._malformed(f"the last hunk of {path} has more lines than its header says")
        if action == "create" and (len(hunks) > 1 or hunks[0].old):
            raise self._malformed(f"{path} is created, yet has old lines")
        self._files.append(FilePatch(path=path, action=action, executable=executable, hunks=tuple(hunks)))

    def _hunk(self, number: int) -> Hunk:
        match = _HUNK.match(self._peek())
        if match is None:
            raise self._malformed("the header of a hunk cannot be read")
        start, old_count, _, new_count = (1 if group is None else int(group) for group in match.groups())
        self._at += 1
        old: list[bytes] = []
        new: list[bytes] = []
        while len(old) < old_count or len(new) < new_count or self._peek().startswith(b"\\"):
            line = self._peek()
            kind, rest = line[:1], line[1:]
            if line in (b"\n", b"\r\n"):  # an empty line whose leading space an editor removed
                kind, rest = b" ", line
            if kind == b"\\":  # "\ No newline at end of file", of the line before
                previous = self._lines[self._at - 1][:1]
                for side, kinds in ((old, b"- "), (new, b"+ ")):
                    if side and previous in (b"-", b"+", b" ") and previous in kinds:
                        side[-1] = side[-1].removesuffix(b"\n")
            elif kind in (b" ", b"-", b"+"):
                old += [rest] if kind != b"+" else []
                new += [rest] if kind != b"-" else []
            else:
                raise self._malformed(f"hunk {number} ends early")
            self._at += 1
        if len(old) != old_count or len(new) != new_count:
            raise self._malformed(f"hunk {number} has more lines than its header says")
        if old_count and not start:
            raise self._malformed(f"hunk {number} starts at line 0")
        return Hunk(number, start - 1 if old_count else start, tuple(old), tuple(new))

    def _path(self, old: str, new: str) -> tuple[str, Literal["change", "create", "delete"]]:
        if old == _NOTHING and new != _NOTHING:
            return self._checked(new.removeprefix("b/")), "create"
        if new == _NOTHING and old != _NOTHING:
            return self._checked(old.removeprefix("a/")), "delete"
        rest = new.partition("/")[2]
        if old in (new, new + ".orig"):
            return self._checked(new), "change"
        if rest and old.partition("/")[2] in (rest, rest + ".orig"):
            return self._checked(rest), "change"
        raise self._unsupported(f"names two files, {old!r} and {new!r}")

    def _checked(self, path: str) -> str:
        parts = path.split("/")
        drive = len(parts[0]) > 1 and parts[0][1] == ":"
        if drive or "\\" in path or not path.isprintable() or any(part in ("", ".", "..") for part in parts):
            raise OverrideError(
                f"{self._name} changes {path!r}",
                why="that path leads out of the wheel, or cannot be one in it",
                hint="paths in a patch are relative to site-packages, as in a/NAME/module.py",
            )
        return path

    def _decode(self, raw: bytes) -> str:
        name = raw.partition(b"\t")[0]
        if name.startswith(b'"'):
            raise self._unsupported("quotes a file's name")
        try:
            return name.decode()
        except UnicodeDecodeError:
            raise self._malformed(f"the name {name[:80]!r} is not UTF-8") from None

    def _malformed(self, why: str) -> OverrideError:
        return OverrideError(
            f"{self._name} is not a patch that can be read",
            why=f"line {self._at + 1}: {why}",
            hint="make it again with git diff or diff -u, and do not edit it by hand",
        )

    def _unsupported(self, does: str) -> OverrideError:
        return OverrideError(
            f"{self._name} {does}",
            why=f"line {self._at + 1}; a patch may change, create and delete text files only",
            hint="build a wheel of your own for more, and name it in wheel",
        )
