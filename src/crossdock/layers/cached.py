"""Making each layer once: what it is made of is the key, under which the store remembers what came out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from crossdock.store.actions import action_key
from crossdock.wheels.scheme import SCHEME_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from crossdock.layers.entry import Entry
    from crossdock.layers.writer import Sink, Witness
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.wheels.bytecode import CompilerSpec
    from crossdock.wheels.scheme import Scheme

__all__ = ["Blobs", "LayerRecipe", "MadeLayer", "tree_recipe", "wheel_recipe"]

#: Raised whenever the same entries give other bytes.
_TREE_VERSION = 1


@dataclass(frozen=True, slots=True)
class MadeLayer:
    """A layer in the store.

    Attributes:
        digest: SHA-256 of the compressed blob, in hex.
        size: Its bytes.
        diff_id: SHA-256 of the uncompressed tar, in hex.
    """

    digest: str
    size: int
    diff_id: str


@dataclass(frozen=True, slots=True)
class LayerRecipe:
    """How to make a layer, and what tells it from all others.

    Attributes:
        key: Action key of its inputs.
        write: Writes it into a sink and gives its diff_id; a witness, if there is one, sees what is written.
        media_type: How what it writes is compressed (OCI image-spec, "layer").
        witnessed: Whether ``write`` shows anything to a witness; False where blobs are copied as they are.
    """

    key: str
    write: Callable[[Sink, Witness | None], str]
    media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip"
    witnessed: bool = True

    def find(self, store: Store) -> MadeLayer | None:
        """Give the layer if it was made before and is still there."""
        record = store.action(self.key) or {}
        try:
            made = MadeLayer(str(record["digest"]), int(record["size"]), str(record["diff_id"]))
        except (KeyError, TypeError, ValueError):
            return None
        path = store.find(made.digest)
        return made if path is not None and path.stat().st_size == made.size else None

    def make(
        self, store: Store, check: Callable[[], object] = lambda: None, witness: Witness | None = None
    ) -> MadeLayer:
        """Give the layer, making it if need be.

        Args:
            store: Where it goes.
            check: Called again and again while it is made; what it raises ends that.
            witness: Sees what is written; nothing if the layer is there already.
        """
        if found := self.find(store):
            return found
        with store.writer() as writer:
            diff_id = self.write(_Checked(writer, check), witness)
            digest = writer.commit()
        made = MadeLayer(digest, store.size(digest), diff_id)
        store.record(self.key, {"digest": made.digest, "size": made.size, "diff_id": made.diff_id})
        return made


class _Checked:
    """A sink that is not written to any more once a check raises."""

    def __init__(self, sink: Sink, check: Callable[[], object]) -> None:
        self._sink = sink
        self._check = check

    def write(self, data: bytes | bytearray) -> object:
        self._check()
        return self._sink.write(data)


class Blobs(Protocol):
    """Where files are by their SHA-256; a store is such a place."""

    def path(self, sha256: str, /) -> Path:
        """Give the path of a file."""


def wheel_recipe(
    store: Blobs,
    wheels: Iterable[tuple[str, str]],
    scheme: Scheme,
    compile: CompilerSpec | None = None,  # noqa: A002  it is called that everywhere
    warn: Callable[[str], None] = lambda _: None,
) -> LayerRecipe:
    """Give the recipe of a layer of wheels.

    Args:
        store: Where the wheels are by the time the layer is made.
        wheels: File name and SHA-256 of each.
        scheme: Where things go.
        compile: The interpreter that adds bytecode; None for no bytecode.
        warn: Told of files that do not compile, when the layer is made.
    """
    inputs = list(wheels)

    def write(sink: Sink, witness: Witness | None) -> str:
        from crossdock.layers.wheels import write_wheels
        from crossdock.wheels.archive import WheelArchive

        with ExitStack() as stack:
            archives = [stack.enter_context(WheelArchive(store.path(sha256), name)) for name, sha256 in inputs]
            compiler = stack.enter_context(compile.start()) if compile else None
            return write_wheels(archives, scheme, sink, compiler, warn, witness=witness)

    listed: JSON = [[*_distribution(name), sha256] for name, sha256 in inputs]
    where: JSON = [scheme.site_packages, scheme.scripts, scheme.data, scheme.headers, scheme.interpreter]
    bytecode: dict[str, JSON] = {"bytecode": compile.key} if compile else {}
    key = action_key("wheel-layer", version=SCHEME_VERSION, wheels=listed, scheme=where, **bytecode)
    return LayerRecipe(key, write)


def _distribution(filename: str) -> tuple[str, str]:
    """Give a wheel's name and version: locks and indexes spell the names of the same file in different ways."""
    from packaging.utils import canonicalize_name

    name, _, rest = filename.partition("-")
    return canonicalize_name(name), rest.partition("-")[0]


def tree_recipe(kind: str, inputs: JSON, entries: Callable[[], Iterable[Entry]], *, encode: bool) -> LayerRecipe:
    """Give the recipe of a layer of entries.

    Args:
        kind: What tree it is.
        inputs: All that the entries are a function of.
        entries: Gives them, parents first; asked only if the layer has to be made.
        encode: As in ``write_tree``.
    """
    key = action_key(f"{kind}-layer", version=_TREE_VERSION, inputs=inputs, encode=encode)

    def write(sink: Sink, witness: Witness | None) -> str:
        from crossdock.layers.writer import write_tree

        return write_tree(entries(), sink, encode=encode, witness=witness)

    return LayerRecipe(key, write)
