"""The pinned release of pex, from its wheel; and what it writes for PEX files of many targets, kept as two files."""

from __future__ import annotations

import json
import sys
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from crossdock.bazel.bundled.inputs import hold
from crossdock.bundles.pex.boot import BootTexts
from crossdock.bundles.pex.runtime import KnownRuntime, PexRuntime
from crossdock.bundles.zippart import MadePart
from crossdock.errors import BadWheelError, PexRuntimeError
from crossdock.store.files import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.bundles.pex.runtime import RuntimeOptions
    from crossdock.store.blobs import Store

__all__ = ["pex_on_path", "read_runtime", "runtime_json"]

_SCHEMA: Final = "crossdock.pex-runtime/1"


@contextmanager
def pex_on_path(wheel: str | None, folder: Path) -> Iterator[None]:
    """Let ``pex`` be found in its wheel, which is Python alone; without one, where it is installed.

    Args:
        wheel: The wheel.
        folder: Takes its files: pex reads its own as files.

    Raises:
        BadWheelError: It cannot be read.
    """
    if wheel is None:
        yield
        return
    place = folder / "pex"
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)  # which keeps all of them inside
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadWheelError(f"The wheel of pex cannot be read: {wheel}", why=str(error)) from None
    sys.path.insert(0, str(place))
    try:
        yield
    finally:
        sys.path.remove(str(place))


def runtime_json(options: RuntimeOptions, runtime: PexRuntime) -> str:
    """Write down what a runtime is, beside its part."""
    part = {**runtime.part.to_json(), "note": runtime.texts.to_json()}
    return json.dumps({"schema": _SCHEMA, "options": options.to_json(), "part": part}, sort_keys=True) + "\n"


def read_runtime(metadata: Path, part: Path, store: Store) -> KnownRuntime:
    """Read what `runtime_json` wrote, and let the store hold the part.

    Raises:
        PexRuntimeError: They are not that, or not each other's.
    """
    try:
        data: Any = json.loads(metadata.read_text(encoding="utf-8"))
        made = MadePart.from_json(data["part"])
        texts, options, schema = BootTexts.from_json(made.note), data["options"], data["schema"]
        sha256 = digest_of(part).removeprefix("sha256:")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(metadata, str(error)) from None
    if schema != _SCHEMA or sha256 != made.digest:
        raise _unreadable(metadata, f"it is of another version, or {part} is not the file that it was written for")
    hold(store, part, sha256)
    return KnownRuntime(options=options, runtime=PexRuntime(part=made, texts=texts))


def _unreadable(metadata: Path, why: str) -> PexRuntimeError:
    return PexRuntimeError(
        f"The runtime of PEX files cannot be read: {metadata}",
        why=why,
        hint="make it again by pex-runtime of the same crossdock",
    )
