"""Where the parts of a wheel go in a virtual environment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossdock.wheels.scheme import posix_venv

SCHEME = posix_venv("app/.venv", "3.11")


def test_folders_of_a_virtual_environment() -> None:
    assert SCHEME.prefix == "app/.venv"
    assert SCHEME.site_packages == "app/.venv/lib/python3.11/site-packages"
    assert SCHEME.scripts == "app/.venv/bin"
    assert SCHEME.interpreter == "/app/.venv/bin/python"


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("purelib", "app/.venv/lib/python3.11/site-packages"),
        ("platlib", "app/.venv/lib/python3.11/site-packages"),
        ("scripts", "app/.venv/bin"),
        ("data", "app/.venv"),
        ("headers", "app/.venv/include/site/python3.11/demo"),
        ("stdlib", None),
        ("", None),
    ],
)
def test_keys_of_the_data_folder(key: str, folder: str | None) -> None:
    assert SCHEME.data_folder(key, "demo") == folder


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("app/.venv/lib/python3.11/site-packages/demo/a.py", "demo/a.py"),
        ("app/.venv/bin/tool", "../../../bin/tool"),
        ("app/.venv/share/demo.txt", "../../../share/demo.txt"),
        ("app/.venv/include/site/python3.11/demo/demo.h", "../../../include/site/python3.11/demo/demo.h"),
        ("app/.venv/lib/python3.11/site-packages-not/a", "../site-packages-not/a"),
    ],
)
def test_record_names_paths_relative_to_site_packages(path: str, recorded: str) -> None:
    assert SCHEME.record_path(path) == recorded


def test_keys_of_schemes_from_before_scripts_could_be_moved_are_as_they_were() -> None:
    assert SCHEME.to_json() == {
        "prefix": "app/.venv",
        "site_packages": "app/.venv/lib/python3.11/site-packages",
        "scripts": "app/.venv/bin",
        "data": "app/.venv",
        "headers": "app/.venv/include/site/python3.11",
        "interpreter": "/app/.venv/bin/python",
    }
    movable = replace(SCHEME, lookup="beside", launchers="win-amd64")
    assert movable.to_json() == {**SCHEME.to_json(), "lookup": "beside", "launchers": "win-amd64"}
