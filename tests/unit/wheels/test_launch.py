"""Scripts that find their Python beside themselves, or packages above themselves: run, where that is possible."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.support.wheelmaker import make_wheel, record_hash

from crossdock.errors import UnsupportedWheelError
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install
from crossdock.wheels.launch import made_script, rewritten_script
from crossdock.wheels.scheme import Scheme
from crossdock.wheels.scripts import EntryPoint

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")

MOVABLE = Scheme(
    prefix="",
    site_packages="lib/python3.11/site-packages",
    scripts="bin",
    data="",
    headers="include",
    interpreter="python",
    lookup="beside",
)
WINDOWS = Scheme(
    prefix="",
    site_packages="Lib/site-packages",
    scripts="Scripts",
    data="",
    headers="Include",
    interpreter="python.exe",
    lookup="beside",
    launchers="win-amd64",
)
FLAT = Scheme(
    prefix="",
    site_packages="",
    scripts="bin",
    data="",
    headers="include",
    interpreter="/usr/bin/env python3.11",
    lookup="above",
)
POINT = EntryPoint("tool", "demo", "App.main")
PACKAGE = """\
import sys
class App:
    def main():
        print(sys.argv, __file__)
        return 3
"""


def run(*command: str | Path, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **env}, timeout=60)


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder with a Python in it, which finds the package."""
    folder = tmp_path / "an environment" / "bin"
    write(tmp_path / "site" / "demo.py", PACKAGE.encode())
    (tmp_path / "site").chmod(0o755)
    write(folder / "python", f'#!/bin/sh\nPYTHONPATH={tmp_path}/site exec {sys.executable} "$@"\n'.encode())
    return folder


@posix
def test_a_script_runs_the_python_beside_it_from_anywhere(scripts: Path, tmp_path: Path) -> None:
    name, content = made_script(POINT, MOVABLE)
    script = write(scripts / name, content)
    place = str(tmp_path / "site" / "demo.py")
    for command, cwd in (
        ([script], tmp_path),
        ([Path("./tool")], scripts),
        ([Path("bin/tool")], scripts.parent),
        (["sh", Path("tool")], scripts),
        (["tool"], tmp_path),
    ):
        done = run(*command, "an argument", "", "$HOME", cwd=cwd, PATH=f"{scripts}:{os.environ['PATH']}")
        assert (done.returncode, done.stderr) == (3, "")
        assert done.stdout.endswith(f", 'an argument', '', '$HOME'] {place}\n")


@posix
def test_a_script_finds_its_python_through_links(scripts: Path, tmp_path: Path) -> None:
    write(scripts / "tool", made_script(POINT, MOVABLE)[1])
    for folder in ("links", "more links"):
        (tmp_path / folder).mkdir()
    (tmp_path / "links" / "first").symlink_to("../an environment/bin/tool")
    (tmp_path / "links" / "second").symlink_to(tmp_path / "links" / "first")
    (tmp_path / "more links" / "third").symlink_to("../links/second")
    done = run(tmp_path / "more links" / "third", "x", cwd=Path("/"))
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith(f"['{tmp_path}/more links/third', 'x']")


@posix
def test_a_script_may_be_started_by_python_itself(scripts: Path) -> None:
    script = write(scripts / "tool", made_script(POINT, MOVABLE)[1])
    done = run(sys.executable, script, "x", PYTHONPATH=str(scripts.parents[1] / "site"))
    assert (done.returncode, done.stderr) == (3, "")


@posix
def test_a_script_above_which_packages_lie_finds_them(tmp_path: Path) -> None:
    write(tmp_path / "moved folder" / "demo.py", PACKAGE.encode())
    name, content = made_script(POINT, FLAT)
    assert content.startswith(b"#!/usr/bin/env python3.11\n")
    script = write(tmp_path / "moved folder" / "bin" / name, content)
    (tmp_path / "link").symlink_to(script)
    done = run(sys.executable, tmp_path / "link", "x", cwd=Path("/"))
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.endswith(f"{tmp_path}/moved folder/demo.py\n")


@posix
def test_such_a_script_finds_what_else_is_on_the_path(tmp_path: Path) -> None:
    """With a safe path, the first place is not the script's folder but what the user names."""
    write(tmp_path / "flat" / "demo.py", b"import other\n" + PACKAGE.encode())
    write(tmp_path / "else" / "other.py", b"")
    script = write(tmp_path / "flat" / "bin" / "tool", made_script(POINT, FLAT)[1])
    done = run(sys.executable, script, PYTHONSAFEPATH="1", PYTHONPATH=str(tmp_path / "else"))
    assert (done.returncode, done.stderr) == (3, "")


