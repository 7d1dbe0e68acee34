"""What a wheel says of itself is read, and must belong to the file it is in."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel, record_hash

from crossdock.errors import BadWheelError, UnsupportedWheelError, WheelError
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.metadata import WheelMetadata, read_metadata
from crossdock.wheels.scripts import EntryPoint

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "demo-1.0.dist-info/WHEEL"
RECORD = "demo-1.0.dist-info/RECORD"


def metadata_of(wheel: Path, filename: str = "") -> WheelMetadata:
    with WheelArchive(wheel, filename or wheel.name) as archive:
        return read_metadata(archive)


def test_everything_a_wheel_says(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "De_mo.X", "1.0+local.1", {"demo.py": "x"}, entry_points={"tool": "demo:main"})
    metadata = metadata_of(wheel)
    assert metadata.name == "de-mo-x"
    assert metadata.version == "1.0+local.1"
    assert metadata.dist_info == "De_mo.X-1.0+local.1.dist-info"
    assert metadata.data == "De_mo.X-1.0+local.1.data"
    assert metadata.pure
    assert metadata.hashes["demo.py"] == record_hash(b"x")
    assert "De_mo.X-1.0+local.1.dist-info/RECORD" not in metadata.hashes
    assert metadata.entry_points == (EntryPoint("tool", "demo", "main"),)


def test_a_platform_wheel_is_not_pure(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {}, tag="cp311-cp311-manylinux_2_17_aarch64")
    assert not metadata_of(wheel).pure


@pytest.mark.parametrize(
    "filename", ["demo-1.0.0-py3-none-any.whl", "DEMO-1.0-1build-cp311.cp312-abi3-linux_x86_64.whl"]
)
def test_name_and_version_are_compared_normalised(tmp_path: Path, filename: str) -> None:
    assert metadata_of(make_wheel(tmp_path, "demo", "1.0", {}), filename).dist_info == "demo-1.0.dist-info"


@pytest.mark.parametrize(
    "filename", ["demo.whl", "demo-1.0.zip", "demo-x-py3-none-any.whl", "a b-1-py3-none-any.whl", ""]
)
def test_a_file_not_named_as_a_wheel(tmp_path: Path, filename: str) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {})
    with WheelArchive(wheel, filename) as archive, pytest.raises(BadWheelError, match="is not named as a wheel"):
        read_metadata(archive)


@pytest.mark.parametrize(
    ("files", "kind", "message"),
    [
        ({"other-2.0.dist-info/WHEEL": ""}, BadWheelError, "has 2 .dist-info folders"),
        ({WHEEL: "Wheel-Version: 2.0\n"}, UnsupportedWheelError, "has Wheel-Version 2.0"),
        ({WHEEL: "Wheel-Version: 10.0\n"}, UnsupportedWheelError, "has Wheel-Version 10.0"),
        ({WHEEL: "Generator: nothing\n"}, UnsupportedWheelError, "has Wheel-Version (none)"),
        ({WHEEL: ""}, UnsupportedWheelError, "has Wheel-Version (none)"),
        ({WHEEL: b"Wheel-Version: \xff1.0\n"}, BadWheelError, "WHEEL is not UTF-8"),
        ({WHEEL: b" " * (17 << 20)}, BadWheelError, "bytes long"),
        ({RECORD: 'demo.py,"sha256=x'}, BadWheelError, "unreadable RECORD"),
        ({RECORD: "x" * 200_000}, BadWheelError, "unreadable RECORD"),
        ({"demo-1.0.dist-info/entry_points.txt": "junk"}, BadWheelError, "unreadable entry_points.txt"),
    ],
)
def test_metadata_that_cannot_be_used(
    tmp_path: Path, files: dict[str, str | bytes], kind: type[WheelError], message: str
) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", files)
    with pytest.raises(WheelError) as error:
        metadata_of(wheel)
    assert error.type is kind
    assert wheel.name in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("filename", ["other-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl"])
def test_metadata_of_another_distribution(tmp_path: Path, filename: str) -> None:
    with pytest.raises(BadWheelError, match="holds another distribution") as error:
        metadata_of(make_wheel(tmp_path, "demo", "1.0", {}), filename)
    assert "demo-1.0.dist-info" in str(error.value)


@pytest.mark.parametrize("missing", ["WHEEL", "RECORD"])
def test_a_file_of_the_dist_info_folder_is_missing(tmp_path: Path, missing: str) -> None:
    whole = make_wheel(tmp_path, "demo", "1.0", {})
    part = tmp_path / "part"
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(part, "w") as out:
        for name in archive.namelist():
            if not name.endswith(missing):
                out.writestr(name, archive.read(name))
    with pytest.raises(BadWheelError, match=rf"demo-1\.0-py3-none-any\.whl has no demo-1\.0\.dist-info/{missing}"):
        metadata_of(part, whole.name)


def test_no_dist_info_folder_at_all(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty", "w") as out:
        out.writestr("demo.py", "")
    with pytest.raises(BadWheelError, match=r"has no \.dist-info folders"):
        metadata_of(tmp_path / "empty", "demo-1.0-py3-none-any.whl")
