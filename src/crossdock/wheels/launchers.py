"""Programs that start scripts on Windows: a ready-made stub, a shebang line, and a zip archive with the script.

The stubs are those of distlib and pip, built for each machine from "simple_launcher", as the library ``installer``
carries them. A stub reads the line before the archive in its own file, and runs the interpreter named there with its
own path and its arguments; Python then runs the archive's ``__main__.py``.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from crossdock.errors import LauncherError
from crossdock.wheels.member import STORED
from crossdock.wheels.zipwriter import ZipWriter

if TYPE_CHECKING:
    from typing import Literal

    from crossdock.wheels.scheme import Launchers

__all__ = ["BESIDE", "launcher", "windowed"]

#: What a stub takes for the folder it is in, at the beginning of its shebang.
BESIDE: Final = "<launcher_dir>\\"
#: SHA-256 of each stub whose bytes are ours: another release of ``installer`` may bring others.
_STUBS: Final[dict[tuple[str, str], str]] = {
    ("console", "win-ia32"): "6b4195e640a85ac32eb6f9628822a622057df1e459df7c17a12f97aeabc9415b",
    ("console", "win-amd64"): "81a618f21cb87db9076134e70388b6e9cb7c2106739011b6a51772d22cae06b7",
    ("console", "win-arm64"): "ebc4c06b7d95e74e315419ee7e88e1d0f71e9e9477538c00a93a9ff8c66a6cfc",
    ("gui", "win-ia32"): "47872cc77f8e18cf642f868f23340a468e537e64521d9a3a416c8b84384d064b",
    ("gui", "win-amd64"): "7a319ffaba23a017d7b1e18ba726ba6c54c53d6446db55f92af53c279894f8ad",
    ("gui", "win-arm64"): "c5dc9884a8f458371550e09bd396e5418bf375820a31b9899f6499bf391c7b2e",
}
#: A stub reads its shebang into a buffer of MAX_PATH (260) bytes, and the path of the interpreter into another.
_LONGEST_SHEBANG: Final = 250
_MARK: Final = "crossdock-cuts-here.exe"


def launcher(kind: Launchers, interpreter: str, source: bytes, *, gui: bool = False, arguments: str = "") -> bytes:
    """Give a program for Windows that runs a Python script.

    Args:
        kind: For which machine.
        interpreter: Path of the Python that runs it, behind `BESIDE` relative to the program's own folder; or
            ``/usr/bin/env NAME``, which is looked for on PATH.
        source: The script.
        gui: Whether it has no console.
        arguments: For the interpreter, ahead of the script.

    Raises:
        LauncherError: There is no stub of that kind, or it cannot find that interpreter.
    """
    return b"".join((_stub(kind, "gui" if gui else "console"), _shebang(interpreter, arguments), _archive(source)))


def windowed(interpreter: str) -> str:
    r"""Give the path of the Python without a console that lies beside one: ``C:\Python\pythonw.exe``."""
    folder, separator, name = interpreter.rpartition("\\")
    if name.lower().startswith("python") and not name.lower().startswith("pythonw"):
        return f"{folder}{separator}{name[:6]}w{name[6:]}"
    return interpreter


def _shebang(interpreter: str, arguments: str) -> bytes:
    outside = not interpreter.startswith((BESIDE, "/usr/bin/env "))
    program = f'"{interpreter}"' if outside and " " in interpreter else interpreter
    line = f"#!{program} {arguments}".rstrip().encode() + b"\n"
    # The stub looks for the last "#!" before the archive, and for the last ".exe" that ends a word.
    if len(line) > _LONGEST_SHEBANG or "#!" in interpreter or any(char in interpreter for char in '"\r\n\0'):
        raise LauncherError(
            f"a launcher for Windows cannot find the interpreter {interpreter[:300]!r}",
            why=f"it reads one line of at most {_LONGEST_SHEBANG} bytes, without quotes",
            hint="name a shorter path",
        )
    return line


def _archive(source: bytes) -> bytes:
    out = io.BytesIO()
    archive = ZipWriter(out.write)
    size = len(source)
    archive.begin("__main__.py", method=STORED, crc=zlib.crc32(source), compressed=size, size=size, executable=False)
    archive.data(source)
    archive.finish()
    return out.getvalue()


@lru_cache(maxsize=len(_STUBS))
def _stub(kind: Launchers, section: Literal["console", "gui"]) -> bytes:
    """Take the stub out of a program that ``installer`` makes.

    Raises:
        LauncherError: The library makes none of that kind, or another than the one that is known.
    """
    from installer.scripts import InvalidScript, Script

    try:
        _, program = Script("x", "x", "x", section).generate(_MARK, kind)
    except InvalidScript:
        program = b""
    stub, found, _ = program.partition(f"#!{_MARK}\n".encode())
    if not found or hashlib.sha256(stub).hexdigest() != _STUBS.get((section, kind)):
        raise LauncherError(
            f"there is no launcher of the kind {kind} ({section})",
            why="the installed release of the library installer has none, or another one, which would give other bytes",
            hint="install crossdock anew, with the release of installer it asks for",
        )
    return stub
