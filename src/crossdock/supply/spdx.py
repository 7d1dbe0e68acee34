"""Writing an inventory as SPDX 2.3 in JSON, the same bytes for the same inventory."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crossdock import __version__
from crossdock.oci.image import timestamp
from crossdock.oci.model import canonical_json
from crossdock.supply.purl import image_purl

if TYPE_CHECKING:
    from crossdock.supply.components import Component, Inventory
    from crossdock.supply.licenses import License

__all__ = ["SPDX", "content_uuid", "spdx_json"]

#: Media type of SPDX documents in JSON, which is also the type of the artifact that one is attached as.
SPDX = "application/spdx+json"

_IMAGE = "SPDXRef-Image"
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9.]+")
_UNKNOWN = "NOASSERTION"
_BRACKETS = str.maketrans("()", "[]")
_PURPOSES = {
    "application": "APPLICATION",
    "base": "CONTAINER",
    "interpreter": "APPLICATION",
    "system": "OPERATING_SYSTEM",
}


def spdx_json(inventory: Inventory, *, epoch: int) -> bytes:
    """Write an SPDX document.

    Args:
        inventory: What to write.
        epoch: Creation time, seconds since 1970.
    """
    ids = {component.ref: _id(component) for component in inventory.components}
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": _title(inventory),
        "creationInfo": {"created": timestamp(epoch), "creators": [f"Tool: crossdock-{__version__}"]},
        "packages": [_image(inventory), *(_package(item, ids[item.ref]) for item in inventory.components)],
        "relationships": _relationships(inventory, ids),
    }
    if explained := _explained(inventory):
        document["hasExtractedLicensingInfos"] = explained
    # A document's name in the world has to be unique; here it is a function of what is in it.
    document["documentNamespace"] = f"urn:uuid:{content_uuid(canonical_json(document))}"
    return canonical_json(document)


def content_uuid(data: bytes) -> UUID:
    """Give a UUID that is a function of some bytes (RFC 9562, version 8)."""
    return UUID(bytes=_version_8(hashlib.sha256(data).digest()[:16]))


def _version_8(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[6] = changed[6] & 0x0F | 0x80
    changed[8] = changed[8] & 0x3F | 0x80
    return bytes(changed)


def _title(inventory: Inventory) -> str:
    platform = "/".join(
        inventory.platform[key] for key in ("os", "architecture", "variant") if inventory.platform.get(key)
    )
    return " ".join(part for part in (inventory.name, inventory.version, platform) if part)


def _id(component: Component) -> str:
    # Two names may be the same once what SPDX does not allow is gone from them.
    hashed = hashlib.sha256(component.ref.encode()).hexdigest()[:12]
    readable = _NOT_ALLOWED.sub("-", f"{component.kind}-{component.name}-{component.version}")[:100].strip("-")
    return f"SPDXRef-{readable}-{hashed}"


def _image(inventory: Inventory) -> dict[str, Any]:
    package: dict[str, Any] = {
        "SPDXID": _IMAGE,
        "name": inventory.name,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
    }
    if inventory.version:
        package["versionInfo"] = inventory.version
    if inventory.digest:
        url = image_purl(inventory.name, inventory.digest, architecture=inventory.platform["architecture"])
        package["checksums"] = [_checksum(inventory.digest.removeprefix("sha256:"))]
        package["externalRefs"] = [_purl(url)]
    return package


def _package(component: Component, identifier: str) -> dict[str, Any]:
    package: dict[str, Any] = {
        "SPDXID": identifier,
        "name": component.name,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _license(component.license),
        "copyrightText": _UNKNOWN,
        "primaryPackagePurpose": _PURPOSES.get(component.kind, "LIBRARY"),
        "supplier": f"Organization: {component.supplier}" if component.supplier else _UNKNOWN,
    }
    optional = {
        "versionInfo": component.version,
        "packageFileName": component.filename,
        "summary": component.summary,
        # What is in parentheses there is an address (SPDX 2.3, clause 7.6).
        "originator": f"Person: {component.author.translate(_BRACKETS)}" if component.author else "",
        "homepage": component.homepage,
        "comment": component.comment,
    }
    package |= {key: value for key, value in optional.items() if value}
    if component.sha256:
        package["checksums"] = [_checksum(component.sha256)]
    if component.purl:
        package["externalRefs"] = [_purl(component.purl)]
    return package


def _checksum(sha256: str) -> dict[str, str]:
    return {"algorithm": "SHA256", "checksumValue": sha256}


def _purl(url: str) -> dict[str, str]:
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}


def _license(license_: License) -> str:
    if license_.expression or not license_.name:
        return license_.expression or _UNKNOWN
    return _reference(license_.name)


def _reference(name: str) -> str:
    """Make the identifier under which a document explains a licence that is on no list (SPDX 2.3, clause 10.1)."""
    return f"LicenseRef-crossdock-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _explained(inventory: Inventory) -> list[dict[str, str]]:
    named: dict[str, tuple[str, str]] = {}
    for item in inventory.components:
        if item.license.name:
            named[_reference(item.license.name)] = (item.license.name, item.license.name)
        for reference in item.license.references:
            text = f"see the license files of {item.name} {item.version}".strip()
            named.setdefault(reference, (reference.removeprefix("LicenseRef-"), text))
    return [
        {"licenseId": identifier, "name": name, "extractedText": text}
        for identifier, (name, text) in sorted(named.items())
    ]


def _relationships(inventory: Inventory, ids: dict[str, str]) -> list[dict[str, str]]:
    def edge(one: str, kind: str, other: str) -> dict[str, str]:
        return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}

    edges = [edge("SPDXRef-DOCUMENT", "DESCRIBES", _IMAGE)]
    edges += [edge(_IMAGE, "CONTAINS", ids[component.ref]) for component in inventory.top]
    for component in inventory.components:
        edges += [edge(ids[component.ref], "CONTAINS", ids[other]) for other in component.contains]
        edges += [edge(ids[component.ref], "DEPENDS_ON", ids[other]) for other in component.depends]
    return edges
