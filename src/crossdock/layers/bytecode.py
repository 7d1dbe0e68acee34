"""The bytecode of a layer's wheels, as entries behind all the wheels' own files.

RECORD does not list it: it need not hold .pyc files, and uninstallers know where they are (PEP 427, "Installing a
wheel"). So all other files are the same with bytecode and without.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from crossdock.layers.entry import directory, file
from crossdock.wheels.bytecode import LARGEST_SOURCE, Source, pyc_path
from crossdock.wheels.install import Placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from crossdock.layers.collisions import TakenPaths
    from crossdock.layers.entry import Entry
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.bytecode import Compiler
    from crossdock.wheels.scheme import Scheme

__all__ = ["bytecode_entries", "is_compiled"]


def is_compiled(item: Placed, scheme: Scheme) -> bool:
    """Whether an installed file gets bytecode: a module in site-packages."""
    folder, _, name = item.path.rpartition("/")
    return (
        name.endswith(".py")
        and item.member is not None
        and f"{folder}/".startswith(f"{scheme.site_packages}/")
        and not folder.endswith("/__pycache__")
    )


def bytecode_entries(
    sources: Sequence[tuple[WheelArchive, Placed]], taken: TakenPaths, compiler: Compiler, warn: Callable[[str], None]
) -> Iterator[Entry]:
    """Give the bytecode of installed files, and the folders it needs; what a wheel brings itself stays.

    Args:
        sources: Files for which ``is_compiled``, each with its wheel.
        taken: All paths of the layer; those of the bytecode are added.
        compiler: What compiles.
        warn: Told once for each wheel of files that do not compile.

    Raises:
        BytecodeError: The compiler fails.
        BadWheelError: A file is damaged.
        FileCollisionError: A wheel has a file where the folder for bytecode has to be.
    """
    tag = compiler.spec.cache_tag
    skipped = _Skipped()
    wanted = []
    for archive, item in sources:
        if pyc_path(item.path, tag) in taken:
            continue
        if _size(item) > LARGEST_SOURCE:
            skipped.add(archive, item, f"it has {_size(item):,} bytes")
            continue
        wanted.append((archive, item))
    for (archive, item), compiled in zip(wanted, compiler.compile(map(_source, wanted)), strict=True):
        if not compiled.pyc:
            skipped.add(archive, item, compiled.reason)
            continue
        path = pyc_path(item.path, tag)
        for folder in taken.take(Placed(path=path), archive) or ():
            yield directory(folder)
        yield file(path, compiled.pyc)
    skipped.tell(warn)


def _size(item: Placed) -> int:
    return item.member.size if item.member else len(item.content)


def _source(wanted: tuple[WheelArchive, Placed]) -> Source:
    archive, item = wanted
    return Source(f"/{item.path}", archive.read(item.member) if item.member else item.content)


class _Skipped:
    """What has no bytecode, as some wheels bring templates or code for other Pythons: no more than worth a warning."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._count: Counter[str] = Counter()

    def add(self, archive: WheelArchive, item: Placed, reason: str) -> None:
        self._first.setdefault(archive.filename, f"no bytecode for {item.path}: {reason}")
        self._count[archive.filename] += 1

    def tell(self, warn: Callable[[str], None]) -> None:
        for filename, text in self._first.items():
            more = self._count[filename] - 1
            warn(f"{filename}: {text}" + (f" (and {more:,} more)" if more else ""))
