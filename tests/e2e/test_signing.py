"""What is attached to an image and how it is signed, by docs/supply-chain.md, with cosign and oras themselves."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command, link_cache
from tests.e2e.engines import EngineError
from tests.e2e.newer import newer_programs
from tests.unit.supply.sample import make_sample
from tests.unit.supply.test_documents import parse_spdx

from crossdock.errors import RegistryNotFoundError, SbomError
from crossdock.oci.model import Descriptor
from crossdock.supply.attach import artifact_manifest
from crossdock.supply.cyclonedx import CYCLONEDX, cyclonedx_json
from crossdock.supply.inventory import inventory, wheel_notes
from crossdock.supply.provenance import IN_TOTO, Subject, materials, parameters, statement
from crossdock.supply.read import LayoutImages, read_sbom
from crossdock.supply.spdx import SPDX, spdx_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.e2e.builds import Tiny
    from tests.e2e.engines import Registry, Umoci
    from tests.e2e.newer import Newer

pytestmark = pytest.mark.engine

#: The cosign of the tests talks to no service but the registry.
OPEN = ("--allow-http-registry",)
SIGN = ("--key", "cosign.key", "--signing-config", "offline.json", "--yes", *OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A layout with an image, and what is attached to it."""

    folder: Path
    descriptor: Descriptor
    payloads: Mapping[str, bytes]


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory, umoci: Umoci) -> Attached:
    """An image of one file, made by others, with the bills of materials and the provenance of the sample."""
    folder = tmp_path_factory.mktemp("signing")
    layout = make_image(folder, umoci, b"right")
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    image = Descriptor.from_json(entry)
    sample = make_sample(folder / "sample")
    notes = wheel_notes(sample.part, sample.own, sample.store)
    listed = inventory(sample.part, sample.own, sample.project, notes, digest=image.digest)
    payloads = {
        SPDX: spdx_json(listed, epoch=0),
        CYCLONEDX: cyclonedx_json(listed, epoch=0),
        IN_TOTO: statement([Subject("app", image.digest)], parameters(sample.plan), materials(sample.plan, sample.own)),
    }
    entries = [entry]
    for kind, payload in payloads.items():
        artifact = artifact_manifest(image, kind, payload)
        for blob in (*artifact.blobs, artifact.manifest):
            (layout / "blobs" / "sha256" / blob.descriptor.sha256).write_bytes(blob.data)
        entries.append(artifact.manifest.descriptor.to_json())
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return Attached(folder=layout, descriptor=image, payloads=payloads)


def make_image(folder: Path, umoci: Umoci, content: bytes) -> Path:
    layout = folder / f"layout-{content.decode()}"
    (folder / "file").write_bytes(content)
    umoci.call("init", "--layout", layout)
    umoci.call("new", "--image", f"{layout}:1")
    umoci.call("insert", "--rootless", "--image", f"{layout}:1", folder / "file", "/file")
    return layout


@pytest.fixture
def tools(tmp_path: Path) -> Newer:
    """cosign and oras, with a key pair and a signing configuration that names no service."""
    home = tmp_path / "home"
    home.mkdir()
    tools = newer_programs(home, "cosign", "oras", env={"COSIGN_PASSWORD": "not secret"})
    tools.run("cosign", "generate-key-pair")
    tools.run("cosign", "signing-config", "create", "--out", "offline.json")
    return tools


@pytest.fixture
def pushed(registry: Registry, attached: Attached, tools: Newer) -> str:
    """The repository that the image is in, with everything attached to it, under the tag 1."""
    registry.empty()
    name = f"{registry.address}/team/app"
    copy_in(tools, attached.folder, f"{name}:1")
    return name


def copy_in(tools: Newer, layout: Path, reference: str) -> None:
    arguments = ("--recursive", "--from-oci-layout", f"{layout}:1", "--to-plain-http", reference)
    tools.run("oras", "cp", *arguments, folders=(layout,))


def verified(tools: Newer, reference: str, *, key: str = "cosign.pub") -> Any:
    return json.loads(tools.run("cosign", "verify", "--key", key, "--insecure-ignore-tlog", *OPEN, reference))


def attested(tools: Newer, reference: str, kind: str) -> Any:
    arguments = ("--key", "cosign.pub", "--insecure-ignore-tlog", "--type", kind, *OPEN, reference)
    (line,) = tools.run("cosign", "verify-attestation", *arguments).splitlines()
    return json.loads(base64.b64decode(json.loads(line)["payload"]))


