"""Which interpreter compiles bytecode for a target: one of its minor version and kind, that was asked what it is."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.errors import BytecodeError
from crossdock.steps.compiling import VARIABLE, find_compiler
from crossdock.targets.python import parse_python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.wheels.bytecode import CompilerSpec

RUNNING = platform.python_version()
SHORT = ".".join(RUNNING.split(".")[:2])
#: A minor version that is not the running one's, with its magic number.
OTHER, OTHER_MAGIC = ("3.12", "cb0d0d0a") if SHORT != "3.12" else ("3.13", "f30d0d0a")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def saying(path: Path, release: str = f"{OTHER}.4", **said: Any) -> Path:
    """Write a program that answers as an interpreter of another release would."""
    answer = {
        "program": str(path),
        "implementation": "cpython",
        "version": [int(part) for part in release.split(".")],
        "level": "final",
        "free_threaded": False,
        "cache_tag": f"cpython-{OTHER.replace('.', '')}",
        "magic": OTHER_MAGIC,
        **said,
    }
    return program(path, f"echo '{json.dumps(answer)}'")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def find(
    python: str,
    home: Path,
    *,
    path: tuple[Path | str, ...] = (),
    setting: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> CompilerSpec:
    variables = {"PATH": os.pathsep.join(map(str, path)), **(environ or {})}
    return find_compiler(parse_python(python), setting=setting, environ=variables, home=home)


def test_the_running_interpreter_compiles_for_its_own_version(home: Path) -> None:
    found = find(SHORT, home)
    assert (found.path, found.version) == (sys.executable, RUNNING)
    assert found.magic == importlib.util.MAGIC_NUMBER.hex()
    assert found.cache_tag == sys.implementation.cache_tag


@pytest.mark.parametrize(
    "place",
    [
        f"bin/python{OTHER}",
        "bin/python3",
        "bin/python",
        f"home/.pyenv/versions/{OTHER}.4/bin/python{OTHER}",
        f"home/.local/share/uv/python/cpython-{OTHER}.4-linux-x86_64-gnu/bin/python{OTHER}",
        f"home/.local/share/uv/python/cpython-{OTHER}-linux-x86_64-gnu/bin/python{OTHER}",
    ],
)
def test_places_that_are_searched(tmp_path: Path, home: Path, place: str) -> None:
    expected = saying(tmp_path / place)
    assert find(OTHER, home, path=(tmp_path / "bin",)).path == str(expected)


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("PYENV_ROOT", f"versions/{OTHER}.4/bin/python{OTHER}"),
        ("UV_PYTHON_INSTALL_DIR", f"cpython-{OTHER}.4-macos-aarch64-none/bin/python{OTHER}"),
        ("XDG_DATA_HOME", f"uv/python/cpython-{OTHER}.4-linux-x86_64-gnu/bin/python{OTHER}"),
    ],
)
def test_version_managers_that_keep_them_elsewhere(tmp_path: Path, home: Path, variable: str, place: str) -> None:
    expected = saying(tmp_path / "elsewhere" / place)
    assert find(OTHER, home, environ={variable: str(tmp_path / "elsewhere")}).path == str(expected)


def test_the_exact_version_comes_first_then_the_order_of_the_search(tmp_path: Path, home: Path) -> None:
    on_path = saying(tmp_path / "bin" / f"python{OTHER}", f"{OTHER}.2")
    versions = home / ".pyenv" / "versions"
    for patch in (4, 9, 10):
        saying(versions / f"{OTHER}.{patch}" / "bin" / f"python{OTHER}", f"{OTHER}.{patch}")
    assert find(f"{OTHER}.9", home, path=(tmp_path / "bin",)).version == f"{OTHER}.9"
    assert find(f"{OTHER}.30", home, path=(tmp_path / "bin",)).path == str(on_path)
    assert find(f"{OTHER}.30", home).version == f"{OTHER}.10"


def test_a_relative_entry_of_path_is_not_searched(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would run what lies in the project."""
    saying(tmp_path / "bin" / f"python{OTHER}")
    monkeypatch.chdir(tmp_path)
    for entry in ("bin", "./bin", "", "."):
        with pytest.raises(BytecodeError):
            find(OTHER, home, path=(entry,))


def test_one_that_is_named_is_taken_and_the_variable_comes_before_the_setting(tmp_path: Path, home: Path) -> None:
    named, other = saying(tmp_path / "named"), saying(tmp_path / "other")
    assert find(OTHER, home, setting=str(named)).path == str(named)
    assert find(OTHER, home, setting=str(named), environ={VARIABLE: str(other)}).path == str(other)


