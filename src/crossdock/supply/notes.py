"""What bills of materials say of a wheel, read in the wheel once: a small value that outlives the wheel itself.

With a registry as the cache a build may need a wheel's layer and not the wheel; what was noted then is enough.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Any

from crossdock.supply.embedded import Vendored, read_embedded
from crossdock.supply.licenses import NO_LICENSE, License, license_of

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member

__all__ = ["WheelNotes", "find_notes", "read_notes"]

_LARGEST_METADATA = 16 << 20
_LARGEST_SBOM = 4 << 20
_LARGEST_SBOMS = 16 << 20  # bytes of all in one wheel
_MOST_SBOMS = 64
_MOST_REQUIREMENTS = 2000
_LONGEST_LINE = 1000
#: Of anything in notes that were kept elsewhere.
_MOST_LISTED = 20_000
_PART = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"
_QUERY = _PART.replace("/-]", "/?-]")
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_WEB_ADDRESS = re.compile(
    # A host by name: a number is no home of a project.
    rf"https?://(?:{_HOST}\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9](?::[0-9]{{1,5}})?(?:/{_PART})?(?:\?{_QUERY})?(?:#{_QUERY})?",
    re.ASCII,
)
#: Raised whenever the same wheel gives other notes.
_VERSION = "wheel-notes/2"


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelNotes:
    """What a wheel says of itself.

    Attributes:
        license: Its licence.
        summary: One line.
        author: Names; one line.
        homepage: http or https address.
        requires: Its requirements (PEP 508), as written.
        vendored: What its own bills of materials list (PEP 770).
        unread: Names of bills of materials in it that cannot be read.
    """

    license: License = NO_LICENSE
    summary: str = ""
    author: str = ""
    homepage: str = ""
    requires: tuple[str, ...] = ()
    vendored: tuple[Vendored, ...] = ()
    unread: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give it as values that the ``json`` module writes."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> WheelNotes:
        """Read what `to_json` gave, wherever it was kept: what it could not have given is refused.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(value, dict) or value.keys() != {field.name for field in fields(cls)}:
            raise ValueError("notes of a wheel are malformed")
        texts = {key: value[key] for key in ("summary", "author", "homepage")}
        lists = {key: value[key] for key in ("requires", "vendored", "unread")}
        if not all(isinstance(items, (list, tuple)) and len(items) <= _MOST_LISTED for items in lists.values()):
            raise ValueError("notes of a wheel lack a list")
        for text in (*texts.values(), *lists["requires"], *lists["unread"]):
            if not isinstance(text, str) or text != _line(text):
                raise ValueError("notes of a wheel have a text that is none")
        if texts["homepage"] and not is_web_address(texts["homepage"]):
            raise ValueError("notes of a wheel have an address that is none")
        return cls(
            **texts,
            license=License.from_json(value["license"]),
            requires=tuple(lists["requires"]),
            vendored=tuple(Vendored.from_json(item) for item in lists["vendored"]),
            unread=tuple(lists["unread"]),
        )


def find_notes(store: Store, filename: str, sha256: str) -> WheelNotes | None:
    """Give the notes of a wheel: those remembered, or those read in the wheel if the store holds it.

    Raises:
        WheelError: The store holds a file that is no readable wheel.
    """
    from crossdock.store.actions import action_key

    key = action_key(_VERSION, sha256=sha256)
    try:
        return WheelNotes.from_json(store.action(key))
    except ValueError:
        path = store.find(sha256)
    if path is None:
        return None
    notes = read_notes(path, filename)
    record: JSON = notes.to_json()
    store.record(key, record)
    return notes


def read_notes(path: Path, filename: str) -> WheelNotes:
    """Read the notes of a wheel in the wheel itself.

    Raises:
        WheelError: It is no readable wheel.
    """
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.metadata import read_metadata

    with WheelArchive(path, filename) as archive:
        metadata = read_metadata(archive)
        header = _header(archive, f"{metadata.dist_info}/METADATA")
        vendored, unread = _embedded(archive, f"{metadata.dist_info}/sboms/", metadata.name)
    return WheelNotes(
        license=license_of(
            expression=_text(header, "License-Expression"),
            text=_text(header, "License"),
            classifiers=_all(header, "Classifier"),
        ),
        summary=_line(_text(header, "Summary")),
        author=_author(header),
        homepage=_homepage(header),
        requires=tuple(_line(item) for item in _all(header, "Requires-Dist"))[:_MOST_REQUIREMENTS],
        vendored=vendored,
        unread=unread,
    )


def _header(archive: WheelArchive, name: str) -> Message:
    member = next((member for member in archive.members if member.name == name), None)
    data = b"" if member is None or _too_large(member, _LARGEST_METADATA) else archive.read(member)
    return HeaderParser().parsestr(data.decode("utf-8", "replace"))


def _embedded(archive: WheelArchive, folder: str, name: str) -> tuple[tuple[Vendored, ...], tuple[str, ...]]:
    """Read every bill of materials in a wheel; one that cannot be read must not keep a good wheel out of an image."""
    members = sorted((item for item in archive.members if item.name.startswith(folder)), key=lambda item: item.name)
    found: dict[tuple[str, str, str], Vendored] = {}
    unread = [member.name.removeprefix(folder) for member in members[_MOST_SBOMS:]]
    left = _LARGEST_SBOMS
    for member in members[:_MOST_SBOMS]:
        listed = None
        if not _too_large(member, min(left, _LARGEST_SBOM)):
            left -= member.size
            listed = read_embedded(archive.read(member), wheel=name)
        if listed is None:
            unread.append(member.name.removeprefix(folder))
        for item in listed or ():
            found.setdefault(item.key, item)
    return tuple(found[key] for key in sorted(found))[:_MOST_LISTED], tuple(sorted(map(_line, unread)))


def _too_large(member: Member, limit: int) -> bool:
    return max(member.size, member.compressed) > limit


def _author(header: Message) -> str:
    """Give the names of who made it; their addresses only where there are no names."""
    from email.utils import getaddresses

    for kind in ("Author", "Maintainer"):
        if name := _line(_text(header, kind)):
            return name
        people = getaddresses([_text(header, f"{kind}-Email")[:_LONGEST_LINE]])
        if found := _line(", ".join(name or address for name, address in people if name or address)):
            return found
    return ""


def _homepage(header: Message) -> str:
    urls = (item.partition(",") for item in _all(header, "Project-URL"))
    labelled = {label.strip().lower().replace("-", "").replace(" ", ""): url.strip() for label, _, url in urls}
    wanted = (labelled.get(label, "") for label in ("homepage", "source", "repository", "sourcecode", "github"))
    return next((url for url in (_text(header, "Home-page"), *wanted) if is_web_address(url)), "")


def is_web_address(url: str) -> bool:
    """Whether a text is a plain http or https address, without user or password (RFC 3986)."""
    return len(url) <= _LONGEST_LINE and _WEB_ADDRESS.fullmatch(url) is not None


def _all(header: Message, name: str) -> list[str]:
    return [str(value) for value in header.get_all(name, [])]


def _text(header: Message, name: str) -> str:
    value = str(header.get(name, "")).strip()
    return "" if value == "UNKNOWN" else value  # what old setuptools wrote for nothing


def _line(text: str) -> str:
    """Give a text in one line, without what a terminal would obey."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_LONGEST_LINE].strip()
