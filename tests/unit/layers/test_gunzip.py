"""Gzip files of any number of members, of which there are no more than anybody makes."""

from __future__ import annotations

import gzip
import io
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import LayerUnreadableError
from crossdock.layers import gunzip as module
from crossdock.layers.gunzip import gunzip
from crossdock.verify.scan import scan_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY = gzip.compress(b"", mtime=0)
GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def endless(member: bytes) -> Iterator[bytes]:
    return repeat(member * 100)


def test_members_are_joined_and_empty_ones_are_nothing() -> None:
    members = [gzip.compress(text, mtime=0) for text in (b"", b"one", b"", b"", b"two" * 1000, b"")]
    assert b"".join(gunzip(members)) == b"one" + b"two" * 1000
    assert b"".join(gunzip(EMPTY[at : at + 1] for at in range(len(EMPTY)))) == b""


def test_as_many_empty_members_as_are_allowed_are_read() -> None:
    assert b"".join(gunzip([EMPTY * 9999, gzip.compress(b"end", mtime=0)])) == b"end"


def test_empty_members_without_end_are_refused() -> None:
    with pytest.raises(LayerUnreadableError, match=r"too many members\n.*10,000 of its first 10,000 members are empty"):
        next(gunzip(endless(EMPTY)))
    with pytest.raises(LayerUnreadableError, match=r"10,000 of its first 10,001"):
        list(gunzip(chain([gzip.compress(b"x")], endless(EMPTY))))


def test_small_members_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_MEMBERS", 5000)
    given = gunzip(endless(gzip.compress(b"x", mtime=0)))
    assert all(next(given) == b"x" for _ in range(5000))
    with pytest.raises(LayerUnreadableError, match="over 5,000"):
        next(given)


def test_a_layer_of_empty_members_is_refused() -> None:
    with pytest.raises(LayerUnreadableError, match="too many members"):
        scan_layer(io.BytesIO(EMPTY * 20_000), media_type=GZIP_LAYER)
