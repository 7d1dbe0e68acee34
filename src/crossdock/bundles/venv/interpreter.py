"""Where the Python is that an environment belongs to, on the machine it is for."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Final

from crossdock.errors import UsageError

if TYPE_CHECKING:
    from crossdock.targets import Python, Target

__all__ = ["check_interpreter", "default_interpreter"]

#: What the installers of python.org add to the folder's name; a Python of 32 bits lies among other such programs.
_WINDOWS: Final = {
    "amd64": ("C:\\Program Files", ""),
    "arm64": ("C:\\Program Files", "-arm64"),
    "386": ("C:\\Program Files (x86)", "-32"),
}

#: What every system takes: macOS at most 1,024 bytes. Of a shebang, Linux before 5.1 reads 127 bytes, with its "#!".
_LONGEST: Final = 1000
_LONGEST_SHEBANG: Final = 125


def default_interpreter(target: Target) -> str:
    """Give the path where a target most likely has its Python.

    Distributions of Linux have it in ``/usr/bin``; macOS and Windows where the installers of python.org put it for all
    users.
    """
    python = target.python
    if target.platform.os == "windows":
        programs, suffix = _WINDOWS[target.platform.arch]
        name = f"python{python.short}t.exe" if python.free_threaded else "python.exe"
        return f"{programs}\\Python{python.version[0]}{python.version[1]}{suffix}\\{name}"
    if target.platform.os == "darwin" and python.implementation == "cpython":
        return f"{_framework(python)}/bin/{python.command}"
    return f"/usr/bin/{python.command}"


def _framework(python: Python) -> str:
    name = "PythonT" if python.free_threaded else "Python"
    return f"/Library/Frameworks/{name}.framework/Versions/{python.short}"


def check_interpreter(path: str, target: Target, *, shebang: bool = False) -> str:
    """Refuse a path that cannot be one of an interpreter there.

    Args:
        path: The path.
        target: The machine.
        shebang: Whether scripts begin with it.

    Raises:
        UsageError: It is not absolute, or holds what no path, or no first line of a script, does.
    """
    windows = target.platform.os == "windows"
    if not path.isprintable() or len(path.encode()) > _LONGEST or any(c in path for c in ('"<>|?*' if windows else "")):
        raise UsageError(f"--interpreter {path[:200]!r} is not a path")
    if shebang and (" " in path or len(path.encode()) > _LONGEST_SHEBANG):
        raise UsageError(
            f"--interpreter {path[:200]!r} cannot be in the first line of a script",
            why=f"systems read it up to the first space, and no more than {_LONGEST_SHEBANG} bytes",
            hint="name a link to it, or do without, for the first one on PATH",
        )
    if windows:
        wanted = PureWindowsPath(path)
        whole = bool(wanted.drive) and bool(wanted.root) and wanted.suffix.lower() == ".exe"
        example = "C:\\Python313\\python.exe"
        path = str(wanted)
    else:
        whole = path.startswith("/") and not path.endswith("/")
        example = f"/opt/python/bin/{target.python.command}"
    if not whole:
        raise UsageError(
            f"--interpreter {path[:200]!r} is not where a Python can be on {target.platform}",
            why="the environment names its Python by an absolute path"
            + (", which ends in .exe" if windows else "")
            + "; it need not exist here",
            hint=f"write for example {example}",
        )
    return path
