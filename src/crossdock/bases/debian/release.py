"""The signed index of a suite: who signed it, what it says, and the package lists it vouches for.

Format: Debian's repository format, sections "Release files" and "InRelease"; signatures: RFC 4880 section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bases.debian.config import KEYRING_VARIABLE
from crossdock.errors import ArchiveTrustError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pysequoia import Cert

__all__ = [
    "INRELEASE_LIMIT",
    "IndexFile",
    "Release",
    "check_release",
    "package_indexes",
    "parse_release",
    "read_keyring",
    "verified_content",
]

INRELEASE_LIMIT = 8 * 1024 * 1024  # bytes; Debian's are about 150 kB
_PACKAGES_LIMIT = 128 * 1024 * 1024  # bytes, compressed; Debian's main is about 9 MB
_KEYRING_LIMIT = 8 * 1024 * 1024
_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a verified InRelease file says; ``files`` maps a path to its (SHA-256, size in bytes)."""

    suite: str
    codename: str
    valid_until: datetime | None
    architectures: tuple[str, ...]
    acquire_by_hash: bool
    packages_hold_all: bool
    files: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One compressed package list: its path below ``dists/SUITE/``, SHA-256 and size in bytes."""

    path: str
    sha256: str
    size: int


def read_keyring(configured: Path | None) -> list[Cert]:
    """Read the archive's certificates from ``configured``, else from where Debian's package puts them.

    Raises:
        ArchiveTrustError: There is no keyring, or it cannot be read as one.
    """
    path = configured or next((path for path in _KEYRINGS if path.is_file()), None)
    hint = (
        "install the package debian-archive-keyring (other systems package it too), "
        f"or set {KEYRING_VARIABLE} to a copy of its debian-archive-keyring.gpg"
    )
    if path is None:
        raise ArchiveTrustError("the keyring of the Debian archive is not on this machine", hint=hint)
    from pysequoia import Cert

    try:
        with path.open("rb") as stream:
            data = stream.read(_KEYRING_LIMIT + 1)
    except OSError as error:
        reason = error.strerror or ""
        raise ArchiveTrustError(f"the keyring {path} cannot be read", why=reason, hint=hint) from error
    try:
        certs = Cert.split_bytes(data) if len(data) <= _KEYRING_LIMIT else []
    except RuntimeError as error:
        raise ArchiveTrustError(f"{path} is not an OpenPGP keyring", why=_first_line(error), hint=hint) from error
    if not certs:
        raise ArchiveTrustError(f"the keyring {path} holds no certificate", hint=hint)
    return certs


def verified_content(data: bytes, certs: Sequence[Cert], *, origin: str) -> str:
    """Check a clear-signed file against ``certs`` and give back the text that is signed, and nothing else.

    At least one signature must be valid and made by one of ``certs``; others may be by keys unknown to us, as archives
    sign with an old and a new key while keys change.

    Args:
        data: The file.
        certs: The only certificates trusted.
        origin: Names the file in errors.

    Raises:
        ArchiveTrustError: No such signature, or the file is not a clear-signed one.
    """
    from pysequoia import verify

    trusted = list(certs)
    if not data.startswith(b"-----BEGIN PGP SIGNED MESSAGE-----"):
        raise ArchiveTrustError(
            f"{origin} is not a signed index",
            why="it does not begin as a clear-signed file",
            hint="check that the mirror's URL is right; a login page or a proxy may answer in its place",
        )
    try:
        result: Any = verify(bytes=data, store=lambda _key_ids: trusted)
    except RuntimeError as error:
        raise _untrusted(origin, _first_line(error)) from error
    fingerprints = {cert.fingerprint for cert in trusted}
    if result.bytes is None or not any(sig.certificate in fingerprints for sig in result.valid_sigs):
        raise _untrusted(origin, "no signature is by a certificate of the keyring")
    try:
        return bytes(result.bytes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveTrustError(f"{origin} is not text in UTF-8") from error


def _untrusted(origin: str, why: str) -> ArchiveTrustError:
    return ArchiveTrustError(
        f"the signature of {origin} cannot be trusted",
        why=why,
        hint="the mirror was changed on its way, or its keys are newer than the keyring: update debian-archive-keyring",
    )


def _first_line(error: BaseException) -> str:
    # The library appends a backtrace of its own.
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def parse_release(text: str, *, origin: str) -> Release:
    """Read the fields of a Release file that are used.

    Raises:
        ArchiveTrustError: A field is missing or malformed.
    """
    from debian.deb822 import Release as Fields

    try:
        fields = Fields(text)
        files = {str(item["name"]): (str(item["sha256"]), int(item["size"])) for item in fields["SHA256"]}
        until = fields.get("Valid-Until")
        architectures = tuple(fields["Architectures"].split())
        return Release(
            suite=fields.get("Suite", ""),
            codename=fields.get("Codename", ""),
            valid_until=parsedate_to_datetime(until) if until else None,
            architectures=architectures,
            acquire_by_hash=fields.get("Acquire-By-Hash", "no") == "yes",
            packages_hold_all=(
                "all" not in architectures or "Packages" in fields.get("No-Support-for-Architecture-all", "").split()
            ),
            files=files,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ArchiveTrustError(f"{origin} is not a Release file", why=f"bad or missing field: {error}") from error


def check_release(release: Release, *, suite: str, now: datetime, check_valid_until: bool, origin: str) -> None:
    """Check that a signed index is the one asked for, and not a stale one replayed.

    Args:
        release: The parsed index.
        suite: What was asked for, by code name or by role, such as ``bookworm-security``.
        now: The time, with its zone.
        check_valid_until: Whether an index whose time is over is refused.
        origin: Names the file in errors.

    Raises:
        ArchiveTrustError: It is another suite's index, or its time is over.
    """
    if suite not in {release.codename, release.suite}:
        raise ArchiveTrustError(
            f"{origin} is the index of another suite",
            why=f"it says codename {release.codename!r}, suite {release.suite!r}, wanted {suite!r}",
            hint="check the mirror's URL",
        )
    until = release.valid_until
    if not check_valid_until or until is None:
        return
    if until.tzinfo is None or until < now:
        raise ArchiveTrustError(
            f"{origin} is out of date",
            why=f"it was valid until {until:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M} UTC by the clock",
            hint="use a mirror that is up to date, and check the clock; "
            "for a snapshot mirror, switch the check of Valid-Until off",
        )


def package_indexes(release: Release, *, architecture: str, origin: str) -> list[IndexFile]:
    """Choose the package lists of component main for a Debian architecture.

    Raises:
        ArchiveTrustError: The suite has none for this architecture, or one of an absurd size.
    """
    names = [architecture] if release.packages_hold_all else [architecture, "all"]
    indexes = []
    for name in names:
        path = f"main/binary-{name}/Packages.xz"
        if path not in release.files:
            raise ArchiveTrustError(
                f"{origin} lists no packages for architecture {architecture}",
                why=f"{path} is not in it; architectures: {', '.join(release.architectures)}",
                hint="choose a suite that has the architecture, or a full mirror",
            )
        sha256, size = release.files[path]
        if not 0 <= size <= _PACKAGES_LIMIT or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise ArchiveTrustError(f"{origin} lists {path} with an impossible size or hash")
        if release.acquire_by_hash:
            # The plain name may change under us while a mirror is being updated; this one cannot.
            path = f"main/binary-{name}/by-hash/SHA256/{sha256}"
        indexes.append(IndexFile(path=path, sha256=sha256, size=size))
    return indexes
