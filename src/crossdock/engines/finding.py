"""Which container engine runs here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from crossdock.engines.programs import find_program
from crossdock.errors import EngineLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crossdock.engines.model import Engine

__all__ = ["ENGINES", "find_engine"]


def _docker(program: str, environ: Mapping[str, str]) -> Engine:
    from crossdock.engines.docker import Docker

    return Docker.connect(program, environ)


def _podman(program: str, environ: Mapping[str, str]) -> Engine:
    from crossdock.engines.podman import Podman

    return Podman.connect(program, environ)


def _ctr(program: str, environ: Mapping[str, str]) -> Engine:
    from crossdock.engines.containerd import Containerd

    return Containerd.connect(program, "ctr", environ)


def _nerdctl(program: str, environ: Mapping[str, str]) -> Engine:
    from crossdock.engines.containerd import Containerd

    return Containerd.connect(program, "nerdctl", environ)


_COMMANDS: Final[Mapping[str, Mapping[str, Callable[[str, Mapping[str, str]], Engine]]]] = {
    "docker": {"docker": _docker},
    "podman": {"podman": _podman},
    "containerd": {"ctr": _ctr, "nerdctl": _nerdctl},
}
ENGINES: Final = tuple(_COMMANDS)
"""Their names, in the order in which they are looked for."""


def find_engine(name: str | None = None, environ: Mapping[str, str] = os.environ) -> Engine:
    """Give the engine of that name, or the first of `ENGINES` that runs; one runs if it answers.

    Args:
        name: How users call it; None or empty for whichever runs.
        environ: Where commands and their settings are looked up.

    Raises:
        EngineLoadError: It does not run, or none does; with what each said.
    """
    if name and name not in _COMMANDS:
        raise EngineLoadError(f"{name[:80]!r} is not a known engine", hint=f"there are {', '.join(ENGINES)}")
    told = []
    for engine in [name] if name else ENGINES:
        for command, connect in _COMMANDS[engine].items():
            program = find_program(command, environ)
            if program is None:
                told.append(f"{command} is not installed")
                continue
            try:
                return connect(program, environ)
            except EngineLoadError as error:
                told.append(f"{command}: {error.what}")
    raise EngineLoadError(
        f"{name} does not run here" if name else "no container engine runs here",
        why="; ".join(told),
        hint=f"start {name or 'docker, podman or containerd'}, or write the image to a file with --output",
    )
