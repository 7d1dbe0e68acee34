"""The registry as the cache: a second machine names layers that the first one pushed, and moves next to nothing."""

from __future__ import annotations

import copy
import gzip
import hashlib
import http.client
import io
import json
import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.baseimages import LayoutWriter, debian_root
from tests.e2e.builds import lock_with_uv
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require_machine
from tests.e2e.pushing import App, Watch, blobs_of, make_app
from tests.support.countingproxy import CountingProxy, counting_proxy
from tests.support.flakyregistry import FlakyRegistry, flaky_registry
from tests.support.registries import missing_children

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.builds import Outcome, Tiny

pytestmark = [pytest.mark.engine, pytest.mark.network]

HOST = next(oci for oci, machine in MACHINES.items() if machine == os.uname().machine)


@pytest.fixture
def flaky(registry: Registry) -> Iterator[FlakyRegistry]:
    """A proxy that counts, before an empty registry."""
    registry.empty()
    watch = Watch(registry)
    with flaky_registry(registry.url) as proxy:
        proxy.after = watch
        yield proxy
    assert watch.dangling == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a run moved, in bytes.

    Attributes:
        fetched: From anywhere but the registry.
        pulled: From the registry.
        pushed: To it.
    """

    fetched: int
    pulled: int
    pushed: int

    @property
    def total(self) -> int:
        return self.fetched + self.pulled + self.pushed


def run(app: App, flaky: FlakyRegistry, *arguments: str) -> tuple[Outcome, Traffic, CountingProxy]:
    """Push, with everything counted."""
    flaky.forget()
    with counting_proxy() as proxy:
        outcome = app.push(f"{flaky.address}/team/app:1.0", *arguments, env=proxy.env)
    return outcome, Traffic(fetched=proxy.total, pulled=flaky.received(), pushed=flaky.sent()), proxy


@pytest.fixture(scope="module")
def uv_locked(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A lock of uv's of the tiny project: it names files by URL, so no page of an index has to be read."""
    return (lock_with_uv(tiny.project, tmp_path_factory.mktemp("locked") / "app") / "uv.lock").read_bytes()


def machine(tiny: Tiny, folder: Path, lock: bytes, *, cached: bool = False) -> App:
    """A machine with the project, and nothing else unless everything is in its cache."""
    app = make_app(tiny, folder, cached=cached)
    (app.project / "requirements.txt").unlink()
    (app.project / "uv.lock").write_bytes(lock)
    return app


