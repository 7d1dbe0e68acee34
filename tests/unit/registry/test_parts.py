"""The small decisions of the registry client: hosts, links, redirects, settings, answers, certificates."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import (
    CrossdockError,
    RegistryAuthError,
    RegistryConfigError,
    RegistryContentError,
    RegistryError,
    RegistryNotFoundError,
    RegistryRefusedError,
)
from crossdock.oci.model import LAYER_GZIP, MANIFEST, Descriptor, json_blob
from crossdock.oci.registry.answers import Refusal, status_failure
from crossdock.oci.registry.certificates import certificate_folders, find_certificates
from crossdock.oci.registry.hosts import find_host, is_loopback
from crossdock.oci.registry.lists import next_page
from crossdock.oci.registry.reading import BlobReader, same_range
from crossdock.oci.registry.referrers import descriptor_of, fallback_tag
from crossdock.oci.registry.settings import RegistrySettings
from crossdock.oci.registry.transport import check_redirect
from crossdock.store.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_default_registry_answers_under_another_name() -> None:
    host = find_host("docker.io")
    assert (host.name, host.address) == ("docker.io", "registry-1.docker.io")
    assert host.helper_key == "https://index.docker.io/v1/"
    assert find_host("index.docker.io") == host
    assert find_host("Registry.Example:5000").address == "registry.example:5000"


@pytest.mark.parametrize("address", ["localhost", "localhost:5000", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:5000"])
def test_this_machine_is_known(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    ["registry.example", "localhost.example", "127.0.0.1.example:80", "10.0.0.1", "[2001:db8::1]:5000", "0.0.0.0", ""],
)
def test_other_machines_are_not_this_one(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ""),
        ('</v2/a/tags/list?n=5&last=x>; rel="next"', "/v2/a/tags/list?n=5&last=x"),
        ("</next>; rel=next", "/next"),
        ('</prev>; rel="prev", </next>; title="a, b"; rel="next"', "/next"),
        ('</next>; rel="first next"', "/next"),
        ('</x>; rel="nextlevel"', ""),
        ("</x>; rel=prev", ""),
        ("nonsense", ""),
        ("<" * 100_000, ""),
        ('<a>; rel="next' + '"' * 50_000, ""),
        ('</next> ; title = "x" ;flag ; rel = "next" , <b>', "/next"),
        ("<a>" + ("; b" + " " * 200) * 50 + '"', ""),
        ("<a>" + ("; b=" + " " * 200) * 50 + '"', ""),
    ],
)
def test_the_next_page_is_found(header: str, expected: str) -> None:
    assert next_page(header) == expected


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("https://registry.example/v2/a", "/v2/b", "https://registry.example/v2/b"),
        ("https://registry.example/v2/a", "https://blobs.example/x?sig=1", "https://blobs.example/x?sig=1"),
        ("https://registry.example/v2/a", "https://ada:pw@blobs.example/x", "https://blobs.example/x"),
        ("http://localhost/v2/a", "http://other.example/b", "http://other.example/b"),
        ("http://localhost/v2/a", "https://other.example/b", "https://other.example/b"),
    ],
)
def test_redirects_that_are_followed(url: str, location: str, expected: str) -> None:
    assert check_redirect(url, location, "cannot read x") == expected


@pytest.mark.parametrize(
    "location", ["http://blobs.example/x", "file:///etc/passwd", "ftp://x.example/", "https://[bad"]
)
def test_redirects_that_are_not(location: str) -> None:
    with pytest.raises(RegistryContentError, match="cannot read x"):
        check_redirect("https://registry.example/v2/a?token=secret", location, "cannot read x")


def test_hosts_for_plain_http_are_read_from_the_environment() -> None:
    environ = {"CROSSDOCK_PLAIN_HTTP": "Registry.Example:5000, other.example,"}
    settings = RegistrySettings.from_environ(environ, plain_http=["third.example"])
    assert settings.plain_http == {"registry.example:5000", "other.example", "third.example"}
    assert RegistrySettings.from_environ({}).plain_http == frozenset()
    with pytest.raises(RegistryConfigError, match=r"(?s)'http://registry.example'.*CROSSDOCK_PLAIN_HTTP"):
        RegistrySettings.from_environ({"CROSSDOCK_PLAIN_HTTP": "http://registry.example"})


@pytest.mark.parametrize(
    ("status", "advice", "expected"),
    [
        (401, "log in", RegistryAuthError),
        (403, "log in", RegistryAuthError),
        (403, "", RegistryRefusedError),
        (404, "", RegistryNotFoundError),
        (400, "", RegistryRefusedError),
        (405, "", RegistryRefusedError),
        (413, "", RegistryRefusedError),
        (507, "", RegistryError),
        (299, "", RegistryRefusedError),
    ],
)
def test_each_answer_has_its_error(status: int, advice: str, expected: type[CrossdockError]) -> None:
    failure = status_failure("cannot push x", Refusal(status), advice=advice)
    assert type(failure) is expected
    assert isinstance(failure, CrossdockError)
    assert failure.hint
    assert str(status) in failure.why


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    failure = status_failure("cannot push x", Refusal(status, retry_after="7"), advice="")
    assert isinstance(failure, TransientError)
    assert failure.retry_after == 7.0
    assert type(failure.error) is RegistryError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"errors": 1}',
        b'{"errors": [1, null]}',
        b'{"errors": [{"code": 1}]}',
        b"[" * 99999,
    ],
)
def test_the_body_of_a_refusal_may_be_anything(body: bytes) -> None:
    assert Refusal.read(500, body).why().startswith("the registry answers 500 Internal Server Error")


@pytest.mark.parametrize(
    "detail", ["no artifacts here", {"message": "no artifacts here"}, {"description": "no artifacts here"}]
)
def test_the_detail_of_a_refusal_is_shown_too(detail: object) -> None:
    error = {"code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": detail}
    refusal = Refusal.read(400, json.dumps({"errors": [error]}).encode())
    assert refusal.why().endswith("MANIFEST_INVALID manifest invalid: no artifacts here")


def test_what_a_registry_says_is_shown_in_short() -> None:
    errors = [{"code": "DENIED", "message": "go\x1b[31m away https://ada:pw@x.example/" + "y" * 999}] * 50
    refusal = Refusal.read(403, json.dumps({"errors": errors}).encode())
    assert refusal.has("DENIED")
    assert len(refusal.why()) < 2000
    assert "pw" not in refusal.why()
    assert "\x1b" not in refusal.why()


def test_certificates_are_looked_for_where_docker_and_podman_do(tmp_path: Path) -> None:
    folders = certificate_folders({"HOME": str(tmp_path)})
    assert folders[:2] == [tmp_path / ".config" / "containers" / "certs.d", tmp_path / ".docker" / "certs.d"]
    assert find_certificates(("registry.example",), folders) is None
    own = tmp_path / ".docker" / "certs.d" / "registry.example:5000"
    own.mkdir(parents=True)
    for name in ("ca.crt", "client.cert", "client.key", "README"):
        (own / name).write_text("x")
    found = find_certificates(("registry.example:5000",), folders)
    assert found is not None
    assert found.authorities == (own / "ca.crt",)
    assert found.pairs == ((own / "client.cert", own / "client.key"),)
    assert find_certificates(("registry.example",), folders) is None, "a port of its own is another registry"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes 5-9/10", True),
        ("bytes 5-9/*", True),
        ("bytes 4-9/10", False),
        ("bytes 5-9/11", False),
        ("", False),
        ("bytes */10", False),
    ],
)
def test_a_range_must_be_the_one_asked_for(header: str, expected: bool) -> None:
    assert same_range(header, 5, 10) is expected


def test_the_fallback_tag_is_spelled_from_the_digest() -> None:
    assert fallback_tag(f"sha256:{'a' * 64}") == f"sha256-{'a' * 64}"


def test_the_kind_of_a_referrer_is_that_of_its_config_if_it_names_none() -> None:
    value = {"config": {"mediaType": "a/config"}, "layers": [], "annotations": {"a": "b"}}
    assert descriptor_of(json_blob(MANIFEST, value)).artifact_type == "a/config"
    found = descriptor_of(json_blob(MANIFEST, {**value, "artifactType": "a/kind"}))
    assert (found.artifact_type, found.annotations) == ("a/kind", {"a": "b"})


# Reading a blob whose connection breaks


DATA = bytes(range(256)) * 10_000


def reader(parts: list[bytes | Exception], *, retries: int = 3, size: int = len(DATA)) -> tuple[BlobReader, list[int]]:
    offsets: list[int] = []

    def pieces(offset: int) -> Iterator[bytes]:
        offsets.append(offset)
        while parts:
            part = parts.pop(0)
            if isinstance(part, Exception):
                raise part
            yield part

    def retrying(operation: object) -> bytes:
        while True:
            try:
                return operation()  # type: ignore[operator,no-any-return]
            except TransientError:
                continue

    digest = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=digest, size=size)
    return BlobReader(descriptor, pieces, retrying, retries=retries, what="cannot read it"), offsets


def broken() -> TransientError:
    return TransientError(RegistryError("cannot read it", why="broken"))


def test_a_blob_is_read_on_after_a_break() -> None:
    blob, offsets = reader([DATA[:5], broken(), DATA[5:1000], broken(), DATA[1000:]])
    assert blob.read(3) == DATA[:3]
    assert blob.read() == DATA[3:]
    assert blob.read() == b""
    assert offsets == [0, 5, 1000]


def test_a_break_after_the_last_byte_does_not_matter() -> None:
    blob, _ = reader([DATA, broken()])
    assert blob.read() == DATA


def test_a_line_that_lets_nearly_nothing_through_is_given_up() -> None:
    parts = [part for number in range(100) for part in (DATA[number : number + 1], broken())]
    blob, offsets = reader([*parts])
    with pytest.raises(RegistryError, match="broken"):
        blob.read()
    assert len(offsets) == 4


@pytest.mark.parametrize("parts", [[DATA[:-1] + b"?"], [DATA, b"more"], [DATA[:9], DATA]])
def test_other_bytes_than_promised_are_refused(parts: list[bytes | Exception]) -> None:
    blob, _ = reader(parts)
    with pytest.raises(RegistryContentError):
        blob.read()


def test_a_blob_that_ends_early_each_time_is_refused() -> None:
    blob, _ = reader([DATA[:-1]])
    with pytest.raises(RegistryContentError, match=r"2559999 bytes instead of 2560000"):
        blob.read()
