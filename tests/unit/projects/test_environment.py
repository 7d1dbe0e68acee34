"""The environment in an image is an ordinary virtual environment."""

from __future__ import annotations

from dataclasses import replace

from crossdock.layers.entry import directory, file, symlink
from crossdock.lockfile.basefacts import BaseFacts
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


def test_it_hides_what_a_base_has_in_its_place() -> None:
    plain = environment_entries(parse_python("3.11.2"), FACTS)
    hiding = environment_entries(parse_python("3.11.2"), replace(FACTS, has_environment=True))
    assert [entry for entry in hiding if entry not in plain] == [file("app/.venv/.wh..wh..opq", b"")]
    assert [entry for entry in hiding if entry in plain] == plain


def test_its_scripts_are_found_first() -> None:
    environment = image_environment({})
    assert environment["PATH"] == "/app/.venv/bin:/usr/local/bin:/usr/bin:/bin"
    assert environment["VIRTUAL_ENV"] == "/app/.venv"
    assert environment["LANG"] == "C.UTF-8"


def test_variables_of_the_base_stay_but_for_those_that_would_lead_astray() -> None:
    base = {"PATH": "/opt/bin:/usr/bin", "LANG": "de_DE.UTF-8", "PYTHONHOME": "/opt", "TZ": "UTC"}
    assert image_environment(base) == {
        "PATH": "/app/.venv/bin:/opt/bin:/usr/bin",
        "VIRTUAL_ENV": "/app/.venv",
        "LANG": "de_DE.UTF-8",
        "TZ": "UTC",
    }


def test_a_base_that_is_an_environment_itself_does_not_name_another_one() -> None:
    assert image_environment({"VIRTUAL_ENV": "/opt/venv"})["VIRTUAL_ENV"] == "/app/.venv"


def test_the_order_of_a_bases_variables_is_no_matter() -> None:
    one = image_environment({"B": "1", "A": "2", "PATH": "/usr/bin"})
    other = image_environment({"PATH": "/usr/bin", "A": "2", "B": "1"})
    assert list(one.items()) == list(other.items())


def test_an_image_of_crossdocks_as_a_base_names_the_environment_once() -> None:
    assert image_environment({"PATH": "/app/.venv/bin:/usr/bin"})["PATH"] == "/app/.venv/bin:/usr/bin"
