"""``crossdock targets`` and ``crossdock target show``."""

from __future__ import annotations

import json

import pytest

from crossdock.cli import targets as commands
from crossdock.cli.parser import make_parser
from crossdock.errors import TargetError
from crossdock.targets import parse_python, parse_target


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    options = make_parser().parse_args(arguments)
    assert {"targets": commands.targets, "target": commands.target}[options.command](options) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_list_fits_the_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run(capsys, "targets").splitlines()

    assert max(map(len, lines)) <= width
    assert any("aws-lambda-python3.12" in line for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_the_list_as_json_has_the_source_of_every_fact(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "targets", "--json"))
    runtime = next(item for item in data["runtimes"] if item["name"] == "debian-12")

    assert runtime["libc"] == {"value": "glibc2.36", "source": "package libc6 2.36-9 of Debian 12"}
    for text in (*data["platforms"], *(name for item in data["runtimes"] for name in item["targets"])):
        assert parse_target(text).platform
    for text in data["pythons"]:
        assert parse_python(text).spelling


def test_a_target_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "target", "show", "darwin/arm64", "--python", "3.14t")

    assert "floor        macos11.0" in text
    assert "  platform_machine                arm64\n" in text
    assert "  platform_release                (not known)\n" in text
    assert "  cp314-cp314t-macosx_11_0_arm64\n" in text


def test_a_target_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "target", "show", "linux/amd64+glibc2.18", "--libc-policy", "lowest", "--json"))

    assert data["platform"]["spelling"] == "linux/amd64+glibc2.18"
    assert data["tags"][:3] == [f"cp312-cp312-{name}_x86_64" for name in ("linux", "manylinux_2_5", "manylinux1")]
    assert data["environment"]["python_version"] == "3.12"


def test_a_target_as_a_complete_platform(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "target", "show", "aws-lambda-python3.13/arm64", "--complete-platform"))

    assert data["compatible_tags"][1] == "cp313-cp313-manylinux_2_34_aarch64"
    assert "platform_release" not in data["marker_environment"]


def test_a_runtimes_python_cannot_be_another(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TargetError, match=r"runs python3\.13"):
        run(capsys, "target", "show", "aws-lambda-python3.13/arm64", "--python", "3.12")
