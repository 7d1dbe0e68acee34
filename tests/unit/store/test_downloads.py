"""A file is fetched once, checked while it is read, and is there whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.store.conftest import content, in_turn, status

from crossdock.errors import CacheFolderError, DownloadError, HashMismatchError, OfflineError, SizeMismatchError
from crossdock.store import FileRequest, HttpClient, Progress, Store, fetch, read_url

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from tests.unit.store.conftest import Answer, Server

DATA = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(DATA).hexdigest()


def request_for(url: str, data: bytes = DATA, *, size: int | None = None) -> FileRequest:
    return FileRequest(name="a-1.whl", url=url, sha256=hashlib.sha256(data).hexdigest(), size=size)


def leftovers(store: Store) -> list[str]:
    return [path.name for path in store.root.rglob("*") if path.is_file()]


def test_files_are_fetched_once(store: Store, http: HttpClient, server: Server) -> None:
    bodies = [bytes([number]) * 1000 for number in range(20)]
    requests = []
    for number, body in enumerate(bodies):
        server.answers[f"/{number}"] = content(body)
        requests.append(request_for(f"{server.url}/{number}", body, size=1000))
    fetch(store, requests, http=http)
    assert all(store.read_bytes(request.sha256) == body for request, body in zip(requests, bodies, strict=True))
    assert len(server.asked) == 20
    fetch(store, requests, http=http)
    fetch(store, [*requests, *requests], http=http)
    assert len(server.asked) == 20


def test_a_file_asked_for_twice_is_read_once(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = content(DATA)
    fetch(store, [request_for(f"{server.url}/a")] * 5, http=http)
    assert server.paths() == ["/a"]


def test_another_file_than_expected_is_refused(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/f/a-1.whl"] = content(b"x" * len(DATA))
    url = server.url.replace("//", "//user:secret@") + "/f/a-1.whl?token=secret"
    with pytest.raises(HashMismatchError) as caught:
        fetch(store, [request_for(url, size=len(DATA))], http=http)
    message = str(caught.value)
    assert "a-1.whl" in caught.value.what
    assert f"{server.url}/f/a-1.whl has SHA-256" in message
    assert DIGEST in message
    assert hashlib.sha256(b"x" * len(DATA)).hexdigest() in message
    assert "secret" not in message
    assert leftovers(store) == []


@pytest.mark.parametrize("promised", [len(DATA) - 1, len(DATA) + 1])
def test_a_promise_of_another_length_is_refused_when_repeated(
    store: Store, http: HttpClient, server: Server, promised: int
) -> None:
    server.answers["/a"] = content(DATA)
    with pytest.raises(SizeMismatchError, match=f"{len(DATA)} bytes, expected are {promised}"):
        fetch(store, [request_for(f"{server.url}/a", size=promised)], http=http)
    assert [headers.get("cache-control") for _, headers in server.asked] == [None, "no-cache"]
    assert leftovers(store) == []


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


@pytest.mark.parametrize("size", [len(DATA), None])
def test_an_endless_body_is_cut_off(store: Store, http: HttpClient, server: Server, size: int | None) -> None:
    server.answers["/a"] = endless
    with pytest.raises(SizeMismatchError):
        fetch(store, [request_for(f"{server.url}/a", size=size)], http=http, max_bytes=3_000_000)
    assert leftovers(store) == []


def test_a_server_that_always_breaks_off_is_a_clear_error(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = content(DATA[:1000], length=len(DATA))
    with pytest.raises(DownloadError, match=f"cannot read {server.url}/a"):
        fetch(store, [request_for(f"{server.url}/a")], http=http)
    assert len(server.asked) == 5
    assert leftovers(store) == []


def partial(start: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        handler.send_header("Content-Length", str(len(DATA) - start))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(DATA[start:])

    return answer


def test_a_broken_download_goes_on_where_it_was(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = in_turn(content(DATA[:524_288], length=len(DATA)), partial(524_288))
    fetch(store, [request_for(f"{server.url}/a", size=len(DATA))], http=http)
    assert server.asked[1][1]["range"] == "bytes=524288-"
    assert store.read_bytes(DIGEST) == DATA


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        ({"ETag": '"one"'}, '"one"'),
        ({"ETag": 'W/"one"'}, None),
        ({"ETag": '"o ne"'}, None),
        ({"Last_Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}, "Sat, 01 Jan 2000 00:00:00 GMT"),
        ({"Last_Modified": "Fri, 01 Jan 2100 00:00:00 GMT"}, None),
        ({"Last_Modified": "yesterday"}, None),
    ],
)
def test_the_rest_is_asked_of_the_same_version_only(
    store: Store, http: HttpClient, server: Server, first: dict[str, str], asked: str | None
) -> None:
    server.answers["/a"] = in_turn(content(DATA[:524_288], length=len(DATA), **first), partial(524_288))
    fetch(store, [request_for(f"{server.url}/a")], http=http)
    assert server.asked[1][1].get("if-range") == asked
    assert store.read_bytes(DIGEST) == DATA


def test_the_rest_of_another_version_is_not_used(store: Store, http: HttpClient, server: Server) -> None:
    old = content(bytes(524_288), length=len(DATA), ETag='"old"')
    server.answers["/a"] = in_turn(old, partial(524_288, ETag='"new"'), content(DATA, ETag='"new"'))
    fetch(store, [request_for(f"{server.url}/a", size=len(DATA))], http=http)
    assert [headers.get("range") for _, headers in server.asked] == [None, "bytes=524288-", None]
    assert store.read_bytes(DIGEST) == DATA


def test_another_part_than_asked_for_is_not_used(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = in_turn(content(DATA[:524_288], length=len(DATA)), partial(500_000), content(DATA))
    fetch(store, [request_for(f"{server.url}/a", size=len(DATA))], http=http)
    assert store.read_bytes(DIGEST) == DATA


def test_a_server_that_has_nothing_left_is_asked_for_all(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = in_turn(content(DATA, length=len(DATA) + 1), status(416), content(DATA))
    fetch(store, [request_for(f"{server.url}/a")], http=http)
    assert [headers.get("range") for _, headers in server.asked] == [None, f"bytes={len(DATA)}-", None]
    assert store.read_bytes(DIGEST) == DATA


def test_a_server_that_never_gets_further_is_given_up(store: Store, http: HttpClient, server: Server) -> None:
    """Arriving at the same place again is no progress, however far it is."""
    long = DATA * 3
    server.answers["/a"] = content(long[:2_500_000], length=len(long))
    with pytest.raises(DownloadError):
        fetch(store, [request_for(f"{server.url}/a", long)], http=http)
    assert len(server.asked) <= 6


def test_a_server_without_ranges_begins_again(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = in_turn(content(DATA[:524_288], length=len(DATA)), content(DATA))
    fetch(store, [request_for(f"{server.url}/a", size=len(DATA))], http=http)
    assert store.read_bytes(DIGEST) == DATA


def without_length(body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def test_a_short_body_without_a_promise_is_read_again(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = in_turn(without_length(DATA[:1000]), without_length(DATA))
    fetch(store, [request_for(f"{server.url}/a", size=len(DATA))], http=http)
    assert store.read_bytes(DIGEST) == DATA
    server.answers["/b"] = without_length(DATA[:1000])
    other = request_for(f"{server.url}/b", DATA + b"x", size=len(DATA) + 1)
    with pytest.raises(SizeMismatchError, match="1000 bytes"):
        fetch(store, [other], http=http)


def test_an_overloaded_server_is_asked_again(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = in_turn(status(503), status(429, Retry_After="1"), content(DATA))
    began = time.monotonic()
    fetch(store, [request_for(f"{server.url}/a")], http=http)
    assert time.monotonic() - began >= 1
    assert store.read_bytes(DIGEST) == DATA
    assert len(server.asked) == 3


def test_a_server_that_wants_an_hour_is_not_waited_for(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = status(503, Retry_After="3600")
    with pytest.raises(DownloadError, match="503 Service Unavailable") as caught:
        fetch(store, [request_for(f"{server.url}/a")], http=http)
    assert caught.value.status == 503
    assert len(server.asked) == 1


def test_a_missing_file_is_asked_for_once(store: Store, http: HttpClient, server: Server) -> None:
    with pytest.raises(DownloadError, match="404 Not Found") as caught:
        fetch(store, [request_for(f"{server.url}/none")], http=http)
    assert caught.value.status == 404
    assert len(server.asked) == 1


def test_a_host_that_is_not_there_is_a_clear_error(store: Store, http: HttpClient, server: Server) -> None:
    server.http.server_close()
    with pytest.raises(DownloadError, match="refused"):
        fetch(store, [request_for(f"{server.url}/a")], http=http)


def test_the_bytes_are_hashed_as_they_are_sent(store: Store, http: HttpClient, server: Server) -> None:
    packed = gzip.compress(DATA, mtime=0)
    server.answers["/a.tar.gz"] = content(packed, Content_Encoding="gzip")
    fetch(store, [request_for(f"{server.url}/a.tar.gz", packed, size=len(packed))], http=http)
    assert store.find(hashlib.sha256(packed).hexdigest())


def stalled(server: Server) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(bytes(1000))
        handler.wfile.flush()
        server.released.wait(60)

    return answer


def test_the_first_failure_stops_the_others_promptly(store: Store, http: HttpClient, server: Server) -> None:
    def bad(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        status(404)(handler)

    server.answers["/bad"] = bad
    requests = [request_for(f"{server.url}/bad", b"bad")]
    for number in range(6):
        server.answers[f"/{number}"] = stalled(server)
        requests.append(request_for(f"{server.url}/{number}", bytes([number]), size=1_000_000))
    began = time.monotonic()
    with pytest.raises(DownloadError, match="404"):
        fetch(store, requests, http=http, jobs=8)
    assert time.monotonic() - began < 2
    assert leftovers(store) == []


INTERRUPTED = """
import sys
from pathlib import Path
from crossdock.store import FileRequest, Store, fetch
requests = [FileRequest(name=str(n), url=f"{sys.argv[2]}/{n}", sha256=f"{n:064x}") for n in range(4)]
try:
    fetch(Store(Path(sys.argv[1])), requests)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_stops_promptly_and_leaves_nothing(store: Store, server: Server) -> None:
    for number in range(4):
        server.answers[f"/{number}"] = stalled(server)
    environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    command = [sys.executable, "-c", INTERRUPTED, str(store.root), server.url]
    with subprocess.Popen(command, env=environ) as process:
        deadline = time.monotonic() + 20
        while len(leftovers(store)) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(leftovers(store)) == 4
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
    assert leftovers(store) == []


