"""``crossdock verify`` of what is no image: PEX files, functions, environments, as users have them on disk."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from crossdock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

ARM64_ELF, AMD64_ELF = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0)
    for machine in (183, 62)
)
ARM64_WHEEL = "fast-1.0-cp312-cp312-manylinux_2_28_aarch64.whl"
AMD64_WHEEL = "fast-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with path.open("wb") as file:
        file.write(b"#!/usr/bin/env python3.12\n")
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    return path


def installed(tag: str, program: bytes) -> dict[str, bytes]:
    """A package as its wheel installs it, and as its RECORD says."""
    files = {
        "fast.so": program,
        "fast-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: fast\nVersion: 1.0\n",
        "fast-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    }
    lines = []
    for name, content in files.items():
        hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={hashed},{len(content)}\n")
    return {**files, "fast-1.0.dist-info/RECORD": "".join([*lines, "fast-1.0.dist-info/RECORD,,\n"]).encode()}


def wheel(name: str, program: bytes) -> dict[str, bytes]:
    tag = name.removesuffix(".whl").partition("-1.0-")[2]
    return {f".deps/{name}/{path}": content for path, content in installed(tag, program).items()}


@pytest.fixture
def pex(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "app.pex", {"PEX-INFO": b"{}", **wheel(ARM64_WHEEL, ARM64_ELF)})


def test_a_pex_is_proved(pex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(pex), "--target", "linux/arm64"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == f"ok: {pex}"
    digest = hashlib.sha256(pex.read_bytes()).hexdigest()
    assert out.splitlines()[2].split() == [
        "linux/arm64/v8",
        f"sha256:{digest[:12]}",
        "5",
        "1",
        "1",
        "aarch64",
        "ELF",
        "ok",
    ]


def test_a_pex_with_a_wrong_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_zip(tmp_path / "app.pex", wheel(ARM64_WHEEL, AMD64_ELF))
    assert main(["verify", str(path), "--target", "linux/arm64"]) == 91
    out, err = capsys.readouterr()
    assert err == ""
    assert f"REFUSED: {path}\n" in out
    sentence = "fast.so is an x86-64 ELF file, but the target linux/arm64/v8 needs aarch64"
    assert f"error [elf-machine] fast 1.0: .deps/{ARM64_WHEEL}/{sentence}\n" in out


def test_the_report_is_there_for_programs(pex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(pex), "--target", "linux/amd64", "--json"]) == 91
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    (image,) = report["images"]
    assert image["platform"] == "linux/amd64"
    assert sorted(finding["code"] for finding in image["findings"]) == ["elf-machine", "wheel-tags"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        # Neither a C library's version nor a Python is named: any will do.
        ("--target linux/arm64", 0),
        ("--target linux/arm64 --python 3.12", 0),
        ("--target linux/arm64 --python 3.11 --python 3.12", 0),
        ("--target linux/arm64 --python 3.11", 91),
        ("--target linux/arm64+glibc2.28", 0),
        ("--target linux/arm64+glibc2.17", 91),
        ("--target linux/arm64+musl1.2", 91),
        ("--target aws-lambda-python3.12/arm64", 0),
        ("--target aws-lambda-python3.11/arm64", 91),
        ("--target aws-lambda-python3.12/arm64 --python 3.11", 0),
        ("--target darwin/arm64", 91),
        ("--target linux/pdp11", 21),
        ("--target linux/arm64 --python 2", 21),
    ],
)
def test_wheels_have_to_be_for_the_target(pex: Path, options: str, code: int) -> None:
    assert main(["verify", str(pex), *options.split()]) == code


def test_a_pex_for_several_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = {**wheel(ARM64_WHEEL, ARM64_ELF), **wheel(AMD64_WHEEL, AMD64_ELF)}
    path = write_zip(tmp_path / "app.pex", both)
    assert main(["verify", str(path), "--target", "linux/arm64", "--target", "linux/amd64"]) == 0
    assert main(["verify", str(path), "--target", "linux/arm64"]) == 91
    mixed_up = {**wheel(ARM64_WHEEL, ARM64_ELF), **wheel(AMD64_WHEEL, ARM64_ELF)}
    capsys.readouterr()
    path = write_zip(tmp_path / "mixed.pex", mixed_up)
    assert main(["verify", str(path), "--target", "linux/arm64", "--target", "linux/amd64", "--json"]) == 91
    reports = json.loads(capsys.readouterr().out)["images"]
    assert [[finding["code"] for finding in image["findings"]] for image in reports] == [[], ["elf-machine"]]


def test_a_wheel_that_one_of_several_targets_lacks_is_told(pex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Markers may leave it out there, which its own metadata alone does not say."""
    assert main(["verify", str(pex), "--target", "linux/arm64", "--target", "linux/amd64"]) == 0
    out = capsys.readouterr().out
    assert "warning [wheel-missing] fast has no wheel that the target takes, but it has one for another target" in out


