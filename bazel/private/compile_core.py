"""Puts bytecode into ``crossdock.pyz``, so that actions need not compile it each time they start.

The bytecode is that of the Python that runs this. One of another release passes over it and reads the source, which
stays beside it ("Compiled Python files", The import system). It is the same on every machine with that Python: run it
with ``-I -S -B -X utf8``, so that neither variables nor installed packages nor the locale count. Since 3.11 the order
of sets in bytecode does not depend on hashes, which differ from run to run.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
import zipfile

#: "Hash-based, unchecked" (PEP 552): nobody compares it with the source, which cannot change inside the zip.
_FLAGS = b"\1\0\0\0"
#: The first time a zip can hold; a time of our own would make other bytes each day.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FIRST_PYTHON = (3, 11)


def main(arguments: list[str]) -> None:
    """Read the first file and write the second."""
    if sys.version_info < _FIRST_PYTHON:
        sys.exit(
            f"error: crossdock needs Python 3.11 or later, this is {sys.version.split()[0]}\n"
            "  hint: register a newer Python toolchain for the machines that run actions; see docs/bazel.md"
        )
    source, out = arguments
    with zipfile.ZipFile(source) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    for name in [name for name in entries if name.endswith(".py")]:
        entries[f"{name}c"] = bytecode(name, entries[name])
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, entries[name])


def bytecode(name: str, text: bytes) -> bytes:
    """Return a module as a ``.pyc`` file has it."""
    code = compile(text, name, "exec", dont_inherit=True, optimize=0)
    return b"".join((importlib.util.MAGIC_NUMBER, _FLAGS, importlib.util.source_hash(text), marshal.dumps(code)))


if __name__ == "__main__":
    main(sys.argv[1:])
