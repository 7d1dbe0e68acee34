"""Compiles source files that come on stdin to .pyc files that go to stdout (PEP 552, unchecked hash-based).

Run as a program by an interpreter of the target's version, which may have nothing installed and be older than what
crossdock itself needs; so this file imports the standard library only and holds to the syntax of Python 3.9. No
source is ever executed, only compiled.

What ``marshal`` writes of a code object depends on more than the code: on how many references an object happens to
have, on which strings are interned by then, and in old versions on the order of sets. So its output is read again
and written anew by rules that look at values only: equal constants are written once and referred to, strings that
look like names are interned, sets are sorted.

A request is the path the file will have, and its source; each comes after its length. An answer is a status byte, a
length, and that many bytes: the .pyc, or why there is none.
"""

from __future__ import annotations

import importlib.util
import marshal
import re
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from types import CodeType

REQUEST = struct.Struct("<2L")
ANSWER = struct.Struct("<cL")
DONE, SKIPPED, OUT_OF_MEMORY = b"D", b"S", b"M"
#: Exit status of a worker whose interpreter writes code objects in a form that is not known.
UNKNOWN_FORM = 3

_MEMORY = 4 << 30
_SECONDS = 60
#: Marshal gives up at 2000 levels; the recursion here takes a frame for each.
_RECURSION = 6000
_UNCHECKED_HASH = 0b01

_NAME = re.compile(rb"\w+", re.ASCII)
_SINGLETONS = frozenset(b"NFTS.")
_FIXED_SIZES = {ord("i"): 4, ord("g"): 8, ord("y"): 16}
_FLAG_REF = 0x80
# How many numbers and objects a code object consists of, in turn (CPython, Python/marshal.c, TYPE_CODE).
_CODE_FIELDS = (5, 8, 1, 2) if sys.version_info >= (3, 11) else (6, 8, 1, 1)
_SAMPLE = b"""
import os
class Sample:
    '''Text.'''
    def method(self, a, *b, c=(1, 2.5, -3j, None), **d):
        free = a in {'one', 2, b'three'}
        def inner(x=1 << 70):
            return x[1:2], free, a, 'with space', ...
        try:
            return inner
        finally:
            self.attribute = 0
"""


class _UnknownFormError(Exception):
    """Marshalled data holds something that code objects never did."""


