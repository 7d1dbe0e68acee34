"""A project whose environments are built and run: compiled and pure packages, scripts, and code of its own."""

from __future__ import annotations

import base64
import csv
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PROJECT", "check_records"]

PROJECT: Final[Mapping[str, str]] = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shelf"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.2.6", "pydantic==2.11.7", "cryptography==44.0.3", "pygments==2.19.2", "idna==3.10"]

[project.scripts]
shelf = "shelf:main"

[project.gui-scripts]
shelf-window = "shelf:main"
""",
    "src/shelf/__init__.py": """\
import json
import sys
from importlib import resources


def main():
    import numpy
    from cryptography.fernet import Fernet
    from pydantic import BaseModel

    class Book(BaseModel):
        pages: int

    token = Fernet(Fernet.generate_key()).encrypt(b"x")
    answer = [
        sys.prefix,
        sys.argv[1:],
        int(numpy.arange(5).sum()),
        Book(pages="7").pages,
        len(token) > 50,
        (resources.files("shelf") / "text.txt").read_text(),
    ]
    print(json.dumps(answer))
    return 3
""",
    "src/shelf/text.txt": "text",
}


def check_records(site: Path) -> set[Path]:
    """Check every RECORD of an environment against its files, and give all files that they list."""
    listed = set()
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(newline="", encoding="utf-8") as rows:
            for name, hashed, size in csv.reader(rows):
                path = (site / name).resolve()
                listed.add(path)
                if path == record.resolve():
                    assert (hashed, size) == ("", "")
                    continue
                content = path.read_bytes()
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert (hashed, int(size)) == (f"sha256={digest}", len(content)), name
    return listed
