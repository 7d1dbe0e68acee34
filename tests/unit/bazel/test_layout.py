"""Images with all their bytes: files in any order are told apart, and written in each form."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from crossdock.bazel.handed.imagefile import read_image
from crossdock.errors import EngineLoadError
from crossdock.verify.image import verify_layout

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bazel.imagework import Work


@dataclass(frozen=True, slots=True)
class Whole:
    """Images of both architectures, and all their files in no order."""

    images: tuple[Path, ...]
    index: Path
    blobs: tuple[Path, ...]

    def arguments(self) -> list[str | Path]:
        images = [item for path in self.images for item in ("--image", path)]
        return [*images, "--index", self.index, *(item for path in self.blobs for item in ("--blob", path))]


@pytest.fixture
def whole(work: Work) -> Whole:
    (work.folder / "a").write_text("a\n")
    layer, _ = work.files("files", f"_main/a\t{work.folder / 'a'}\n")
    images, blobs = [], {layer.with_suffix(".tar.gz")}
    for architecture in ("arm64", "amd64"):
        folder, _ = work.image(layer, architecture=architecture, entrypoint=["python"])
        kept = folder.rename(work.folder / architecture)
        images.append(kept / "image.json")
        blobs |= {kept / "manifest.json", kept / "config.json", *work.base[architecture].glob("*.tar.gz")}
    index = work.folder / "index.json"
    listed = [item for path in images for item in ("--image", path)]
    work.run("index", *listed, "--index", work.folder / "index", "--metadata", index)
    return Whole(tuple(images), index, tuple(sorted({*blobs, work.folder / "index"})))


def test_a_layout_is_whole_and_proves_right(work: Work, whole: Whole) -> None:
    work.run("layout", *whole.arguments(), "--out", work.folder / "layout", "--tag", "team/app:1")
    root = json.loads((work.folder / "layout" / "index.json").read_text())["manifests"][0]
    assert root["digest"] == json.loads(whole.index.read_text())["digest"]
    assert root["annotations"]["org.opencontainers.image.ref.name"] == "1"
    assert verify_layout(work.folder / "layout").ok
    # Into a folder that is there and empty, as Bazel makes it; and as one file.
    (work.folder / "again").mkdir()
    work.run("layout", *whole.arguments(), "--out", work.folder / "again")
    work.run("layout", *whole.arguments(), "--out", work.folder / "layout.tar", "--tag", "team/app:1")
    with tarfile.open(work.folder / "layout.tar") as archive:
        names = {member.name for member in archive if member.isfile()}
    layout_folder = work.folder / "layout"
    assert names == {path.relative_to(layout_folder).as_posix() for path in layout_folder.rglob("*") if path.is_file()}


def test_the_manifest_of_one_image_is_its_root(work: Work, whole: Whole) -> None:
    blobs = [item for path in whole.blobs for item in ("--blob", path)]
    work.run("layout", "--image", whole.images[0], *blobs, "--out", work.folder / "one")
    root = json.loads((work.folder / "one" / "index.json").read_text())["manifests"][0]
    assert root["digest"] == read_image(whole.images[0]).manifest.digest
    assert "platform" not in root
    two = ("--image", whole.images[0], "--image", whole.images[1])
    assert "no index" in work.run("layout", *two, *blobs, "--out", work.folder / "two", code=106)


def test_what_does_not_belong_together_is_refused(work: Work, whole: Whole) -> None:
    out = ("--out", work.folder / "out")
    without = [item for item in whole.arguments() if item != whole.images[0]]
    without.remove("--image")
    assert "1 of them are missing" in work.run("layout", *without, *out, code=106)
    for path in whole.blobs:
        if sum(item.read_bytes() == path.read_bytes() for item in whole.blobs) > 1:
            continue  # the environment is the same for both
        fewer = [item for item in whole.blobs if item != path]
        listed = Whole(whole.images, whole.index, tuple(fewer)).arguments()
        assert "is the blob sha256:" in work.run("layout", *listed, *out, code=106)
    assert not (work.folder / "out").exists()


def test_a_file_that_was_changed_is_told(work: Work, whole: Whole) -> None:
    changed = work.folder / "files.tar.gz"
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    said = work.run("layout", *whole.arguments(), "--out", work.folder / "out", code=106)
    assert "files.tar.gz" in said
    assert "cache" not in said
    single = ("--image", whole.images[0], *(item for path in whole.blobs for item in ("--blob", path)))
    work.run("archive", *single, "--out", work.folder / "out.tar", code=106)
    assert not (work.folder / "out.tar").exists()
    manifest = whole.images[0].with_name("manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b"2", b"3", 1))
    assert "manifest.json is not the blob" in work.run("layout", *single, "--out", work.folder / "out", code=106)


def test_an_archive_is_of_one_image(work: Work, whole: Whole) -> None:
    out = ("--out", work.folder / "out.tar")
    assert "linux/arm64/v8, linux/amd64" in work.run("archive", *whole.arguments(), *out, code=78)
    single = ("--image", whole.images[1], *(item for path in whole.blobs for item in ("--blob", path)))
    work.run("archive", *single, *out)
    with tarfile.open(work.folder / "out.tar") as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        assert json.load(file)[0]["RepoTags"] == ["demo:latest"]
    tagged = ("--tag", "team/app@sha256:" + "0" * 64)
    assert "leave the digest out" in work.run("archive", *single, *out, *tagged, code=106)


def test_loading_needs_an_engine(work: Work, whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(work.folder))
    code = EngineLoadError.exit_code
    said = work.run("load", *whole.arguments(), "--tag", "app:1", code=code)
    assert "is not installed" in said
    assert "--output_groups=docker_archive" in said
    said = work.run("load", *whole.arguments(), "--tag", "app:1", "--engine", "other", code=code)
    assert "'other' is not a known engine" in said


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--repository", "registry.example/app:1"), 106, "is no repository alone"),
        (("--repository", "registry.example/app@sha256:" + "0" * 64), 106, "is no repository alone"),
        (("--repository", "registry.example/app", "--tag", "a b"), 71, "a b"),
        (("--repository", "registry.example/app", "--tag", "registry.example/app:1"), 71, "registry.example/app:1"),
        (("--repository", "registry.example/app", "--tag", "1@sha256:" + "0" * 64), 106, "is no tag alone"),
        (("--repository", "app", "--tag", "5000/other"), 106, "is no tag alone"),
        (("--repository", "localhost:5000", "--tag", "1"), 106, "is no repository alone"),
        (("--repository", "registry.example//app", "--tag", "1"), 71, "is not an image reference"),
        (("--repository", "registry.example/app", "--tag-file", "gone"), 106, "gone cannot be read"),
    ],
)
def test_where_to_push_is_checked_before_anything_is_read(
    work: Work, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    assert reason in work.run("push", "--image", work.folder / "none.json", *arguments, code=code)


def test_what_an_exception_let_through_is_not_pushed_after_its_last_day(work: Work, whole: Whole) -> None:
    about = json.loads(whole.images[0].read_text())
    exception = {"code": "", "path": "*.so", "package": "", "reason": "soon", "expires": "2001-02-03"}
    about["claim"] |= {"allow": [exception], "until": "2001-02-03"}
    whole.images[0].write_text(json.dumps(about))
    given = ("--repository", "127.0.0.1:9/app", "--quiet")
    said = work.run("push", *whole.arguments(), *given, code=108)
    assert "is refused since 2001-02-03" in said
    assert "'*.so': soon" in said
    about["claim"] |= {"until": "9999-12-31"}
    whole.images[0].write_text(json.dumps(about))
    assert "127.0.0.1:9" in work.run("push", *whole.arguments(), *given, code=120)


def test_copies_serve_as_well(work: Work, whole: Whole) -> None:
    """Bazel's runfiles may be copies or links, under any name."""
    moved = [work.folder / f"blob-{number}" for number, _ in enumerate(whole.blobs)]
    for path, copy in zip(whole.blobs, moved, strict=True):
        shutil.copy(path, copy)
    twice = Whole(whole.images, whole.index, (*moved, *whole.blobs))
    work.run("layout", *twice.arguments(), "--out", work.folder / "layout")
