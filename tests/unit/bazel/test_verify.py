"""What a test runs to prove images and bundles."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.unit.bazel.bundlework import Bundles, fast, helper

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bazel.imagework import Work


@pytest.fixture
def bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bundles:
    monkeypatch.setenv("XML_OUTPUT_FILE", str(tmp_path / "test.xml"))
    return Bundles(tmp_path, capsys)


def layer(bundles: Bundles, architecture: str, *wheels: Path) -> Path:
    """A layer for functions with some wheels."""
    out = bundles.folder / f"{architecture}.zip"
    given = [item for wheel in wheels for item in ("--wheel", wheel)]
    bundles.run(
        "zip", "--kind", "layer", "--target", f"linux/{architecture} cp311", *given, "--name", "app", "--out", out
    )
    return out


def cases(bundles: Bundles) -> dict[str, int]:
    """The number of failures of each suite."""
    root = ET.parse(bundles.folder / "test.xml").getroot()
    return {suite.get("name", ""): int(suite.get("failures", "0")) for suite in root}


def test_artifacts_of_both_machines_are_proved_together(bundles: Bundles) -> None:
    given: list[object] = []
    for architecture in ("amd64", "arm64"):
        path = layer(bundles, architecture, fast(bundles.folder, architecture), helper(bundles.folder))
        given += ["--artifact", path, "--target", f"linux/{architecture} cp311"]
    expected = ["--expect-platform", "linux/amd64", "--expect-platform", "linux/arm64", "--package", "Fast"]
    out, _ = bundles.run("verify", *given, *expected)
    assert "linux/arm64: native files of fast (1)" in out
    assert cases(bundles) == {"amd64.zip linux/amd64": 0, "arm64.zip linux/arm64/v8": 0}


def test_an_artifact_for_another_machine_fails(bundles: Bundles) -> None:
    path = layer(bundles, "amd64", fast(bundles.folder, "amd64"))
    out, _ = bundles.run("verify", "--artifact", path, "--target", "linux/arm64 cp311", code=91)
    assert "is an x86-64 ELF file, but the target linux/arm64/v8 needs aarch64" in out
    assert cases(bundles) == {"amd64.zip linux/arm64/v8": 1}


def test_what_proves_nothing_fails(bundles: Bundles) -> None:
    path = layer(bundles, "amd64", helper(bundles.folder))
    given = ["--artifact", path, "--target", "linux/amd64 cp311"]
    bundles.run("verify", *given)
    out, _ = bundles.run("verify", *given, "--package", "helper", code=96)
    assert "helper has no native file for linux/amd64" in out
    assert "fast is not there" in bundles.run("verify", *given, "--package", "fast", code=97)[0]
    assert "nothing for linux/arm64" in bundles.run("verify", *given, "--expect-platform", "linux/arm64", code=91)[0]
    bundles.run("verify", code=2)


def test_what_cannot_be_read_fails_and_the_others_are_told_of(bundles: Bundles) -> None:
    path = layer(bundles, "amd64", fast(bundles.folder, "amd64"))
    broken = bundles.file("broken.zip", b"PK\x03\x04" + bytes(30))
    given = ["--artifact", path, "--target", "linux/amd64 cp311", "--artifact", broken, "--target", "linux/amd64 cp311"]
    out, err = bundles.run("verify", *given, code=93)
    assert "ok: amd64.zip" in out
    assert "broken.zip" in err
    assert cases(bundles) == {"amd64.zip linux/amd64": 0, "broken.zip": 1}


def test_a_second_run_keeps_what_the_first_reported(bundles: Bundles) -> None:
    path = layer(bundles, "amd64", fast(bundles.folder, "amd64"))
    bundles.run("verify", "--artifact", path, "--target", "linux/arm64 cp311", code=91)
    bundles.run("verify", "--artifact", path, "--target", "linux/amd64 cp311")
    assert cases(bundles) == {"amd64.zip linux/arm64/v8": 1, "amd64.zip linux/amd64": 0}


@pytest.fixture
def images(work: Work) -> list[object]:
    """The arguments that name images of both architectures, with a wheel for each."""
    given: list[str | Path] = []
    blobs: list[Path] = []
    for architecture in ("arm64", "amd64"):
        made = work.layer(f"fast-{architecture}", fast(work.folder, architecture))
        folder, _ = work.image(made, architecture=architecture, entrypoint=["python"])
        kept = folder.rename(work.folder / architecture)
        given += ["--image", kept / "image.json"]
        blobs += [kept / "manifest.json", kept / "config.json", made.with_suffix(".tar.gz")]
        blobs += work.base[architecture].glob("*.tar.gz")
    work.run("index", *given, "--index", work.folder / "index", "--metadata", work.folder / "index.json")
    return [*given, "--index", work.folder / "index", *(item for path in blobs for item in ("--blob", path))]


def test_images_are_put_together_and_proved(images: list[object], bundles: Bundles) -> None:
    expected = ["--expect-platform", "linux/amd64", "--expect-platform", "linux/arm64", "--package", "fast"]
    out, _ = bundles.run("verify", *images, *expected, "--subject", "//demo:image")
    assert out.startswith("ok: //demo:image\n")
    assert {"linux/arm64: native files of fast (1)", "linux/amd64: native files of fast (1)"} <= set(out.splitlines())
    assert cases(bundles) == {"//demo:image linux/amd64": 0, "//demo:image linux/arm64/v8": 0}


def test_images_for_more_than_what_is_expected_fail(images: list[object], bundles: Bundles) -> None:
    out, _ = bundles.run("verify", *images, "--expect-platform", "linux/arm64", code=91)
    assert "it is for linux/amd64, too" in out


def test_a_layer_of_the_other_machine_in_an_image_fails(images: list[object], bundles: Bundles) -> None:
    """What image.json says counts for nothing: the bytes do."""
    folder = bundles.folder
    arm = (folder / "fast-arm64.tar.gz").read_bytes()
    about = json.loads((folder / "arm64" / "image.json").read_text())
    wrong = gzip.decompress(arm).replace(b"\xb7\x00\x01\x00\x00\x00", b"\x3e\x00\x01\x00\x00\x00")
    assert wrong != gzip.decompress(arm)
    shutil.copyfile(folder / "fast-arm64.tar.gz", folder / "kept")
    (folder / "fast-arm64.tar.gz").write_bytes(gzip.compress(wrong, mtime=0))
    _, err = bundles.run("verify", *images, code=106)
    assert about["layers"][-1]["digest"] in err


def test_an_image_that_is_not_of_the_index_and_a_missing_blob_are_refused(
    images: list[object], bundles: Bundles
) -> None:
    assert "not those of the index" in bundles.run("verify", *images[2:], code=106)[1]
    assert "No file of" in bundles.run("verify", *images[:-2], code=106)[1]
