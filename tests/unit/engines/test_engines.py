"""Which engine is taken and which platform it holds; tests/e2e/test_loading.py has the real engines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.tinyimage import tiny_image

from crossdock.engines import ENGINES, find_engine
from crossdock.engines import programs as programs_module
from crossdock.engines.containerd import Containerd
from crossdock.engines.model import choose_own, tagged
from crossdock.errors import EngineLoadError
from crossdock.oci.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

AMD64 = {"os": "linux", "architecture": "amd64"}
AMD64_V3 = {**AMD64, "variant": "v3"}
AMD64_V2 = {**AMD64, "variant": "v2"}
ARM64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
S390X = {"os": "linux", "architecture": "s390x"}

posix = pytest.mark.skipif(sys.platform == "win32", reason="programs are shell scripts here")


def script(folder: Path, name: str, text: str) -> dict[str, str]:
    """Put a program on a search path of its own; give the environment that has it."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}/bin"}


@pytest.mark.parametrize(
    ("machine", "platforms", "chosen"),
    [
        (AMD64, [ARM64, AMD64], 1),
        ({"os": "linux", "architecture": "arm64"}, [AMD64, ARM64], 1),
        (AMD64, [S390X], 0),
        (AMD64, [AMD64_V3, ARM64], 0),
        (AMD64, [AMD64_V3, ARM64, AMD64], 2),
    ],
)
def test_the_platform_of_the_machine_is_chosen_or_the_only_one(
    machine: Mapping[str, str], platforms: list[Mapping[str, str]], chosen: int
) -> None:
    assert choose_own("docker", machine, platforms) == [chosen]


@pytest.mark.parametrize(
    ("platforms", "why", "hint"),
    [
        (
            [ARM64, S390X],
            "it runs on linux/amd64, and the image is for linux/arm64/v8, linux/s390x",
            "add --target linux/amd64",
        ),
        ([AMD64_V2, AMD64_V3], "several platforms fit its linux/amd64", "--target linux/amd64/v2"),
    ],
)
def test_a_choice_that_is_not_clear_is_left_to_the_user(
    platforms: list[Mapping[str, str]], why: str, hint: str
) -> None:
    with pytest.raises(EngineLoadError, match="podman holds one platform") as caught:
        choose_own("podman", AMD64, platforms)
    assert why in caught.value.why
    assert hint in caught.value.hint


def test_an_image_is_loaded_under_a_tag() -> None:
    digest = f"sha256:{'a' * 64}"
    assert str(tagged(parse_reference(f"app:1@{digest}"))) == "app:1"
    with pytest.raises(EngineLoadError, match="has no tag") as caught:
        tagged(parse_reference(f"app@{digest}"))
    assert "--tag" in caught.value.hint


def test_an_engine_nobody_knows_is_refused() -> None:
    with pytest.raises(EngineLoadError, match="'rkt' is not a known engine") as caught:
        find_engine("rkt", {})
    assert caught.value.hint == f"there are {', '.join(ENGINES)}"


def test_where_nothing_is_installed_the_error_names_all_and_another_way(tmp_path: Path) -> None:
    with pytest.raises(EngineLoadError, match="no container engine runs here") as caught:
        find_engine("", {"PATH": str(tmp_path)})
    assert caught.value.why == (
        "docker is not installed; podman is not installed; ctr is not installed; nerdctl is not installed"
    )
    assert "--output" in caught.value.hint
    with pytest.raises(EngineLoadError, match="podman does not run here") as caught:
        find_engine("podman", {"PATH": str(tmp_path)})
    assert caught.value.why == "podman is not installed"


@posix
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("echo null", "docker: does not say which machine its daemon runs on"),
        ("echo '{\"Os\": 3'", "docker: does not say which machine its daemon runs on"),
        ("echo 'no daemon' >&2; exit 1", "docker: no daemon"),
        ("exit 3", "docker: ended with exit code 3"),
        ("printf 'at tcp://me:secret@host \\033[31m' >&2; exit 1", "docker: at tcp://host ?[31m"),
    ],
)
def test_an_engine_that_gives_no_sense_does_not_count(tmp_path: Path, answer: str, why: str) -> None:
    environ = script(tmp_path / "bin", "docker", answer)
    with pytest.raises(EngineLoadError) as caught:
        find_engine("docker", environ)
    assert caught.value.why == why


@posix
def test_an_engine_that_never_answers_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs_module, "_ANSWER", 0.2)
    with pytest.raises(EngineLoadError) as caught:
        find_engine("podman", script(tmp_path / "bin", "podman", "exec sleep 60"))
    assert caught.value.why == "podman: did not answer within 0.2 seconds"


@posix
def test_a_program_that_cannot_be_started_does_not_count(tmp_path: Path) -> None:
    environ = script(tmp_path / "bin", "podman", "")
    (tmp_path / "bin" / "podman").write_text("#!/no/such/shell\n")
    with pytest.raises(EngineLoadError) as caught:
        find_engine("podman", environ)
    assert "podman: cannot be started" in caught.value.why


@posix
def test_the_platform_is_that_of_the_daemon_not_of_this_machine(tmp_path: Path) -> None:
    environ = script(tmp_path / "bin", "docker", """echo '{"Os": "linux", "Arch": "s390x"}'""")
    assert find_engine("docker", environ).choose([AMD64, S390X]) == [1]


@posix
def test_nerdctl_is_used_where_ctr_does_not_answer(tmp_path: Path) -> None:
    script(tmp_path / "bin", "ctr", "exit 1")
    engine = find_engine("containerd", script(tmp_path / "bin", "nerdctl", "exit 0"))
    assert isinstance(engine, Containerd)
    assert engine.command(Path("x.tar"), [AMD64]) == [
        str(tmp_path / "bin" / "nerdctl"),
        *("load", "--all-platforms", "--input", "x.tar"),
    ]


@posix
def test_what_is_given_to_an_engine_is_gone_afterwards_even_if_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    answers = """[ "$1" = version ] && echo '{"Os": "linux", "Arch": "amd64"}' && exit"""
    refuses = "cat >/dev/null; echo full >&2; exit 1"
    engine = find_engine("docker", script(tmp_path / "bin", "docker", f"{answers}\n{refuses}"))
    tiny = tiny_image(["amd64", "arm64"])
    with pytest.raises(EngineLoadError, match="docker refused the image") as caught:
        engine.load(tiny.root, tiny.images, parse_reference("app"), tiny.blobs)
    assert caught.value.why == "full"
    assert list(temporary.iterdir()) == []


def test_no_place_for_the_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    engine = Containerd(program="ctr", kind="ctr", environ={})
    tiny = tiny_image(["amd64"])
    with pytest.raises(EngineLoadError, match="no place") as caught:
        engine.load(tiny.root, tiny.images, parse_reference("app"), tiny.blobs)
    assert "TMPDIR" in caught.value.hint
