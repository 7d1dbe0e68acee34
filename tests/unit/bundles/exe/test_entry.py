"""What an executable starts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.exe.entry import MAIN, call, python_command, python_options

if TYPE_CHECKING:
    from pathlib import Path


def run_main(folder: Path, main: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the file as the launcher does, with a package beside it that tells what it sees."""
    (folder / MAIN).write_bytes(main)
    (folder / "told.py").write_text(
        "import json, sys\n"
        "class Group:\n"
        "    @staticmethod\n"
        "    def tell():\n"
        "        print(json.dumps(sys.argv))\n"
        "        return 3\n"
    )
    start = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv.pop(0); "
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-I", "-c", start, str(folder), str(folder / MAIN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("given", [(), ("a b", "it's", "--x=1\n2", "")])
def test_a_function_sees_the_executables_name_and_the_users_arguments(given: tuple[str, ...], tmp_path: Path) -> None:
    entry = call("told", "Group.tell")
    done = run_main(tmp_path, entry.main, "./app_linux_arm64", *given)
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout) == ["./app_linux_arm64", *given]
    assert entry.command == '"$cdx_root/main.py" "$cdx_self" "$@"'
    assert entry.files == {MAIN: entry.main}


def test_fixed_arguments_come_before_the_users(tmp_path: Path) -> None:
    done = run_main(tmp_path, call("told", "Group.tell", ["serve", "it's"]).main, "app", "--port", "1")
    assert json.loads(done.stdout) == ["app", "serve", "it's", "--port", "1"]


def test_python_itself_is_given_its_arguments_quoted() -> None:
    entry = python_command(["-c", "print('$HOME')"])
    assert entry.command == """-c 'print('"'"'$HOME'"'"')' "$@\""""
    assert entry.files == {}


@pytest.mark.parametrize(
    ("env", "options"),
    [
        ({}, []),
        ({"PYTHONPATH": "/x", "PATH": "/y"}, []),
        ({"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}, ["-u", "-X utf8"]),
        ({"PYTHONUNBUFFERED": "", "PYTHONUTF8": "0"}, []),
        ({"PYTHONOPTIMIZE": "1"}, ["-O"]),
        ({"PYTHONOPTIMIZE": "2"}, ["-OO"]),
    ],
)
def test_variables_that_would_be_ignored_become_options(env: dict[str, str], options: list[str]) -> None:
    assert list(python_options(env)) == options
