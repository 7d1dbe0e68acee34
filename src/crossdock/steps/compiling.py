"""Finding an interpreter on this machine that compiles bytecode for a target."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import BytecodeError
from crossdock.wheels.bytecode import CompilerSpec, interpreter_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.targets.python import Python

__all__ = ["VARIABLE", "find_compiler"]

#: Names the interpreter, as the setting ``compile-python`` does; it comes before the setting.
VARIABLE = "CROSSDOCK_COMPILE_PYTHON"

#: The magic numbers of released CPythons (CPython, Include/internal/pycore_magic_number.h); previews have others.
_MAGIC = {(3, 9): 3425, (3, 10): 3439, (3, 11): 3495, (3, 12): 3531, (3, 13): 3571, (3, 14): 3627}
_PROBE_SECONDS = 20
_PROBE = """
import importlib.util, json, sys
print(json.dumps({
    "program": sys.executable,
    "implementation": sys.implementation.name,
    "version": list(sys.version_info[:3]),
    "level": sys.version_info[3],
    "free_threaded": "t" in getattr(sys, "abiflags", "") or "free-threading" in sys.version,
    "cache_tag": sys.implementation.cache_tag,
    "magic": importlib.util.MAGIC_NUMBER.hex(),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What an interpreter says of itself."""

    program: str
    implementation: str
    version: tuple[int, int, int]
    level: str
    free_threaded: bool
    cache_tag: str
    magic: str

    @property
    def full_version(self) -> str:
        return ".".join(map(str, self.version))

    def refusal(self, python: Python) -> str:
        """Say why it cannot compile for a target; empty if it can."""
        said = f"it is {self.implementation} {self.full_version}{'t' if self.free_threaded else ''}"
        if (self.implementation, self.version[:2]) != (python.implementation, python.version):
            return said
        if self.free_threaded != python.free_threaded:
            return f"{said}, which is {'' if self.free_threaded else 'not '}free-threaded"
        if self.level != "final":
            return f"{said}, a preview ({self.level})"
        number = int.from_bytes(bytes.fromhex(self.magic)[:2], "little")
        expected = _MAGIC.get(python.version, number)
        if not re.fullmatch(r"[\w.-]+", self.cache_tag):  # it becomes a part of paths
            return f"{said}, built without a name for bytecode (its cache tag is {self.cache_tag!r})"
        if number != expected:
            return f"{said}, yet its bytecode is not that of {python} (magic number {number}, not {expected})"
        return ""


def find_compiler(
    python: Python, *, setting: str | None = None, environ: Mapping[str, str] | None = None, home: Path | None = None
) -> CompilerSpec:
    """Find an interpreter whose bytecode a target's Python reads: its minor version, its kind.

    Where several are found, one of exactly the target's version is taken, else the one running this, else the first
    in the order of the search: PATH, pyenv's, uv's.

    Args:
        python: The target's.
        setting: The program to use, from ``compile-python``.
        environ: Environment variables; None for those of this process.
        home: The user's home folder; None for what the system says.

    Raises:
        BytecodeError: There is none, or the one that is named cannot be used.
    """
    environ = os.environ if environ is None else environ
    if python.implementation != "cpython":
        raise BytecodeError(
            f"There is no bytecode to be had for {python}",
            why="it is compiled for CPython only",
            hint="set compile = false in [tool.crossdock] for this target",
        )
    if named := environ.get(VARIABLE) or setting:
        place = VARIABLE if environ.get(VARIABLE) else "compile-python"
        return _named(named, place, python)
    home = Path.home() if home is None else home
    searched: dict[str, str] = {}
    for candidate in _candidates(python, environ, home):
        searched.setdefault(os.path.realpath(candidate), str(candidate))
    found: list[CompilerSpec] = []
    refused: list[str] = []
    for path in searched.values():
        probed = _probe(path)
        refusal = probed if isinstance(probed, str) else probed.refusal(python)
        if isinstance(probed, str) or refusal:
            refused.append(f"{path}: {refusal}")
            continue
        spec = _spec(probed)
        if probed.full_version == python.full_version:
            return spec
        found.append(spec)
    if found:
        return found[0]
    raise _none(python, refused, environ, home)


def _named(path: str, place: str, python: Python) -> CompilerSpec:
    probed = _probe(path)
    refusal = probed if isinstance(probed, str) else probed.refusal(python)
    if isinstance(probed, str) or refusal:
        raise BytecodeError(
            f"{path}, named by {place}, cannot compile bytecode for {python}",
            why=refusal,
            hint=f"name a {python.command} of this machine, or leave {place} away to have one looked for",
        )
    return _spec(probed)


def _spec(found: _Found) -> CompilerSpec:
    return CompilerSpec(path=found.program, version=found.full_version, magic=found.magic, cache_tag=found.cache_tag)


def _candidates(python: Python, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Give programs that may be the one, in the order they are tried."""
    if sys.executable and sys.version_info[:2] == python.version:
        yield Path(sys.executable)
    names = (python.command, "python3", "python")
    suffix = ".exe" if os.name == "nt" else ""
    # A relative entry of PATH would run what lies in the project.
    folders = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    for name in names:
        yield from (path for folder in folders if _is_program(path := folder / f"{name}{suffix}"))
    for folder, pattern in _managed(environ, home):
        for version in sorted(folder.glob(pattern.format(python.short)), key=_numbers, reverse=True):
            for path in (version / "bin" / python.command, version / "python.exe"):
                if _is_program(path):
                    yield path


def _managed(environ: Mapping[str, str], home: Path) -> Iterator[tuple[Path, str]]:
    """Give the folders in which pyenv and uv keep their interpreters, and how they name them."""
    yield Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions", "{}*"
    if named := environ.get("UV_PYTHON_INSTALL_DIR"):
        folder = Path(named)
    elif os.name == "nt":
        folder = Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "uv" / "data" / "python"
    else:
        folder = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "uv" / "python"
    yield folder, "cpython-{}[.+-]*"


def _numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall("[0-9]{1,9}", folder.name)]


def _is_program(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except OSError:
        return False


def _probe(path: str) -> _Found | str:
    """Ask an interpreter what it is; a text says why it does not tell."""
    try:
        done = subprocess.run(
            [path, "-I", "-S", "-B", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            env=interpreter_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it gave no answer within {_PROBE_SECONDS} seconds"
    except (OSError, ValueError) as error:
        return f"it cannot be started ({getattr(error, 'strerror', None) or error})"
    try:
        said = json.loads(done.stdout)
        return _Found(
            # What pyenv puts on PATH chooses anew each time it is called.
            program=str(said["program"] or path),
            implementation=str(said["implementation"]),
            version=(int(said["version"][0]), int(said["version"][1]), int(said["version"][2])),
            level=str(said["level"]),
            free_threaded=said["free_threaded"] is True,
            cache_tag=str(said["cache_tag"] or ""),
            magic=bytes.fromhex(said["magic"]).hex(),
        )
    except (ValueError, LookupError, TypeError):
        return "it does not answer as a Python 3 does"


def _none(python: Python, refused: list[str], environ: Mapping[str, str], home: Path) -> BytecodeError:
    managed = ", ".join(str(folder) for folder, _ in _managed(environ, home))
    looked = f"{python.command} was looked for on PATH and in {managed}"
    return BytecodeError(
        f"compile is set, and there is no {python.command} on this machine to compile bytecode with",
        why="\n    ".join([looked, *refused]),
        hint=f"install one, as with `uv python install {python.short}{'t' if python.free_threaded else ''}`; "
        f"or name it in compile-python or {VARIABLE}; or set compile = false",
    )
