"""Applications on base images: one that mmdebstrap made is used from a registry, a layout and an archive; odd ones are
refused.

Nothing of crossdock is used to make the bases.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e import layouts
from tests.e2e.baseimages import LayoutWriter, Root, debian_root, file_layer
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require_machine, run_tool
from tests.e2e.pushing import App, assert_refused, make_app
from tests.support import registryfaults as faults
from tests.support.flakyregistry import FlakyRegistry, flaky_registry
from tests.support.registries import give_access, missing_children, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.builds import Tiny
    from tests.support.flakyregistry import Fault

pytestmark = [pytest.mark.engine, pytest.mark.network]

ARCHITECTURES = sorted(MACHINES)
HOST = next(oci for oci, machine in MACHINES.items() if machine == os.uname().machine)
SETTINGS: Mapping[str, Any] = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"], "User": "1234:1234"}


@pytest.fixture(scope="module")
def roots() -> dict[str, Root]:
    """Debian with Python, for each architecture."""
    return {architecture: debian_root(architecture, "python3") for architecture in ARCHITECTURES}


@pytest.fixture(scope="module")
def base(roots: dict[str, Root], tmp_path_factory: pytest.TempPathFactory) -> LayoutWriter:
    """A layout with the base as ``3.11``, in an index as BuildKit writes it: with attestations between the images."""
    writer = LayoutWriter(tmp_path_factory.mktemp("base") / "layout")
    images = [writer.image(roots[architecture], **SETTINGS) for architecture in ARCHITECTURES]
    entries = [entry for image in images for entry in (image, writer.attestation(image))]
    writer.tag(writer.index(entries), "3.11")
    return writer


@pytest.fixture
def app(tiny: Tiny, tmp_path: Path) -> App:
    """The tiny project, with its wheels in the cache."""
    return make_app(tiny, tmp_path)


@pytest.fixture
def flaky(registry: Registry, base: LayoutWriter, skopeo: Skopeo) -> Iterator[FlakyRegistry]:
    """A proxy before a registry that has the base as ``bases/python:3.11``."""
    registry.empty()
    skopeo.copy_all(f"oci:{base.folder}:3.11", f"docker://{registry.address}/bases/python:3.11")
    with flaky_registry(registry.url) as proxy:
        yield proxy


def change(app: App, old: str, new: str) -> None:
    """Change the project's settings."""
    path = app.project / "pyproject.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# Bases that are used


@pytest.mark.parametrize("place", ["registry", "digest", "layout"])
def test_an_application_runs_on_it(
    place: str, app: App, base: LayoutWriter, registry: Registry, flaky: FlakyRegistry, podman: Podman
) -> None:
    digest, _ = registry.manifest("bases/python", "3.11")
    named = {
        "registry": f"{flaky.address}/bases/python:3.11",
        "digest": f"{flaky.address}/bases/python@{digest}",
        "layout": f"oci:{base.folder}:3.11",
    }[place]

    outcome = app.push(f"{registry.address}/team/app:1.0", "--base", named)

    assert outcome.code == 0, outcome.stderr
    assert missing_children(registry, "team/app", "1.0") == []
    for architecture in ARCHITECTURES:
        require_machine(architecture)
        image = podman.pull(f"{registry.address}/team/app:1.0", architecture=architecture)
        assert podman.run(image).strip() == "tiny"
        program = (
            "import os, platform, markupsafe._speedups; print(platform.machine(), os.getuid(), os.environ['LANG'])"
        )
        said = podman.run(image, "-c", program, entrypoint="/app/.venv/bin/python")
        assert said.split() == [MACHINES[architecture], "1234", "C.UTF-8"]


def test_every_way_to_it_gives_the_same_layers(
    app: App, base: LayoutWriter, flaky: FlakyRegistry, tmp_path: Path
) -> None:
    layers = []
    for number, named in enumerate((f"{flaky.address}/bases/python:3.11", f"oci:{base.folder}:3.11")):
        outcome = app.image("--base", named, "--output", tmp_path / f"layout{number}")
        assert outcome.code == 0, outcome.stderr
        index = layouts.read_index(tmp_path / f"layout{number}")
        layers.append({name: image.layer_digests for name, image in index.images.items()})

    assert layers[0] == layers[1]
    (descriptor,) = json.loads((base.folder / "index.json").read_bytes())["manifests"]
    entries = json.loads(layouts.read_blob(base.folder, descriptor))["manifests"]
    for entry in entries:
        if entry["platform"]["os"] == "linux":
            (own,) = json.loads(layouts.read_blob(base.folder, entry))["layers"]
            # As it is, byte for byte.
            assert layers[0][entry["platform"]["architecture"]][0] == own["digest"]


