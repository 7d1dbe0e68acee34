"""Files are had from a real index through all that fails on a network."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.flakyproxy import (
    Fault,
    FlakyProxy,
    cut_to,
    drip,
    drip_head,
    drop_after,
    garble,
    hang_up,
    promise,
    stall_after,
    status,
)
from tests.support.indexuser import SECRETS, Place, client, with_user

from crossdock.errors import DownloadError, HashMismatchError, OfflineError, SizeMismatchError
from crossdock.store import FileRequest, HashQuery, HttpClient, IndexConfig, Store, fetch, find_by_hashes, find_many

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform == "win32", reason="pip and uv look elsewhere for their configuration"),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def get(place: Place, front: FlakyProxy, store: Store, name: str, *, known_size: bool, **environ: str) -> None:
    """Find a file by its hash in the index behind the proxy, and fetch it."""
    url = with_user(front.url)
    http = client(place, url, **environ)
    sha256 = place.sha256(name)
    (found,) = find_by_hashes(store, http, IndexConfig(index_url=url), name, "1.0", [sha256])
    size = place.size(name) if known_size else None
    fetch(store, [FileRequest(name=found.filename, url=found.url, sha256=sha256, size=size)], http=http)


def leftovers(store: Store) -> list[Path]:
    return list((store.root / "tmp").iterdir())


FAULTS: dict[str, tuple[Fault, ...]] = {
    "dropped": (drop_after(300_000),),
    "dropped in the head": (hang_up,),
    "dropped three times": (drop_after(100_000), drop_after(200_000), drop_after(50_000)),
    "asked to wait": (status(429, Retry_After="1"),),
    "overloaded": (status(503), status(502)),
    "overloaded half way": (drop_after(300_000), status(503, Retry_After="0")),
    "cut, with the length of the rest": (cut_to(300_000),),
    "cut, without a length": (cut_to(300_000, promised=False),),
    "too large a length": (promise(1000),),
    "too small a length": (promise(-1000),),
    "silent": (stall_after(300_000),),
    "too slow": (drip,),
    "too slow in the head": (drip_head,),
    "other bytes": (garble(cut_to(10**9, promised=False)),),
    "another version half way": (garble(drop_after(300_000), last_modified="Sat, 01 Jan 2000 00:00:00 GMT"),),
    "another version half way that nothing tells": (garble(drop_after(300_000)),),
}


@pytest.mark.parametrize("known_size", [True, False], ids=["size known", "size unknown"])
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_file_is_whole_whatever_happens_on_the_way(
    place: Place, front: FlakyProxy, store: Store, faults: tuple[Fault, ...], known_size: bool
) -> None:
    front.faults += faults
    began = time.monotonic()
    get(place, front, store, "medium", known_size=known_size, UV_HTTP_TIMEOUT="0.5")
    assert front.faults == []
    assert store.read_bytes(place.sha256("medium")) == place.files["medium"].read_bytes()
    assert leftovers(store) == []
    waited = time.monotonic() - began
    assert waited < 6
    if faults == FAULTS["asked to wait"]:
        assert waited >= 1


def test_what_was_read_is_not_read_again(place: Place, front: FlakyProxy, store: Store) -> None:
    front.faults.append(drop_after(300_000))
    get(place, front, store, "medium", known_size=True)
    first, second = front.files_asked()
    assert "range" not in first.headers
    assert second.headers["range"] == "bytes=300000-"
    # This index has no ETags.
    assert second.headers["if-range"].endswith(" GMT")


def test_a_large_file_survives_more_breaks_than_there_are_retries(
    place: Place, front: FlakyProxy, store: Store
) -> None:
    front.faults += [drop_after(1_200_000)] * 7
    get(place, front, store, "large", known_size=False)
    assert front.faults == []
    assert store.read_bytes(place.sha256("large")) == place.files["large"].read_bytes()


@pytest.mark.parametrize("fault", [hang_up, status(503), status(429, Retry_After="0"), drop_after(200)])
def test_a_page_is_read_whatever_happens(place: Place, front: FlakyProxy, store: Store, fault: Fault) -> None:
    front.page_faults.append(fault)
    get(place, front, store, "small", known_size=True)
    assert front.page_faults == []


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (garble(cut_to(10**9, promised=False)), HashMismatchError, 52),
        (cut_to(2_000), SizeMismatchError, 53),
    ],
)
def test_a_file_that_stays_wrong_is_refused_after_one_more_try(
    place: Place, front: FlakyProxy, store: Store, fault: Fault, error: type[HashMismatchError], code: int
) -> None:
    front.faults += [fault] * 9
    with pytest.raises(error) as caught:
        get(place, front, store, "small", known_size=True)
    assert caught.value.exit_code == code
    assert len(front.files_asked()) == 2
    assert front.files_asked()[1].headers["cache-control"] == "no-cache"
    assert store.find(place.sha256("small")) is None
    assert leftovers(store) == []


def test_a_network_that_stays_down_is_a_clear_error(place: Place, front: FlakyProxy, store: Store) -> None:
    front.faults += [status(503)] * 9
    with pytest.raises(DownloadError, match="503 Service Unavailable") as caught:
        get(place, front, store, "small", known_size=True)
    assert caught.value.status == 503
    assert len(front.files_asked()) == 5
    assert not any(secret in str(caught.value).encode() for secret in SECRETS)


def test_a_query_may_name_the_only_index(place: Place, front: FlakyProxy, store: Store) -> None:
    # As a lock does, without the credentials that the configuration has.
    config = IndexConfig(index_url=f"{place.public}/simple/", named=(("in-house", with_user(front.url)),))
    http = client(place, *config.urls())
    names = ("small", "open")
    index = f"{front.url}/simple/"
    queries = [HashQuery(name=n, version="1.0", sha256s=(place.sha256(n),), index=index) for n in names]
    assert [len(found) for found in find_many(store, http, config, queries)] == [1, 1]
    queries = [HashQuery(name=n, version="1.0", sha256s=(place.sha256(n),), index=index, only=True) for n in names]
    assert [len(found) for found in find_many(store, http, config, queries)] == [1, 0]
    named = [HashQuery(name="small", version="1.0", sha256s=("0" * 64,), index=config.resolve_index("in-house"))]
    assert find_many(store, http, config, named) == [()]


def test_offline_what_was_fetched_is_used_and_all_else_is_named(place: Place, front: FlakyProxy, store: Store) -> None:
    get(place, front, store, "small", known_size=True)
    asked = len(front.asked)
    config = IndexConfig(index_url=with_user(front.url))
    http = HttpClient.for_config(config, environ={}, offline=True)
    queries = [HashQuery(name=n, version="1.0", sha256s=(place.sha256(n),)) for n in ("small", "medium", "large")]
    (found,) = find_many(store, http, config, queries[:1])
    fetch(store, [FileRequest(name=file.filename, url=file.url, sha256=file.sha256 or "") for file in found], http=http)
    with pytest.raises(OfflineError, match="2 packages") as caught:
        find_many(store, http, config, queries)
    assert caught.value.exit_code == 110
    assert caught.value.why == "large 1.0, medium 1.0"
    assert "crossdock fetch" in caught.value.hint
    requests = [
        FileRequest(name=f"{n}-1.0-py3-none-any.whl", url=f"{with_user(front.url)}{n}", sha256=place.sha256(n))
        for n in ("medium", "large")
    ]
    with pytest.raises(OfflineError, match="2 files") as caught:
        fetch(store, requests, http=http)
    assert caught.value.why == "large-1.0-py3-none-any.whl, medium-1.0-py3-none-any.whl"
    assert len(front.asked) == asked
