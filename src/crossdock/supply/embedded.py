"""Bills of materials that wheels bring themselves (PEP 770): CycloneDX or SPDX 2 as JSON, read without trust.

They list what a wheel contains and no index knows of: shared libraries that were bundled, crates that were compiled in.
Everything is optional for a reader: what is malformed is passed over, what is no such document is said to be unread.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from crossdock.supply.licenses import NO_LICENSE, License, license_of, spdx_expression

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Vendored", "read_embedded"]

_MOST_COMPONENTS = 20_000
_LONGEST = 1000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PURL = re.compile(r"pkg:[A-Za-z][A-Za-z0-9.+-]*/[!-~]+")
_NOTHING = {"", "NOASSERTION", "NONE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendored:
    """Something that a wheel contains.

    Attributes:
        name: As listed.
        version: As listed; may be empty.
        purl: Package URL; may be empty.
        sha256: Hexadecimal; may be empty.
        license: What is said of its licence.
    """

    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    license: License = NO_LICENSE

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others, and sorts."""
        return self.name, self.version, self.purl

    @classmethod
    def from_json(cls, value: object) -> Vendored:
        """Read what ``dataclasses.asdict`` gave.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(value, dict) or value.keys() != {"name", "version", "purl", "sha256", "license"}:
            raise ValueError("what a wheel contains is malformed")
        clean = {
            "name": _text(value["name"]),
            "version": _text(value["version"]),
            "purl": _purl(value["purl"]),
            "sha256": _sha256(value["sha256"]),
        }
        if not clean["name"] or any(value[key] != text for key, text in clean.items()):
            raise ValueError("what a wheel contains is malformed")
        return cls(**clean, license=License.from_json(value["license"]))


def read_embedded(data: bytes, *, wheel: str) -> list[Vendored] | None:
    """List what a wheel contains by one of its bills of materials.

    Args:
        data: The file.
        wheel: Normalised name of the wheel's distribution, which is not listed as part of itself.

    Returns:
        None if the file is neither CycloneDX nor SPDX 2 in JSON.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if document.get("bomFormat") == "CycloneDX":
        found = _cyclonedx(document)
    elif str(document.get("spdxVersion", "")).startswith("SPDX-2."):
        found = _spdx(document)
    else:
        return None
    return [item for item in islice(found, _MOST_COMPONENTS) if not _is_wheel(item, wheel)]


def _is_wheel(item: Vendored, wheel: str) -> bool:
    if item.purl:
        return item.purl.startswith("pkg:pypi/") and _normalised(re.split(r"[/@?#]", item.purl)[1]) == wheel
    return _normalised(item.name) == wheel


def _normalised(name: str) -> str:
    return str(canonicalize_name(name))


def _cyclonedx(document: dict[str, Any]) -> Iterator[Vendored]:
    # Components may hold components; a stack instead of recursion, as depth is the file's choice.
    metadata = document.get("metadata")
    waiting = [*_objects(document.get("components"))]
    if isinstance(metadata, dict):
        waiting += _objects([metadata.get("component")])
    while waiting:
        item = waiting.pop()
        waiting += _objects(item.get("components"))
        name = _text(item.get("name"))
        if not name or item.get("type") == "file":
            continue
        group = _text(item.get("group"))
        hashes = {_text(entry.get("alg")): entry.get("content") for entry in _objects(item.get("hashes"))}
        yield Vendored(
            name=_text(f"{group}/{name}") if group else name,
            version=_text(item.get("version")),
            purl=_purl(item.get("purl")),
            sha256=_sha256(hashes.get("SHA-256")),
            license=_cyclonedx_license(item.get("licenses")),
        )


def _cyclonedx_license(value: object) -> License:
    """Join what is listed; one expression, or licences that all apply (CycloneDX 1.6, ``licenseChoice``)."""
    expressions, names = [], []
    for item in _objects(value):
        inner = item.get("license")
        inner = inner if isinstance(inner, dict) else {}
        text = _text(item.get("expression")) or _text(inner.get("id")) or _text(inner.get("name"))
        expression = spdx_expression(text)
        expressions += [expression] if expression else []
        names += [text] if text else []
    if names and len(expressions) == len(names):
        parts = sorted(set(expressions))
        joined = parts[0] if len(parts) == 1 else " AND ".join(f"({part})" if " " in part else part for part in parts)
        if expression := spdx_expression(joined):
            return License(expression)
    return License.named(", ".join(sorted(set(names))))


def _spdx(document: dict[str, Any]) -> Iterator[Vendored]:
    for item in _objects(document.get("packages")):
        name = _text(item.get("name"))
        if not name:
            continue
        references = _objects(item.get("externalRefs"))
        locators = (_purl(ref.get("referenceLocator")) for ref in references if ref.get("referenceType") == "purl")
        sums = {_text(entry.get("algorithm")): entry.get("checksumValue") for entry in _objects(item.get("checksums"))}
        licenses = [_text(item.get(key)) for key in ("licenseConcluded", "licenseDeclared")]
        yield Vendored(
            name=name,
            version=_text(item.get("versionInfo")),
            purl=next((locator for locator in locators if locator), ""),
            sha256=_sha256(sums.get("SHA256")),
            license=license_of(
                expression=next((text for text in licenses if text not in _NOTHING), ""), text="", classifiers=()
            ),
        )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value if char.isprintable()).strip()[:_LONGEST].strip()


def _sha256(value: object) -> str:
    return value.lower() if isinstance(value, str) and _SHA256.fullmatch(value.lower()) else ""


def _purl(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST and _PURL.fullmatch(value) else ""
