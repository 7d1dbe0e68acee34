"""SPDX and CycloneDX as others read them: the validators of both projects judge, not crossdock."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.supply.sample import IMAGE, Sample, make_sample

from crossdock.supply.cyclonedx import cyclonedx_json
from crossdock.supply.inventory import inventory, wheel_notes
from crossdock.supply.spdx import spdx_json

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.supply.components import Inventory

DIGEST = "sha256:" + "4" * 64


def listed(sample: Sample, *, digest: str = DIGEST) -> Inventory:
    notes = wheel_notes(sample.part, sample.own, sample.store)
    return inventory(sample.part, sample.own, sample.project, notes, digest=digest)


@pytest.fixture(scope="module", params=["debian", "image", "not built"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sample: Sample) -> Inventory:
    if request.param == "image":
        return listed(make_sample(tmp_path_factory.mktemp("image"), base=IMAGE))
    return listed(sample, digest="" if request.param == "not built" else DIGEST)


def parse_spdx(data: bytes, folder: Path) -> Any:
    path = folder / "document.spdx.json"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that spdx-tools uses
        from spdx_tools.spdx.parser.parse_anything import parse_file
        from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

        document = parse_file(str(path))
        messages = validate_full_spdx_document(document)
    assert [message.validation_message for message in messages] == []
    return document


def parse_cyclonedx(data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cyclonedx.model.bom import Bom
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator

        problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
        assert problem is None, repr(problem)
        return Bom.from_json(json.loads(data))  # type: ignore[attr-defined,unused-ignore]


def test_spdx_is_valid_by_the_tools_of_spdx(made: Inventory, tmp_path: Path) -> None:
    document = parse_spdx(spdx_json(made, epoch=0), tmp_path)
    assert len(document.packages) == len(made.components) + 1
    found = {ref.locator for package in document.packages for ref in package.external_references}
    assert found >= {item.purl for item in made.components if item.purl}


def test_cyclonedx_is_valid_by_its_schema_and_library(made: Inventory) -> None:
    bom = parse_cyclonedx(cyclonedx_json(made, epoch=0))
    inside = [item for component in bom.components for item in component.components]
    assert len(bom.components) + len(inside) == len(made.components)
    assert all(component.purl for component in [*bom.components, *inside] if component.type.value == "library")


def test_both_are_the_same_bytes_every_time_and_others_for_another_image(made: Inventory) -> None:
    for write in (spdx_json, cyclonedx_json):
        assert write(made, epoch=0) == write(made, epoch=0)
        assert write(made, epoch=0) != write(replace(made, version="2"), epoch=0)


def test_names_in_the_world_follow_from_the_content(made: Inventory) -> None:
    spaces = {json.loads(spdx_json(made, epoch=epoch))["documentNamespace"] for epoch in (0, 0, 1)}
    numbers = {json.loads(cyclonedx_json(made, epoch=epoch))["serialNumber"] for epoch in (0, 0, 1)}
    assert len(spaces) == len(numbers) == 2


def test_spdx_says_what_contains_and_needs_what(sample: Sample) -> None:
    document = json.loads(spdx_json(listed(sample), epoch=86400))
    assert document["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    names = {item["SPDXID"]: item["name"] for item in document["packages"]}
    edges = {
        (names.get(item["spdxElementId"], "document"), item["relationshipType"], names[item["relatedSpdxElement"]])
        for item in document["relationships"]
    }
    image = "app"
    assert edges == {
        ("document", "DESCRIBES", image),
        *((image, "CONTAINS", name) for name in ("app", "web", "fast", "tiny", "debian")),
        ("app", "DEPENDS_ON", "web"),
        ("web", "DEPENDS_ON", "fast"),
        ("fast", "DEPENDS_ON", "tiny"),
        *(("fast", "CONTAINS", name) for name in ("openssl-libs", "zlib")),
        *(("debian", "CONTAINS", name) for name in ("base-files", "libssl3")),
    }


def test_spdx_explains_licenses_that_are_on_no_list(sample: Sample, tmp_path: Path) -> None:
    data = spdx_json(listed(sample), epoch=0)
    declared = {item["name"]: item.get("licenseDeclared") for item in json.loads(data)["packages"]}
    assert declared["web"] == "MIT OR Apache-2.0"
    assert declared["tiny"] == "LicenseRef-Tiny AND MIT"
    explained = {item["licenseId"]: item["extractedText"] for item in json.loads(data)["hasExtractedLicensingInfos"]}
    assert explained["LicenseRef-Tiny"] == "see the license files of tiny 0.1"
    assert explained[declared["fast"]] == "three clauses of BSD"


@pytest.mark.parametrize("author", ["()", "A (b)", "A (b@c.example) d)", "NOASSERTION", "Person: A", "Ünï"])
def test_any_name_is_an_author(author: str, sample: Sample, tmp_path: Path) -> None:
    made = listed(sample)
    first, *others = made.components
    changed = replace(made, components=(replace(first, author=author), *others))
    parse_spdx(spdx_json(changed, epoch=0), tmp_path)
    parse_cyclonedx(cyclonedx_json(changed, epoch=0))


def test_cyclonedx_nests_what_a_wheel_contains_and_names_the_image(sample: Sample) -> None:
    document = json.loads(cyclonedx_json(listed(sample), epoch=0))
    image = document["metadata"]["component"]
    assert (image["type"], image["name"], image["version"]) == ("container", "app", "1.0")
    assert image["hashes"] == [{"alg": "SHA-256", "content": "4" * 64}]
    (fast,) = (item for item in document["components"] if item["name"] == "fast")
    assert [item["name"] for item in fast["components"]] == ["openssl-libs", "zlib"]
    (system,) = (item for item in document["components"] if item["type"] == "operating-system")
    assert (system["name"], system["version"]) == ("debian", "12")
    needs = {item["ref"]: item["dependsOn"] for item in document["dependencies"]}
    assert needs["image"] == ["debian:bookworm/arm64", "pkg:generic/app@1.0"]
    assert needs["pkg:pypi/web@2.0"] == ["pkg:pypi/fast@1.0"]


def test_nothing_of_this_machine_is_in_a_document(made: Inventory, sample: Sample) -> None:
    for data in (spdx_json(made, epoch=0), cyclonedx_json(made, epoch=0)):
        assert str(sample.folder).encode() not in data
        assert str(sample.store.root).encode() not in data
