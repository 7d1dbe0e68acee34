"""Finds out where the process runs and what is installed there."""

import os
import platform
import re
import sys
from functools import cache
from importlib.metadata import Distribution, distributions

import numpy as np

from hello_fastapi.models import Compiled, Machine

_COMPILED_FILE = re.compile(r"\.(so(\.\d+)*|pyd|dylib|dll)$")


@cache
def describe() -> Machine:
    """Describe this process; none of it can change while it runs, so the work is done once."""
    installed = {_normalized(found): found for found in distributions()}
    compiled = {name: _compiled_files(found) for name, found in installed.items()}
    return Machine(
        machine=platform.machine(),
        python=platform.python_version(),
        executable=sys.executable,
        libc=" ".join(platform.libc_ver()).strip(),
        uid=os.getuid() if sys.platform != "win32" else None,
        norm=float(np.linalg.norm(np.array([3.0, 4.0]))),
        compiled={
            name: Compiled(version=installed[name].version, files=files)
            for name, files in sorted(compiled.items())
            if files
        },
        distributions={name: found.version for name, found in sorted(installed.items())},
    )


def _normalized(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", distribution.name).lower()


def _compiled_files(distribution: Distribution) -> list[str]:
    return sorted(
        str(distribution.locate_file(path)) for path in distribution.files or [] if _COMPILED_FILE.search(path.name)
    )
