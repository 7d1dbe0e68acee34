"""Pushing: what a registry has afterwards, and for whom it is open.

The registries and their clients are other projects' programs. What networks do on the way is in
test_push_outlasts.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e import layouts
from tests.e2e.builds import blobs
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require, require_machine
from tests.e2e.pushing import App, Watch, assert_refused, blobs_of, make_app
from tests.support.flakyregistry import FlakyRegistry, flaky_registry
from tests.support.registries import give_access, missing_children, running_registry
from tests.support.testca import make_authority
from tests.support.tokenserver import token_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.builds import Tiny
    from tests.e2e.newer import Newer

pytestmark = [pytest.mark.engine, pytest.mark.network]

ACCOUNTS = {"writer": "se:cret/9@x%", "reader": "other-pass-word"}
WRONG = "guess-from-a-test"
SECRETS = (*ACCOUNTS.values(), WRONG, "se%3Acret%2F9%40x%25", "d3JpdGVyOnNlOmNyZXQvOUB4JQ==")


@pytest.fixture
def app(tiny: Tiny, tmp_path: Path) -> App:
    """The tiny project, ready to be pushed."""
    return make_app(tiny, tmp_path)


@pytest.fixture
def flaky(registry: Registry) -> Iterator[FlakyRegistry]:
    """A proxy before an empty registry."""
    registry.empty()
    with flaky_registry(registry.url) as proxy:
        yield proxy


def test_push_layout_and_tar_have_the_same_index(app: App, tiny: Tiny, registry: Registry, tmp_path: Path) -> None:
    reference = f"{registry.address}/team/same"
    pushed = app.push(f"{reference}:1.0", "--output", tmp_path / "layout")
    packed = app.image("--output", tmp_path / "image.tar")

    assert pushed.stdout == f"{reference}@{pushed.digest}\n"
    assert {pushed.digest, packed.digest, layouts.read_index(tmp_path / "layout").digest} == {tiny.digest}
    assert registry.manifest("team/same", "1.0") == (tiny.digest, layouts.read_index(tiny.layout).raw)
    assert missing_children(registry, "team/same", "1.0") == []


def test_every_blob_in_the_registry_is_the_layouts(app: App, tiny: Tiny, registry: Registry) -> None:
    assert app.push(f"{registry.address}/team/bytes:1.0").digest == tiny.digest

    for digest, size in blobs_of(registry, "team/bytes", "1.0").items():
        status, _, body = registry.ask("GET", f"/v2/team/bytes/blobs/{digest}")
        assert (status, len(body)) == (200, size)
        assert body == (tiny.layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


@pytest.mark.parametrize("architecture", sorted(MACHINES))
def test_podman_pulls_and_runs_it(architecture: str, app: App, tiny: Tiny, registry: Registry, podman: Podman) -> None:
    require_machine(architecture)
    reference = f"{registry.address}/team/run:1.0"
    assert app.push(reference).digest == tiny.digest

    image = podman.pull(reference, architecture=architecture)

    assert podman.run(image).strip() == "tiny"


def test_other_clients_agree_on_what_it_is(
    app: App, tiny: Tiny, registry: Registry, skopeo: Skopeo, newer: Newer, tmp_path: Path
) -> None:
    reference = f"{registry.address}/team/others:1.0"
    assert app.push(reference).digest == tiny.digest

    skopeo.copy_all(f"docker://{reference}", f"oci:{tmp_path}/old:1.0")
    newer.copy_all(f"docker://{reference}", f"oci:{tmp_path}/new:1.0", folders=(tmp_path,))

    assert layouts.read_index(tmp_path / "old").digest == tiny.digest
    assert layouts.read_index(tmp_path / "new").digest == tiny.digest
    newer.run("crane", "validate", "--insecure", "--remote", reference)
    assert newer.run("crane", "digest", "--insecure", reference).decode().strip() == tiny.digest


def test_tags_references_and_metadata_are_written(app: App, tiny: Tiny, registry: Registry, tmp_path: Path) -> None:
    name, other = f"{registry.address}/team/tags", f"{registry.address}/elsewhere/tags"
    refs, metadata = tmp_path / "refs.txt", tmp_path / "metadata.json"
    tags = ("--tag", f"{name}:stable", "--tag", "newest", "--tag", f"{other}:1.0")

    outcome = app.push(f"{name}:1.0", *tags, "--image-refs", refs, "--metadata-file", metadata, "--no-attachments")

    assert outcome.digest == tiny.digest
    assert outcome.stdout == f"{name}@{tiny.digest}\n"
    assert registry.tags("team/tags") == ["1.0", "newest", "stable"]
    assert registry.tags("elsewhere/tags") == ["1.0"]
    assert {registry.manifest("team/tags", tag)[0] for tag in ("1.0", "newest", "stable")} == {tiny.digest}
    assert missing_children(registry, "elsewhere/tags", "1.0") == []
    assert refs.read_text().splitlines() == [f"{name}@{tiny.digest}", f"{other}@{tiny.digest}"]
    assert tiny.digest in json.dumps(json.loads(metadata.read_text()))


def test_nothing_is_written_to_disk_unless_asked_for(app: App, tiny: Tiny, registry: Registry) -> None:
    assert app.push(f"{registry.address}/team/alone:1.0").digest == tiny.digest

    assert not (app.project / "dist").exists()


def test_a_second_push_sends_no_blob(app: App, tiny: Tiny, flaky: FlakyRegistry) -> None:
    assert app.push(f"{flaky.address}/team/again:1.0").digest == tiny.digest
    flaky.forget()

    assert app.push(f"{flaky.address}/team/again:1.0").digest == tiny.digest

    # One is begun and given up, to see that it may be.
    assert len(flaky.asked("upload-start")) == 1
    assert flaky.asked("upload-end", "upload-data") == []


def test_another_repository_mounts_what_the_first_has(app: App, tiny: Tiny, flaky: FlakyRegistry) -> None:
    first = f"{flaky.address}/team/one:1.0"
    assert app.push(first, "--no-attachments").digest == tiny.digest
    flaky.forget()

    second = app.push(f"{flaky.address}/team/two:1.0", "--cache-from", first, "--no-attachments")

    assert second.digest == tiny.digest
    assert {exchange.status for exchange in flaky.asked("mount")} == {201}
    # Configs are no layers, and small.
    assert flaky.sent("upload-start", "upload-data", "upload-end") < 50_000


def test_children_come_first_and_the_tag_last(app: App, tiny: Tiny, registry: Registry, flaky: FlakyRegistry) -> None:
    watch = flaky.after = Watch(registry)
    assert app.push(f"{flaky.address}/team/order:1.0", "--no-attachments").digest == tiny.digest

    puts = [exchange.target.rpartition("/")[2] for exchange in flaky.asked("manifest-put")]
    _, raw = registry.manifest("team/order", "1.0")
    children = {child["digest"] for child in json.loads(raw)["manifests"]}
    assert puts[-1] == "1.0"
    assert set(puts[: len(children)]) == children
    first_manifest = flaky.exchanges.index(flaky.asked("manifest-put")[0])
    assert max(map(flaky.exchanges.index, flaky.asked("upload-end"))) < first_manifest
    assert (sorted(watch.manifests), watch.manifests[-1]) == (sorted(puts), "1.0")
    assert watch.dangling == []


# For whom it is open


def test_a_registry_with_tls_and_a_password(app: App, tiny: Tiny, podman: Podman, tmp_path: Path) -> None:
    require_machine("amd64")
    authority = make_authority(tmp_path)
    with running_registry(tmp_path, authority=authority, accounts=ACCOUNTS) as registry:
        access = give_access(tmp_path / "access", registry, "writer")
        reference = f"{registry.address}/team/app:1.0"

        outcome = app.push(reference, env=access.env)

        assert outcome.digest == tiny.digest
        assert missing_children(registry, "team/app", "1.0") == []
        image = podman.pull(reference, architecture="amd64", access=access)
        assert podman.run(image).strip() == "tiny"


@pytest.mark.parametrize("names", [("token", "access_token"), ("token",), ("access_token",)], ids="+".join)
def test_a_registry_behind_a_token_server(names: tuple[str, ...], app: App, tiny: Tiny, tmp_path: Path) -> None:
    with (
        token_server(tmp_path, ACCOUNTS, names=names) as tokens,
        running_registry(tmp_path, tokens=tokens) as registry,
    ):
        access = give_access(tmp_path / "access", registry, "writer")

        outcome = app.push(f"{registry.address}/team/app:1.0", env=access.env)

        assert outcome.digest == tiny.digest
        # Tokens are kept, not asked for with every request.
        assert 0 < len(tokens.asked) < 10
        if "token" in names:  # what skopeo 1.9 looks for
            raw = Skopeo(access=access).inspect_raw(f"docker://{registry.address}/team/app:1.0")
            assert raw == layouts.read_index(tiny.layout).raw


@pytest.mark.parametrize("server", ["basic", "token"])
@pytest.mark.parametrize("password", [WRONG, ""], ids=["wrong password", "no account"])
def test_wrong_credentials(server: str, password: str, app: App, tmp_path: Path) -> None:
    require("docker-registry")
    with token_server(tmp_path, ACCOUNTS) as tokens:
        options: dict[str, Any] = {"accounts": ACCOUNTS} if server == "basic" else {"tokens": tokens}
        with running_registry(tmp_path, **options) as registry:
            env = give_access(tmp_path / "access", registry, "writer", password).env if password else {}

            outcome = app.push(f"{registry.address}/team/app:1.0", env=env)

            assert_refused(outcome, 121, registry.address)
            assert not (registry.storage / "docker/registry/v2/repositories/team/app").exists()
    assert [secret for secret in SECRETS if secret in outcome.stderr] == []


def test_someone_who_may_only_read(app: App, tmp_path: Path) -> None:
    require("docker-registry")
    with (
        token_server(tmp_path, ACCOUNTS, readers=frozenset({"reader"})) as tokens,
        running_registry(tmp_path, tokens=tokens) as registry,
    ):
        access = give_access(tmp_path / "access", registry, "reader")

        outcome = app.push(f"{registry.address}/team/app:1.0", env=access.env)

        assert_refused(outcome, 121, registry.address)
        assert [secret for secret in SECRETS if secret in outcome.stderr] == []


def test_a_refusal_is_told_before_anything_is_built(tiny: Tiny, tmp_path: Path) -> None:
    require("docker-registry")
    app = make_app(tiny, tmp_path, cached=False)
    with running_registry(tmp_path, accounts=ACCOUNTS) as registry:
        env = give_access(tmp_path / "access", registry, "writer", WRONG).env

        assert_refused(app.push(f"{registry.address}/team/app:1.0", env=env), 121, registry.address)

    assert blobs(app.command.cache) == set()


def test_a_certificate_nobody_vouches_for(app: App, tmp_path: Path) -> None:
    require("docker-registry")
    authority = make_authority(tmp_path)
    with running_registry(tmp_path, authority=authority, accounts=ACCOUNTS) as registry:
        access = give_access(tmp_path / "access", registry, "writer")
        (access.certificates / "ca.crt").unlink()

        assert_refused(app.push(f"{registry.address}/team/app:1.0", env=access.env), 120, "certificate")


def test_an_output_that_cannot_be_written_is_told_before_anything_is_pushed(
    app: App, registry: Registry, tmp_path: Path
) -> None:
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "thesis.txt").write_text("mine")

    outcome = app.push(f"{registry.address}/team/never:1.0", "--output", occupied)

    assert_refused(outcome, 72, "occupied")
    assert registry.tags("team/never") == []
    assert (occupied / "thesis.txt").read_text() == "mine"
