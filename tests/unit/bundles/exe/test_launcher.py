"""The launcher's text: what is in it, how it is quoted, and that it knows where it ends."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.exe.launcher import BLOCK, Launch, Payload, check_launcher, launcher
from crossdock.errors import LauncherError

if TYPE_CHECKING:
    from pathlib import Path

LAUNCH = Launch(
    name="app",
    target="linux/arm64",
    architecture="arm64",
    libc=("glibc", (2, 28)),
    needs="Linux on arm64 with glibc 2.17 or newer",
    python="python3.12",
    version="3.12.8",
    python_folder="python-1234",
    app_folder="app-5678",
    command='-m app "$@"',
    env={},
    about={"name": "app"},
)
PAYLOAD = Payload(python=1000, app=200, sha256="ab" * 32)


def value(text: bytes, name: str) -> str:
    (line,) = (line for line in text.decode().splitlines() if line.startswith(f"cdx_{name}="))
    return line.partition("=")[2]


def run(text: bytes, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = folder / "launcher"
    path.write_bytes(text)
    env = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(["sh", path], capture_output=True, text=True, env=env, timeout=60)


def test_it_is_filled_up_and_says_where_what_follows_begins() -> None:
    text = launcher(LAUNCH, PAYLOAD)
    assert text.startswith(b"#!/bin/sh\n# app for linux/arm64\n")
    assert len(text) % BLOCK == 0
    assert text.rstrip(b"\n").endswith(b"\nexit")
    assert int(value(text, "python_start")) == len(text) + 1
    assert int(value(text, "app_start")) == len(text) + 1000 + 1
    assert int(value(text, "size")) == len(text) + 1000 + 200
    assert value(text, "sha256") == "ab" * 32


def test_nothing_is_left_to_be_filled_in() -> None:
    assert b"@" not in launcher(LAUNCH, PAYLOAD).replace(b'"$@"', b"")


@pytest.mark.parametrize("packages", [0, 40, 41, 42, 300])
def test_it_grows_with_what_it_tells_of_itself(packages: int) -> None:
    launch = replace(LAUNCH, about={"packages": ["x" * 97] * packages})
    text = launcher(launch, PAYLOAD)
    assert len(text) % BLOCK == 0
    assert int(value(text, "python_start")) == len(text) + 1


def test_the_digest_does_not_move_anything() -> None:
    other = launcher(LAUNCH, replace(PAYLOAD, sha256="0" * 64))
    assert other.replace(b"0" * 64, b"ab" * 32) == launcher(LAUNCH, PAYLOAD)


def test_inspect_prints_what_is_inside_whatever_characters_it_has(tmp_path: Path) -> None:
    about = {"name": "größe", "text": "'\"$(touch x)`\\\n@NAME@ crossdock-end-of-json"}
    done = run(launcher(replace(LAUNCH, about=about), PAYLOAD), tmp_path, {"CROSSDOCK_EXE": "inspect"})
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == about


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_is_inspected_is_never_started_even_if_it_cannot_be_printed(shell: str, tmp_path: Path) -> None:
    (tmp_path / "launcher").write_bytes(launcher(LAUNCH, PAYLOAD))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CROSSDOCK_EXE": "inspect"}
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device, not a file
        done = subprocess.run([shell, tmp_path / "launcher"], stdout=full, stderr=subprocess.PIPE, env=env, timeout=60)
    assert done.returncode != 0
    assert b"this file is for" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["launcher"]


def test_another_wish_is_refused(tmp_path: Path) -> None:
    done = run(launcher(LAUNCH, PAYLOAD), tmp_path, {"CROSSDOCK_EXE": "explode"})
    assert done.returncode == 1
    assert done.stderr == ("app: error: CROSSDOCK_EXE is explode\n  hint: it can be inspect, unpack or python\n")


@pytest.mark.parametrize("tool", ["riscv64", "s390x"])
def test_another_machine_is_told_before_anything_is_done(tool: str, tmp_path: Path) -> None:
    launch = replace(LAUNCH, target=f"linux/{tool}", architecture=tool)
    done = run(launcher(launch, PAYLOAD), tmp_path, {"HOME": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr.startswith(f"app: error: this file is for linux/{tool}\n  why: this machine is Linux ")
    assert [path.name for path in tmp_path.iterdir()] == ["launcher"]


def test_what_is_set_is_a_default_that_is_quoted() -> None:
    launch = replace(LAUNCH, env={"B": "it's $HOME", "A": ""})
    lines = launcher(launch, PAYLOAD).decode().splitlines()
    assert lines[lines.index("""[ -n "${A+set}" ] || export A=''""") + 1] == (
        """[ -n "${B+set}" ] || export B='it'"'"'s $HOME'"""
    )


def test_it_is_a_script_of_posix_for_every_shell(tmp_path: Path) -> None:
    path = tmp_path / "launcher"
    path.write_bytes(launcher(LAUNCH, PAYLOAD))
    for shell in ("sh", "bash"):
        done = subprocess.run([shell, "-n", path], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("os", "architecture", "words"),
    [("windows", "amd64", "POSIX shell script"), ("darwin", "arm64", "cannot be proved")],
)
def test_systems_without_a_launcher_are_refused(os: str, architecture: str, words: str) -> None:
    with pytest.raises(LauncherError, match=f"There is no launcher for {os}/{architecture}") as caught:
        check_launcher(os, architecture, f"{os}/{architecture}")
    assert words in caught.value.why
    assert "crossdock pex" in caught.value.hint


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64"])
def test_every_architecture_of_linux_has_one(architecture: str) -> None:
    check_launcher("linux", architecture, f"linux/{architecture}")
