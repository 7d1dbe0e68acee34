"""A project with one dependency, whose wheels each test makes as it likes."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.builds import Command, Outcome, Tiny, blobs, link_cache, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["AMD64", "ARM64", "Probe", "foreign_programs", "make_probe", "native_module"]

AMD64 = "cp311-cp311-manylinux_2_17_x86_64"
ARM64 = "cp311-cp311-manylinux_2_17_aarch64"

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "victim"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["probe==1.0"]

[project.scripts]
victim = "victim:main"

[tool.crossdock]
base = "debian:bookworm"
"""
#: The same in every test, so that the project's own wheel is built once: only the lock differs, in a folder that is not
#: a part of the sources.
DEFAULT_SETTINGS = 'lock = "build/requirements.txt"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A copy of the project, with a cache of its own in which the base's layers and the own wheel are ready.

    Attributes:
        root: Its folder.
        command: ``crossdock`` with that cache.
        output: Where images go; it is not there yet.
        wheels: The folder of wheels that the lock names.
    """

    root: Path
    command: Command
    output: Path
    wheels: Path

    def lock(self, wheels: Sequence[Path], *, sha256: str = "", links: Path | None = None) -> None:
        """Lock the probe to some files, by their hashes or another; they are found by a page, or in their folder."""
        hashes = [sha256 or hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels]
        lines = ["--no-index", f"--find-links {links or self.wheels}", "probe==1.0 \\"]
        listed = " \\\n".join(f"    --hash=sha256:{item}" for item in hashes)
        write_files(self.root, {"build/requirements.txt": "\n".join([*lines, listed]) + "\n"})

    def settings(self, text: str) -> None:
        """Replace ``[tool.crossdock]``."""
        write_files(self.root, {"pyproject.toml": PYPROJECT + text})

    def image(self, *arguments: str) -> Outcome:
        """Build."""
        return self.command.run("image", self.root, "--output", self.output, *arguments)

    def refuse(self, code: int, *words: str, arguments: Sequence[str] = ()) -> str:
        """Build and see it refused as every refusal should be; gives the message.

        Args:
            code: The exit code.
            words: What the message must say.
            arguments: Further arguments of the command.
        """
        before = self._files()
        outcome = self.image(*arguments)
        assert_refused(outcome, code, *words)
        assert not self.output.exists()
        assert list((self.command.cache / "tmp").iterdir()) == []
        assert self._files() == before
        return outcome.stderr

    def new_blobs(self, action: Callable[[], object]) -> set[str]:
        """Tell which blobs something brings into the cache."""
        before = blobs(self.command.cache)
        action()
        return blobs(self.command.cache) - before

    def _files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


def assert_refused(outcome: Outcome, code: int, *words: str) -> None:
    """Check that a run ended with an error as it should look."""
    assert outcome.code == code, outcome.stderr
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    # A build backend's traceback may be told, indented; one of crossdock's own would begin a line.
    assert [line for line in outcome.stderr.splitlines() if line.startswith("Traceback")] == []
    assert [word for word in words if word not in outcome.stderr] == [], outcome.stderr


def make_probe(folder: Path, lock: Path, cache: Path) -> Probe:
    """Write the project with a ``crossdock.lock``, and copy a cache for it."""
    root = write_files(folder / "project", {"src/victim/__init__.py": "def main():\n    print('victim')\n"})
    write_files(root, {"pyproject.toml": PYPROJECT + DEFAULT_SETTINGS})
    shutil.copy(lock, root)
    wheels = folder / "wheels"
    wheels.mkdir()
    return Probe(
        root=root, command=Command(cache=link_cache(cache, folder / "cache")), output=folder / "out", wheels=wheels
    )


def native_module(tiny: Tiny, architecture: str) -> bytes:
    """Give a real extension module for an architecture."""
    with zipfile.ZipFile(tiny.wheels[architecture, "markupsafe"]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".so"))
        return archive.read(name)


def foreign_programs() -> dict[str, bytes]:
    """Give real programs of other systems, by their kind as messages call it."""
    import distlib

    launcher = Path(distlib.__file__).parent / "t64.exe"
    # The header of a bundle for arm64, as dyld reads it: magic, CPU type and subtype, MH_BUNDLE, no load commands.
    bundle = b"".join(number.to_bytes(4, "little") for number in (0xFEEDFACF, 0x0100000C, 0, 8, 0, 0, 0x85, 0))
    return {"PE": launcher.read_bytes(), "Mach-O": bundle + bytes(64)}
