"""The process that proves an image, or only does what no proof can do without, and prints its peak in bytes."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peak import peak_bytes
from crossdock.layers.gunzip import gunzip
from crossdock.verify.image import verify_layout

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 18


def main() -> None:
    case, layout = sys.argv[1], Path(sys.argv[2])
    if case == "verify":
        report = verify_layout(layout)
        if not report.images or not report.images[0].files:
            raise SystemExit("nothing was read")
    else:
        hashed = hashlib.sha256()
        for piece in gunzip(_layer(layout)):
            if case == "inflate and hash":
                hashed.update(piece)
    print(peak_bytes())


def _layer(layout: Path) -> Iterator[bytes]:
    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    (manifest,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    (layer,) = json.loads(blob(manifest["digest"]).read_bytes())["layers"]
    with blob(layer["digest"]).open("rb") as stream:
        yield from iter(lambda: stream.read(_PIECE), b"")


if __name__ == "__main__":
    main()