@pytest.mark.parametrize("spelling", [str, Path.as_uri])
def test_files_of_this_machine_are_copied(store: Store, tmp_path: Path, spelling: object) -> None:
    path = tmp_path / "a file+1.whl"
    path.write_bytes(DATA)
    assert callable(spelling)
    fetch(store, [request_for(spelling(path), size=len(DATA))])
    assert store.read_bytes(DIGEST) == DATA


def test_files_of_this_machine_are_checked_too(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(DATA[:-1])
    with pytest.raises(SizeMismatchError):
        fetch(store, [request_for(str(path), size=len(DATA))])
    with pytest.raises(HashMismatchError):
        fetch(store, [request_for(str(path))])
    with pytest.raises(DownloadError, match="No such file") as caught:
        fetch(store, [request_for(str(tmp_path / "none"))])
    assert caught.value.status == 404
    assert leftovers(store) == []


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an endless device")
@pytest.mark.parametrize(
    "url", ["file:///dev/zero", "file://host/share/a.whl", "ftp://index.example/a", "git+ssh://x/y"]
)
def test_what_is_no_plain_file_is_not_read(store: Store, url: str) -> None:
    with pytest.raises(DownloadError):
        fetch(store, [request_for(url)])


@pytest.mark.parametrize("url", ["https://[", "https://index.example:99999/", "http://", "http:///a", "https://a b/"])
def test_a_url_that_cannot_be_read_is_a_clear_error(store: Store, http: HttpClient, url: str) -> None:
    with pytest.raises(DownloadError):
        fetch(store, [request_for(url)], http=HttpClient(environ={}, retries=0))


def test_a_cache_that_cannot_be_written_is_told_at_once(tmp_path: Path, http: HttpClient, server: Server) -> None:
    (tmp_path / "file").write_bytes(b"")
    server.answers["/a"] = content(DATA)
    with pytest.raises(CacheFolderError):
        fetch(Store(tmp_path / "file"), [request_for(f"{server.url}/a")], http=http)
    assert len(server.asked) == 1


def test_offline_all_files_that_are_missing_are_named(store: Store, server: Server, tmp_path: Path) -> None:
    here = tmp_path / "here.whl"
    here.write_bytes(DATA)
    offline = HttpClient(environ={}, offline=True)
    fetch(store, [request_for(str(here)), request_for(f"{server.url}/a")], http=offline)
    urls = [f"{server.url.replace('//', '//user:secret@')}/{number:02}.whl?token=secret" for number in range(30)]
    requests = [
        replace(request_for(url, str(number).encode()), name=f"{number:02}.whl") for number, url in enumerate(urls)
    ]
    with pytest.raises(OfflineError, match="30 files are not in the cache") as caught:
        fetch(store, requests, http=offline)
    assert caught.value.why.startswith("00.whl, 01.whl, ")
    assert caught.value.why.endswith(", 19.whl and 10 more")
    assert "crossdock fetch" in caught.value.hint
    with pytest.raises(OfflineError, match=f"{server.url}/page is needed") as caught:
        read_url(offline, f"{server.url.replace('//', '//user:secret@')}/page?token=secret", limit_bytes=9)
    assert "secret" not in str(caught.value)
    assert read_url(offline, here.as_uri(), limit_bytes=len(DATA)) == DATA
    assert server.asked == []


def test_progress_is_drawn_and_wiped(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = content(DATA)
    drawn = io.StringIO()
    fetch(store, [request_for(f"{server.url}/a", size=len(DATA))], http=http, progress=Progress(drawn))
    assert "fetching 1/1 files  1.0/1.0 MB" in drawn.getvalue()
    assert drawn.getvalue().split("\r")[-2:][0].strip() == ""
    assert "\x1b" not in drawn.getvalue()


def test_two_fetches_at_once_share_a_store(store: Store, http: HttpClient, server: Server) -> None:
    server.answers["/a"] = content(DATA)
    failures: list[BaseException] = []

    def one() -> None:
        try:
            fetch(store, [request_for(f"{server.url}/a")], http=http)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert leftovers(store) == [DIGEST]


def test_a_page_is_read_whole_with_its_encoding_undone(http: HttpClient, server: Server) -> None:
    server.answers["/page"] = content(gzip.compress(b"page"), Content_Encoding="gzip")
    assert read_url(http, f"{server.url}/page", limit_bytes=4) == b"page"


@pytest.mark.parametrize("encoded", [False, True])
def test_a_page_that_is_too_long_is_refused(http: HttpClient, server: Server, encoded: bool) -> None:
    bomb = bytes(50_000_000)
    packed = content(gzip.compress(bomb), Content_Encoding="gzip") if encoded else content(bomb)
    server.answers["/page"] = packed
    with pytest.raises(SizeMismatchError, match="more than 1000 bytes"):
        read_url(http, f"{server.url}/page", limit_bytes=1000)


def test_a_local_page_is_bounded_too(http: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(bytes(1001))
    with pytest.raises(SizeMismatchError):
        read_url(http, str(tmp_path / "page"), limit_bytes=1000)
    assert len(read_url(http, (tmp_path / "page").as_uri(), limit_bytes=1001)) == 1001