def test_a_docker_archive(
    app: App, base: LayoutWriter, registry: Registry, podman: Podman, skopeo: Skopeo, tmp_path: Path
) -> None:
    require_machine(HOST)
    archive = tmp_path / "base.tar"
    options = ["--insecure-policy", "--override-os", "linux", "--override-arch", HOST, "copy", "--quiet"]
    run_tool(["skopeo", *options, f"oci:{base.folder}:3.11", f"docker-archive:{archive}:python:3.11"])
    named = ("--base", f"docker-archive:{archive}", "--target", f"linux/{HOST}")

    outcome = app.push(f"{registry.address}/team/archived:1.0", *named)

    assert outcome.code == 0, outcome.stderr
    image = podman.pull(f"{registry.address}/team/archived@{outcome.digest}", architecture=HOST)
    assert podman.run(image).strip() == "tiny"


def test_a_manifest_list_of_dockers_type(
    app: App, roots: dict[str, Root], registry: Registry, podman: Podman, skopeo: Skopeo, tmp_path: Path
) -> None:
    require_machine(HOST)
    # Attestations cannot be converted, so here there are none.
    writer = LayoutWriter(tmp_path / "plain")
    plain = writer.tag(writer.index([writer.image(roots[name], **SETTINGS) for name in ARCHITECTURES]), "1")
    skopeo.convert(plain, f"docker://{registry.address}/bases/docker:1", form="v2s2")
    _, raw = registry.manifest("bases/docker", "1")
    assert json.loads(raw)["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"

    outcome = app.push(f"{registry.address}/team/docker:1.0", "--base", f"{registry.address}/bases/docker:1")

    assert outcome.code == 0, outcome.stderr
    image = podman.pull(f"{registry.address}/team/docker:1.0", architecture=HOST)
    assert podman.run(image).strip() == "tiny"


def test_a_base_behind_a_password(app: App, base: LayoutWriter, tmp_path: Path) -> None:
    with running_registry(tmp_path, accounts={"reader": "pass-word-of-a-test"}) as registry:
        access = give_access(tmp_path / "right", registry, "reader")
        name = f"{registry.address}/bases/python:3.11"
        Skopeo(access=access).copy_all(f"oci:{base.folder}:3.11", f"docker://{name}")
        wrong = give_access(tmp_path / "wrong", registry, "reader", "guess-of-a-test")

        refused = app.image("--base", name, "--output", tmp_path / "out", env=wrong.env)
        anonymous = app.image("--base", name, "--output", tmp_path / "out")
        allowed = app.image("--base", name, "--output", tmp_path / "out", env=access.env)

        assert_refused(refused, 121, registry.address)
        assert "guess-of-a-test" not in refused.stderr
        assert_refused(anonymous, 121, registry.address)
        assert allowed.code == 0, allowed.stderr


def test_blobs_on_another_server_are_followed_without_the_password(
    app: App, base: LayoutWriter, tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    with (
        running_registry(tmp_path / "open") as store,
        running_registry(tmp_path / "closed", accounts={"reader": "pass-word"}) as registry,
        flaky_registry(registry.url) as front,
        flaky_registry(store.url) as origin,
    ):
        direct = give_access(tmp_path / "direct", registry, "reader")
        Skopeo(access=direct).copy_all(f"oci:{base.folder}:3.11", f"docker://{registry.address}/bases/python:3.11")
        Skopeo().copy_all(f"oci:{base.folder}:3.11", f"docker://{store.address}/bases/python:3.11")
        front.fail("blob-get", fault=faults.redirect_to(origin.url), times=1000)
        through = replace(registry, port=int(front.address.rpartition(":")[2]))
        access = give_access(tmp_path / "access", through, "reader")
        named = ("--base", f"{front.address}/bases/python:3.11")

        outcome = app.image(*named, "--output", tmp_path / "layout", env=access.env)

        assert outcome.code == 0, outcome.stderr
        assert any("authorization" in exchange.headers for exchange in front.asked("blob-get"))
        assert origin.received("blob-get") > 10_000_000
        assert [exchange for exchange in origin.asked() if "authorization" in exchange.headers] == []


def test_a_locked_base_is_not_read_again_to_plan(app: App, flaky: FlakyRegistry) -> None:
    change(app, '"debian:bookworm"', f'"{flaky.address}/bases/python:3.11"')
    assert app.command.run("lock", app.project).code == 0
    large = [exchange.target for exchange in flaky.asked("blob-get") if exchange.received > 1_000_000]
    flaky.forget()

    planned = app.command.run("plan", app.project)

    assert planned.code == 0, planned.stderr
    assert len(large) == len(ARCHITECTURES)
    assert flaky.asked("blob-get") == []


def test_a_locked_base_stays_when_its_tag_moves(
    app: App, roots: dict[str, Root], registry: Registry, flaky: FlakyRegistry, skopeo: Skopeo, tmp_path: Path
) -> None:
    name = f"{flaky.address}/bases/python:3.11"
    first = app.image("--base", name, "--output", tmp_path / "one")
    assert first.code == 0, first.stderr
    writer = LayoutWriter(tmp_path / "moved")
    more = file_layer({"etc/moved": b"1"})
    images = [writer.image(replace(roots[key], layers=(*roots[key].layers, more)), **SETTINGS) for key in ARCHITECTURES]
    skopeo.copy_all(writer.tag(writer.index(images), "1"), f"docker://{registry.address}/bases/python:3.11")

    second = app.image("--base", name, "--output", tmp_path / "two")

    assert second.digest == first.digest


#: What happens to two of the layers, or configs, on their way.
PULLS: list[Fault] = [
    faults.status(503),
    faults.status(429, b"", Retry_After="1"),
    faults.hang_up,
    faults.break_response_after(100_000),
    faults.cut_to(100_000),
]


@pytest.mark.parametrize("fault", PULLS, ids=lambda fault: str(fault.__name__))
def test_a_pull_outlasts(fault: Fault, app: App, flaky: FlakyRegistry, tmp_path: Path) -> None:
    flaky.fail("manifest-get", fault=faults.hang_up)
    met: list[str] = []

    def large_once(handler: Any) -> None:
        # Configs are small; layers are asked for after them.
        if len(flaky.asked("blob-get")) > len(ARCHITECTURES) and len(met) < 2:
            met.append(handler.path)
            fault(handler)
        else:
            handler.pass_through()

    flaky.fail("blob-get", fault=large_once, times=1000)

    outcome = app.image("--base", f"{flaky.address}/bases/python:3.11", "--output", tmp_path / "layout")

    assert outcome.code == 0, outcome.stderr
    assert len(met) == 2


# Bases that are refused


def test_an_index_without_our_platform(app: App, roots: dict[str, Root], tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path / "one")
    image = writer.image(roots["amd64"], **SETTINGS)
    named = writer.tag(writer.index([image, writer.attestation(image)]), "1")

    outcome = app.image("--base", named, "--output", tmp_path / "layout")

    assert_refused(outcome, 116, "linux/arm64", "linux/amd64")
    assert "unknown" not in outcome.stderr
    assert not (tmp_path / "layout").exists()


def test_an_image_that_says_another_architecture_than_its_files(
    app: App, roots: dict[str, Root], tmp_path: Path
) -> None:
    writer = LayoutWriter(tmp_path / "lie")
    lie = replace(roots["amd64"], architecture="arm64")
    named = ("--base", writer.tag(writer.index([writer.image(lie, **SETTINGS)]), "1"), "--target", "linux/arm64")

    assert_refused(app.image(*named, "--output", tmp_path / "layout"), 88, "arm64")


@pytest.fixture
def musl_base(roots: dict[str, Root], tmp_path: Path) -> str:
    """Debian's own package of musl, and an interpreter that is loaded by it."""
    glibc_loader, musl_loader = b"/lib64/ld-linux-x86-64.so.2\0", b"/lib/ld-musl-x86_64.so.1\0"
    with tarfile.open(fileobj=io.BytesIO(roots["amd64"].layers[0])) as archive:
        reader = archive.extractfile("./usr/bin/python3.11")
        assert reader is not None
        python = reader.read()
    assert glibc_loader in python
    changed = python.replace(glibc_loader, musl_loader.ljust(len(glibc_loader), b"\0"))
    # musl looks for the interpreter's libraries where Debian has them.
    folders = b"/lib:/usr/lib/x86_64-linux-musl:/usr/lib/x86_64-linux-gnu\n"
    upper = file_layer({"usr/bin/python3.11": changed, "etc/ld-musl-x86_64.path": folders}, mode=0o755)
    musl = debian_root("amd64", "musl")
    root = replace(roots["amd64"], layers=(*roots["amd64"].layers, *musl.layers, upper))
    writer = LayoutWriter(tmp_path / "musl")
    return writer.tag(writer.image(root, **SETTINGS), "1")


def test_a_base_with_musl_gets_wheels_for_musl(app: App, musl_base: str, tmp_path: Path) -> None:
    outcome = app.image("--base", musl_base, "--target", "linux/amd64", "--output", tmp_path / "layout")

    assert outcome.code == 0, outcome.stderr
    image = layouts.read_index(tmp_path / "layout").images["amd64"]
    modules = [path for path in layouts.members_of_layers(image) if "markupsafe/_speedups" in path]
    assert [path.rpartition(".cpython-311-")[2] for path in modules if path.endswith(".so")] == ["x86_64-linux-musl.so"]


def test_a_base_with_musl_is_refused_where_glibc_is_wanted(app: App, musl_base: str, tmp_path: Path) -> None:
    target = ("--target", "linux/amd64+glibc2.28")

    assert_refused(app.image("--base", musl_base, *target, "--output", tmp_path / "layout"), 88, "musl", "glibc")
    assert not (tmp_path / "layout").exists()


def test_a_base_with_musl_is_refused_where_the_lock_has_wheels_for_glibc_only(
    app: App, tiny: Tiny, musl_base: str, tmp_path: Path
) -> None:
    lines = []
    for project in ("idna==3.10", "markupsafe==3.0.2"):
        hashes = {path.name for (_, name), path in tiny.wheels.items() if project.startswith(name)}
        lines.append(" ".join([project, *(f"--hash=sha256:{value}" for value in sorted(hashes))]))
    (app.project / "requirements.txt").write_text("\n".join(lines) + "\n")
    options = ("--target", "linux/amd64", "--frozen", "--output", tmp_path / "layout")

    assert_refused(app.image("--base", musl_base, *options), 41, "markupsafe", "musl")
    assert not (tmp_path / "layout").exists()


def test_a_base_without_python(app: App, tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path / "bare")
    named = writer.tag(writer.index([writer.image(debian_root(name), **SETTINGS) for name in ARCHITECTURES]), "1")

    assert_refused(app.image("--base", named, "--output", tmp_path / "layout"), 117, "Python")


def test_another_python_than_the_project_asks_for(app: App, base: LayoutWriter, tmp_path: Path) -> None:
    change(app, ">=3.11", ">=3.12")

    outcome = app.image("--base", f"oci:{base.folder}:3.11", "--output", tmp_path / "layout", "--frozen")

    assert_refused(outcome, 18, "3.11", "3.12")


def test_a_base_with_too_many_layers(app: App, roots: dict[str, Root], tmp_path: Path) -> None:
    small = [file_layer({f"opt/{number}": b"x"}) for number in range(124)]
    writer = LayoutWriter(tmp_path / "many")
    high = replace(roots["amd64"], layers=(*roots["amd64"].layers, *small))
    named = ("--base", writer.tag(writer.image(high, **SETTINGS), "1"), "--target", "linux/amd64")

    assert_refused(app.image(*named, "--output", tmp_path / "layout"), 74, "125", "127")


@pytest.mark.parametrize("rest", ["no/such:1", "bases/python:no-such-tag", f"bases/python@sha256:{'a' * 64}"])
def test_no_such_repository_tag_or_digest(rest: str, app: App, flaky: FlakyRegistry, tmp_path: Path) -> None:
    outcome = app.image("--base", f"{flaky.address}/{rest}", "--output", tmp_path / "layout")

    assert_refused(outcome, 122, rest)


#: What is asked for, and how it is falsified.
LIES: Mapping[str, tuple[Any, Fault]] = {
    "other digest": ("manifest-get", faults.with_header("Docker-Content-Digest", f"sha256:{'0' * 64}")),
    "other manifest": ("manifest-get", faults.other_bytes),
    "other blob": ("blob-get", faults.other_bytes),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_lies(lie: str, app: App, registry: Registry, flaky: FlakyRegistry, tmp_path: Path) -> None:
    digest, _ = registry.manifest("bases/python", "3.11")
    kind, fault = LIES[lie]
    flaky.fail(kind, fault=fault, times=1000)

    outcome = app.image("--base", f"{flaky.address}/bases/python@{digest}", "--output", tmp_path / "layout")

    assert_refused(outcome, 124, "bases/python")
    assert not (tmp_path / "layout").exists()
    assert list((app.command.cache / "tmp").iterdir()) == []


def test_an_entrypoint_that_is_not_in_the_environment(app: App, base: LayoutWriter, tmp_path: Path) -> None:
    change(app, "[tool.crossdock]\n", '[tool.crossdock]\nentrypoint = "no-such-script"\n')

    outcome = app.image("--base", f"oci:{base.folder}:3.11", "--output", tmp_path / "layout")

    assert_refused(outcome, 14, "no-such-script", "tiny")
    assert not (tmp_path / "layout").exists()


def test_an_artifact_that_is_no_image(app: App, tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path / "artifact")
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "artifactType": "application/x.test",
        "config": writer.blob("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [writer.blob("text/plain", b"hello")],
    }
    named = writer.tag(writer.blob(manifest_type, manifest), "1")

    assert_refused(app.image("--base", named, "--output", tmp_path / "layout"), 115)
