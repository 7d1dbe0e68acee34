"""A Python that an image brings itself, as ``crossdock.lock`` keeps it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from crossdock.errors import LockfileError
from crossdock.lockfile.facts import check_python, parse_two_numbers, two_numbers
from crossdock.lockfile.reading import check_keys, checked, value
from crossdock.targets.platform import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LockedInterpreter", "check_locked_interpreter", "interpreter_from_table", "interpreter_to_table"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CREDENTIALS = re.compile(r"[a-z+]+://[^/]*@", re.IGNORECASE)
_LONGEST_NAME = 4096
_LARGEST = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedInterpreter:
    """The archive of a standalone Python for one architecture, and what was read in it.

    Attributes:
        name: As in the configuration: URL or path of the archive, without credentials.
        architecture: OCI's name, such as ``arm64``.
        sha256: Of the archive, in hex.
        size: Bytes of the archive.
        python_version: Full version, such as ``3.12.8``.
        python_path: Absolute path of the interpreter in the image.
        libc: The C library it is linked to.
        libc_version: The oldest one it runs with; (0, 0) where it needs no version, as musl's symbols have none.
    """

    name: str
    architecture: str
    sha256: str
    size: int
    python_version: str
    python_path: str
    libc: Literal["glibc", "musl"]
    libc_version: tuple[int, int]

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others in a file."""
        return self.name, self.architecture


def interpreter_to_table(item: LockedInterpreter) -> dict[str, Any]:
    """Give an interpreter as a table of plain values."""
    return {
        "name": item.name,
        "architecture": item.architecture,
        "sha256": item.sha256,
        "size": item.size,
        "python-version": item.python_version,
        "python-path": item.python_path,
        "libc": item.libc,
        "libc-version": two_numbers(item.libc_version),
    }


def interpreter_from_table(data: Mapping[str, Any], origin: str) -> LockedInterpreter:
    """Read an interpreter, strictly.

    Raises:
        LockfileError: A field is missing, unknown or malformed.
    """
    texts = ("name", "architecture", "sha256", "python-version", "python-path", "libc")
    check_keys(data, {*texts, "size", "libc-version"}, origin)
    fields = {key.replace("-", "_"): value(data, key, str, origin) for key in texts}
    item = LockedInterpreter(
        size=value(data, "size", int, origin),
        libc_version=parse_two_numbers(value(data, "libc-version", str, origin), origin),
        **fields,
    )
    checked(check_locked_interpreter, item, origin)
    return item


def check_locked_interpreter(item: LockedInterpreter) -> None:
    """Check the form of every field.

    Raises:
        LockfileError: A field is malformed.
    """
    if _CREDENTIALS.match(item.name):  # which no message may show
        raise LockfileError("the name of an interpreter holds credentials")
    checks = {
        "name": 0 < len(item.name) <= _LONGEST_NAME and item.name.isprintable(),
        "architecture": item.architecture in ARCHITECTURES,
        "sha256": _SHA256.fullmatch(item.sha256),
        "size": 0 < item.size <= _LARGEST,
        "libc": item.libc in {"glibc", "musl"},
    }
    for field, good in checks.items():
        if not good:
            raise LockfileError(f"interpreter {item.name[:200]}: bad {field} {str(getattr(item, field))[:200]!r}")
    check_python(item.python_version, item.python_path)
