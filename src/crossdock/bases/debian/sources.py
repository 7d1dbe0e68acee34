"""Where the Debian archive is read from: configuration, environment, or the host's apt sources.

Formats: sources.list(5), both the one-line style and the deb822 style.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.bases.debian.config import MIRROR_VARIABLE, SECURITY_VARIABLE
from crossdock.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.lockfile.bases import Archive

__all__ = [
    "AptSource",
    "Mirrors",
    "SuiteSource",
    "choose_mirrors",
    "mirrors_from_apt",
    "parse_deb822_sources",
    "parse_one_line_sources",
    "read_apt_sources",
    "suite_sources",
]

# Suites other distributions and third parties use never start with one of these words and a component "main".
_SUITES = ("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid")
_SUITE_ALIASES = ("stable", "oldstable", "oldoldstable", "testing", "unstable")
_MAIN_SUITE = re.compile(rf"({'|'.join(_SUITES + _SUITE_ALIASES)})(-updates)?")
_SECURITY_SUITE = re.compile(rf"({'|'.join(_SUITES + _SUITE_ALIASES)})(-security|/updates)")
_SUITE_NAME = re.compile(r"[a-z][a-z0-9.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One place apt reads binary packages from.

    Attributes:
        uri: Root of the archive, without a trailing slash.
        suite: Such as ``bookworm-updates``.
        components: Such as ``("main",)``; empty for a flat repository.
        signed_by: What the entry names as its keyring, or the empty string.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """URLs of the two archives, without a trailing slash; ``security`` is None where not known."""

    main: str
    security: str | None = None

    def url(self, archive: Archive) -> str | None:
        """Give the URL of one of the two archives."""
        return self.main if archive == "debian" else self.security


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSource:
    """One suite to read; ``required`` is false where a mirror may do without it."""

    archive: Archive
    uri: str
    suite: str
    required: bool


def parse_one_line_sources(text: str) -> list[AptSource]:
    """Read the one-line style: ``deb [options] uri suite component...``; lines apt ignores are ignored."""
    sources: list[AptSource] = []
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        match = re.fullmatch(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)", line)
        if match is None:
            continue
        options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
        sources.append(
            AptSource(
                uri=match["uri"].rstrip("/"),
                suite=match["suite"],
                components=tuple(match["rest"].split()),
                signed_by=options.get("signed-by", ""),
            )
        )
    return sources


def parse_deb822_sources(text: str) -> list[AptSource]:
    """Read the deb822 style: stanzas with ``Types``, ``URIs``, ``Suites`` and ``Components``."""
    from debian.deb822 import Deb822

    sources: list[AptSource] = []
    for stanza in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        if "deb" not in stanza.get("Types", "").split():
            continue
        if stanza.get("Enabled", "yes").strip().lower() in {"no", "false", "0", "off", "without", "disable"}:
            continue
        components = tuple(stanza.get("Components", "").split())
        sources.extend(
            AptSource(
                uri=uri.rstrip("/"),
                suite=suite,
                components=components,
                signed_by=stanza.get("Signed-By", "").strip(),
            )
            for uri in stanza.get("URIs", "").split()
            for suite in stanza.get("Suites", "").split()
        )
    return sources


def read_apt_sources(root: Path) -> list[AptSource]:
    """Read ``sources.list`` and ``sources.list.d`` below ``root`` (usually /etc/apt); what is missing is skipped."""
    sources: list[AptSource] = []
    folder = root / "sources.list.d"
    extra = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in [root / "sources.list", *extra]:
        parse = {".list": parse_one_line_sources, ".sources": parse_deb822_sources}.get(path.suffix)
        if parse is None or not path.is_file():
            continue
        try:
            sources += parse(path.read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError):
            # A file that only root may read, or that apt too would refuse, names no mirror for us.
            continue
    return sources


def mirrors_from_apt(sources: Iterable[AptSource]) -> Mirrors | None:
    """Find Debian's own archives among a host's apt sources, whatever suite they are used for.

    Third parties also publish suites called ``bookworm``: an entry with a keyring that is not Debian's is left out, and
    one with a path segment ``debian`` goes first. A wrong guess is caught later: its index fails the signature check.
    """
    usable = [source for source in sources if _may_be_debian(source)]
    main = [source.uri for source in usable if _MAIN_SUITE.fullmatch(source.suite)]
    security = [source.uri for source in usable if _SECURITY_SUITE.fullmatch(source.suite)]
    main.sort(key=lambda uri: "debian" not in urlsplit(uri).path.split("/"))  # stable: else in apt's order
    if not main:
        return None
    return Mirrors(main=main[0], security=security[0] if security else None)


def _may_be_debian(source: AptSource) -> bool:
    if source.signed_by and "debian-archive" not in source.signed_by and "PGP" not in source.signed_by:
        return False
    return "main" in source.components and urlsplit(source.uri).scheme in {"http", "https"}


def choose_mirrors(config: DebianConfig, apt: Sequence[AptSource]) -> Mirrors:
    """Decide where to read from: what ``config`` names, else the host's apt sources.

    Where the main mirror is named, the apt sources are not looked at: a snapshot must not be mixed with today's
    security archive.

    Raises:
        MirrorError: No mirror is named anywhere, or one is not an http, https or file URL.
    """
    security = _checked(config.security_mirror, "security mirror") if config.security_mirror else None
    if config.mirror:
        return Mirrors(main=_checked(config.mirror, "mirror"), security=security)
    found = mirrors_from_apt(apt)
    if found is None:
        raise MirrorError(
            "no Debian mirror is known",
            why="none is configured, and the host has no apt source for a Debian archive",
            hint=f"set {MIRROR_VARIABLE} (and {SECURITY_VARIABLE}) to a mirror's URL, the folder that holds dists/",
        )
    return Mirrors(main=found.main, security=security or found.security)


def _checked(url: str, what: str) -> str:
    try:
        parts = urlsplit(url)
        remote = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        remote, parts = False, urlsplit("")
    if not (remote or parts.scheme == "file") or parts.query or parts.fragment:
        # The value is not shown: it may hold a password.
        raise MirrorError(
            f"the Debian {what} is not an http, https or file URL",
            hint="give the URL of the folder that holds dists/, such as https://mirror.example/debian",
        )
    return url.rstrip("/")


def suite_sources(mirrors: Mirrors, suite: str) -> list[SuiteSource]:
    """List what to read for a suite such as ``bookworm``: itself, its updates, its security fixes.

    Raises:
        MirrorError: The suite's name is not one.
    """
    if not _SUITE_NAME.fullmatch(suite):
        raise MirrorError(f"{suite!r} is not the name of a Debian suite", hint="for example bookworm or trixie")
    sources = [
        SuiteSource(archive="debian", uri=mirrors.main, suite=suite, required=True),
        SuiteSource(archive="debian", uri=mirrors.main, suite=f"{suite}-updates", required=False),
    ]
    if mirrors.security is not None:
        name = f"{suite}-security"
        sources.append(SuiteSource(archive="debian-security", uri=mirrors.security, suite=name, required=False))
    return sources
