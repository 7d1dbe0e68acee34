"""Activating an environment, by every shell it is made for, wherever the environment was moved to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.venv.layout import environment
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs shells of POSIX")

#: Those that say where a file is that they read.
KNOWING = ("bash", "zsh", "ksh")
OTHERS = ("sh", "dash")
REPORT = 'tool; echo "$VIRTUAL_ENV,$VIRTUAL_ENV_PROMPT,${PYTHONHOME-none},$PS1"'
AFTER = 'echo "${VIRTUAL_ENV-none},${VIRTUAL_ENV_PROMPT-none},${PYTHONHOME-none},$PS1"; command -v tool || echo gone'


@pytest.fixture(autouse=True)
def _shell_is_here(request: pytest.FixtureRequest) -> None:
    shell = request.node.callspec.params["shell"] if hasattr(request.node, "callspec") else "sh"
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is missing; run tests/support/setup-engines.sh")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment with a tool in it, at a place with a space in its name."""
    layout = environment(Target(parse_platform("linux/amd64"), parse_python("3.12")), prompt="demo (1.0)")
    root = tmp_path / "moved here"
    for entry in layout.entries:
        path = root / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "file":
            path.write_bytes(entry.content)
    tool = root / "bin" / "tool"
    tool.write_text("#!/bin/sh\necho tool\n")
    tool.chmod(0o755)
    return root


def run(command: list[str], cwd: Path, text: str | None = None, **env: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, input=text, env={**kept, **env}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", KNOWING)
@pytest.mark.parametrize("home", ["", "/old python"])
def test_a_shell_that_knows_what_it_reads(shell: str, home: str, root: Path) -> None:
    script = f"set -u; PS1='> '; . '../moved here/bin/activate'; cd /; {REPORT}; deactivate; {AFTER}"
    env = {"PYTHONHOME": home} if home else {}
    assert run([shell, "-c", script], root, **env) == [
        "tool",
        f"{root},demo (1.0),none,(demo (1.0)) > ",
        f"none,none,{home or 'none'},> ",
        "gone",
    ]


@pytest.mark.parametrize("shell", [*KNOWING, *OTHERS])
def test_any_shell_in_the_folder_itself(shell: str, root: Path) -> None:
    script = f"PS1='> '; . ./activate; . ./activate; cd /; {REPORT}; deactivate; {AFTER}"
    assert run([shell, "-c", script], root / "bin") == [
        "tool",
        f"{root},demo (1.0),none,(demo (1.0)) > ",
        "none,none,none,> ",
        "gone",
    ]


@pytest.mark.parametrize("shell", OTHERS)
def test_a_shell_that_does_not_know_says_so_and_changes_nothing(shell: str, root: Path) -> None:
    if shell == "sh" and "bash" in os.path.realpath(shutil.which("sh") or ""):
        return  # it knows
    script = 'before=$PATH; . ./bin/activate && exit 9; test "$PATH" = "$before" && echo "${VIRTUAL_ENV-none}"'
    done = subprocess.run([shell, "-c", script], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "none\n")
    assert "change into its folder bin" in done.stderr


@pytest.mark.parametrize("shell", KNOWING)
def test_who_wants_no_prompt_gets_none(shell: str, root: Path) -> None:
    script = 'PS1="> "; . bin/activate; echo "$PS1"; deactivate; echo "$PS1"'
    assert run([shell, "-c", script], root, VIRTUAL_ENV_DISABLE_PROMPT="1") == ["> ", "> "]


@pytest.mark.parametrize("shell", ["fish"])
def test_fish(shell: str, root: Path, tmp_path: Path) -> None:
    script = (
        "source 'moved here/bin/activate.fish'; cd /; tool; echo $VIRTUAL_ENV,$VIRTUAL_ENV_PROMPT; set -q PYTHONHOME; "
        "echo $status; deactivate; set -q VIRTUAL_ENV; echo $status; type -q tool; echo $status; echo $PYTHONHOME"
    )
    lines = run([shell, "--no-config", "-c", script], tmp_path, PYTHONHOME="/old", HOME=str(tmp_path))
    assert lines == ["tool", f"{root},demo (1.0)", "1", "1", "1", "/old"]


@pytest.mark.parametrize("shell", ["tcsh"])
def test_tcsh(shell: str, root: Path) -> None:
    script = (
        "source activate.csh\nsource activate.csh\ncd /\ntool\necho ${VIRTUAL_ENV},${VIRTUAL_ENV_PROMPT},$?PYTHONHOME\n"
        "deactivate\necho $?VIRTUAL_ENV,${PYTHONHOME}\nwhich tool | grep -c 'moved here'; exit 0\n"
    )
    lines = run([shell, "-f"], root / "bin", script, PYTHONHOME="/old")
    assert lines == ["tool", f"{root},demo (1.0),0", "0,/old", "0"]
