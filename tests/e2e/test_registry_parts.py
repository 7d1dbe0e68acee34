"""The registries and the flaky proxy themselves, judged by skopeo: later tests rely on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.e2e.engines import EngineError, Registry, Skopeo, Umoci, require
from tests.support import registryfaults as faults
from tests.support.flakyregistry import flaky_registry
from tests.support.registries import give_access, missing_children, running_registry
from tests.support.testca import make_authority
from tests.support.tokenserver import token_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.newer import Newer
    from tests.support.flakyregistry import Fault, FlakyRegistry, Kind

pytestmark = pytest.mark.engine

ACCOUNTS = {"writer": "se:cret/9@x%", "reader": "other"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, umoci: Umoci) -> str:
    """A layout with one image of one file."""
    folder = tmp_path_factory.mktemp("image")
    content = folder / "file"
    content.write_bytes(bytes(300_000))
    umoci.call("init", "--layout", folder / "layout")
    umoci.call("new", "--image", f"{folder}/layout:1")
    umoci.call("insert", "--rootless", "--image", f"{folder}/layout:1", content, "/file")
    return f"oci:{folder}/layout:1"


@pytest.fixture
def flaky(registry: Registry) -> Iterator[FlakyRegistry]:
    registry.empty()
    with flaky_registry(registry.url) as proxy:
        yield proxy


def test_a_registry_with_tls_and_passwords_lets_in_who_has_one(tmp_path: Path, image: str) -> None:
    require("docker-registry", "skopeo")
    authority = make_authority(tmp_path)
    with running_registry(tmp_path, authority=authority, accounts=ACCOUNTS) as registry:
        allowed = Skopeo(access=give_access(tmp_path / "right", registry, "writer"))
        refused = Skopeo(access=give_access(tmp_path / "wrong", registry, "writer", "guess"))

        allowed.copy_all(image, f"docker://{registry.address}/team/app:1")

        assert registry.tags("team/app") == ["1"]
        assert missing_children(registry, "team/app", "1") == []
        with pytest.raises(EngineError, match=r"(?i)unauthorized|authentication"):
            refused.copy_all(image, f"docker://{registry.address}/team/app:2")
        stranger = give_access(tmp_path / "stranger", registry, "writer")
        (stranger.certificates / "ca.crt").unlink()
        with pytest.raises(EngineError, match="certificate"):
            Skopeo(access=stranger).copy_all(image, f"docker://{registry.address}/team/app:3")


def test_a_token_servers_tokens_are_taken_for_what_they_allow(tmp_path: Path, image: str) -> None:
    require("docker-registry", "skopeo")
    with (
        token_server(tmp_path, ACCOUNTS, readers=frozenset({"reader"}), public=("open/*",)) as tokens,
        running_registry(tmp_path, tokens=tokens) as registry,
    ):
        writer = Skopeo(access=give_access(tmp_path / "writer", registry, "writer"))
        reader = Skopeo(access=give_access(tmp_path / "reader", registry, "reader"))

        writer.copy_all(image, f"docker://{registry.address}/team/app:1")
        writer.copy_all(image, f"docker://{registry.address}/open/app:1")

        assert {request.user for request in tokens.asked if request.granted} == {"writer"}
        with pytest.raises(EngineError, match=r"(?i)denied|unauthorized"):
            reader.copy_all(image, f"docker://{registry.address}/team/app:2")
        raw = reader.inspect_raw(f"docker://{registry.address}/team/app:1")
        assert raw == Skopeo().inspect_raw(f"docker://{registry.address}/open/app:1")
        with pytest.raises(EngineError, match=r"(?i)denied|unauthorized"):
            Skopeo().inspect_raw(f"docker://{registry.address}/team/app:1")


def test_the_proxy_passes_all_on_and_counts_it(image: str, registry: Registry, flaky: FlakyRegistry) -> None:
    Skopeo().copy_all(image, f"docker://{flaky.address}/app:1")

    assert missing_children(registry, "app", "1") == []
    blobs = [item["size"] for item in _children(registry)]
    assert flaky.sent("upload-start", "upload-data", "upload-end") == sum(blobs)
    assert len(flaky.asked("upload-end")) == len(blobs)
    assert [exchange.status for exchange in flaky.asked("manifest-put")] == [201]

    flaky.forget()
    Skopeo().copy_all(f"docker://{flaky.address}/app:1", f"docker://{flaky.address}/copy:1")

    assert missing_children(registry, "copy", "1") == []
    # What is not mounted from one repository to the other passes twice.
    assert flaky.received("blob-get") + flaky.sent() > 0 or flaky.asked("mount")
    assert {exchange.fault for exchange in flaky.asked()} == {""}


def _children(registry: Registry) -> list[dict[str, int]]:
    _, raw = registry.manifest("app", "1")
    document = json.loads(raw)
    return [document["config"], *document["layers"]]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("manifest-put", faults.status(500)),
        ("upload-end", faults.hang_up),
        ("upload-data", faults.break_request_after(100)),
        ("upload-start", faults.status(403, b'{"errors": [{"code": "DENIED", "message": "no"}]}')),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_fault_is_met_and_seen_by_the_client(
    kind: Kind, fault: Fault, image: str, registry: Registry, flaky: FlakyRegistry
) -> None:
    flaky.fail(kind, fault=fault, times=100)

    with pytest.raises(EngineError):
        Skopeo().copy_all(image, f"docker://{flaky.address}/app:1")

    assert [exchange for exchange in flaky.asked(kind) if exchange.fault]


@pytest.mark.parametrize("style", ["ecr", "harbor", "artifact-registry"])
def test_an_immutable_tag_can_be_pushed_once(
    style: faults.Style, image: str, registry: Registry, flaky: FlakyRegistry
) -> None:
    flaky.fail("manifest-put", fault=faults.immutable_tags(style), times=100)
    Skopeo().copy_all(image, f"docker://{flaky.address}/app:1")
    before = registry.manifest("app", "1")

    with pytest.raises(EngineError, match="immutab"):
        Skopeo().convert(image, f"docker://{flaky.address}/app:1", form="v2s2")

    assert registry.manifest("app", "1") == before
    Skopeo().convert(image, f"docker://{flaky.address}/app:2", form="v2s2")


@pytest.mark.parametrize(
    "fault",
    [
        faults.break_response_after(100),
        faults.other_bytes,
        faults.cut_to(100),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_client_does_not_take_what_the_proxy_spoils(
    fault: Fault, image: str, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    Skopeo().copy_all(image, f"docker://{registry.address}/app:1")
    flaky.fail("blob-get", fault=fault, times=100)

    with pytest.raises(EngineError):
        Skopeo().copy_all(f"docker://{flaky.address}/app:1", f"oci:{tmp_path}/layout:1")

    assert [exchange.fault for exchange in flaky.asked("blob-get")]


def test_a_redirect_leads_to_another_server(
    image: str, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    Skopeo().copy_all(image, f"docker://{registry.address}/app:1")
    with flaky_registry(registry.url) as other:
        flaky.fail("blob-get", fault=faults.redirect_to(other.url), times=100)

        Skopeo().copy_all(f"docker://{flaky.address}/app:1", f"oci:{tmp_path}/layout:1")

        assert flaky.received("blob-get") == 0
        assert other.received("blob-get") == sum(item["size"] for item in _children(registry))


def test_one_registry_has_the_referrers_api_and_the_other_the_tag(
    image: str, registry: Registry, referrers_registry: Registry, newer: Newer, tmp_path: Path
) -> None:
    (newer.home / "note.txt").write_text("hello")
    for one in (registry, referrers_registry):
        Skopeo().copy_all(image, f"docker://{one.address}/attached:1")
        attach = ("--plain-http", "--artifact-type", "application/x.test", f"{one.address}/attached:1", "note.txt")
        newer.run("oras", "attach", *attach)

    digest, _ = referrers_registry.manifest("attached", "1")
    status, _, body = referrers_registry.ask("GET", f"/v2/attached/referrers/{digest}")
    (listed,) = json.loads(body)["manifests"]
    assert status == 200
    assert json.loads(referrers_registry.manifest("attached", listed["digest"])[1])["subject"]["digest"] == digest
    assert registry.ask("GET", f"/v2/attached/referrers/{digest}")[0] == 404
    assert registry.tags("attached") == ["1", digest.replace(":", "-")]
