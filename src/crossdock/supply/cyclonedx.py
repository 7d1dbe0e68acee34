"""Writing an inventory as CycloneDX 1.6 in JSON, the same bytes for the same inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock import __version__
from crossdock.oci.image import timestamp
from crossdock.oci.model import canonical_json
from crossdock.supply.purl import image_purl
from crossdock.supply.spdx import content_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.supply.components import Component, Inventory
    from crossdock.supply.licenses import License

__all__ = ["CYCLONEDX", "cyclonedx_json"]

#: Media type of CycloneDX documents in JSON, which is also the type of the artifact that one is attached as.
CYCLONEDX = "application/vnd.cyclonedx+json"

_IMAGE = "image"
_TYPES = {
    "application": "application",
    "base": "container",
    "interpreter": "platform",
    "system": "operating-system",
}


def cyclonedx_json(inventory: Inventory, *, epoch: int) -> bytes:
    """Write a CycloneDX document.

    Args:
        inventory: What to write.
        epoch: Creation time, seconds since 1970.
    """
    known = {component.ref: component for component in inventory.components}
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": timestamp(epoch),
            "tools": {"components": [{"type": "application", "name": "crossdock", "version": __version__}]},
            "component": _image(inventory),
        },
        "components": [_component(component, known) for component in _listed(inventory)],
        "dependencies": _dependencies(inventory),
    }
    # A serial number has to be unique; here it is a function of what it is the number of.
    document["serialNumber"] = f"urn:uuid:{content_uuid(canonical_json(document))}"
    return canonical_json(document)


def _listed(inventory: Inventory) -> list[Component]:
    """List the components at the top of the document; only what a wheel contains is inside its wheel there.

    Scanners do not look for packages inside an operating system.
    """
    return [component for component in inventory.components if component.kind != "vendored"]


def _image(inventory: Inventory) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "container",
        "bom-ref": _IMAGE,
        "name": inventory.name,
        "properties": [
            {"name": f"crossdock:platform:{key}", "value": value} for key, value in sorted(inventory.platform.items())
        ],
    }
    if inventory.version:
        component["version"] = inventory.version
    if inventory.digest:
        architecture = inventory.platform["architecture"]
        component["purl"] = image_purl(inventory.name, inventory.digest, architecture=architecture)
        component["hashes"] = [_hash(inventory.digest.removeprefix("sha256:"))]
    return component


def _component(item: Component, known: Mapping[str, Component]) -> dict[str, Any]:
    value: dict[str, Any] = {"type": _TYPES.get(item.kind, "library"), "bom-ref": item.ref, "name": item.name}
    optional = {"version": item.version, "purl": item.purl, "description": item.summary}
    value |= {key: text for key, text in optional.items() if text}
    if item.sha256:
        value["hashes"] = [_hash(item.sha256)]
    if licenses := _licenses(item.license):
        value["licenses"] = licenses
    if item.author:
        value["authors"] = [{"name": item.author}]
    if item.supplier:
        value["supplier"] = {"name": item.supplier}
    if item.homepage:
        value["externalReferences"] = [{"type": "website", "url": item.homepage}]
    named = {"crossdock:comment": item.comment, "crossdock:filename": item.filename}
    if properties := [{"name": name, "value": text} for name, text in named.items() if text]:
        value["properties"] = properties
    if inside := [known[ref] for ref in item.contains if known[ref].kind == "vendored"]:
        value["components"] = [_component(other, known) for other in inside]
    return value


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}


def _licenses(license_: License) -> list[dict[str, Any]]:
    if license_.expression:
        return [{"expression": license_.expression, "acknowledgement": "declared"}]
    return [{"license": {"name": license_.name, "acknowledgement": "declared"}}] if license_.name else []


def _dependencies(inventory: Inventory) -> list[dict[str, Any]]:
    needed = {ref for component in inventory.components for ref in component.depends}
    roots = [component.ref for component in inventory.top if component.ref not in needed]
    edges = [{"ref": _IMAGE, "dependsOn": roots}]
    for component in inventory.components:
        others = {*component.depends, *(component.contains if component.kind == "system" else ())}
        edges.append({"ref": component.ref, "dependsOn": sorted(others)})
    return edges
