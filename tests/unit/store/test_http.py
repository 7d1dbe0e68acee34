"""Requests are sent so that TLS is always checked and credentials reach no host but their own."""

from __future__ import annotations

import base64
import datetime as dt
import shutil
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.unit.store.conftest import content, running, status

from crossdock import __version__
from crossdock.errors import CrossdockError, DownloadError, HttpConfigError
from crossdock.store import HttpClient, read_url
from crossdock.store.retries import parse_retry_after, retry_delay
from crossdock.store.urls import redact, scrub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.store.conftest import Answer, Server

BASIC = "Basic " + base64.b64encode(b"user:se:cret").decode()


def with_user(url: str, userinfo: str = "user:se%3Acret") -> str:
    return url.replace("//", f"//{userinfo}@")


def authorizations(server: Server) -> list[str | None]:
    return [headers.get("authorization") for _, headers in server.asked]


def test_the_client_names_itself(http: HttpClient, server: Server) -> None:
    server.answers["/"] = content(b"page")
    read_url(http, server.url + "/", limit_bytes=10)
    assert server.asked[0][1]["user-agent"] == f"crossdock/{__version__}"
    assert authorizations(server) == [None]


def test_credentials_of_a_url_go_to_its_own_origin_only(http: HttpClient, server: Server, other_server: Server) -> None:
    server.answers["/a"] = status(302, Location=f"{other_server.url}/b")
    other_server.answers["/b"] = content(b"page")
    assert read_url(http, with_user(f"{server.url}/a"), limit_bytes=10) == b"page"
    assert authorizations(server) == [BASIC]
    assert authorizations(other_server) == [None]


def test_credentials_stay_on_a_redirect_within_the_host(http: HttpClient, server: Server) -> None:
    server.answers["/a"] = status(301, Location="b")
    server.answers["/b"] = content(b"page")
    assert read_url(http, with_user(f"{server.url}/a"), limit_bytes=10) == b"page"
    assert authorizations(server) == [BASIC, BASIC]


def test_a_redirect_cannot_hand_out_credentials(http: HttpClient, server: Server, other_server: Server) -> None:
    server.answers["/a"] = status(302, Location=with_user(f"{other_server.url}/b"))
    other_server.answers["/b"] = content(b"page")
    read_url(http, f"{server.url}/a", limit_bytes=10)
    read_url(http, f"{other_server.url}/b", limit_bytes=10)
    assert authorizations(other_server) == [None, None]


def test_credentials_of_a_configured_index_serve_its_files(server: Server, tmp_path: Path) -> None:
    server.answers["/files/a.whl"] = content(b"page")
    http = HttpClient(environ={"HOME": str(tmp_path)}, trusted_urls=[with_user(f"{server.url}/simple/")])
    read_url(http, f"{server.url}/files/a.whl", limit_bytes=10)
    assert authorizations(server) == [BASIC]