class _Graph:
    """The values that some marshalled data consists of; equal ones are one node.

    A node is a number. Its leaf bytes are how it is written, or for a node with children, what comes before them.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._refs: list[int] = []  # what is referred to by number, in the order read
        self._nodes: dict[object, int] = {}
        self._heads: list[bytes] = []
        self._children: list[tuple[int, ...] | None] = []
        self._uses: list[int] = []
        self._written: dict[int, int] = {}
        self._out: list[bytes] = []
        self._root = self._read()
        if self._at != len(data):
            raise _UnknownFormError

    def marshalled(self) -> bytes:
        """Write the graph: each value once, and references to it where it occurs again."""
        self._write(self._root)
        return b"".join(self._out)

    def _take(self, count: int) -> bytes:
        start = self._at
        self._at += count
        return self._data[start : self._at]

    def _size(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def _node(self, key: object, head: bytes, children: tuple[int, ...] | None = None) -> int:
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = len(self._heads)
            self._heads.append(head)
            self._children.append(children)
            self._uses.append(0)
            for child in children or ():
                self._uses[child] += 1
        return node

    def _read(self) -> int:
        kind = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        if kind == 0x72:  # r, a reference
            return self._refs[self._size()]
        flagged = kind & _FLAG_REF
        kind &= ~_FLAG_REF
        if flagged:
            place = len(self._refs)
            self._refs.append(-1)  # numbered before what it holds
        node = self._read_leaf(kind)
        if node is None:
            node = self._read_compound(kind)
        if flagged:
            self._refs[place] = node
        return node

    def _read_leaf(self, kind: int) -> int | None:
        if kind in b"zZ":
            return self._text(self._take(self._take(1)[0]))
        if kind in b"aAut":
            return self._text(self._take(self._size()))
        if kind in _SINGLETONS:
            head = bytes((kind,))
        elif kind in _FIXED_SIZES:
            head = bytes((kind,)) + self._take(_FIXED_SIZES[kind])
        elif kind == ord("s"):
            size = self._take(4)
            head = b"s" + size + self._take(int.from_bytes(size, "little"))
        elif kind == ord("l"):
            size = self._take(4)
            head = b"l" + size + self._take(2 * abs(int.from_bytes(size, "little", signed=True)))
        else:
            return None
        return self._node(head, head)

    def _text(self, text: bytes) -> int:
        size = len(text)
        if not text.isascii():
            head = b"u" + size.to_bytes(4, "little") + text
        elif size < 256:
            head = (b"Z" if _NAME.fullmatch(text) else b"z") + size.to_bytes(1, "little") + text
        else:
            head = (b"A" if _NAME.fullmatch(text) else b"a") + size.to_bytes(4, "little") + text
        return self._node(head, head)

    def _read_compound(self, kind: int) -> int:
        if kind in b"()":
            size = self._take(1)[0] if kind == ord(")") else self._size()
            children = tuple([self._read() for _ in range(size)])
            head = b")" + bytes((size,)) if size < 256 else b"(" + size.to_bytes(4, "little")
        elif kind == ord(">"):
            head = b">" + self._take(4)
            children = tuple([self._read() for _ in range(int.from_bytes(head[1:], "little"))])
            children = tuple(sorted(children, key=self._plain))
        elif kind == ord(":"):  # slice, since 3.14
            head, children = b":", (self._read(), self._read(), self._read())
        elif kind == ord("c"):
            return self._read_code()
        else:
            raise _UnknownFormError
        return self._node((head, children), head, children)

    def _read_code(self) -> int:
        numbers, objects, more_numbers, more_objects = _CODE_FIELDS
        head = b"c" + self._take(4 * numbers)
        children = [self._read() for _ in range(objects)]
        line = self._take(4 * more_numbers)
        # The number between the objects becomes a node that cannot occur elsewhere, and is never referred to.
        children.append(self._node(("line", len(self._heads)), line))
        children += [self._read() for _ in range(more_objects)]
        return self._node(("code", len(self._heads)), head, tuple(children))

    def _plain(self, node: int) -> bytes:
        """Give a node as it would be written without references."""
        return self._heads[node] + b"".join([self._plain(child) for child in self._children[node] or ()])

    def _write(self, node: int) -> None:
        head = self._heads[node]
        if self._uses[node] > 1 and head[0] not in b"NFTS.i":
            place = self._written.get(node)
            if place is not None:
                self._out.append(b"r" + place.to_bytes(4, "little"))
                return
            self._written[node] = len(self._written)
            head = bytes((head[0] | _FLAG_REF,)) + head[1:]
        self._out.append(head)
        for child in self._children[node] or ():
            self._write(child)


def canonical(code: CodeType) -> bytes:
    """Marshal a code object so that equal ones give equal bytes.

    Raises:
        ValueError: What was written does not read as what was to be written.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_RECURSION)
    try:
        written = _Graph(marshal.dumps(code)).marshalled()
        if not _same(code, marshal.loads(written)):  # noqa: S302  just written here
            raise ValueError("it cannot be written reproducibly")
        return written
    finally:
        sys.setrecursionlimit(limit)


def _same(one: CodeType, other: CodeType) -> bool:
    # Version 2 writes no references, so it tells whether two values are equal to the last line number. Old Pythons
    # do not sort sets, and it knows no slices.
    try:
        if marshal.dumps(one, 2) == marshal.dumps(other, 2):
            return True
    except ValueError:
        pass
    return one == other


def compiled(path: str, source: bytes) -> bytes:
    """Give the .pyc of a file (PEP 552): it is believed without a look at the source."""
    code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
    return header + canonical(code)


def answer(path: str, source: bytes) -> tuple[bytes, bytes]:
    """Compile a file, or say why that is not possible."""
    try:
        return DONE, compiled(path, source)
    except MemoryError:
        return OUT_OF_MEMORY, b""
    except _UnknownFormError:
        return SKIPPED, b"its bytecode holds something unknown"
    except Exception as error:
        place = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        return SKIPPED, f"{type(error).__name__}: {place}".encode(errors="replace")[:500]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        path_size, source_size = REQUEST.unpack(head)
        path = requests.read(path_size).decode("utf-8", "surrogateescape")
        source = requests.read(source_size)
        _limit_time()
        status, content = answer(path, source)
        answers.write(ANSWER.pack(status, len(content)) + content)
        answers.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError):  # not on every system
        return


def _limit_time() -> None:
    """Have the kernel end this process if it computes for too long from now on, even within the compiler."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)


def _knows_its_form() -> bool:
    try:
        return len(compiled("sample", _SAMPLE)) > 0
    except Exception:
        return False


def main() -> int:
    """Serve on stdin and stdout."""
    _limit_memory()
    if not _knows_its_form():
        return UNKNOWN_FORM
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