def test_a_second_machine_moves_less_than_a_hundredth(
    tiny: Tiny, uv_locked: bytes, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    first, cost, _ = run(machine(tiny, tmp_path / "one", uv_locked), flaky)
    second_machine = machine(tiny, tmp_path / "two", uv_locked)

    second, again, proxy = run(second_machine, flaky)

    assert second.digest == first.digest
    assert missing_children(registry, "team/app", "1.0") == []
    assert cost.fetched > 5_000_000
    assert cost.pushed > sum(blobs_of(registry, "team/app", "1.0").values())
    assert flaky.asked("blob-get") == [] or flaky.received("blob-get") < 50_000  # configs
    assert flaky.sent("upload-start", "upload-data", "upload-end") == 0
    assert [path for path in proxy.paths if path.endswith((".deb", ".whl"))] == []
    assert again.total < cost.total / 100, (again, cost, proxy.received)


def test_an_edit_on_a_second_machine_pushes_one_small_layer(
    tiny: Tiny, uv_locked: bytes, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    run(machine(tiny, tmp_path / "one", uv_locked, cached=True), flaky, "--no-attachments")
    before = blobs_of(registry, "team/app", "1.0")
    second_machine = machine(tiny, tmp_path / "two", uv_locked)
    second_machine.edit()

    outcome, _, _ = run(second_machine, flaky, "--no-attachments")

    assert outcome.code == 0, outcome.stderr
    assert_small(registry, flaky, before)


def test_an_edit_on_the_same_machine_pushes_one_small_layer(
    tiny: Tiny, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    app = make_app(tiny, tmp_path)
    run(app, flaky, "--no-attachments")
    before = blobs_of(registry, "team/app", "1.0")
    app.edit()

    outcome, _, _ = run(app, flaky, "--no-attachments")

    assert outcome.code == 0, outcome.stderr
    assert_small(registry, flaky, before)


def assert_small(registry: Registry, flaky: FlakyRegistry, before: Mapping[str, int]) -> None:
    """Check that nothing was sent but one layer of the own code, which both architectures share, and two configs."""
    after = blobs_of(registry, "team/app", "1.0")
    new = sum(after[digest] for digest in after.keys() - before.keys())
    assert len(after.keys() - before.keys()) == len(flaky.asked("upload-end")) == 3
    assert flaky.sent("upload-start", "upload-data", "upload-end") == new
    assert new < sum(after.values()) / 100
    assert len(flaky.asked("manifest-put")) == 3


def test_what_a_second_machine_pushed_runs(
    tiny: Tiny, uv_locked: bytes, registry: Registry, flaky: FlakyRegistry, podman: Podman, tmp_path: Path
) -> None:
    require_machine(HOST)
    run(machine(tiny, tmp_path / "one", uv_locked, cached=True), flaky)
    second_machine = machine(tiny, tmp_path / "two", uv_locked)
    second_machine.edit()

    outcome, _, _ = run(second_machine, flaky)

    assert outcome.code == 0, outcome.stderr
    image = podman.pull(f"{registry.address}/team/app@{outcome.digest}", architecture=HOST)
    assert podman.run(image).strip() == "edited"


def test_a_tag_of_its_own_for_each_build_finds_the_layers_of_the_tag_that_stays(
    tiny: Tiny, uv_locked: bytes, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    run(machine(tiny, tmp_path / "one", uv_locked, cached=True), flaky, "--tag", "main")
    second = machine(tiny, tmp_path / "two", uv_locked)
    flaky.forget()
    with counting_proxy() as proxy:
        outcome = second.push(f"{flaky.address}/team/app:2.0", "--tag", "main", env=proxy.env)

    assert outcome.digest == tiny.digest
    assert [path for path in proxy.paths if path.endswith((".deb", ".whl"))] == []
    assert flaky.sent("upload-start", "upload-data", "upload-end") == 0


def test_a_layout_of_a_second_machine_is_whole(
    tiny: Tiny, uv_locked: bytes, flaky: FlakyRegistry, tmp_path: Path, skopeo: Skopeo
) -> None:
    first, _, _ = run(machine(tiny, tmp_path / "one", uv_locked, cached=True), flaky)
    second_machine = machine(tiny, tmp_path / "two", uv_locked)

    layout = tmp_path / "layout"
    outcome = second_machine.image("--output", layout, "--cache-from", f"{flaky.address}/team/app:1.0")

    assert outcome.digest == first.digest
    skopeo.copy_all(f"oci:{layout}", f"oci:{tmp_path}/copy:1")


def test_no_cache_from_makes_everything_anew(
    tiny: Tiny, uv_locked: bytes, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    first, cost, _ = run(machine(tiny, tmp_path / "one", uv_locked), flaky)

    second, again, _ = run(machine(tiny, tmp_path / "two", uv_locked), flaky, "--no-cache-from")

    assert second.digest == first.digest
    assert again.fetched > cost.fetched / 2
    assert flaky.asked("manifest-get") == []


def test_a_base_in_the_same_registry_is_mounted_and_never_moved(
    tiny: Tiny, uv_locked: bytes, registry: Registry, flaky: FlakyRegistry, skopeo: Skopeo, tmp_path: Path
) -> None:
    writer = LayoutWriter(tmp_path / "base")
    roots = [debian_root(architecture, "python3") for architecture in sorted(MACHINES)]
    base = writer.tag(writer.index([writer.image(root, Env=["PATH=/usr/bin:/bin"]) for root in roots]), "1")
    skopeo.copy_all(base, f"docker://{registry.address}/bases/python:3.11")
    named = ("--base", f"{flaky.address}/bases/python:3.11")
    one = machine(tiny, tmp_path / "one", uv_locked)
    assert run(one, flaky, *named)[0].code == 0
    two = machine(tiny, tmp_path / "two", uv_locked)
    (two.project / "crossdock.lock").write_bytes((one.project / "crossdock.lock").read_bytes())

    outcome, again, _ = run(two, flaky, *named)

    assert outcome.code == 0, outcome.stderr
    base_layers = blobs_of(registry, "bases/python", "3.11")
    assert again.total < sum(base_layers.values()) / 100
    assert base_layers.keys() & blobs_of(registry, "team/app", "1.0").keys()


# A layer planted by someone who may push


def put(registry: Registry, path: str, media_type: str, body: bytes) -> str:
    """Push by hand: a manifest, or a blob in one request."""
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=30)
    try:
        if "/manifests/" in path:
            connection.request("PUT", path, body=body, headers={"Content-Type": media_type})
        else:
            connection.request("POST", path)
            started = connection.getresponse()
            started.read()
            location = str(started.getheader("Location")).partition(registry.address)[2]
            digest = f"digest=sha256:{hashlib.sha256(body).hexdigest()}"
            connection.request("PUT", f"{location}&{digest}", body=body, headers={"Content-Type": media_type})
        response = connection.getresponse()
        assert response.status == 201, response.read()
        response.read()
    finally:
        connection.close()
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def descriptor_of(registry: Registry, repository: str, old: dict[str, Any], content: Any, version: str = "") -> Any:
    """Push a changed manifest, config or index, and give its descriptor."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    kind = old["mediaType"]
    if "manifest" in kind or "index" in kind:
        put(registry, f"/v2/{repository}/manifests/{version or digest}", kind, data)
    else:
        put(registry, f"/v2/{repository}/blobs/uploads/", "application/octet-stream", data)
    return {**old, "digest": digest, "size": len(data)}


def with_a_file_more(layer: bytes) -> bytes:
    archive = io.BytesIO(layer)
    content = b"print('planted')\n"
    member = tarfile.TarInfo("app/.venv/lib/python3.11/site-packages/planted.py")
    member.size = len(content)
    with tarfile.open(fileobj=archive, mode="a:") as files:
        files.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def plant(registry: Registry, repository: str, tag: str, wheel: str) -> str:
    """Put a file more into a wheel's layer, with all that is said about it made to agree."""
    _, raw = registry.manifest(repository, tag)
    index = json.loads(raw)
    planted = ""
    for number, entry in enumerate(index["manifests"]):
        _, raw = registry.manifest(repository, entry["digest"])
        manifest = json.loads(raw)
        _, _, body = registry.ask("GET", f"/v2/{repository}/blobs/{manifest['config']['digest']}")
        config = json.loads(body)
        for position, layer in enumerate(manifest["layers"]):
            if wheel not in json.dumps(layer.get("annotations", {})):
                continue
            _, _, packed = registry.ask("GET", f"/v2/{repository}/blobs/{layer['digest']}")
            evil = with_a_file_more(gzip.decompress(packed))
            new_diff_id = f"sha256:{hashlib.sha256(evil).hexdigest()}"
            old_diff_id = config["rootfs"]["diff_ids"][position]
            config["rootfs"]["diff_ids"][position] = new_diff_id
            said = json.loads(json.dumps(layer).replace(old_diff_id, new_diff_id))
            manifest["layers"][position] = descriptor_of(registry, repository, said, gzip.compress(evil, mtime=0))
            planted = manifest["layers"][position]["digest"]
        manifest["config"] = descriptor_of(registry, repository, copy.deepcopy(manifest["config"]), config)
        index["manifests"][number] = descriptor_of(registry, repository, entry, manifest)
    media_type = {"mediaType": index["mediaType"]}
    descriptor_of(registry, repository, media_type, index, version=tag)
    assert planted
    return planted


def test_a_planted_layer_does_not_go_unnoticed(
    tiny: Tiny, uv_locked: bytes, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    run(machine(tiny, tmp_path / "one", uv_locked, cached=True), flaky, "--no-attachments")
    reference = f"{flaky.address}/team/app:1.0"
    app = machine(tiny, tmp_path / "two", uv_locked)
    honest = app.command.run("verify", "--deep", reference)
    assert honest.code == 0, honest.stderr
    planted = plant(registry, "team/app", "1.0", "idna")

    outcome = app.command.run("verify", "--deep", reference)

    assert outcome.code == 98, outcome.stderr
    assert planted[:19] in outcome.stdout + outcome.stderr


def test_an_annotation_of_another_wheel_is_not_taken(
    tiny: Tiny, uv_locked: bytes, registry: Registry, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    first, _, _ = run(machine(tiny, tmp_path / "one", uv_locked, cached=True), flaky, "--no-attachments")
    planted = plant(registry, "team/app", "1.0", "idna")
    # What is said about it names another wheel's hash than the lock.
    index = json.loads(registry.manifest("team/app", "1.0")[1])
    wheel = tiny.wheels[HOST, "idna"].name
    for number, entry in enumerate(index["manifests"]):
        text = registry.manifest("team/app", entry["digest"])[1].decode()
        changed = json.loads(text.replace(wheel, "0" * 64))
        index["manifests"][number] = descriptor_of(registry, "team/app", entry, changed)
    descriptor_of(registry, "team/app", {"mediaType": index["mediaType"]}, index, version="1.0")

    outcome, _, _ = run(machine(tiny, tmp_path / "two", uv_locked), flaky, "--no-attachments")

    assert outcome.digest == first.digest
    assert planted not in blobs_of(registry, "team/app", "1.0")


def test_a_registry_that_cannot_be_asked_for_the_cache_is_told(tiny: Tiny, tmp_path: Path) -> None:
    app = make_app(tiny, tmp_path)

    outcome = app.image("--output", tmp_path / "layout", "--cache-from", "127.0.0.1:9/team/app:1.0")

    # A cache is a help, not a need; that it is not there is said.
    assert outcome.digest == tiny.digest
    assert "127.0.0.1:9" in outcome.stderr


def test_a_cache_that_is_not_there_yet_is_no_error(tiny: Tiny, flaky: FlakyRegistry, tmp_path: Path) -> None:
    app = make_app(tiny, tmp_path)

    outcome = app.push(f"{flaky.address}/team/app:2.0", "--cache-from", f"{flaky.address}/team/app:1.0")

    assert outcome.digest == tiny.digest
