"""Programs for Windows that start scripts: real PE files with a shebang and an archive behind them."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Literal

import pytest
from installer.scripts import Script

from crossdock.errors import LauncherError
from crossdock.headers.pe import pe_offset, read_pe
from crossdock.wheels import launchers
from crossdock.wheels.launchers import BESIDE, launcher, windowed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.wheels.scheme import Launchers

SOURCE = b"import sys\nprint('ran', *sys.argv[1:])\n"
KINDS: dict[Launchers, str] = {"win-amd64": "x86-64", "win-arm64": "aarch64", "win-ia32": "i386"}
#: PE's subsystems (Optional Header, Windows-Specific Fields).
CONSOLE, WINDOW = 3, 2


def subsystem(program: bytes) -> int:
    return int.from_bytes(program[(pe_offset(program) or 0) + 24 + 68 :][:2], "little")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gui", [False, True])
def test_a_launcher_is_a_program_for_its_machine_with_or_without_a_console(kind: Launchers, gui: bool) -> None:
    program = launcher(kind, BESIDE + "python.exe", SOURCE, gui=gui)
    header = read_pe(program[pe_offset(program) :])
    assert header is not None
    assert (header.machine_name, header.managed) == (KINDS[kind], False)
    assert subsystem(program) == (WINDOW if gui else CONSOLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("section", ["console", "gui"])
def test_the_stub_is_that_of_the_library_to_the_last_byte(kind: Launchers, section: Literal["console", "gui"]) -> None:
    ours = launcher(kind, "C:\\python.exe", SOURCE, gui=section == "gui")
    _, theirs = Script("x", "x", "x", section).generate("C:\\python.exe", kind)
    stub = theirs[: theirs.rindex(b"#!")]
    assert len(stub) > 90_000
    assert ours.startswith(stub + b"#!C:\\python.exe\n")


def test_the_archive_holds_the_script_and_depends_on_nothing_else() -> None:
    program = launcher("win-amd64", BESIDE + "python.exe", SOURCE)
    _, line, archive = program.rpartition(b"#!<launcher_dir>\\python.exe\n")
    assert line
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        (member,) = opened.infolist()
        assert (member.filename, member.date_time[:3], opened.read(member)) == ("__main__.py", (1980, 1, 1), SOURCE)
    # The stub finds its shebang by going back from the archive's end by the offsets in there.
    assert archive.startswith(b"PK\3\4")


def test_python_runs_what_is_behind_the_stub(tmp_path: Path) -> None:
    path = tmp_path / "tool.exe"
    path.write_bytes(launcher("win-arm64", BESIDE + "python.exe", SOURCE))
    done = subprocess.run([sys.executable, path, "a b", "c"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("ran a b c\n", "")


@pytest.mark.parametrize(
    ("interpreter", "arguments", "line"),
    [
        ("C:\\Python313\\python.exe", "", b"#!C:\\Python313\\python.exe\n"),
        ("C:\\Program Files\\Python\\python.exe", "-I -S", b'#!"C:\\Program Files\\Python\\python.exe" -I -S\n'),
        ("/usr/bin/env python", "", b"#!/usr/bin/env python\n"),
        ("C:\\Größe\\python.exe", "", "#!C:\\Größe\\python.exe\n".encode()),
    ],
)
def test_the_line_that_names_the_interpreter(interpreter: str, arguments: str, line: bytes) -> None:
    program = launcher("win-amd64", interpreter, SOURCE, arguments=arguments)
    assert program[program.rindex(b"#!") :].startswith(line + b"PK\3\4")


@pytest.mark.parametrize(
    "interpreter", ["C:\\" + "x" * 260 + ".exe", 'C:\\a"b.exe', "C:\\#!\\python.exe", "C:\\a\nb.exe"]
)
def test_an_interpreter_that_a_launcher_cannot_find_is_an_error(interpreter: str) -> None:
    with pytest.raises(LauncherError, match="cannot find the interpreter"):
        launcher("win-amd64", interpreter, SOURCE)


@pytest.mark.parametrize(
    ("interpreter", "without_console"),
    [
        ("C:\\Python\\python.exe", "C:\\Python\\pythonw.exe"),
        ("C:\\Python\\python3.13t.exe", "C:\\Python\\pythonw3.13t.exe"),
        ("<launcher_dir>\\python.exe", "<launcher_dir>\\pythonw.exe"),
        ("C:\\python\\pythonw.exe", "C:\\python\\pythonw.exe"),
        ("C:\\python\\other.exe", "C:\\python\\other.exe"),
        ("/usr/bin/env python", "/usr/bin/env python"),
    ],
)
def test_the_interpreter_without_a_console(interpreter: str, without_console: str) -> None:
    assert windowed(interpreter) == without_console


@pytest.fixture
def other_stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A release of the library that carries another stub."""
    generate = Script.generate

    def changed(self: Script, executable: str, kind: Launchers) -> tuple[str, bytes]:
        name, program = generate(self, executable, kind)
        return name, program.replace(b"MZ", b"MY", 1)

    monkeypatch.setattr(Script, "generate", changed)
    launchers._stub.cache_clear()
    yield
    launchers._stub.cache_clear()


@pytest.mark.usefixtures("other_stub")
def test_a_stub_that_is_not_known_is_an_error_as_it_would_give_other_bytes() -> None:
    with pytest.raises(LauncherError, match=r"no launcher of the kind win-amd64 \(console\)") as error:
        launcher("win-amd64", BESIDE + "python.exe", SOURCE)
    assert "installer" in error.value.hint


def test_a_kind_that_the_library_does_not_have_is_an_error() -> None:
    with pytest.raises(LauncherError, match="no launcher of the kind win-mips"):
        launcher("win-mips", "C:\\python.exe", SOURCE)  # type: ignore[arg-type]
