"""Wheels and files for the commands of bundles, which run in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.wheelmaker import make_wheel
from tests.unit.steps.sampleplan import elf

from crossdock.bazel.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["MACHINES", "Bundles", "fast", "helper"]

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def helper(folder: Path) -> Path:
    """A wheel for every machine, with a script."""
    files = {
        "helper.py": "NAME = 'helper'\ndef tool():\n    print('tool')\n",
        "helper-1.0.data/data/share/helper.txt": "data\n",
    }
    return make_wheel(folder, "helper", "1.0", files, entry_points={"helper-tool": "helper:tool"})


def fast(folder: Path, architecture: str) -> Path:
    """A wheel for one machine."""
    files: dict[str, str | bytes] = {
        "fast/__init__.py": "",
        "fast/core.cpython-311-" + MACHINES[architecture] + "-linux-gnu.so": elf(architecture),
    }
    return make_wheel(folder, "fast", "1.0", files, tag=f"cp311-cp311-manylinux_2_17_{MACHINES[architecture]}")


@dataclass(frozen=True, slots=True)
class Bundles:
    """A folder in which commands run."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: object, code: int = 0) -> tuple[str, str]:
        """Run a command, which has to end with that exit code; gives what it printed, and its messages."""
        ended = main(list(map(str, arguments)))
        out, err = self.capture.readouterr()
        assert ended == code, err
        return out, err

    def file(self, path: str, text: str | bytes = "") -> Path:
        """Write a file."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        return place

    def rows(self, **files: str) -> list[str]:
        """Write files, and give the arguments that name them: ``_main/a__b_py`` is ``_main/a/b.py``."""
        found = []
        for name, text in files.items():
            path = name.replace("__", "/").replace("_py", ".py").replace("_txt", ".txt")
            found += ["--file", f"_main/{path}\t{self.file(f'src/{path}', text)}"]
        return found
