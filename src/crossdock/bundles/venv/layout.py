r"""What an environment consists of besides packages (PEP 405), as a function of its target.

It is what CPython's module ``venv`` makes there, but for two things: nothing in it depends on where it lies, and on
Windows, where ``python.exe`` cannot be a link and the real one of an environment comes with Python, it is a launcher.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from crossdock.bundles.venv.interpreter import check_interpreter, default_interpreter
from crossdock.errors import LauncherError, UsageError
from crossdock.layers.entry import Entry, directory, file, symlink
from crossdock.wheels.launchers import launcher, windowed
from crossdock.wheels.scheme import LAUNCHERS, Scheme, flat

if TYPE_CHECKING:
    from crossdock.targets import Python, Target

__all__ = ["Layout", "check_prompt", "environment", "folder"]

_PROMPT: Final = re.compile(r"[\w .,:@/+()-]{1,100}", re.ASCII)
#: Without the user's settings, without site-packages: it starts another Python and nothing else.
_BARE: Final = "-I -S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is written, beside packages.

    Attributes:
        scheme: Where packages go.
        entries: Folders, links and files, parents first.
        os: Whose rules for names apply, by OCI's name of the system.
    """

    scheme: Scheme
    entries: tuple[Entry, ...]
    os: str


def environment(target: Target, *, interpreter: str | None = None, prompt: str) -> Layout:
    """Give the layout of a virtual environment.

    Args:
        target: The machine and the Python it is for.
        interpreter: Path of the Python there; None for the usual one.
        prompt: What the shell shows while the environment is active.

    Raises:
        UsageError: The interpreter's path, or the prompt, cannot be one.
        LauncherError: There is no launcher for the target.
    """
    path = default_interpreter(target) if interpreter is None else check_interpreter(interpreter, target)
    check_prompt(prompt)
    if target.platform.os == "windows":
        return _windows(target, path, prompt)
    return _posix(target, path, prompt)


def folder(target: Target, *, interpreter: str | None = None) -> Layout:
    """Give the layout of a folder for ``sys.path``, as ``pip install --target`` fills it.

    Args:
        target: The machine and the Python it is for.
        interpreter: Path of the Python that scripts run on; None for the one that is found first there.

    Raises:
        UsageError: The interpreter's path cannot be one.
    """
    windows = target.platform.os == "windows"
    if interpreter is None:
        path = f"/usr/bin/env {'python' if windows else target.python.command}"
    else:
        path = check_interpreter(interpreter, target, shebang=not windows)
    launchers = LAUNCHERS[target.platform.arch] if windows else None
    scheme = replace(flat(), interpreter=path, lookup="above", launchers=launchers)
    return Layout(scheme=scheme, entries=(), os=target.platform.os)


def check_prompt(prompt: str) -> None:
    """Refuse what five shells would read in five ways.

    Raises:
        UsageError: It is empty, too long, or holds other characters.
    """
    if not _PROMPT.fullmatch(prompt) or not prompt.strip():
        raise UsageError(
            f"--prompt cannot be {prompt[:200]!r}", hint="use letters, digits, spaces and . , : @ / + - _ ( )"
        )


def _posix(target: Target, interpreter: str, prompt: str) -> Layout:
    python = target.python
    library = f"lib/{python.command}"
    scheme = Scheme(
        prefix="",
        site_packages=f"{library}/site-packages",
        scripts="bin",
        data="",
        headers=f"include/site/python{python.short}",
        interpreter="python",
        lookup="beside",
    )
    # As CPython's venv does: some distributions of Linux look for compiled modules in lib64.
    wide = target.platform.os == "linux" and target.platform.bits == 64
    entries = (
        directory("bin"),
        directory("include"),
        directory(f"include/{python.command}"),
        directory("lib"),
        directory(library),
        directory(scheme.site_packages),
        *([symlink("lib64", "lib")] if wide else []),
        *(symlink(f"bin/{name}", to) for name, to in _links(python, interpreter).items()),
        *_activation(("activate", "activate.fish", "activate.csh", "Activate.ps1"), "bin", prompt),
        _config(interpreter.rpartition("/")[0] or "/", python, prompt),
    )
    return Layout(scheme=scheme, entries=entries, os=target.platform.os)


def _links(python: Python, interpreter: str) -> dict[str, str]:
    """Give the names of the interpreter and where each points: the first to the real one, the others to that."""
    names = ["python3", f"python{python.short}", python.command]
    if python.implementation == "pypy":
        names += ["pypy", "pypy3"]
    return {"python": interpreter, **dict.fromkeys(names, "python")}


def _windows(target: Target, interpreter: str, prompt: str) -> Layout:
    if target.python.implementation == "pypy":
        raise LauncherError(
            f"no environment can be made for {target}",
            why="there is no way to tell PyPy on Windows that it is in one but to copy its program and its libraries",
            hint="take --layout flat, and make the environment itself there",
        )
    kind = LAUNCHERS[target.platform.arch]
    scheme = Scheme(
        prefix="",
        site_packages="Lib/site-packages",
        scripts="Scripts",
        data="",
        headers=f"Include/site/python{target.python.short}",
        interpreter="python.exe",
        lookup="beside",
        launchers=kind,
    )
    source = files(__package__).joinpath("redirector.py").read_bytes().replace(b"\r\n", b"\n")
    entries = (
        directory("Include"),
        directory("Lib"),
        directory("Lib/site-packages"),
        directory("Scripts"),
        *_activation(("activate", "activate.bat", "deactivate.bat", "Activate.ps1"), "Scripts", prompt),
        file("Scripts/python.exe", launcher(kind, interpreter, source, arguments=_BARE), mode=0o755),
        file(
            "Scripts/pythonw.exe", launcher(kind, windowed(interpreter), source, gui=True, arguments=_BARE), mode=0o755
        ),
        _config(interpreter.rpartition("\\")[0], target.python, prompt),
    )
    return Layout(scheme=scheme, entries=entries, os="windows")


def _config(home: str, python: Python, prompt: str) -> Entry:
    """Give ``pyvenv.cfg`` (PEP 405); uv keeps scripts movable in an environment that says it is."""
    lines = (
        f"home = {home}",
        f"implementation = {'PyPy' if python.implementation == 'pypy' else 'CPython'}",
        f"version = {python.full_version}",
        "include-system-site-packages = false",
        "relocatable = true",
        f"prompt = {prompt}",
        "",
    )
    return file("pyvenv.cfg", "\n".join(lines).encode())


def _activation(names: tuple[str, ...], scripts: str, prompt: str) -> list[Entry]:
    texts = files(__package__).joinpath("activate")
    entries = []
    for name in names:
        text = texts.joinpath(name).read_text(encoding="utf-8")
        text = text.replace("@BIN@", scripts).replace("@PROMPT@", prompt)
        # cmd.exe reads lines as Windows writes them.
        entries.append(
            file(f"{scripts}/{name}", text.replace("\n", "\r\n" if name.endswith(".bat") else "\n").encode())
        )
    return entries
