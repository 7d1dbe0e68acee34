"""Tells which machine a program runs on, and where a module comes from."""

import platform
import sys
from importlib import import_module
from importlib.metadata import version


def describe(*modules: str) -> dict[str, object]:
    """Describe the machine, the interpreter, and some modules that are compiled."""
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "modules": {name: import_module(name).__file__ for name in modules},
    }


def versions(*distributions: str) -> dict[str, str]:
    """Give the versions of installed distributions."""
    return {name: version(name) for name in distributions}
