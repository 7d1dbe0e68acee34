"""What an environment consists of besides packages, for every kind of target."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from crossdock.bundles.venv.interpreter import check_interpreter, default_interpreter
from crossdock.bundles.venv.layout import Layout, environment, folder
from crossdock.errors import LauncherError, UsageError
from crossdock.targets import Target, parse_platform, parse_python


def target(platform: str, python: str = "3.12") -> Target:
    return Target(parse_platform(platform), parse_python(python))


def made(platform: str, python: str = "3.12", interpreter: str | None = None) -> Layout:
    return environment(target(platform, python), interpreter=interpreter, prompt="demo")


def links(layout: Layout) -> dict[str, str]:
    return {entry.path: entry.linkname for entry in layout.entries if entry.kind == "symlink"}


def folders(layout: Layout) -> list[str]:
    return [entry.path for entry in layout.entries if entry.kind == "directory"]


def content(layout: Layout, path: str) -> bytes:
    (entry,) = (entry for entry in layout.entries if entry.path == path)
    assert entry.kind == "file"
    return entry.content


def config(layout: Layout) -> dict[str, str]:
    lines = content(layout, "pyvenv.cfg").decode().splitlines()
    return dict(line.split(" = ") for line in lines)


@pytest.mark.parametrize(
    ("platform", "python", "library", "lib64", "home", "link"),
    [
        ("linux/amd64", "3.12", "python3.12", True, "/usr/bin", "/usr/bin/python3.12"),
        ("linux/arm64+musl", "3.9", "python3.9", True, "/usr/bin", "/usr/bin/python3.9"),
        ("linux/arm", "3.12", "python3.12", False, "/usr/bin", "/usr/bin/python3.12"),
        ("linux/arm64", "3.13t", "python3.13t", True, "/usr/bin", "/usr/bin/python3.13t"),
        ("linux/amd64", "pypy3.11", "pypy3.11", True, "/usr/bin", "/usr/bin/pypy3.11"),
        (
            *("darwin/arm64", "3.13", "python3.13", False, "/Library/Frameworks/Python.framework/Versions/3.13/bin"),
            "/Library/Frameworks/Python.framework/Versions/3.13/bin/python3.13",
        ),
        (
            *("darwin/amd64", "3.14t", "python3.14t", False, "/Library/Frameworks/PythonT.framework/Versions/3.14/bin"),
            "/Library/Frameworks/PythonT.framework/Versions/3.14/bin/python3.14t",
        ),
    ],
)
def test_an_environment_of_posix(platform: str, python: str, library: str, lib64: bool, home: str, link: str) -> None:
    layout = made(platform, python)
    scheme = layout.scheme
    assert (scheme.site_packages, scheme.scripts, scheme.data) == (f"lib/{library}/site-packages", "bin", "")
    assert (scheme.interpreter, scheme.lookup, scheme.launchers) == ("python", "beside", None)
    assert folders(layout) == [
        *("bin", "include", f"include/{library}", "lib", f"lib/{library}", f"lib/{library}/site-packages")
    ]
    found = links(layout)
    assert ("lib64" in found) == lib64
    assert found["bin/python"] == link
    assert {found[path] for path in found if path not in ("bin/python", "lib64")} == {"python"}
    assert f"bin/{library}" in found
    short = parse_python(python).short
    assert {"bin/python3", f"bin/python{short}"} <= set(found)
    assert config(layout)["home"] == home


def test_the_config_says_what_pep_405_wants_and_that_the_environment_may_be_moved() -> None:
    assert config(made("linux/amd64", "3.12.3")) == {
        "home": "/usr/bin",
        "implementation": "CPython",
        "version": "3.12.3",
        "include-system-site-packages": "false",
        "relocatable": "true",
        "prompt": "demo",
    }


@pytest.mark.skipif(sys.platform != "linux" or sys.maxsize < 1 << 32, reason="compares with what is made on Linux")
def test_it_is_what_cpython_makes_on_linux(tmp_path: Path) -> None:
    venv.EnvBuilder(symlinks=True, with_pip=False, prompt="demo").create(tmp_path / "theirs")
    root = tmp_path / "theirs"
    theirs = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    short = f"{sys.version_info[0]}.{sys.version_info[1]}"
    layout = made("linux/amd64", short)
    assert {entry.path for entry in layout.entries} - {f"bin/python{short}"} == theirs - {
        f"bin/python{short}",
        "lib64",
    } | {"lib64"}
    said = dict(line.split(" = ", 1) for line in (root / "pyvenv.cfg").read_text().splitlines())
    for key in ("include-system-site-packages",):
        assert config(layout)[key] == said[key]


@pytest.mark.parametrize(
    ("platform", "python", "home", "machine"),
    [
        ("windows/amd64", "3.12", "C:\\Program Files\\Python312", "win-amd64"),
        ("windows/arm64", "3.13", "C:\\Program Files\\Python313-arm64", "win-arm64"),
        ("win32", "3.11", "C:\\Program Files (x86)\\Python311-32", "win-ia32"),
    ],
)
def test_an_environment_of_windows(platform: str, python: str, home: str, machine: str) -> None:
    layout = made(platform, python)
    scheme = layout.scheme
    assert (scheme.site_packages, scheme.scripts) == ("Lib/site-packages", "Scripts")
    assert (scheme.interpreter, scheme.lookup, scheme.launchers) == ("python.exe", "beside", machine)
    assert links(layout) == {}
    assert config(layout)["home"] == home
    assert f'#!"{home}\\python.exe" -I -S\n'.encode() in content(layout, "Scripts/python.exe")
    assert f'#!"{home}\\pythonw.exe" -I -S\n'.encode() in content(layout, "Scripts/pythonw.exe")
    assert {path.path for path in layout.entries if path.kind == "file"} == {
        *("Scripts/python.exe", "Scripts/pythonw.exe", "pyvenv.cfg"),
        *(f"Scripts/{name}" for name in ("activate", "activate.bat", "deactivate.bat", "Activate.ps1")),
    }
    batch = content(layout, "Scripts/activate.bat")
    assert batch.count(b"\n") == batch.count(b"\r\n") > 5


@pytest.mark.parametrize("told", [None, "of another"])
def test_the_python_of_windows_hands_everything_to_the_real_one(told: str | None, tmp_path: Path) -> None:
    """CPython reads what tells it of its environment on every system, so that this runs here, too."""
    layout = made("windows/amd64")
    program = tmp_path / "environment" / "Scripts" / "python.exe"
    program.parent.mkdir(parents=True)
    program.write_bytes(content(layout, "Scripts/python.exe"))
    base = Path(getattr(sys, "_base_executable", sys.executable))
    (tmp_path / "environment" / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    code = (
        "import json, sys\n"
        "print(json.dumps([sys.executable, sys.prefix, sys.argv, sys.flags.isolated, input()]))\n"
        "sys.exit(7)"
    )
    done = subprocess.run(
        [base, "-I", "-S", program, "-c", code, "a b", '"', "", "\\"],
        capture_output=True,
        text=True,
        input="read\n",
        env={**os.environ, **({"__PYVENV_LAUNCHER__": told} if told else {})},
    )
    assert (done.returncode, done.stderr) == (7, "")
    place = str(tmp_path / "environment")
    assert json.loads(done.stdout) == [str(program), place, ["-c", "a b", '"', "", "\\"], 0, "read"]


def test_there_is_no_environment_of_pypy_on_windows() -> None:
    with pytest.raises(LauncherError, match="no environment can be made for windows/amd64") as error:
        made("windows/amd64", "pypy3.11")
    assert "--layout flat" in error.value.hint


@pytest.mark.parametrize(
    ("platform", "python", "interpreter", "launchers"),
    [
        ("linux/arm64", "3.13t", "/usr/bin/env python3.13t", None),
        ("linux/arm64", "pypy3.11", "/usr/bin/env pypy3.11", None),
        ("darwin/arm64", "3.12", "/usr/bin/env python3.12", None),
        ("windows/arm64", "3.12", "/usr/bin/env python", "win-arm64"),
        ("windows/amd64", "pypy3.11", "/usr/bin/env python", "win-amd64"),
    ],
)
def test_a_flat_folder(platform: str, python: str, interpreter: str, launchers: str | None) -> None:
    layout = folder(target(platform, python))
    scheme = layout.scheme
    assert layout.entries == ()
    assert (scheme.prefix, scheme.site_packages, scheme.data, scheme.scripts) == ("", "", "", "bin")
    assert (scheme.interpreter, scheme.lookup, scheme.launchers) == (interpreter, "above", launchers)


@pytest.mark.parametrize(
    ("platform", "path", "written"),
    [
        ("linux/arm64", "/opt/my python/bin/python3.12", "/opt/my python/bin/python3.12"),
        ("linux/arm64", "/python", "/python"),
        ("windows/amd64", "D:/Apps/Python/python.exe", "D:\\Apps\\Python\\python.exe"),
        ("windows/amd64", "\\\\server\\share\\python.EXE", "\\\\server\\share\\python.EXE"),
    ],
)
def test_the_interpreter_may_be_anywhere(platform: str, path: str, written: str) -> None:
    assert check_interpreter(path, target(platform)) == written
    layout = made(platform, interpreter=path)
    home = written.rpartition("\\" if platform.startswith("windows") else "/")[0]
    assert config(layout)["home"] == (home or "/")


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        *(
            ("linux/arm64", path)
            for path in ("", "python3", "bin/python3", "/usr/bin/", "/usr/\nbin", "C:\\python.exe", "/x" * 501)
        ),
        *(("windows/amd64", path) for path in ("", "/usr/bin/python3", "python.exe", "C:python.exe", "C:\\python")),
        *(("windows/amd64", path) for path in ('C:\\"python.exe', "C:\\py|thon.exe", "\\python.exe", "C:\\a\tb.exe")),
    ],
)
def test_a_path_that_no_interpreter_can_have_is_an_error(platform: str, path: str) -> None:
    with pytest.raises(UsageError, match="--interpreter"):
        made(platform, interpreter=path)
    with pytest.raises(UsageError, match="--interpreter"):
        folder(target(platform), interpreter=path)


@pytest.mark.parametrize("path", ["/opt/my python/bin/python3.12", "/opt/" + "x" * 121])
def test_a_path_that_no_script_can_begin_with_is_an_error_in_a_flat_folder(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be in the first line of a script"):
        folder(target("linux/amd64"), interpreter=path)
    assert folder(target("linux/amd64"), interpreter="/opt/" + "x" * 120).scheme.interpreter.endswith("x")
    folder(target("windows/amd64"), interpreter="C:\\Program Files\\python.exe")  # a launcher's line has quotes


@pytest.mark.parametrize(
    "prompt", ["", " ", "a'b", 'a"b', "$(id)", "a\nb", "`id`", "%PATH%", "ö", "x" * 101, "a\\b", "!x"]
)
def test_a_prompt_that_a_shell_would_read_is_an_error(prompt: str) -> None:
    with pytest.raises(UsageError, match="--prompt cannot be"):
        environment(target("linux/amd64"), prompt=prompt)


def test_a_layout_is_a_function_of_its_target_alone() -> None:
    assert made("windows/arm64") == made("windows/arm64")
    assert default_interpreter(target("linux/arm64+musl", "pypy3.10")) == "/usr/bin/pypy3.10"