def test_code_for_all_targets_has_to_fit_each(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "app.pex", {**wheel(ARM64_WHEEL, ARM64_ELF), "tool": ARM64_ELF})
    assert main(["verify", str(path), "--target", "linux/arm64"]) == 0
    assert main(["verify", str(path), "--target", "linux/arm64", "--target", "linux/amd64"]) == 91


def test_exceptions_by_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_zip(tmp_path / "function.zip", {"app.py": b"", "data/x86.so": AMD64_ELF})
    assert main(["verify", str(path), "--target", "linux/arm64"]) == 91
    assert main(["verify", str(path), "--target", "linux/arm64", "--allow", "data/*"]) == 0
    assert "allowed by the exception 'data/*'" in capsys.readouterr().out


def test_an_environment_is_proved_as_a_folder_and_as_an_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "venv" / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (site / "fast.so").write_bytes(ARM64_ELF)
    (tmp_path / "venv" / "bin").mkdir()
    (tmp_path / "venv" / "bin" / "python").symlink_to("/usr/bin/python3.12")
    (tmp_path / "venv" / "bin" / "python3").symlink_to("python")
    (tmp_path / "elsewhere").mkdir()
    with tarfile.open(tmp_path / "venv.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "venv", "venv")
    for path in (tmp_path / "venv", tmp_path / "venv.tar.gz"):
        assert main(["verify", str(path), "--target", "linux/arm64"]) == 0
        assert main(["verify", str(path), "--target", "darwin/arm64"]) == 91
    assert "link-outside" not in capsys.readouterr().out
    (site / "more").symlink_to(tmp_path / "elsewhere")
    assert main(["verify", str(tmp_path / "venv"), "--target", "linux/arm64"]) == 0
    assert f"site-packages/more leads out of the artifact, to {tmp_path / 'elsewhere'}" in capsys.readouterr().out


def test_a_wheel_is_judged_by_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / ARM64_WHEEL
    write_zip(path, installed("cp312-cp312-manylinux_2_28_aarch64", ARM64_ELF))
    assert main(["verify", str(path)]) == 0
    assert main(["verify", str(path), "--target", "linux/arm64"]) == 0
    assert main(["verify", str(path), "--target", "linux/arm64", "--python", "3.11"]) == 91
    assert main(["verify", str(path.rename(tmp_path / AMD64_WHEEL))]) == 91


# Mistakes


@pytest.mark.parametrize("form", ["zip", "folder", "tar"])
def test_what_it_is_for_has_to_be_said(
    form: str, pex: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(tmp_path / "app.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a.py"), io.BytesIO())
    pure = write_zip(tmp_path / "pure.pex", {"app.py": b""})
    pex.unlink()
    path = {"zip": pure, "folder": tmp_path, "tar": tmp_path / "app.tar"}[form]
    assert main(["verify", str(path)]) == 92
    out, err = capsys.readouterr()
    assert out == ""
    assert "--target linux/arm64" in err


def test_what_is_nothing_to_prove_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("text")
    for name in ("notes.txt", "none.pex", f"{'n' * 5000}.pex"):
        assert main(["verify", str(tmp_path / name), "--target", "linux/arm64"]) == 92
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / "empty"), "--target", "linux/arm64"]) == 99
    out, err = capsys.readouterr()
    assert "neither a zip archive" in err
    assert "nothing-read" in out


@pytest.mark.parametrize("options", [[], ["--target", "linux/arm64"]])
def test_what_may_have_no_end_is_not_read(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert main(["verify", str(tmp_path / "pipe"), *options]) == 92
    assert "pipe is neither a file nor a folder" in capsys.readouterr().err


def test_a_damaged_archive_is_an_error(pex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pex.write_bytes(pex.read_bytes()[:-30])
    assert main(["verify", str(pex), "--target", "linux/arm64"]) == 93
    assert f"{pex} cannot be read" in capsys.readouterr().err


def test_layers_are_made_again_of_images_only(pex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(pex), "--target", "linux/arm64", "--deep"]) == 2
    assert "--deep is for images" in capsys.readouterr().err


def test_an_image_is_an_image_also_when_a_target_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (tmp_path / "index.json").write_text('{"manifests": []}')
    (tmp_path / "a.so").write_bytes(ARM64_ELF)
    assert main(["verify", str(tmp_path), "--target", "linux/arm64"]) == 99
    assert "no-image" in capsys.readouterr().out