def test_oras_finds_what_is_attached_and_brings_it_whole(pushed: str, attached: Attached, tools: Newer) -> None:
    found = json.loads(tools.run("oras", "discover", "--plain-http", "--format", "json", f"{pushed}:1"))
    assert {item["artifactType"] for item in found["referrers"]} == set(attached.payloads)
    for item in found["referrers"]:
        manifest = json.loads(tools.run("oras", "manifest", "fetch", "--plain-http", item["reference"]))
        (layer,) = manifest["layers"]
        blob = f"{pushed}@{layer['digest']}"
        content = tools.run("oras", "blob", "fetch", "--plain-http", "--output", "-", blob)
        assert content == attached.payloads[item["artifactType"]]


def test_crossdock_reads_what_oras_copied_into_a_layout(pushed: str, attached: Attached, tools: Newer) -> None:
    layout = tools.home / "copied"
    tools.run("oras", "cp", "--recursive", "--from-plain-http", f"{pushed}:1", "--to-oci-layout", f"{layout}:1")
    images = LayoutImages(layout, "copied")
    assert read_sbom(images, "spdx") == attached.payloads[SPDX]
    assert read_sbom(images, "cyclonedx") == attached.payloads[CYCLONEDX]


def test_crossdock_reads_what_is_attached_in_a_registry(pushed: str, attached: Attached, tmp_path: Path) -> None:
    command = Command(cache=tmp_path / "cache")
    for name, media_type in (("spdx", SPDX), ("cyclonedx", CYCLONEDX)):
        for reference in (f"{pushed}:1", f"{pushed}@{attached.descriptor.digest}"):
            outcome = command.run("sbom", reference, "--format", name)
            assert (outcome.code, outcome.stderr) == (0, "")
            assert outcome.stdout.encode() == attached.payloads[media_type]


def test_an_image_with_nothing_attached_and_one_that_is_not_there_are_told_apart(
    registry: Registry, tools: Newer, umoci: Umoci, tmp_path: Path
) -> None:
    registry.empty()
    name = f"{registry.address}/team/bare"
    copy_in(tools, make_image(tmp_path, umoci, b"bare"), f"{name}:1")
    command = Command(cache=tmp_path / "cache")
    outcome = command.run("sbom", f"{name}:1")
    assert (outcome.code, outcome.stdout) == (SbomError.exit_code, "")
    assert "none is attached to it" in outcome.stderr
    outcome = command.run("sbom", f"{name}:2")
    assert (outcome.code, outcome.stdout) == (RegistryNotFoundError.exit_code, "")


def test_a_signature_by_a_key_pair_is_verified_by_digest_and_by_tag(
    pushed: str, attached: Attached, tools: Newer
) -> None:
    digest = attached.descriptor.digest
    with pytest.raises(EngineError, match="no signatures found"):
        verified(tools, f"{pushed}@{digest}")
    tools.run("cosign", "sign", *SIGN, f"{pushed}@{digest}")
    for reference in (f"{pushed}@{digest}", f"{pushed}:1"):
        (claim,) = verified(tools, reference)
        assert claim["critical"]["image"]["docker-manifest-digest"] == digest


def test_a_signature_by_another_key_is_none(pushed: str, attached: Attached, tools: Newer) -> None:
    tools.run("cosign", "sign", *SIGN, f"{pushed}@{attached.descriptor.digest}")
    other = newer_programs(tools.home / "other", "cosign", env=tools.env)
    other.home.mkdir()
    other.run("cosign", "generate-key-pair")
    with pytest.raises(EngineError, match="signature"):
        verified(other, f"{pushed}@{attached.descriptor.digest}")


def test_a_tag_that_was_moved_to_another_image_is_not_verified(
    pushed: str, attached: Attached, tools: Newer, umoci: Umoci, tmp_path: Path
) -> None:
    tools.run("cosign", "sign", *SIGN, f"{pushed}@{attached.descriptor.digest}")
    assert verified(tools, f"{pushed}:1")
    copy_in(tools, make_image(tmp_path, umoci, b"wrong"), f"{pushed}:1")
    with pytest.raises(EngineError, match="no signatures found"):
        verified(tools, f"{pushed}:1")
    assert verified(tools, f"{pushed}@{attached.descriptor.digest}")


