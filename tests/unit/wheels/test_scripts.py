"""Entry points become scripts; scripts that come in a wheel get the environment's interpreter."""

from __future__ import annotations

import pytest

from crossdock.errors import BadWheelError
from crossdock.wheels.scripts import EntryPoint, console_script, parse_entry_points, rewrite_shebang

PYTHON = "/app/.venv/bin/python"


def test_console_and_gui_scripts_are_read_sorted_by_name() -> None:
    text = """
[console_scripts]
# a comment
tool = package.module:main
Tool.2-x_y=package:Class.method
with-extra = package:main [extra1, extra2]
spaced = package : main

[gui_scripts]
a-window = package.gui:main

[other.group]
anything = goes here, unread
"""
    assert parse_entry_points(text, "demo.whl") == (
        EntryPoint("Tool.2-x_y", "package", "Class.method"),
        EntryPoint("a-window", "package.gui", "main", gui=True),
        EntryPoint("spaced", "package", "main"),
        EntryPoint("tool", "package.module", "main"),
        EntryPoint("with-extra", "package", "main"),
    )


@pytest.mark.parametrize("text", ["", "\n", "[console_scripts]\n", "[plugins]\nx = y:z\n", "[DEFAULT]\nx = y:z\n"])
def test_no_scripts(text: str) -> None:
    assert parse_entry_points(text, "demo.whl") == ()


def test_a_section_named_default_is_a_group_like_any_other() -> None:
    text = "[DEFAULT]\nevil = os:abort\n[console_scripts]\ntool = demo:main\n"
    assert [point.name for point in parse_entry_points(text, "demo.whl")] == ["tool"]


@pytest.mark.parametrize(
    "line",
    [
        "../evil = demo:main",
        ".. = demo:main",
        "a/b = demo:main",
        "a\\b = demo:main",
        "tool = demo",
        "tool = demo:",
        "tool = :main",
        "tool = demo:main; import os",
        "tool = demo:main()",
        'tool = demo:main"""',
        "tool = demo:main\n  import os",
        "tool = demo main:main",
        "tool =",
    ],
)
def test_a_script_that_cannot_be_made_is_an_error_naming_it(line: str) -> None:
    with pytest.raises(BadWheelError) as error:
        parse_entry_points(f"[console_scripts]\n{line}\n", "demo.whl")
    assert "demo.whl" in str(error.value)
    assert line.partition(" =")[0] in str(error.value)


@pytest.mark.parametrize("text", ["no section = x:y\n", "[console_scripts\n", "[console_scripts]\nno value\n"])
def test_an_unreadable_file_is_an_error(text: str) -> None:
    with pytest.raises(BadWheelError, match=r"demo\.whl has an unreadable entry_points\.txt"):
        parse_entry_points(text, "demo.whl")


def test_the_text_of_a_script() -> None:
    assert console_script(EntryPoint("tool", "package.module", "Class.run"), PYTHON) == (
        b"#!/app/.venv/bin/python\n"
        b"import sys\n"
        b"from package.module import Class\n"
        b'if __name__ == "__main__":\n'
        b"    sys.exit(Class.run())\n"
    )


@pytest.mark.parametrize(
    ("script", "rewritten"),
    [
        (b"#!python\nx", b"#!/app/.venv/bin/python\nx"),
        (b"#!pythonw\nx", b"#!/app/.venv/bin/python\nx"),
        (b"#!python3\nx", b"#!/app/.venv/bin/python\nx"),
        (b"#!python3.11\nx", b"#!/app/.venv/bin/python\nx"),
        (b"#!python -E -s\nx\n", b"#!/app/.venv/bin/python -E -s\nx\n"),
        (b"#!python\r\nx\r\n", b"#!/app/.venv/bin/python\nx\r\n"),
        (b"#!python", b"#!/app/.venv/bin/python"),
        (b"#!python\n\xff\0", b"#!/app/.venv/bin/python\n\xff\0"),
    ],
)
def test_the_placeholder_becomes_the_interpreter(script: bytes, rewritten: bytes) -> None:
    assert rewrite_shebang(script, PYTHON) == rewritten


@pytest.mark.parametrize(
    "script",
    [b"", b"#!/bin/sh\n", b"#!/usr/bin/python\n", b"#!/usr/bin/env python\n", b"\x7fELF#!python", b"x\n#!python\n"],
)
def test_any_other_script_is_left_alone(script: bytes) -> None:
    assert rewrite_shebang(script, PYTHON) is script
