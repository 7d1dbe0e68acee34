"""The lines of a requirements file: continued, commented, included."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crossdock.errors import UnsupportedLockError
from crossdock.locks.fields import malformed, read_text
from crossdock.locks.model import IndexOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Line", "Lines", "read_lines"]

_COMMENT = re.compile(r"(^|\s+)#.*$")
_MAX_FILES = 100
#: Of an included file, as most systems bound it.
_LONGEST_PATH = 1024
#: Options that change nothing here: what is pinned by hash needs no search, and TLS is always checked.
_WITHOUT_EFFECT = {"--pre", "--prefer-binary", "--require-hashes"}
_WITHOUT_EFFECT_VALUED = {"--trusted-host", "--only-binary", "--use-feature"}
_SHORT = {"-i": "--index-url", "-f": "--find-links", "-r": "--requirement", "-c": "--constraint", "-e": "--editable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A requirement with its options, comments and continuations gone.

    Attributes:
        text: What it says, without a leading ``-e``.
        where: File and line number for messages.
        editable: Whether it had ``-e``.
    """

    text: str
    where: str
    editable: bool = False


@dataclass(slots=True)
class Lines:
    """All lines of a file and those it includes."""

    requirements: list[Line] = field(default_factory=list)
    constraints: list[Line] = field(default_factory=list)
    index_url: str | None = None
    extra_index_urls: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    no_index: bool = False

    @property
    def index_options(self) -> IndexOptions:
        """The collected index options as a value."""
        return IndexOptions(
            index_url=self.index_url,
            extra_index_urls=tuple(dict.fromkeys(self.extra_index_urls)),
            find_links=tuple(dict.fromkeys(self.find_links)),
            no_index=self.no_index,
        )


def read_lines(path: Path, root: Path) -> Lines:
    """Read a file's lines, following ``-r`` and ``-c`` inside of a folder.

    Where the file is a link, as in the folders that Bazel runs tests in, so are those that it includes: they may be
    links into the same folder of where it really is.

    Raises:
        MissingLockError: A file cannot be read.
        MalformedLockError: An option is not understood, or a file outside ``root`` is included.
        UnsupportedLockError: The file asks that wheels be built from source.
    """
    lines = Lines()
    _Reader(lines, _roots(path, root.resolve())).read(path, constraint=False)
    return lines


def _roots(path: Path, root: Path) -> list[Path]:
    here, real = path.absolute().parent.resolve(), path.resolve().parent
    below = here.relative_to(root).parts if here.is_relative_to(root) else ()
    same = real
    for part in reversed(below):
        if same.name != part:
            return [root]
        same = same.parent
    return [root] if real == here else [root, same]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash; a comment line ends what it stands in."""
    parts: list[str] = []
    start = 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        start = number if not parts else start
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        yield start, " ".join([*parts, "" if comment else line])
        parts = []
    if parts:
        yield start, " ".join(parts)


class _Reader:
    def __init__(self, lines: Lines, roots: list[Path]) -> None:
        self._lines = lines
        self._roots = roots
        self._seen: set[tuple[Path, bool]] = set()

    def read(self, path: Path, *, constraint: bool) -> None:
        key = (path.resolve(), constraint)
        if key in self._seen:
            return  # included twice, or by itself: it adds nothing
        if len(self._seen) >= _MAX_FILES:
            raise malformed(str(path), f"more than {_MAX_FILES} files are included")
        self._seen.add(key)
        for number, text in _logical_lines(read_text(path)):
            line = _COMMENT.sub("", text).strip()
            if line:
                self._line(path, line, f"{path}:{number}", constraint=constraint)

    def _line(self, path: Path, text: str, where: str, *, constraint: bool) -> None:
        if not text.startswith("-"):
            target = self._lines.constraints if constraint else self._lines.requirements
            target.append(Line(text=text, where=where))
            return
        key, value = _option(text, where)
        if key in {"--requirement", "--constraint"}:
            if len(value) > _LONGEST_PATH:
                raise malformed(where, "the name of the included file is too long")
            included = path.parent / value
            self._check_inside(included, where)
            self.read(included, constraint=constraint or key == "--constraint")
        elif key == "--editable":
            self._lines.requirements.append(Line(text=value, where=where, editable=True))
        else:
            self._index_option(key, value, where)

    def _check_inside(self, path: Path, where: str) -> None:
        try:
            inside = any(path.resolve().is_relative_to(root) for root in self._roots)
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            raise malformed(where, f"the included file {path.name!r} is outside of {self._roots[0]}")

    def _index_option(self, key: str, value: str, where: str) -> None:
        if key == "--index-url":
            self._lines.index_url = value
        elif key == "--extra-index-url":
            self._lines.extra_index_urls.append(value)
        elif key == "--find-links":
            self._lines.find_links.append(value)
        elif key == "--no-index":
            self._lines.no_index = True
        elif key == "--no-binary":
            raise UnsupportedLockError(
                f"{where}: --no-binary asks for builds from source",
                why="a wheel is taken wherever one fits",
                hint="remove the option; a package without a fitting wheel is built from source anyway",
            )
        elif key not in _WITHOUT_EFFECT | _WITHOUT_EFFECT_VALUED:
            raise malformed(where, f"the option {key[:40]!r} is not understood")


def _option(text: str, where: str) -> tuple[str, str]:
    """Split an option line into the option's long name and its value."""
    # The marker of an editable project keeps its quotation marks.
    option, semicolon, marker = text.partition(" ;")
    try:
        words = shlex.split(option if text.startswith(("-e", "--editable")) else text)
    except ValueError as error:
        raise malformed(where, "a quotation mark is not closed") from error
    key, equals, value = words[0].partition("=")
    if key[:2] in _SHORT and not key.startswith("--") and len(key) > 2:
        key, equals, value = key[:2], "=", words[0][2:]  # -rother.txt
    key = _SHORT.get(key, key)
    rest = words[1:]
    if key == "--editable":
        return key, " ".join([*([value] if equals else []), *rest]) + semicolon + marker
    if key in _WITHOUT_EFFECT or key == "--no-index":
        if rest or equals:
            raise malformed(where, f"the option {key!r} takes no value")
        return key, ""
    values = [value, *rest] if equals else rest
    if len(values) != 1 or not values[0]:
        raise malformed(where, f"the option {key[:40]!r} takes one value")
    return key, values[0]
