"""What becomes of a finished image: the same image everywhere, refused early, and nothing half-written."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.steps.sampleplan import ALLOWED, REFERENCE, Bench, Registry, make_bench

from crossdock.build import Built, build_image
from crossdock.errors import (
    ArtifactRefusedError,
    CompressionError,
    ConfigError,
    DamagedLayerError,
    EngineLoadError,
    OutputError,
    ProfileError,
)
from crossdock.oci.profile import DOCKER, LAMBDA, OCI
from crossdock.oci.reference import parse_reference
from crossdock.oci.registry import Registries
from crossdock.steps import outputs as module
from crossdock.steps.annotating import source_date_epoch
from crossdock.steps.outputs import Finished, Outputs, check_outputs
from crossdock.steps.stack import LayerForm
from crossdock.verify.image import verify_layout

if TYPE_CHECKING:
    from pathlib import Path

AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64"}
WANTED = Outputs(reference=REFERENCE)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("outputs"))


def build(bench: Bench, outputs: Outputs) -> Built:
    return build_image(bench.plan, bench.services("here", Registry()), outputs)


def files(layout: Path) -> dict[str, bytes]:
    return {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}


def test_a_folder_and_a_tar_hold_the_same_image(bench: Bench, tmp_path: Path) -> None:
    folder = build(bench, replace(WANTED, layout=tmp_path / "layout"))
    packed = build(bench, replace(WANTED, layout=tmp_path / "layout.tar"))
    assert folder.root == packed.root
    with tarfile.open(tmp_path / "layout.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert files(tmp_path / "unpacked") == files(tmp_path / "layout")
    assert verify_layout(tmp_path / "layout", allow=ALLOWED).ok


def test_a_layout_says_what_the_image_is_called(bench: Bench, tmp_path: Path) -> None:
    built = build(bench, replace(WANTED, layout=tmp_path / "layout"))
    (entry,) = json.loads((tmp_path / "layout" / "index.json").read_bytes())["manifests"]
    assert entry["digest"] == built.root.blob.descriptor.digest
    assert entry["annotations"] == {
        "io.containerd.image.name": "registry.example/team/app:1.0",
        "org.opencontainers.image.ref.name": "1.0",
    }


@pytest.mark.parametrize("profile", [OCI, DOCKER, LAMBDA])
def test_one_platform_goes_to_every_file_at_once(bench: Bench, tmp_path: Path, profile: Any) -> None:
    outputs = replace(WANTED, profile=profile, layout=tmp_path / "layout", docker_archive=tmp_path / "image.tar")
    built = build(bench.only("arm64"), outputs)
    assert verify_layout(tmp_path / "layout", allow=ALLOWED).ok
    with tarfile.open(tmp_path / "image.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        (entry,) = json.load(manifest)
        assert entry["RepoTags"] == ["registry.example/team/app:1.0"]
    assert len(entry["Layers"]) == len(built.images[0].layers)
    assert built.root.manifests == (() if profile is LAMBDA else (built.images[0].manifest,))


def test_the_profile_changes_no_layer(bench: Bench, tmp_path: Path) -> None:
    built = [
        build(bench.only("arm64"), replace(WANTED, profile=profile, layout=tmp_path / profile.name))
        for profile in (OCI, DOCKER, LAMBDA)
    ]
    assert len({item.root.blob.descriptor.digest for item in built}) == 3
    assert len({tuple(layer.digest for layer in item.images[0].layers) for item in built}) == 1


@pytest.mark.parametrize(
    ("changes", "platforms", "error", "words"),
    [
        ({"profile": LAMBDA}, [AMD64, ARM64], ProfileError, "an image of the profile lambda is for one platform"),
        ({"docker_archive": "image.tar"}, [AMD64, ARM64], ProfileError, "a docker archive is for one platform"),
        ({"docker_archive": "folder.tar"}, [AMD64], OutputError, "is a folder"),
        ({"layout": "folder.tar"}, [AMD64], OutputError, "is a folder"),
        ({"layout": "precious"}, [AMD64], OutputError, "precious"),
        ({"layout": "x.tar", "docker_archive": "x.tar"}, [AMD64], OutputError, "both name"),
        ({"layout": "a.tar", "docker_archive": "b/../a.tar"}, [AMD64], OutputError, "both name"),
        ({"profile": DOCKER, "form": LayerForm(compression="zstd")}, [AMD64], CompressionError, "profile docker"),
        ({"profile": LAMBDA, "form": LayerForm(compression="zstd")}, [AMD64], CompressionError, "profile lambda"),
        ({"load": "cri-o"}, [AMD64], EngineLoadError, "'cri-o' is not a known engine"),
    ],
)
def test_what_would_be_refused_in_the_end_is_refused_at_once(
    tmp_path: Path,
    changes: dict[str, Any],
    platforms: list[dict[str, str]],
    error: type[Exception],
    words: str,
) -> None:
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    changes = {
        key: tmp_path / value if key in {"layout", "docker_archive"} else value for key, value in changes.items()
    }
    with pytest.raises(error, match=words):
        check_outputs(replace(WANTED, **changes), platforms)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder.tar", "precious", "thesis.txt"]


def test_nothing_wanted_needs_no_bytes() -> None:
    assert check_outputs(WANTED, [AMD64, ARM64]) is None
    pushed = replace(WANTED, push=(REFERENCE,))
    assert not pushed.needs_bytes
    assert pushed.attaches
    assert not replace(pushed, profile=LAMBDA).attaches
    assert not replace(pushed, attachments=False).attaches
    assert not WANTED.attaches
    assert replace(pushed, load="").needs_bytes


def test_a_layer_that_is_damaged_when_it_is_written_is_removed_and_made_again(bench: Bench, tmp_path: Path) -> None:
    build(bench, replace(WANTED, layout=tmp_path / "first"))
    services = bench.services("here", Registry())
    built = build(bench, replace(WANTED, layout=tmp_path / "second"))
    layer = built.images[0].layers[0]
    path = services.store.path(layer.digest)
    path.write_bytes(b"\0" * layer.size)
    with pytest.raises(DamagedLayerError):
        build(bench, replace(WANTED, layout=tmp_path / "third"))
    assert json.loads((tmp_path / "third" / "index.json").read_bytes())["manifests"] == []
    again = build(bench, replace(WANTED, layout=tmp_path / "fourth"))
    assert again.root == built.root
    assert verify_layout(tmp_path / "fourth", allow=ALLOWED).ok


def test_an_image_that_is_not_what_it_says_is_not_written(tmp_path: Path) -> None:
    from tests.unit.steps.sampleplan import elf

    bench = make_bench(tmp_path / "bench", {"pure/x.so": elf("amd64")})
    with pytest.raises(ArtifactRefusedError, match="not what it claims"):
        build(bench, replace(WANTED, layout=tmp_path / "layout"))
    assert not (tmp_path / "layout").exists()


def test_layers_are_looked_for_in_other_repositories_of_the_same_registry_alone() -> None:
    held = [("registry.example", "bases/python"), ("docker.io", "library/python"), ("registry.example", "team/app")]
    finished = Finished(
        root=None,  # type: ignore[arg-type]  # not looked at
        images=(),
        layers=dict.fromkeys(["a" * 64, "b" * 64]),  # type: ignore[arg-type]  # nor what they are
        mountable={"sha256:" + "a" * 64: held},
    )
    here = Registries(offline=True).repository(parse_reference("registry.example/team/app:1.0"))
    # Never in the one that is pushed to: what is there needs no mounting.
    assert module._neighbours(finished, here, []) == {
        "sha256:" + "a" * 64: ["bases/python"],
        "sha256:" + "b" * 64: [],
    }
    assert module._neighbours(finished, here, ["team/other"])["sha256:" + "b" * 64] == ["team/other"]
    docker = Registries(offline=True).repository(parse_reference("team/app:1.0"))
    assert module._neighbours(finished, docker, [])["sha256:" + "a" * 64] == ["library/python"]


@pytest.mark.parametrize("text", ["-1", "1.5", "now", "1" * 5000, "253402300800", "\u0661"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH is"):
        source_date_epoch({"SOURCE_DATE_EPOCH": text})


def test_the_time_in_an_image_is_that_of_the_environment(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source_date_epoch({}) == source_date_epoch({"SOURCE_DATE_EPOCH": " "}) == 0
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    built = build(bench, replace(WANTED, layout=tmp_path / "layout"))
    assert json.loads(built.images[0].config.data)["created"] == "2023-11-14T22:13:20Z"
