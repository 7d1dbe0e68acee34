"""Signed indexes: who may sign, what is believed, what is out of date."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pysequoia import ArmorKind, SignatureMode, Tsk, armor, sign

from crossdock.bases.debian.release import (
    check_release,
    package_indexes,
    parse_release,
    read_keyring,
    verified_content,
)
from crossdock.errors import ArchiveTrustError

if TYPE_CHECKING:
    from pathlib import Path

_HASH = "a" * 64
_TEXT = f"""\
Suite: stable
Codename: trixie
Valid-Until: Thu, 26 Nov 2026 02:12:54 UTC
Architectures: amd64 arm64
Acquire-By-Hash: yes
SHA256:
 {_HASH} 1234 main/binary-amd64/Packages.xz
"""
_NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def key() -> Tsk:
    return Tsk.generate(user_id="one")


@pytest.fixture(scope="module")
def stranger() -> Tsk:
    return Tsk.generate(user_id="two")


def _signed(key: Tsk, text: str = _TEXT) -> bytes:
    return sign(key.signer(), text.encode(), mode=SignatureMode.CLEAR)


def _signature_packets(signed: bytes) -> bytes:
    block = signed.decode().partition("-----BEGIN PGP SIGNATURE-----\n\n")[2]
    return base64.b64decode(re.split(r"\n=|\n-----END", block)[0])


def _signed_by_both(one: Tsk, two: Tsk) -> bytes:
    first = _signed(one)
    packets = _signature_packets(first) + _signature_packets(_signed(two))
    head = first.partition(b"-----BEGIN PGP SIGNATURE-----")[0]
    return head + armor(packets, ArmorKind.Signature).encode()


def test_what_a_key_of_the_keyring_signed_is_given_back(key: Tsk) -> None:
    assert verified_content(_signed(key), [key.extract_certificate()], origin="x") == _TEXT


def test_one_known_signer_of_several_is_enough(key: Tsk, stranger: Tsk) -> None:
    signed = _signed_by_both(key, stranger)
    for known in (key, stranger):
        assert verified_content(signed, [known.extract_certificate()], origin="x") == _TEXT


def test_a_stranger_s_signature_is_refused(key: Tsk, stranger: Tsk) -> None:
    with pytest.raises(ArchiveTrustError, match="cannot be trusted") as caught:
        verified_content(_signed(stranger), [key.extract_certificate()], origin="x")
    assert "backtrace" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    "tamper",
    [
        lambda data: data.replace(b"1234", b"1235"),
        lambda data: data.replace(b"Codename: trixie", b"Codename: trixi3"),
        lambda data: data.partition(b"-----BEGIN PGP SIGNATURE-----")[0],
        lambda data: data[: len(data) // 2],
        lambda _: _TEXT.encode(),
        lambda _: b"",
        lambda _: b"<html>log in</html>",
    ],
)
def test_a_tampered_or_unsigned_index_is_refused(key: Tsk, tamper: object) -> None:
    assert callable(tamper)
    with pytest.raises(ArchiveTrustError):
        verified_content(tamper(_signed(key)), [key.extract_certificate()], origin="x")


def test_text_outside_the_signature_is_not_believed(key: Tsk) -> None:
    data = _signed(key)
    assert verified_content(data + b"\nCodename: evil\n", [key.extract_certificate()], origin="x") == _TEXT
    with pytest.raises(ArchiveTrustError):
        verified_content(b"Codename: evil\n\n" + data, [key.extract_certificate()], origin="x")


def test_a_keyring_may_hold_many_certificates_in_binary(key: Tsk, stranger: Tsk, tmp_path: Path) -> None:
    path = tmp_path / "ring.gpg"
    path.write_bytes(bytes(stranger.extract_certificate()) + bytes(key.extract_certificate()))
    assert verified_content(_signed(key), read_keyring(path), origin="x") == _TEXT


@pytest.mark.parametrize("content", [None, b"", b"no keyring"])
def test_a_keyring_that_is_none_is_a_clear_error(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ring.gpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArchiveTrustError) as caught:
        read_keyring(path)
    assert "debian-archive-keyring" in caught.value.hint


@pytest.mark.parametrize("suite", ["trixie", "stable"])
def test_a_suite_is_known_by_its_code_name_or_its_role(suite: str) -> None:
    release = parse_release(_TEXT, origin="x")
    check_release(release, suite=suite, now=_NOW, check_valid_until=True, origin="x")


def test_another_suite_s_index_is_refused() -> None:
    release = parse_release(_TEXT, origin="x")
    with pytest.raises(ArchiveTrustError, match="another suite"):
        check_release(release, suite="bookworm", now=_NOW, check_valid_until=False, origin="x")


def test_an_index_whose_time_is_over_is_refused_unless_allowed() -> None:
    release = parse_release(_TEXT, origin="x")
    late = datetime(2026, 11, 27, tzinfo=UTC)
    with pytest.raises(ArchiveTrustError, match="out of date") as caught:
        check_release(release, suite="trixie", now=late, check_valid_until=True, origin="x")
    assert "snapshot" in caught.value.hint
    check_release(release, suite="trixie", now=late, check_valid_until=False, origin="x")


def test_package_lists_are_fetched_by_hash_where_the_archive_has_them_so() -> None:
    [index] = package_indexes(parse_release(_TEXT, origin="x"), architecture="amd64", origin="x")
    assert (index.path, index.size) == (f"main/binary-amd64/by-hash/SHA256/{_HASH}", 1234)
    plain = parse_release(_TEXT.replace("By-Hash: yes", "By-Hash: no"), origin="x")
    [index] = package_indexes(plain, architecture="amd64", origin="x")
    assert index.path == "main/binary-amd64/Packages.xz"


def test_an_archive_with_a_list_of_its_own_for_all_architectures_is_read_with_it() -> None:
    text = _TEXT.replace("amd64 arm64", "all amd64") + f" {_HASH} 99 main/binary-all/Packages.xz\n"
    assert len(package_indexes(parse_release(text, origin="x"), architecture="amd64", origin="x")) == 2
    combined = "No-Support-for-Architecture-all: Packages\n" + text
    assert len(package_indexes(parse_release(combined, origin="x"), architecture="amd64", origin="x")) == 1


def test_an_architecture_the_suite_lacks_is_named() -> None:
    with pytest.raises(ArchiveTrustError, match="arm64"):
        package_indexes(parse_release(_TEXT, origin="x"), architecture="arm64", origin="x")


@pytest.mark.parametrize(
    ("old", "new"), [("SHA256:", "MD5Sum:"), ("1234", "x"), ("Architectures:", "Arch:"), ("Thu, 26 Nov", "someday")]
)
def test_a_malformed_index_is_refused(old: str, new: str) -> None:
    with pytest.raises(ArchiveTrustError):
        parse_release(_TEXT.replace(old, new), origin="x")


@pytest.mark.parametrize(("old", "new"), [("1234", "99999999999"), (_HASH, "../../../../etc/passwd")])
def test_an_impossible_size_or_hash_is_refused(old: str, new: str) -> None:
    with pytest.raises(ArchiveTrustError, match="impossible"):
        package_indexes(parse_release(_TEXT.replace(old, new), origin="x"), architecture="amd64", origin="x")
