"""The environment in an image is an ordinary virtual environment."""

from __future__ import annotations

from crossdock.bases.facts import BaseFacts
from crossdock.layers.entry import directory, file, symlink
from crossdock.steps.environment import environment_entries, image_environment
from crossdock.targets import parse_python

FACTS = BaseFacts(
    libc="glibc",
    libc_version=(2, 36),
    python_version="3.11.2",
    python_path="/usr/bin/python3.11",
    user="65532:65532",
    home="/home/nonroot",
)


def test_its_files() -> None:
    assert environment_entries(parse_python("3.11.2"), FACTS) == [
        directory("app"),
        directory("app/.venv"),
        directory("app/.venv/bin"),
        directory("app/.venv/lib"),
        directory("app/.venv/lib/python3.11"),
        directory("app/.venv/lib/python3.11/site-packages"),
        symlink("app/.venv/bin/python", "/usr/bin/python3.11"),
        symlink("app/.venv/bin/python3", "/usr/bin/python3.11"),
        symlink("app/.venv/bin/python3.11", "/usr/bin/python3.11"),
        file("app/.venv/pyvenv.cfg", b"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"),
    ]


def test_its_scripts_are_found_first() -> None:
    environment = image_environment()
    assert environment["PATH"].split(":")[0] == "/app/.venv/bin"
    assert environment["VIRTUAL_ENV"] == "/app/.venv"
    assert environment["LANG"] == "C.UTF-8"