def test_netrc_serves_the_host_it_names(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = content(b"page")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password se:cret\n")
    http = HttpClient(environ={"NETRC": str(tmp_path / "netrc")})
    read_url(http, f"{server.url}/a", limit_bytes=10)
    assert authorizations(server) == [BASIC]


def test_two_indexes_of_one_host_have_a_user_each(server: Server, tmp_path: Path) -> None:
    urls = [with_user(f"{server.url}/{team}/simple/", f"{team}:pw") for team in ("one", "two")]
    http = HttpClient(environ={"HOME": str(tmp_path)}, trusted_urls=urls)
    paths = ["/two/simple/a/", "/one/simple/a/", "/two/files/a.whl", "/files/a.whl"]
    for path in paths:
        server.answers[path] = content(b"page")
        read_url(http, server.url + path, limit_bytes=10)
    users = [base64.b64decode((header or "").split()[1]).decode().split(":")[0] for header in authorizations(server)]
    assert users == ["two", "one", "two", "one"]


def test_netrc_has_the_password_of_its_own_user_only(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = content(b"page")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password se:cret\n")
    for user in ("user", "token"):
        http = HttpClient(environ={"NETRC": str(tmp_path / "netrc")})
        read_url(http, with_user(f"{server.url}/a", user), limit_bytes=10)
    assert authorizations(server) == [BASIC, "Basic " + base64.b64encode(b"token:").decode()]


def test_netrc_default_is_sent_to_no_host(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = content(b"page")
    (tmp_path / "netrc").write_text("machine index.example login a password b\ndefault login user password secret\n")
    read_url(HttpClient(environ={"NETRC": str(tmp_path / "netrc")}), f"{server.url}/a", limit_bytes=10)
    assert authorizations(server) == [None]


def test_a_broken_netrc_is_told_without_its_content(server: Server, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine index.example login a secret\n")
    with pytest.raises(HttpConfigError, match="near line") as caught:
        read_url(HttpClient(environ={"NETRC": str(tmp_path / "netrc")}), f"{server.url}/a", limit_bytes=10)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [status(401), status(403), status(500), status(302, Location="http://u:secret@["), None]
)
def test_no_message_shows_credentials(server: Server, answer: Answer | None, tmp_path: Path) -> None:
    if answer is None:
        server.http.server_close()
    else:
        server.answers["/a"] = answer
    http = HttpClient(environ={"HOME": str(tmp_path)}, retries=0)
    with pytest.raises(CrossdockError) as caught:
        read_url(http, with_user(f"{server.url}/a?token=secret", "secret-user:secret"), limit_bytes=10)
    assert "secret" not in str(caught.value)
    assert f"{server.url}/a" in str(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://index.example/", "javascript:alert(1)"])
def test_a_redirect_to_anything_but_http_is_refused(http: HttpClient, server: Server, target: str) -> None:
    server.answers["/a"] = status(302, Location=target)
    with pytest.raises(DownloadError, match="redirects from http to"):
        read_url(http, f"{server.url}/a", limit_bytes=10)


def test_a_redirect_loop_ends(http: HttpClient, server: Server) -> None:
    server.answers["/a"] = status(302, Location="/a")
    with pytest.raises(DownloadError, match="more than 10 times"):
        read_url(http, f"{server.url}/a", limit_bytes=10)
    assert len(server.asked) == 11


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    return tmp_path / "certificate.pem"


def serve_tls(server: Server, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    # What clients do that refuse the certificate is no concern of the test's output.
    server.http.handle_error = lambda *_: None  # type: ignore[method-assign]


def test_a_certificate_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with running(lambda server: serve_tls(server, certificate)) as server:
        with pytest.raises(DownloadError, match="certificate verify failed") as caught:
            read_url(HttpClient(environ={}), server.tls_url + "/a", limit_bytes=10)
        assert "SSL_CERT_FILE" in caught.value.hint
        assert server.asked == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", None])
def test_a_private_ca_can_be_named(certificate: Path, variable: str | None) -> None:
    environ = {variable: str(certificate)} if variable else {}
    http = HttpClient(environ=environ, ca_bundle=None if variable else str(certificate))
    with running(lambda server: serve_tls(server, certificate)) as server:
        server.answers["/a"] = content(b"page")
        assert read_url(http, server.tls_url + "/a", limit_bytes=10) == b"page"


def test_a_redirect_from_https_to_http_is_refused(certificate: Path, other_server: Server) -> None:
    http = HttpClient(environ={"SSL_CERT_FILE": str(certificate)})
    with running(lambda server: serve_tls(server, certificate)) as server:
        server.answers["/a"] = status(302, Location=f"{other_server.url}/b")
        with pytest.raises(DownloadError, match="redirects from https to http:"):
            read_url(http, server.tls_url + "/a", limit_bytes=10)
    assert other_server.asked == []


def test_a_ca_bundle_that_is_not_there_is_a_clear_error(tmp_path: Path, server: Server) -> None:
    http = HttpClient(environ={"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    with pytest.raises(HttpConfigError, match=r"none\.pem"):
        read_url(http, server.url.replace("http:", "https:") + "/a", limit_bytes=10)


def test_plain_http_to_this_machine_needs_no_ca_bundle(tmp_path: Path, server: Server) -> None:
    server.answers["/a"] = content(b"page")
    http = HttpClient(environ={"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    assert read_url(http, server.url + "/a", limit_bytes=10) == b"page"


def test_a_proxy_is_used_with_its_credentials(server: Server) -> None:
    # A proxy is asked for the whole URL.
    server.answers["http://index.example/a"] = content(b"page")
    http = HttpClient(environ={"HTTP_PROXY": with_user(server.url)})
    assert read_url(http, "http://index.example/a", limit_bytes=10) == b"page"
    assert server.asked[0][1]["proxy-authorization"] == BASIC
    assert authorizations(server) == [None]


def test_no_proxy_names_hosts_to_ask_directly(server: Server, other_server: Server) -> None:
    other_server.answers["/a"] = content(b"page")
    http = HttpClient(environ={"http_proxy": server.url, "NO_PROXY": "127.0.0.1"})
    assert read_url(http, other_server.url + "/a", limit_bytes=10) == b"page"
    assert server.asked == []


def test_a_proxy_of_a_kind_not_known_is_a_clear_error() -> None:
    http = HttpClient(environ={"ALL_PROXY": "socks5://user:secret@proxy.example"})
    with pytest.raises(HttpConfigError, match=r"socks5://proxy\.example") as caught:
        read_url(http, "https://index.example/a", limit_bytes=10)
    assert "secret" not in str(caught.value)


def test_pauses_grow_and_have_an_end() -> None:
    assert [retry_delay(attempt, asked=None, backoff=0.5) for attempt in range(4)] == [0.5, 1, 2, 4]
    assert retry_delay(0, asked=7, backoff=0.5) == 7
    assert retry_delay(0, asked=3600, backoff=0.5) is None


def test_retry_after_is_seconds_or_a_date() -> None:
    now = dt.datetime(2024, 1, 1, 12, 0, 0, tzinfo=dt.UTC)
    assert parse_retry_after(" 12 ") == 12
    assert parse_retry_after("Mon, 01 Jan 2024 12:00:30 GMT", now=now) == 30
    assert parse_retry_after("Mon, 01 Jan 2024 11:00:00 GMT", now=now) == 0
    assert [parse_retry_after(value) for value in (None, "", "-1", "soon", "9" * 400)] == [
        None,
        None,
        None,
        None,
        9999999999,
    ]


def test_urls_are_shown_without_what_is_secret() -> None:
    assert redact("https://user:pw@index.example:8443/simple/?token=1#x") == "https://index.example:8443/simple/"
    assert redact("https://index.example/\x1b[31m") == "https://index.example/?[31m"
    assert scrub("cannot reach https://user:pw@index.example/a\n") == "cannot reach https://index.example/a?"
    assert scrub("https://user:p@ss@index.example/a@b") == "https://index.example/a@b"


def test_importing_the_package_stays_light() -> None:
    code = """
import sys, crossdock.store as store
heavy = {"urllib3", "mousebender", "distlib", "packaging", "ssl", "platformdirs", "http.client"}
print(sorted(heavy & set(sys.modules)))
from crossdock.store import *
from crossdock.store import fetch, find_many
http = store.HttpClient(); callable(fetch) or sys.exit("fetch is no function")
print(sorted({"urllib3", "mousebender", "distlib", "ssl"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