def test_one_that_is_named_and_does_not_fit_is_refused_though_others_would_fit(tmp_path: Path, home: Path) -> None:
    saying(tmp_path / "bin" / f"python{OTHER}")
    with pytest.raises(BytecodeError, match="named by compile-python, cannot compile bytecode") as caught:
        find(OTHER, home, path=(tmp_path / "bin",), setting=sys.executable)
    assert f"it is cpython {RUNNING}" in caught.value.why


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"implementation": "pypy"}, f"it is pypy {OTHER}.4"),
        ({"version": [3, 9, 1]}, "it is cpython 3.9.1"),
        ({"free_threaded": True}, f"it is cpython {OTHER}.4t, which is free-threaded"),
        ({"level": "candidate"}, "a preview (candidate)"),
        ({"magic": "00000d0a"}, "its bytecode is not that of"),
        ({"cache_tag": None}, "built without a name for bytecode"),
        ({"cache_tag": "../../etc"}, "built without a name for bytecode"),
        ({"version": ["x"]}, "does not answer as a Python 3 does"),
        ({"magic": "no hex"}, "does not answer as a Python 3 does"),
    ],
)
def test_what_an_interpreter_says_of_itself_decides_and_not_its_name(
    tmp_path: Path, home: Path, said: dict[str, Any], why: str
) -> None:
    name = saying(tmp_path / "bin" / f"python{OTHER}", **said)
    for options in ({"path": (tmp_path / "bin",)}, {"setting": str(name)}):
        with pytest.raises(BytecodeError) as caught:
            find(OTHER, home, **options)
        assert why in caught.value.why


def test_a_free_threaded_target_wants_a_free_threaded_compiler(tmp_path: Path, home: Path) -> None:
    magic = {"magic": "f30d0d0a", "cache_tag": "cpython-313"}
    saying(tmp_path / "bin" / "python3", "3.13.1", free_threaded=False, **magic)
    with pytest.raises(BytecodeError) as caught:
        find("3.13t", home, path=(tmp_path / "bin",))
    assert "which is not free-threaded" in caught.value.why
    assert "uv python install 3.13t" in caught.value.hint
    free = saying(tmp_path / "bin" / "python3.13t", "3.13.1", free_threaded=True, **magic)
    assert find("3.13t", home, path=(tmp_path / "bin",)).path == str(free)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 1", "does not answer as a Python 3 does"),
        ("echo '[]'", "does not answer as a Python 3 does"),
        ("head -c 100000 /dev/urandom", "does not answer as a Python 3 does"),
        ("\x7fELF", "does not answer as a Python 3 does"),
    ],
)
def test_programs_that_are_no_interpreters_are_passed_over(tmp_path: Path, home: Path, script: str, why: str) -> None:
    odd = program(tmp_path / "odd" / f"python{OTHER}", script)
    good = saying(tmp_path / "bin" / f"python{OTHER}")
    assert find(OTHER, home, path=(odd.parent, good.parent)).path == str(good)
    with pytest.raises(BytecodeError) as caught:
        find(OTHER, home, path=(odd.parent,))
    assert f"{odd}: it {why}" in caught.value.why


def test_a_program_for_another_machine_cannot_be_the_one(tmp_path: Path, home: Path) -> None:
    foreign = tmp_path / "python"
    foreign.write_bytes(b"\x7fELF" + bytes(60))
    foreign.chmod(0o755)
    with pytest.raises(BytecodeError) as caught:
        find(OTHER, home, setting=str(foreign))
    assert "it cannot be started" in caught.value.why


def test_without_any_the_error_says_what_was_looked_for_where_and_how_to_get_one(tmp_path: Path, home: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / f"python{OTHER}").symlink_to(sys.executable)
    with pytest.raises(BytecodeError) as caught:
        find(OTHER, home, path=(tmp_path / "bin",))
    assert caught.value.what == (
        f"compile is set, and there is no python{OTHER} on this machine to compile bytecode with"
    )
    assert f"python{OTHER} was looked for on PATH and in {home}/.pyenv/versions, {home}/.local" in caught.value.why
    assert f"{tmp_path}/bin/python{OTHER}: it is cpython {RUNNING}" in caught.value.why
    assert all(word in caught.value.hint for word in (f"uv python install {OTHER}", "compile-python", VARIABLE))


def test_pypy_has_none(home: Path) -> None:
    with pytest.raises(BytecodeError, match="no bytecode to be had for pypy"):
        find("pypy3.11", home)
