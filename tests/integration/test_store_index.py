"""The index this machine is configured with gives the files a lock names by hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.store import FileRequest, HttpClient, Store, fetch, find_by_hashes, load_index_config

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

# markupsafe 2.1.5, as `uv export` writes it.
FILES = {
    "6ec585f69cec0aa07d945b20805be741395e28ac1627333b1c5b0105962ffced": (
        "MarkupSafe-2.1.5-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"
    ),
    "b91c037585eba9095565a3556f611e3cbfaa42ca1e865f7b8015fe5c7336d5a5": (
        "MarkupSafe-2.1.5-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    ),
    "d283d37a890ba4c1ae73ffadf8046435c76e7bc2247bbb63c00bd1a709c6544b": ("MarkupSafe-2.1.5.tar.gz"),
}


def test_the_files_of_a_release_are_found_and_fetched_by_hash(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    config = load_index_config()
    http = HttpClient(ca_bundle=config.ca_bundle, trusted_urls=config.urls())
    found = find_by_hashes(store, http, config, "markupsafe", "2.1.5", list(FILES))
    assert {file.sha256: file.filename for file in found} == FILES

    requests = [FileRequest(name=f.filename, url=f.url, sha256=f.sha256 or "", size=f.size) for f in found]
    fetch(store, requests, http=http)
    assert all(store.size(sha256) > 10_000 for sha256 in FILES)

    class NoNetwork(HttpClient):
        def open(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise AssertionError("the second run needs no network")

    assert find_by_hashes(store, NoNetwork(), config, "markupsafe", "2.1.5", list(FILES)) == found
    fetch(store, requests, http=NoNetwork())