def test_provenance_is_attested_and_verified(pushed: str, attached: Attached, tools: Newer) -> None:
    said = json.loads(attached.payloads[IN_TOTO])
    (tools.home / "provenance.json").write_text(json.dumps(said["predicate"]))
    image = f"{pushed}@{attached.descriptor.digest}"
    tools.run("cosign", "attest", *SIGN, "--type", "slsaprovenance1", "--predicate", "provenance.json", image)
    found = attested(tools, image, "slsaprovenance1")
    assert found["predicateType"] == said["predicateType"]
    assert found["predicate"] == said["predicate"]
    assert found["subject"][0]["digest"] == said["subject"][0]["digest"]
    with pytest.raises(EngineError):
        attested(tools, image, "spdxjson")


@pytest.mark.parametrize(("kind", "media_type"), [("spdxjson", SPDX), ("cyclonedx", CYCLONEDX)])
def test_a_bill_of_materials_is_attested_and_verified(
    kind: str, media_type: str, pushed: str, attached: Attached, tools: Newer
) -> None:
    (tools.home / "bom.json").write_bytes(attached.payloads[media_type])
    image = f"{pushed}@{attached.descriptor.digest}"
    tools.run("cosign", "attest", *SIGN, "--type", kind, "--predicate", "bom.json", image)
    assert attested(tools, image, kind)["predicate"] == json.loads(attached.payloads[media_type])


def found_by_oras(tools: Newer, reference: str) -> dict[str, str]:
    """List what refers to an image: digest by kind."""
    found = json.loads(tools.run("oras", "discover", "--plain-http", "--format", "json", reference))
    return {item["artifactType"]: item["digest"] for item in found["referrers"]}


def test_an_image_that_crossdock_pushes_has_it_all_whoever_builds_it(
    registry: Registry, tiny: Tiny, tools: Newer, tmp_path: Path
) -> None:
    registry.empty()
    project, name = tiny.copy(tmp_path / "project"), f"{registry.address}/team/tiny"
    here = Command(cache=link_cache(tiny.built, tmp_path / "cache"))
    outcome = here.run("image", project, "--push", f"{name}:1")
    image = f"{name}@{outcome.digest}"
    index = json.loads(registry.manifest("team/tiny", outcome.digest)[1])
    manifests = {entry["platform"]["architecture"]: entry["digest"] for entry in index["manifests"]}

    attached = {digest: found_by_oras(tools, f"{name}@{digest}") for digest in (outcome.digest, *manifests.values())}
    assert IN_TOTO in attached[outcome.digest]
    for architecture, digest in manifests.items():
        assert set(attached[digest]) == {SPDX, CYCLONEDX}
        printed = here.run("sbom", image, "--platform", f"linux/{architecture}").stdout
        document = parse_spdx(printed.encode(), tmp_path)
        sums = {checksum.value for package in document.packages for checksum in package.checksums}
        wheels = {path.name for (machine, _), path in tiny.wheels.items() if machine == architecture}
        assert {digest.removeprefix("sha256:"), *wheels} < sums

    manifest = json.loads(registry.manifest("team/tiny", attached[outcome.digest][IN_TOTO])[1])
    blob = f"{name}@{manifest['layers'][0]['digest']}"
    said = json.loads(tools.run("oras", "blob", "fetch", "--plain-http", "--output", "-", blob))
    subjects = {f"sha256:{item['digest']['sha256']}" for item in said["subject"]}
    assert subjects == {outcome.digest, *manifests.values()}
    inputs = said["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {path.name for path in tiny.wheels.values()} < {item["digest"].get("sha256") for item in inputs}
    assert str(tmp_path) not in json.dumps(said)

    # Another machine has nothing but the project and the registry; it takes the layers, and says the same of them.
    other = Command(cache=tmp_path / "other").run("image", project, "--push", f"{name}:1")
    assert other.digest == outcome.digest
    assert {digest: found_by_oras(tools, f"{name}@{digest}") for digest in attached} == attached

    tools.run("cosign", "sign", *SIGN, image)
    assert verified(tools, f"{name}:1")
    (tools.home / "provenance.json").write_text(json.dumps(said["predicate"]))
    tools.run("cosign", "attest", *SIGN, "--type", "slsaprovenance1", "--predicate", "provenance.json", image)
    assert attested(tools, image, "slsaprovenance1")["predicate"] == said["predicate"]
