"""Files are found by project, or by hash, in any kind of index; pages are never trusted."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store.conftest import content, status

from crossdock.errors import (
    DownloadError,
    IndexConfigError,
    IndexPageError,
    InvalidRequestError,
    OfflineError,
    StoreError,
)
from crossdock.store import HashQuery, HttpClient, IndexConfig, IndexFile, fetch, find_by_hashes, find_files, find_many
from crossdock.store.downloads import Document, FileRequest
from crossdock.store.pages import parse_page

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.store.conftest import Server

    from crossdock.store import Store

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
PAGE_URL = "https://index.example/simple/a-b/"
H1, H2, H3 = (character * 64 for character in "123")


def html(*anchors: str) -> bytes:
    return ("<!DOCTYPE html><html><body>" + "<br/>".join(anchors) + "</body></html>").encode()


def parse(body: bytes, content_type: str = "text/html", url: str = PAGE_URL) -> list[IndexFile]:
    return parse_page(Document(url=url, content_type=content_type, body=body), "a-b")


def links(*anchors: str) -> list[IndexFile]:
    return parse(html(*anchors))


def json_page(*files: dict[str, Any], version: object = "1.1") -> bytes:
    return json.dumps({"meta": {"api-version": version}, "name": "a-b", "files": list(files)}).encode()


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def config_for(*index_urls: str, find_links: tuple[str, ...] = ()) -> IndexConfig:
    return IndexConfig(index_url=index_urls[0], extra_index_urls=index_urls[1:], find_links=find_links)


def test_an_html_page() -> None:
    assert links(
        f'<a href="https://files.example/x/a_b-1-py3-none-any.whl#sha256={H1.upper()}"'
        ' data-requires-python="&gt;=3.9" data-yanked="broken">a</a>',
        '<a href="../../files/a_b-1%2Blocal.tar.gz#md5=0123">b</a>',
        '<a href="a_b-2.tar.gz" data-yanked>c</a>',
    ) == [
        IndexFile(
            filename="a_b-1-py3-none-any.whl",
            url="https://files.example/x/a_b-1-py3-none-any.whl",
            sha256=H1,
            requires_python=">=3.9",
            yanked=True,
        ),
        IndexFile(filename="a_b-1+local.tar.gz", url="https://index.example/files/a_b-1%2Blocal.tar.gz"),
        IndexFile(filename="a_b-2.tar.gz", url="https://index.example/simple/a-b/a_b-2.tar.gz", yanked=True),
    ]


def test_a_json_page() -> None:
    page = json_page(
        {"filename": "a_b-1.tar.gz", "url": "/f/a_b-1.tar.gz", "hashes": {"sha256": H1, "md5": "0"}, "size": 7}
        | {"requires-python": ">=3.9", "yanked": False},
        {"filename": "a_b-2.tar.gz", "url": "a_b-2.tar.gz", "hashes": {}, "yanked": "broken", "size": -1},
    )
    assert parse(page, JSON_TYPE) == [
        IndexFile(
            filename="a_b-1.tar.gz",
            url="https://index.example/f/a_b-1.tar.gz",
            sha256=H1,
            size=7,
            requires_python=">=3.9",
        ),
        IndexFile(filename="a_b-2.tar.gz", url="https://index.example/simple/a-b/a_b-2.tar.gz", yanked=True),
    ]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "javascript:x", "ftp://index.example/a.whl", "https://[/a.whl"]
)
def test_a_page_of_the_network_links_only_to_the_network(target: str) -> None:
    page = json_page({"filename": "a.whl", "url": target, "hashes": {}}, {"filename": "b.whl", "url": "b.whl"})
    assert [file.filename for file in parse(page, JSON_TYPE)] == ["b.whl"]


@pytest.mark.parametrize(
    "name", ["../a.whl", "a/b.whl", "..", "", "a\\b.whl", "a\0.whl", "a\n.whl", "c:a.whl", 1, None]
)
def test_a_file_name_is_one_plain_component(name: object) -> None:
    assert parse(json_page({"filename": name, "url": "a.whl", "hashes": {}}), JSON_TYPE) == []
    assert links('<a href="x/..%2f..%2fa.whl">a</a>') == []


def test_a_hash_that_is_none_is_not_taken_for_one() -> None:
    values: list[object] = [{"sha256": "1"}, [], None]
    page = json_page(*({"filename": "a.whl", "url": "a.whl", "hashes": hashes} for hashes in values))
    assert [file.sha256 for file in parse(page, JSON_TYPE)] == [None] * 3
    assert [file.sha256 for file in links('<a href="a.whl#sha256=1">a</a>')] == [None]


def test_a_link_to_a_part_of_a_page_is_no_hash() -> None:
    found = links(
        '<a href="#top">x</a>', "<a href=#top>x</a>", f'<a href="a-1.whl#sha256={H1}">x</a>', '<a href="b.whl#x">x</a>'
    )
    assert [(file.filename, file.sha256) for file in found] == [("a-1.whl", H1), ("b.whl", None)]


def test_a_page_of_links_without_end_is_read_in_one_go() -> None:
    began = time.process_time()
    parse(b"<a " + b"href=" * 400_000 + b">")
    assert time.process_time() - began < 4  # seconds; four times that, where what follows each is read


def test_credentials_in_links_are_dropped() -> None:
    page = html(f'<a href="https://user:secret@index.example/a.whl#sha256={H1}">a</a>', '<a href="b.whl">b</a>')
    found = parse(page, url="https://user:secret@index.example/simple/a/")
    assert [file.url for file in found] == ["https://index.example/a.whl", "https://index.example/simple/a/b.whl"]


def test_later_minor_versions_are_read() -> None:
    meta = '<meta name="pypi:repository-version" content="1.9">'
    assert len(parse(html(meta, '<a href="a.whl">a</a>'))) == 1
    assert len(parse(json_page({"filename": "a.whl", "url": "a.whl"}, version="1.9"), JSON_TYPE)) == 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (html('<meta name="pypi:repository-version" content="2.0">'), "text/html"),
        (json_page(version="2.0"), JSON_TYPE),
        (b"{}", JSON_TYPE),
        (b"[]", JSON_TYPE),
        (b'{"meta": {"api-version": "1.0"}, "files": 1}', JSON_TYPE),
        (b"[" * 200_000, JSON_TYPE),
        (b"\xff", JSON_TYPE),
        (b"", "application/octet-stream"),
    ],
)
def test_a_page_that_is_not_understood_is_a_clear_error(body: bytes, content_type: str) -> None:
    with pytest.raises(IndexPageError, match=r"index\.example/simple/a-b/"):
        parse(body, content_type)


@given(st.binary() | st.text().map(lambda text: html(f'<a href="{text}">x</a>')))
def test_no_page_is_more_than_refused(body: bytes) -> None:
    for content_type in ("text/html", JSON_TYPE):
        try:
            found = parse(body, content_type)
        except IndexPageError:
            continue
        assert all("/" not in file.filename and file.url.startswith(("http:", "https:")) for file in found)


def test_an_index_is_asked_for_json_and_may_answer_html(http: HttpClient, server: Server) -> None:
    server.answers["/simple/a-b/"] = content(
        html('<a href="a_b-1.tar.gz">x</a>'), Content_Type="text/html; charset=utf-8"
    )
    found = find_files(http, config_for(f"{server.url}/simple"), "A.b")
    assert [file.url for file in found] == [f"{server.url}/simple/a-b/a_b-1.tar.gz"]
    path, headers = server.asked[0]
    assert path == "/simple/a-b/"
    assert headers["accept"].startswith(JSON_TYPE)
    assert "text/html" in headers["accept"]


def test_links_are_relative_to_where_a_redirect_leads(http: HttpClient, server: Server, other_server: Server) -> None:
    server.answers["/simple/a/"] = status(301, Location=f"{other_server.url}/other/a/")
    page = json_page({"filename": "a-1.tar.gz", "url": "../f/a-1.tar.gz", "hashes": {"sha256": H1}})
    other_server.answers["/other/a/"] = content(page, Content_Type=f"{JSON_TYPE}; x=y")
    found = find_files(http, config_for(f"{server.url}/simple/"), "a")
    assert [file.url for file in found] == [f"{other_server.url}/other/f/a-1.tar.gz"]


def test_an_index_that_does_not_know_the_project_has_no_files(http: HttpClient, server: Server, tmp_path: Path) -> None:
    places = (str(tmp_path / "none"), (tmp_path / "none").as_uri())
    assert find_files(http, config_for(f"{server.url}/simple", *places, find_links=places), "a") == []


def test_an_index_that_fails_is_an_error(http: HttpClient, server: Server) -> None:
    server.answers["/simple/a/"] = status(403)
    with pytest.raises(DownloadError, match="403"):
        find_files(http, config_for(f"{server.url}/simple"), "a")


@pytest.mark.parametrize("name", ["../../etc", "/etc", "a/b", "", "a b", "é"])
def test_what_is_no_project_name_is_refused(http: HttpClient, server: Server, name: str) -> None:
    with pytest.raises(InvalidRequestError):
        find_files(http, config_for(server.url), name)
    assert server.asked == []


def test_folders_arranged_like_an_index(http: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "simple" / "a-b").mkdir(parents=True)
    (tmp_path / "simple" / "c").mkdir()
    (tmp_path / "simple" / "a-b" / "index.html").write_bytes(
        html(f'<a href="../../files/a_b-1.tar.gz#sha256={H1}">x</a>')
    )
    (tmp_path / "simple" / "c" / "c-1+x.tar.gz").write_bytes(b"c")
    config = config_for((tmp_path / "simple").as_uri(), str(tmp_path / "simple"))
    url = (tmp_path / "files" / "a_b-1.tar.gz").as_uri()
    assert find_files(http, config, "A_b") == [IndexFile(filename="a_b-1.tar.gz", url=url, sha256=H1)] * 2
    url = (tmp_path / "simple" / "c" / "c-1+x.tar.gz").as_uri()
    assert find_files(http, config, "c") == [IndexFile(filename="c-1+x.tar.gz", url=url, size=1)] * 2


def test_find_links_are_folders_and_pages_of_any_project(http: HttpClient, server: Server, tmp_path: Path) -> None:
    names = ["a_b-1-py3-none-any.whl", "A.B-2.tar.gz", "a_b_c-1.tar.gz", "README", "a-b-1.exe"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    server.answers["/links"] = content(html(*(f'<a href="{name}">x</a>' for name in names)), Content_Type="text/html")
    config = config_for(f"{server.url}/simple", find_links=(f"{server.url}/links", str(tmp_path)))
    found = [file.url for file in find_files(http, config, "a-b")]
    assert found == [
        (tmp_path / "A.B-2.tar.gz").as_uri(),
        (tmp_path / "a_b-1-py3-none-any.whl").as_uri(),
        f"{server.url}/a_b-1-py3-none-any.whl",
        f"{server.url}/A.B-2.tar.gz",
    ]


def serve_project(server: Server, *hashes: str) -> None:
    anchors = [f'<a href="a-1-{number}-py3-none-any.whl#sha256={sha}">x</a>' for number, sha in enumerate(hashes)]
    server.answers["/simple/a/"] = content(html(*anchors), Content_Type="text/html")


def test_files_are_found_by_their_hashes_once(store: Store, http: HttpClient, server: Server) -> None:
    serve_project(server, H1, H2, H3)
    config = config_for(f"{server.url}/simple/")
    found = find_by_hashes(store, http, config, "A", "1", [H3, H1.upper(), H1])
    assert [(file.filename, file.sha256) for file in found] == [
        ("a-1-0-py3-none-any.whl", H1),
        ("a-1-2-py3-none-any.whl", H3),
    ]
    server.http.server_close()
    assert find_by_hashes(store, http, config, "a", "1", [H1, H3]) == found
    assert len(server.asked) == 1


def test_an_answer_that_lacks_a_file_is_not_kept(store: Store, http: HttpClient, server: Server) -> None:
    serve_project(server, H1)
    config = config_for(f"{server.url}/simple/")
    assert [file.sha256 for file in find_by_hashes(store, http, config, "a", "1", [H1, H2])] == [H1]
    serve_project(server, H1, H2)
    assert [file.sha256 for file in find_by_hashes(store, http, config, "a", "1", [H1, H2])] == [H1, H2]


def test_another_index_is_asked_anew(store: Store, http: HttpClient, server: Server, other_server: Server) -> None:
    serve_project(server, H1)
    serve_project(other_server, H1)
    for one in (server, other_server):
        (found,) = find_by_hashes(store, http, config_for(f"{one.url}/simple/"), "a", "1", [H1])
        assert found.url.startswith(one.url)


def test_no_credentials_are_kept(store: Store, http: HttpClient, server: Server) -> None:
    serve_project(server, H1)
    config = config_for(f"{server.url}/simple/".replace("//", "//user:secret@", 1))
    assert find_by_hashes(store, http, config, "a", "1", [H1])
    assert "authorization" in server.asked[0][1]
    assert [path for path in store.root.rglob("*") if path.is_file() and b"secret" in path.read_bytes()] == []


def test_files_without_a_hash_are_hashed_if_they_may_be_meant(store: Store, http: HttpClient, tmp_path: Path) -> None:
    links = tmp_path / "wheels"
    links.mkdir()
    for name in ("a-1.0-py3-none-any.whl", "a-2-py3-none-any.whl", "b-1-py3-none-any.whl"):
        (links / name).write_bytes(name.encode())
    wanted = links / "a-1.0-py3-none-any.whl"
    other = links / "a-2-py3-none-any.whl"
    config = config_for(str(tmp_path / "none"), find_links=(str(links),))
    (found,) = find_by_hashes(store, http, config, "a", "1", [sha256_of(wanted), sha256_of(other)])
    assert (found.filename, found.sha256, found.url) == (wanted.name, sha256_of(wanted), wanted.as_uri())
    fetch(store, [FileRequest(name=found.filename, url=found.url, sha256=sha256_of(wanted), size=found.size)])
    assert store.read_bytes(sha256_of(wanted)) == wanted.read_bytes()


def test_a_local_file_that_has_gone_is_looked_for_again(
    store: Store, http: HttpClient, server: Server, tmp_path: Path
) -> None:
    local = tmp_path / "wheels" / "a-1-py3-none-any.whl"
    local.parent.mkdir()
    local.write_bytes(b"a")
    digest = sha256_of(local)
    serve_project(server, digest)
    config = config_for(f"{server.url}/simple/", find_links=(str(local.parent),))
    assert find_by_hashes(store, http, config, "a", "1", [digest])[0].url == local.as_uri()
    assert server.asked == []
    local.unlink()
    assert find_by_hashes(store, http, config, "a", "1", [digest])[0].url.startswith(server.url)


def test_many_questions_read_each_page_once(store: Store, http: HttpClient, server: Server) -> None:
    serve_project(server, H1, H2)
    server.answers["/simple/b/"] = content(html(f'<a href="b-1.tar.gz#sha256={H3}">x</a>'), Content_Type="text/html")
    queries = [
        HashQuery(name=n, version=v, sha256s=(h,)) for n, v, h in (("a", "1", H2), ("b", "1", H3), ("a", "2", H1))
    ]
    config = config_for(f"{server.url}/simple/")
    found = find_many(store, http, config, queries)
    assert [[file.sha256 for file in files] for files in found] == [[H2], [H3], [H1]]
    assert sorted(server.paths()) == ["/simple/a/", "/simple/b/"]
    assert find_many(store, http, config, queries) == found
    assert len(server.asked) == 2
    assert find_many(store, http, config, []) == []


def test_one_page_that_fails_fails_all(store: Store, http: HttpClient, server: Server) -> None:
    serve_project(server, H1)
    server.answers["/simple/b/"] = status(403)
    queries = [HashQuery(name=name, version="1", sha256s=(H1,)) for name in ("a", "b", "b")]
    with pytest.raises(StoreError, match="403"):
        find_many(store, http, config_for(f"{server.url}/simple/"), queries)


def test_a_damaged_record_is_answered_anew(store: Store, http: HttpClient, server: Server) -> None:
    serve_project(server, H1)
    config = config_for(f"{server.url}/simple/")
    found = find_by_hashes(store, http, config, "a", "1", [H1])
    (record,) = (store.root / "actions").rglob("*.json")
    for value in ([{"filename": "x"}], [1], 7, {"a": 1}, [{"filename": "x", "url": None}]):
        store.record(record.stem, value)
        assert find_by_hashes(store, http, config, "a", "1", [H1]) == found


def test_a_signed_url_is_not_kept(store: Store, http: HttpClient, server: Server) -> None:
    """It is a secret for as long as it works, and of no use afterwards."""
    server.answers["/simple/a/"] = content(
        html(f'<a href="a-1.tar.gz?signature=secret#sha256={H1}">x</a>'), Content_Type="text/html"
    )
    config = config_for(f"{server.url}/simple/")
    for _ in range(2):
        (found,) = find_by_hashes(store, http, config, "a", "1", [H1])
        assert found.url.endswith("?signature=secret")
    assert len(server.asked) == 2
    assert not (store.root / "actions").exists()


def test_the_index_a_lock_names_is_asked_first(
    store: Store, http: HttpClient, server: Server, other_server: Server
) -> None:
    serve_project(server, H1)
    serve_project(other_server, H1, H2)
    config = config_for(f"{server.url}/simple/")
    index = f"{other_server.url}/simple"
    query = HashQuery(name="a", version="1", sha256s=(H1,), index=index)
    assert [file.url.startswith(other_server.url) for file in find_many(store, http, config, [query])[0]] == [True]
    assert server.asked == []
    both = replace(query, sha256s=(H1, H2), only=True)
    assert [file.sha256 for file in find_many(store, http, config, [both])[0]] == [H1, H2]
    assert server.asked == []
    assert [file.sha256 for file in find_files(http, config, "a", index=index, only=True)] == [H1, H2]
    # The same index under two spellings is one place.
    same = config_for(f"{other_server.url.replace('//', '//user:secret@')}/simple/")
    asked = len(other_server.asked)
    assert find_many(store, http, same, [replace(query, sha256s=(H3,))]) == [()]
    assert len(other_server.asked) == asked + 1
    assert "secret" not in repr(replace(query, index=same.index_url))


@pytest.mark.parametrize("index", ["ftp://user:secret@one.example/", "https://[", "file://host/share"])
def test_a_lock_that_names_no_index_is_refused(store: Store, http: HttpClient, server: Server, index: str) -> None:
    query = HashQuery(name="a", version="1", sha256s=(H1,), index=index)
    with pytest.raises(IndexConfigError) as caught:
        find_many(store, http, config_for(f"{server.url}/simple/"), [query])
    assert "secret" not in str(caught.value)


def test_offline_answers_come_from_records_and_folders(
    store: Store, http: HttpClient, server: Server, tmp_path: Path
) -> None:
    serve_project(server, H1)
    local = tmp_path / "b-1-py3-none-any.whl"
    local.write_bytes(b"b")
    config = config_for(f"{server.url}/simple/", find_links=(str(tmp_path),))
    queries = [HashQuery(name="a", version="1", sha256s=(H1,))]
    found = find_many(store, http, config, queries)
    queries.append(HashQuery(name="b", version="1", sha256s=(sha256_of(local),)))
    offline = HttpClient(environ={}, offline=True)
    asked = len(server.asked)
    assert find_many(store, offline, config, queries)[0] == found[0]
    queries += [HashQuery(name=name, version="2", sha256s=(H2,)) for name in ("d", "c")]
    with pytest.raises(OfflineError, match="2 packages") as caught:
        find_many(store, offline, config, queries)
    assert caught.value.why == "c 2, d 2"
    assert len(server.asked) == asked
