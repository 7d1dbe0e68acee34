"""Small bases and wheels, and the commands that make images of them, run in this process."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.baselayers import glibc, program, raw_tar
from tests.support.basemaker import Layer, LayoutMaker
from tests.support.elffiles import build_elf

from crossdock.bazel.main import main
from crossdock.layers.entry import Entry, directory, symlink

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pytest

__all__ = ["LOADERS", "MACHINES", "Work", "base_layout", "lock", "lock_at", "members", "program_for", "settle"]

MACHINES = {"amd64": 62, "arm64": 183}  # ELF's e_machine
LOADERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}


def base_layout(folder: Path, *, python: str = "3.11.2") -> Path:
    """Make an OCI layout of a base for both architectures: glibc 2.36, a user, and perhaps a Python in a layer."""
    maker = LayoutMaker(folder)
    entries = []
    for architecture in MACHINES:
        layers = [Layer(raw_tar(*_system(architecture)))]
        if python:
            layers.append(Layer(raw_tar(*_python(architecture, python))))
        config = {"Env": ["PATH=/usr/bin", "LEVEL=base"], "User": "1000:1000", "Labels": {"of": "base"}}
        entries.append(maker.image(architecture, *layers, config=config))
    return maker.finish(maker.index(*entries))


def _system(architecture: str) -> Iterable[Entry]:
    loader = LOADERS[architecture].lstrip("/")
    yield directory(loader.rpartition("/")[0])
    yield program(loader, architecture)
    yield directory("usr")
    yield directory("usr/lib")
    yield glibc("usr/lib/libc.so.6", "2.36", architecture)


def _python(architecture: str, version: str) -> Iterable[Entry]:
    short = version.rpartition(".")[0]
    content = f"\0{version}\0".encode()
    yield program(f"usr/bin/python{short}", architecture, interpreter=LOADERS[architecture], content=content)
    yield symlink("usr/bin/python3", f"python{short}")


def lock(project: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Path:
    """Write a project's pyproject.toml and lock its base, as users do; gives its crossdock.lock."""
    from crossdock.cli.main import main as crossdock

    settle(project, cache, monkeypatch, **settings)
    assert crossdock(["lock", str(project), "-q"]) == 0
    return project / "crossdock.lock"


def settle(project: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Write a project's pyproject.toml, and give it a cache."""
    monkeypatch.setenv("CROSSDOCK_CACHE", str(cache))
    listed = "".join(f"{key} = {value}\n" for key, value in {"base": '"oci:base"', **settings}.items())
    (project / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "1.0"\nrequires-python = ">=3.11"\n[tool.crossdock]\n' + listed
    )


def lock_at(project: Path, platforms: Iterable[str]) -> Path:
    """Lock a base that has no Python, which the command line refuses after it did."""
    from crossdock.choosing.basing import Bases
    from crossdock.projects.project import load_project
    from crossdock.services import Services
    from crossdock.store import Store
    from crossdock.targets import parse_target

    loaded = load_project(project)
    bases = Bases(loaded, loaded.config.base or "", Services(store=Store.default()))
    bases.take([parse_target(platform) for platform in platforms], locked=False)
    return bases.path


def members(layer: Path) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Read a layer with Python's own tools."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.read_bytes()))) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            found[member.name] = (member, file.read() if file is not None else b"")
        return found


def program_for(architecture: str) -> bytes:
    """Make a program that needs nothing, as Go's linker makes them."""
    return bytes(build_elf(machine=MACHINES[architecture]).data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A folder in which commands run.

    Attributes:
        folder: Where everything is.
        base: What ``base`` wrote, by architecture.
        capture: Takes what is written to stderr.
    """

    folder: Path
    base: Mapping[str, Path]
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str | Path, code: int = 0) -> str:
        """Run a command, which has to end with that exit code; gives what it wrote to stderr."""
        ended = main(list(map(str, arguments)))
        said = self.capture.readouterr().err
        assert ended == code, said
        return said

    def layer(self, name: str, *wheels: Path, kind: str = "wheels", python: str = "3.11", code: int = 0) -> Path:
        """Make a layer of wheels."""
        listed = [item for wheel in wheels for item in ("--wheel", wheel)]
        outputs = ("--out", self.folder / f"{name}.tar.gz", "--metadata", self.folder / f"{name}.json")
        self.run("layer", "--python", python, "--kind", kind, *listed, *outputs, code=code)
        return self.folder / f"{name}.json"

    def files(self, name: str, listing: str, *arguments: str, code: int = 0) -> tuple[Path, str]:
        """Make a layer of files; gives what is known of it, and what the command wrote to stderr."""
        (self.folder / f"{name}.txt").write_text(listing)
        outputs = ("--out", self.folder / f"{name}.tar.gz", "--metadata", self.folder / f"{name}.json")
        said = self.run("app-layer", "--files", self.folder / f"{name}.txt", *outputs, *arguments, code=code)
        return self.folder / f"{name}.json", said

    def image(
        self,
        *layers: Path,
        architecture: str = "amd64",
        arguments: Iterable[str | Path] = (),
        code: int = 0,
        **settings: Any,
    ) -> tuple[Path, str]:
        """Put an image together; gives the folder of its files, and what the command wrote to stderr."""
        folder = self.folder / f"image-{architecture}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (self.folder / "settings.json").write_text(json.dumps(settings))
        listed = [item for layer in layers for item in ("--layer", layer)]
        outputs = [part for kind in ("manifest", "config", "image") for part in (f"--{kind}", folder / f"{kind}.json")]
        given = ("--settings", self.folder / "settings.json") if settings else ()
        base = ("--base", self.base[architecture] / "base.json")
        said = self.run("image", "--name", "demo", *base, *listed, *outputs, *given, *arguments, code=code)
        assert code == 0 or not list(folder.iterdir())
        return folder, said