@posix
@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (b"#!python\nprint('plain')\n", "plain"),
        (b"#!pythonw\r\nprint('dos')\r\n", "dos"),
        (b"#!python -W error -B\nimport sys; print(sys.flags.dont_write_bytecode, sys.warnoptions)\n", "1 ['error']"),
        ("#!python\n# -*- coding: latin-1 -*-\nprint(ascii('ö'))\n".encode("latin-1"), "'\\xf6'"),
        (b'#!python\n\n# comment\n"""The docstring."""\nprint(__doc__.splitlines()[-1][-14:])\n', "The docstring."),
        (b'#!python\nr"""Raw \\d."""\nfrom __future__ import annotations\nprint("future")\n', "future"),
        (b"#!python\nfrom __future__ import annotations\nprint('future')\n", "future"),
        (b"#!python\nb'''no docstring'''\nprint(2)\n", "2"),
        (b'#!python\r\n\r\n# comment\r\n"""Doc."""\r\nfrom __future__ import annotations\r\nprint(1)\r\n', "1"),
        (b"#!python", ""),
    ],
)
def test_scripts_of_wheels_keep_their_meaning(script: bytes, printed: str, scripts: Path) -> None:
    rewritten = write(scripts / "old", rewritten_script(script, MOVABLE, "demo.whl"))
    done = run(rewritten, cwd=Path("/"))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, printed, "")


@pytest.mark.parametrize("arguments", [b"-c 'import os'", b"$(id)", b'-W"x"', b"`id`", b"\xff", b"; id", b"-X \\"])
def test_arguments_that_a_shell_would_read_are_not_kept(arguments: bytes) -> None:
    with pytest.raises(UnsupportedWheelError, match=r"demo\.whl has a script whose first line cannot be kept"):
        rewritten_script(b"#!python " + arguments + b"\n", MOVABLE, "demo.whl")


def installed(wheel: Path, scheme: Scheme) -> dict[str, bytes]:
    with WheelArchive(wheel, wheel.name) as archive:
        return {i.path: archive.read(i.member) if i.member else i.content for i in install(archive, scheme)}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {
        "demo/__init__.py": PACKAGE,
        "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = demo:App.main\nown = demo:x\n"
        "[gui_scripts]\nwindow = demo:App.main\n",
        "demo-1.0.data/scripts/old": "#!python  -W error\r\nprint('old')\r\n",
        "demo-1.0.data/scripts/named.py": "#!python\n",
        "demo-1.0.data/scripts/shell": "#!/bin/sh\n",
        "demo-1.0.data/scripts/own.exe": b"MZ its own",
        "demo-1.0.data/data/etc/demo.ini": "x",
        "demo-1.0.data/headers/demo.h": "x",
    }
    return make_wheel(tmp_path, "demo", "1.0", files)


def test_a_wheel_on_windows(wheel: Path) -> None:
    tree = installed(wheel, WINDOWS)
    assert {path for path in tree if not path.startswith("Lib/")} == {
        "Include/demo/demo.h",
        "Scripts/named.py",
        "Scripts/old",
        "Scripts/old.exe",
        "Scripts/own.exe",
        "Scripts/shell",
        "Scripts/tool.exe",
        "Scripts/window.exe",
        "etc/demo.ini",
    }
    assert tree["Scripts/own.exe"] == b"MZ its own"
    assert b"#!<launcher_dir>\\python.exe\nPK" in tree["Scripts/tool.exe"]
    assert b"#!<launcher_dir>\\pythonw.exe\nPK" in tree["Scripts/window.exe"]
    assert tree["Scripts/old"].startswith(b"#!/usr/bin/env python  -W error\n")
    assert b"#!<launcher_dir>\\python.exe -W error\nPK" in tree["Scripts/old.exe"]
    record = tree["Lib/site-packages/demo-1.0.dist-info/RECORD"].decode()
    program = tree["Scripts/tool.exe"]
    assert f"../../Scripts/tool.exe,{record_hash(program)},{len(program)}\n" in record
    assert "\\" not in record


def test_a_script_behind_a_launcher_runs_and_is_called_what_it_is(wheel: Path, tmp_path: Path) -> None:
    tree = installed(wheel, WINDOWS)
    write(tmp_path / "site" / "demo.py", PACKAGE.encode())
    program = write(tmp_path / "Tool.EXE", tree["Scripts/tool.exe"])
    done = run(sys.executable, program, "x", PYTHONPATH=str(tmp_path / "site"))
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith(f"[{str(tmp_path / 'Tool')!r}, 'x']")
    script = write(tmp_path / "old.exe", tree["Scripts/old.exe"])
    assert run(sys.executable, script).stdout == "old\n"


def test_a_flat_folder_on_windows_finds_packages_above_its_programs(wheel: Path, tmp_path: Path) -> None:
    flat = Scheme(
        prefix="",
        site_packages="",
        scripts="bin",
        data="",
        headers="include",
        interpreter="/usr/bin/env python",
        lookup="above",
        launchers="win-arm64",
    )
    tree = installed(wheel, flat)
    for path, content in tree.items():
        write(tmp_path / "flat" / path, content)
    done = run(sys.executable, tmp_path / "flat" / "bin" / "tool.exe", "x")
    assert (done.returncode, done.stderr) == (3, "")
    assert str(tmp_path / "flat" / "demo" / "__init__.py") in done.stdout
    with zipfile.ZipFile(io.BytesIO(tree["bin/tool.exe"])) as archive:
        assert archive.namelist() == ["__main__.py"]
    for name in ("tool", "old"):
        assert b"#!/usr/bin/env python\nPK" in tree[f"bin/{name}.exe"]
