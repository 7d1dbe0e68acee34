"""Proving layouts: made right, made wrong in one way each, and made by other tools."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.errors import ArtifactRefusedError, LayoutUnreadableError
from crossdock.verify.claim import Claim
from crossdock.verify.image import verify_layout
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.verify.report import Report
    from crossdock.verify.scan import LayerFacts

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Cache:
    def __init__(self) -> None:
        self.kept: dict[str, LayerFacts] = {}

    def get(self, digest: str) -> LayerFacts | None:
        return self.kept.get(digest)

    def put(self, digest: str, facts: LayerFacts) -> None:
        self.kept[digest] = facts


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.all_findings]


@pytest.fixture
def good(layout: Any, make: Any) -> Path:
    shared = layout.layer({"lib/pure.py": b"pass"})
    arm, amd = layout.layer({"a.so": make.elf(183)}), layout.layer({"a.so": make.elf(62)})
    path: Path = layout.finish(layout.nested(layout.image("arm64", shared, arm), layout.image("amd64", shared, amd)))
    return path


def test_a_right_layout_of_a_nested_index_is_ok(good: Path) -> None:
    report = verify_layout(good)
    report.require_ok()
    assert [(str(image.platform), image.files, image.machines) for image in report.images] == [
        ("linux/arm64", 2, {"aarch64 ELF": 1}),
        ("linux/amd64", 2, {"x86-64 ELF": 1}),
    ]
    assert json.loads(json.dumps(report.to_json()))["ok"] is True
    assert report.to_text().startswith("ok: ")


def test_a_tar_of_a_layout_is_read_the_same(good: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        tar.add(good, arcname=".")
    assert verify_layout(tmp_path / "image.tar").images == verify_layout(good).images


def test_an_arm64_image_that_holds_amd64_files_is_refused(layout: Any, make: Any) -> None:
    files = {f"site-packages/numpy/{n}.so": make.elf(62) for n in range(9)}
    report = verify_layout(layout.finish(layout.image("arm64", layout.layer(files))))
    assert set(codes(report)) == {"elf-machine"}
    with pytest.raises(ArtifactRefusedError) as error:
        report.require_ok()
    assert error.value.report is report
    assert error.value.exit_code == 91
    assert "needs aarch64" in str(error.value)
    assert "and 6 more like it" in report.to_text()
    assert "REFUSED" in report.to_text()


def test_config_of_another_platform_than_the_index_says(layout: Any, make: Any) -> None:
    image = layout.image("amd64", layout.layer({"a.so": make.elf(62)}), entry="arm64")
    assert codes(verify_layout(layout.finish(image))) == ["platform-mismatch"]


def test_a_lying_diff_id(layout: Any) -> None:
    descriptor, _ = layout.layer({"a": b"x"})
    assert codes(verify_layout(layout.finish(layout.image("arm64", (descriptor, "sha256:" + "0" * 64))))) == [
        "layer-diff-id"
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda file: file.unlink(), "blob-missing"),
        (lambda file: file.write_bytes(file.read_bytes() + b"x"), "blob-size"),
        (lambda file: file.write_bytes(bytes([*file.read_bytes()[:-1], 1])), "blob-digest"),
    ],
)
@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
def test_every_blob_must_be_what_its_descriptor_says(layout: Any, change: Any, code: str, part: str) -> None:
    layer = layout.layer({"a": b"x"})
    image = layout.image("arm64", layer)
    manifest = json.loads(layout.file(image["digest"]).read_bytes())
    digest = {"layer": layer[0], "config": manifest["config"], "manifest": image}[part]["digest"]
    path = layout.finish(image)
    change(layout.file(digest))
    report = verify_layout(path)
    assert not report.ok
    assert code in codes(report)


def test_the_cache_spares_scanning_but_not_hashing(good: Path) -> None:
    cache = Cache()
    first = verify_layout(good, scan_cache=cache)
    assert len(cache.kept) == 3
    assert verify_layout(good, scan_cache=cache).images == first.images
    blob = good / "blobs" / "sha256" / next(iter(cache.kept)).removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    assert "blob-digest" in codes(verify_layout(good, scan_cache=cache))


def test_attestations_are_listed_not_judged(layout: Any, make: Any) -> None:
    layer = (layout.blob(b"{}", "application/vnd.in-toto+json"), "sha256:x")
    attestation = {**layout.image("unknown", layer), "platform": {"os": "unknown", "architecture": "unknown"}}
    report = verify_layout(layout.finish(layout.image("arm64", layout.layer({"a": b""})), attestation))
    assert report.ok
    assert [other.digest for other in report.others] == [attestation["digest"]]
    assert codes(verify_layout(layout.finish(attestation))) == ["no-image"]


def test_each_variant_of_an_architecture_is_judged_by_what_is_said_of_it(layout: Any) -> None:
    layer = layout.layer({"a": b"x"})
    images = [layout.image("arm", layer, variant=name) for name in ("v6", "v7")]
    for image, name in zip(images, ("v6", "v7"), strict=True):
        image["platform"]["variant"] = name
    claims = [
        Claim(platform=Platform(os="linux", architecture="arm", variant=name), subject="image", lock=lock)
        for name, lock in (("v6", {"six": "1"}), ("v7", None))
    ]
    for said in (claims, claims[::-1]):
        report = verify_layout(layout.finish(*images), claims=said)
        found = [(str(image.platform), [item.code for item in image.findings]) for image in report.images]
        assert found == [("linux/arm/v6", ["package-missing"]), ("linux/arm/v7", [])]


def test_a_manifest_that_is_also_an_index_is_refused(layout: Any) -> None:
    both = layout.json({"manifests": [], "layers": [], "config": {}}, MANIFEST)
    assert "manifest-ambiguous" in codes(verify_layout(layout.finish(both)))


def test_damaged_and_unknown_layers_and_missing_diff_ids_are_errors(layout: Any) -> None:
    zstd = layout.blob(b"(\xb5/\xfd", "application/vnd.oci.image.layer.v1.tar+zstd")
    assert codes(verify_layout(layout.finish(layout.image("arm64", (zstd, "sha256:x"))))) == ["layer-unreadable"]
    xz = layout.blob(b"\xfd7zXZ\0", "application/vnd.oci.image.layer.v1.tar+xz")
    assert codes(verify_layout(layout.finish(layout.image("arm64", (xz, "sha256:x"))))) == ["layer-unsupported"]
    image = layout.image("arm64", layout.layer({"a": b""}), rootfs={})
    assert codes(verify_layout(layout.finish(image))) == ["layer-count"]


def test_a_digest_cannot_name_a_path(layout: Any) -> None:
    descriptor = {"mediaType": MANIFEST, "digest": "sha256:../../../etc/passwd", "size": 1}
    assert codes(verify_layout(layout.finish(descriptor))) == ["descriptor-malformed"]


@pytest.mark.parametrize("content", ["[]", "{", "[" * 100_000])
def test_what_is_no_layout_is_one_clear_error(layout: Any, tmp_path: Path, content: str) -> None:
    path = layout.finish()
    (path / "index.json").write_text(content)
    (tmp_path / "file").write_text(content)
    for wrong in (path, tmp_path, tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(LayoutUnreadableError):
            verify_layout(wrong)


@pytest.mark.engine
def test_layouts_written_by_umoci_and_skopeo(tmp_path: Path, make: Any) -> None:
    if not (shutil.which("umoci") and shutil.which("skopeo")):
        pytest.skip("umoci and skopeo are not here")

    def run(*command: str | Path) -> None:
        subprocess.run([str(part) for part in command], check=True, cwd=tmp_path, capture_output=True)

    (tmp_path / "lib.so").write_bytes(make.elf(183))
    run("umoci", "init", "--layout", "made")
    run("umoci", "new", "--image", "made:one")
    run("umoci", "insert", "--rootless", "--image", "made:one", "lib.so", "/usr/lib/lib.so")
    run("umoci", "config", "--image", "made:one", "--architecture", "arm64", "--os", "linux")
    run("skopeo", "copy", "oci:made:one", "oci-archive:copy.tar:one")
    run("skopeo", "copy", "oci:made:one", "oci:copy:one")
    for path in ("made", "copy", "copy.tar"):
        report = verify_layout(tmp_path / path)
        assert report.ok, report.to_text()
        assert [(str(image.platform), image.machines) for image in report.images] == [
            ("linux/arm64", {"aarch64 ELF": 1})
        ]
    run("umoci", "config", "--image", "made:one", "--architecture", "amd64")
    assert "elf-machine" in codes(verify_layout(tmp_path / "made"))
