"""What was seen in layers and parts, made up for tests of what becomes of it."""

from __future__ import annotations

import base64
import bz2
import hashlib
import json
from typing import TYPE_CHECKING, Any

from crossdock.verify.contents import Contents
from crossdock.verify.looking import ContentsReader
from crossdock.verify.scan import LayerFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.headers.binary import Binary

__all__ = ["contents_of", "layer_facts", "record_of", "summary_text"]

DIGEST, DIFF_ID = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def layer_facts(
    *binaries: tuple[str, Binary], files: int = 10, digest: str = DIGEST, diff_id: str = DIFF_ID, **given: Any
) -> LayerFacts:
    """Make facts of a layer with these programs."""
    values: dict[str, Any] = {"media_type": "t", "size": 5, **given}
    contents = Contents(files=files, binaries=binaries)
    return LayerFacts(digest=digest, diff_id=diff_id, contents=contents, **values)


def contents_of(files: Mapping[str, bytes], *, modes: Mapping[str, int] | None = None) -> Contents:
    """Look at files."""
    reader = ContentsReader()
    for path, content in files.items():
        reader.see(path, content, mode=(modes or {}).get(path, 0o644))
    return reader.contents()


def record_of(files: Mapping[str, bytes], *, own: str) -> bytes:
    """Write the RECORD of files; ``own`` is its path."""
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}\n")
    return "".join([*rows, f"{own},,\n"]).encode()


def summary_text(value: object) -> str:
    """Spell a summary as it is written beside a layer, whatever it says."""
    return base64.b64encode(bz2.compress(json.dumps(value).encode())).decode()
