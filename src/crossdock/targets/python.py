"""Which Python a target runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from crossdock.errors import UnknownTargetError

__all__ = ["Python", "parse_python"]


# uv may write a version in full, as in cpython-3.11.2-linux-x86_64-gnu; what is behind it is the host's.
_VERSION = re.compile(r"(?:cpython-?)?(3)\.(\d{1,2})(?:\.(\d{1,3})((?:a|b|rc)\d+)?)?(?:-\w+-\w+-\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """A Python implementation, its version and its ABI.

    Attributes:
        implementation: As ``sys.implementation.name`` spells it.
        version: (major, minor).
        full_version: As ``platform.python_version()`` prints it, such as ``3.11.2``.
        abi: ABI tag of extension modules (PEP 425), such as ``cp311``.
    """

    implementation: Literal["cpython"] = "cpython"
    version: tuple[int, int]
    full_version: str
    abi: str

    @property
    def short(self) -> str:
        """``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"

    def __str__(self) -> str:
        return f"cpython {self.full_version}"


def parse_python(text: str) -> Python:
    """Read a version such as ``3.11`` or ``3.11.2``.

    With two numbers only, markers see the first release of that series (``3.11.0``), as
    ``requires-python`` and ``python_full_version`` need three.

    Raises:
        UnknownTargetError: It is not a version of CPython 3.
    """
    match = re.fullmatch(
        r"(?:cpython-?)?(3)\.(\d{1,2})(?:\.(\d{1,3})((?:a|b|rc)\d+)?)?(?:-\w+-\w+-\w+)?", text.strip().lower()
    )
    if match is None:
        raise UnknownTargetError(
            f"Unknown Python {text!r}",
            why="it is not a version of CPython 3",
            hint="write 3.11, or in full 3.11.2",
        )
    major, minor = int(match[1]), int(match[2])
    full = f"{major}.{minor}.{match[3] or 0}{match[4] or ''}"
    return Python(version=(major, minor), full_version=full, abi=f"cp{major}{minor}")
