"""``crossdock verify`` as people use it: artifacts of every kind, locks, exceptions, and reports for other programs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import struct
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from typing import TYPE_CHECKING

import pytest

from crossdock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

ARM64, AMD64 = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0)
    for machine in (183, 62)
)
LINUX_ARM64, LINUX_AMD64 = (f"cp312-cp312-manylinux_2_17_{machine}" for machine in ("aarch64", "x86_64"))


def installed(name: str, tag: str = "py3-none-any", **files: bytes) -> dict[str, bytes]:
    """A package as its wheel has it, and as its RECORD says."""
    info = f"{name}-1.0.dist-info"
    pure = str(tag.endswith("any")).lower()
    files = {
        **{path.replace("__", "."): content for path, content in files.items()},
        f"{name}.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode(),
    }
    lines = [f"{path},sha256={hashed(content)},{len(content)}\n" for path, content in files.items()]
    return {**files, f"{info}/RECORD": "".join([*lines, f"{info}/RECORD,,\n"]).encode()}


def hashed(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def verify(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, list[str]]]:
    """Give the exit code, and the codes of the findings for each platform, and of those on the whole."""
    capsys.readouterr()
    code = main(["verify", "--json", *map(str, arguments)])
    report = json.loads(capsys.readouterr().out)
    found = {image["platform"]: [item["code"] for item in image["findings"]] for image in report["images"]}
    if report["findings"]:
        found[""] = [item["code"] for item in report["findings"]]
    return code, found


# Wheels


def wheel(folder: Path, tag: str, **files: bytes) -> Path:
    return write_zip(folder / f"fast-1.0-{tag}.whl", installed("fast", tag, **files))


def test_a_wheel_is_for_each_platform_of_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(capsys, wheel(tmp_path, LINUX_ARM64, fast__so=ARM64)) == (0, {"linux/arm64": []})
    assert verify(capsys, wheel(tmp_path, LINUX_AMD64, fast__so=ARM64)) == (91, {"linux/amd64": ["elf-machine"]})
    assert verify(capsys, wheel(tmp_path, "py3-none-any")) == (0, {"any": []})
    tag = "cp312-cp312-macosx_11_0_universal2"
    code, found = verify(capsys, wheel(tmp_path, tag, fast__so=ARM64))
    assert (code, found) == (91, {"darwin/amd64": ["elf"], "darwin/arm64": ["elf"]})


def test_a_wheel_for_any_machine_has_no_program_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = verify(capsys, wheel(tmp_path, "py3-none-any", fast__so=ARM64))
    assert (code, found) == (96, {"any": ["tag-pure"]})


def test_a_wheel_with_no_name_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_zip(tmp_path / "fast.whl", installed("fast"))
    assert main(["verify", str(path)]) == 92
    assert "is not the file name of a wheel" in capsys.readouterr().err


def test_an_encrypted_wheel_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheel(tmp_path, LINUX_ARM64, fast__so=ARM64)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert main(["verify", str(path)]) == 93
    assert "is encrypted" in capsys.readouterr().err


# What says itself what it is for


@pytest.mark.parametrize("form", ["zip", "folder", "tar", "pex"])
def test_packages_that_agree_say_what_it_is_for(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {**installed("fast", LINUX_ARM64, fast__so=ARM64), **installed("pure")}
    if form == "pex":
        name = f".deps/fast-1.0-{LINUX_ARM64}.whl"
        files = {f"{name}/{path}": content for path, content in installed("fast", LINUX_ARM64, fast__so=ARM64).items()}
    path = tmp_path / "app"
    if form == "folder":
        write_folder(path, files)
    elif form == "tar":
        path.write_bytes(tar_of(files))
    else:
        write_zip(path, files)
    assert verify(capsys, path) == (0, {"linux/arm64/v8": []})


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["cp312-cp312-linux_aarch64"], ["linux/arm64/v8"]),
        (["cp312-cp312-linux_aarch64", LINUX_ARM64], ["linux/arm64/v8"]),
        (["py3-none-manylinux_2_17_aarch64.musllinux_1_1_aarch64", LINUX_ARM64], ["linux/arm64/v8"]),
        (["cp312-cp312-musllinux_1_2_aarch64", LINUX_ARM64], None),
        (["cp312-cp312-linux_aarch64", "cp312-cp312-linux_x86_64"], None),
    ],
)
def test_packages_agree_if_one_system_takes_all_of_them(
    tags: list[str], said: list[str] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path: data for number, tag in enumerate(tags) for path, data in installed(f"a{number}", tag).items()}
    path = write_folder(tmp_path / "app", files)
    if said is None:
        assert main(["verify", str(path)]) == 92
    else:
        assert list(verify(capsys, path)[1]) == said


def test_packages_that_do_not_agree_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed = {**installed("fast", LINUX_ARM64, fast__so=ARM64), **installed("quick", LINUX_AMD64, quick__so=AMD64)}
    assert main(["verify", str(write_folder(tmp_path / "app", mixed))]) == 92
    assert "--target linux/arm64" in capsys.readouterr().err


# Debian packages and systems


def deb(path: Path, architecture: str, files: dict[str, bytes]) -> Path:
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(tar_of({"./control": f"Package: a\nArchitecture: {architecture}\n".encode()})),
        "data.tar.gz": gzip.compress(tar_of({f"./{name}": content for name, content in files.items()})),
    }
    with path.open("wb") as out:
        out.write(b"!<arch>\n")
        for name, content in members.items():
            out.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            out.write(content + b"\n" * (len(content) % 2))
    return path


@pytest.mark.parametrize(
    ("architecture", "program", "result"),
    [
        ("arm64", ARM64, (0, {"linux/arm64": []})),
        ("amd64", ARM64, (91, {"linux/amd64": ["elf-machine"]})),
        ("all", b"text", (0, {"linux/amd64": []})),
    ],
    ids=["right", "wrong", "all"],
)
def test_a_debian_package_is_for_its_architecture(
    architecture: str, program: bytes, result: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(capsys, deb(tmp_path / "a.deb", architecture, {"usr/bin/a": program})) == result


@pytest.mark.parametrize("size", [8, 30, 100, 200, 400])
def test_a_debian_package_that_is_cut_short_is_damaged(
    size: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = deb(tmp_path / "a.deb", "arm64", {"usr/bin/a": ARM64})
    assert path.stat().st_size > size
    path.write_bytes(path.read_bytes()[:size])
    assert main(["verify", str(path)]) == 93
    assert f"{path} cannot be read" in capsys.readouterr().err


def test_a_root_file_system_brings_its_own_libraries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_folder(tmp_path / "root", {"etc/os-release": b"ID=debian\n", "usr/bin/tool": ARM64})
    assert verify(capsys, root, "--target", "linux/arm64") == (0, {"linux/arm64/v8": []})
    assert verify(capsys, root, "--target", "linux/amd64")[0] == 91


# Locks


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "app", {**installed("fast", LINUX_ARM64, fast__so=ARM64), **installed("pure")})


def lock(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("".join(f"{line} --hash=sha256:{'0' * 64}\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("lines", "result"),
    [
        (["fast==1.0", "pure==1.0"], (0, [])),
        (["fast==1.0", "pure==1.0", 'other==1.0 ; sys_platform == "win32"'], (0, [])),
        (["fast==1.0"], (97, ["package-unknown"])),
        (["fast==1.0", "pure==2.0"], (97, ["package-version"])),
        (["fast==1.0", "pure==1.0", "third==1.0"], (97, ["package-missing"])),
    ],
)
def test_packages_have_to_be_those_of_the_lock(
    lines: list[str], result: object, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = verify(capsys, app, "--lock", lock(tmp_path, *lines))
    assert (code, found["linux/arm64/v8"]) == result


def test_a_lock_that_depends_on_the_python_needs_to_know_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = write_folder(tmp_path / "app", installed("fast", "py3-none-manylinux_2_17_aarch64", fast__so=ARM64))
    path = lock(tmp_path, "fast==1.0", 'old==1.0 ; python_version < "3.11"')
    assert main(["verify", str(app), "--lock", str(path)]) == 2
    assert "--python" in capsys.readouterr().err
    assert main(["verify", str(app), "--lock", str(path), "--python", "3.12"]) == 0
    assert main(["verify", str(app), "--lock", str(path), "--python", "3.10"]) == 97
    assert main(["verify", str(app), "--lock", str(tmp_path / "none.txt")]) == 31


def test_the_project_beside_a_lock_may_be_there_in_its_version(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lock(tmp_path, "fast==1.0", "pure==1.0")
    write_folder(app, installed("demo"))
    assert verify(capsys, app, "--lock", path) == (97, {"linux/arm64/v8": ["package-unknown"]})
    for version, code in (("1.0", 0), ("2.0", 97)):
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "demo"\nversion = "{version}"\n')
        assert verify(capsys, app, "--lock", path)[0] == code
    shutil.rmtree(app / "demo-1.0.dist-info")
    assert verify(capsys, app, "--lock", path)[0] == 0


def test_a_projects_lock_settings_and_exceptions_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = write_folder(tmp_path / "app", {**installed("fast", LINUX_ARM64, fast__so=ARM64), "data/x86.so": AMD64})
    project = tmp_path / "project"
    project.mkdir()
    lock(project, "fast==1.0")
    text = '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = ">=3.12"\n[tool.crossdock]\npython = "3.12"\n'
    (project / "pyproject.toml").write_text(f'{text}targets = ["linux/arm64"]\n')
    assert verify(capsys, app, "--project", project) == (91, {"linux/arm64/v8": ["elf-machine"]})
    (project / "pyproject.toml").write_text(
        f'{text}targets = ["linux/arm64"]\n[tool.crossdock.verify]\nallow = ["data/*"]\n'
    )
    assert verify(capsys, app, "--project", project)[0] == 0
    write_folder(app, installed("demo"))
    assert verify(capsys, app, "--project", project)[0] == 0
    write_folder(app, installed("pure"))
    assert verify(capsys, app, "--project", project)[0] == 97


# Exceptions


def test_a_policy_allows_with_a_reason_until_a_day(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(app, {"data/x86.so": AMD64})
    policy = tmp_path / "policy.toml"
    for expires, code in (("2999-01-01", 0), ("2020-01-01", 91)):
        policy.write_text(f'[[exceptions]]\npath = "data/*"\nreason = "it is data"\nexpires = {expires}\n')
        assert main(["verify", str(app), "--policy", str(policy)]) == code
    out = capsys.readouterr().out
    assert "it is data" in out
    assert "exception-expired" in out
    policy.write_text("[[exceptions]]\n")
    assert main(["verify", str(app), "--policy", str(policy)]) == 13


def test_strict_refuses_warnings_that_no_exception_is_for(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (app / "out").symlink_to("/usr/lib")
    assert main(["verify", str(app)]) == 0
    assert main(["verify", str(app), "--strict"]) == 98
    assert "error [link-outside]" in capsys.readouterr().out
    write_folder(app, {"data/x86.so": AMD64})
    (app / "out").unlink()
    assert main(["verify", str(app), "--strict", "--allow", "data/*"]) == 0


# Several artifacts, and reports


def test_the_exit_code_is_that_of_the_worst(app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = wheel(tmp_path, LINUX_AMD64, fast__so=ARM64)
    changed = write_folder(tmp_path / "changed", {**installed("fast", LINUX_ARM64, fast__so=ARM64), "fast.py": b"1"})
    damaged = tmp_path / f"x-1.0-{LINUX_ARM64}.whl"
    damaged.write_bytes(b"PK")
    assert main(["verify", str(app), str(changed)]) == 97
    assert main(["verify", str(changed), str(app), str(wrong)]) == 91
    capsys.readouterr()
    assert main(["verify", str(app), str(damaged)]) == 93
    out, err = capsys.readouterr()
    assert out.startswith(f"ok: {app}\n")
    assert err.startswith(f"error: {damaged}: ")
    assert main(["verify", str(damaged), str(wrong), "--json"]) == 91
    first, second = json.loads(capsys.readouterr().out)
    assert [item["code"] for item in first["findings"]] == ["layer-unreadable"]
    assert (first["ok"], second["subject"]) == (False, str(wrong))


def test_reports_for_other_programs(app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = wheel(tmp_path, LINUX_AMD64, fast__so=ARM64)
    files = {name: tmp_path / "reports" / name for name in ("sarif", "junit", "markdown")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    assert main(["verify", str(app), str(wrong), "--github", *options]) == 91
    out = capsys.readouterr().out
    assert out.startswith("ok: ")
    assert "::error title=crossdock%3A elf-machine" in out
    assert "elf-machine" in {item["ruleId"] for item in json.loads(files["sarif"].read_text())["runs"][0]["results"]}
    assert ET.parse(files["junit"]).getroot().get("failures") == "1"
    assert "`elf-machine`" in files["markdown"].read_text()
    for name in files:
        assert main(["verify", str(wrong), f"--{name}", "-"]) == 91
        assert "REFUSED" not in capsys.readouterr().out.splitlines()[0]
    for two in (["--json", "--sarif", "-"], ["--junit", "-", "--markdown", "-"], ["--json", "--github"]):
        assert main(["verify", str(wrong), *two]) == 2
    assert main(["verify", str(wrong), "--sarif", str(tmp_path)]) == 72


def test_an_artifact_that_cannot_be_read_is_in_every_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\x1b[2J.pex"
    path.write_bytes(b"PK")
    assert main(["verify", str(path), "--junit", "-"]) == 93
    assert "layer-unreadable" in capsys.readouterr().out
    assert main(["verify", str(path), "--github"]) == 93
    assert "\x1b" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("transport", ["oci:", "oci-archive:", "docker-archive:"])
def test_what_is_named_as_an_image_has_to_be_one(
    transport: str, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (app, tmp_path / "none"):
        assert main(["verify", f"{transport}{path}"]) == 92
    assert "is not a" in capsys.readouterr().err
