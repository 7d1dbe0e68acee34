"""The application's archive, in pieces: a tar.gz without an end for each wheel, made once, and one with the end.

Pieces put one behind the other are one archive: gzip files may have any number of members (RFC 1952, section 2.2), and
a tar archive ends where its mark is.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from crossdock.layers.cached import LayerRecipe
from crossdock.store.actions import action_key
from crossdock.wheels.scheme import SCHEME_VERSION, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.layers.writer import Sink, Witness
    from crossdock.store.blobs import Store

__all__ = ["exe_scheme", "last_segment", "wheels_segment"]

#: Raised whenever the same inputs give other bytes.
_VERSION: Final = 1


def exe_scheme(python: str) -> Scheme:
    """Give the scheme of the virtual environment that the application is unpacked to: a folder that may be anywhere.

    Args:
        python: Name of the Python's program, such as ``python3.12``.
    """
    return Scheme(
        prefix="",
        site_packages=f"lib/{python}/site-packages",
        scripts="bin",
        data="",
        headers=f"include/site/{python}",
        interpreter=python,
        lookup="beside",
    )


def wheels_segment(store: Store, wheels: Sequence[tuple[str, str]], scheme: Scheme) -> LayerRecipe:
    """Give the recipe of a piece that holds installed wheels: one, or several that write the same paths.

    Args:
        store: Where the wheels are by the time it is made.
        wheels: File name and SHA-256 of each, in the order they are to be installed.
        scheme: Where things go.

    Making it raises FileCollisionError if two of the wheels write one path with different contents, and WheelError if
    one is damaged, unsafe or not supported.
    """

    def write(sink: Sink, witness: Witness | None) -> str:
        from crossdock.layers.wheels import write_wheels
        from crossdock.wheels.archive import WheelArchive

        with ExitStack() as stack:
            archives = [stack.enter_context(WheelArchive(store.path(sha256), name)) for name, sha256 in wheels]
            return write_wheels(archives, scheme, sink, end=False, witness=witness)

    key = action_key(
        f"exe-segment/{_VERSION}",
        install=SCHEME_VERSION,
        wheels=[[name, sha256] for name, sha256 in wheels],
        scheme=scheme.to_json(),
    )
    return LayerRecipe(key, write)


def last_segment(files: Mapping[str, bytes]) -> LayerRecipe:
    """Give the recipe of the piece that ends the archive.

    Args:
        files: Small files, by path.
    """

    def write(sink: Sink, witness: Witness | None) -> str:
        from crossdock.layers.entry import file
        from crossdock.layers.writer import LayerWriter

        writer = LayerWriter(sink, witness)
        for path, content in sorted(files.items()):
            writer.entry(file(path, content))
        return writer.finish()

    key = action_key(f"exe-end/{_VERSION}", files=[[path, content.decode()] for path, content in sorted(files.items())])
    return LayerRecipe(key, write)
