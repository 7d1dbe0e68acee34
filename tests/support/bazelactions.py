"""The commands of Bazel's actions, started in the order in which its rules start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock.layers.grouping import SizedWheel, group_wheels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from crossdock.layers.grouping import Grouping

__all__ = ["Actions", "Ended", "ImageFiles", "Wheel", "planned_wheels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel under its own name, and what the lock says of it."""

    path: Path
    name: str
    version: str
    sha256: str

    @property
    def sized(self) -> SizedWheel:
        """What grouping needs to know."""
        return SizedWheel(
            name=self.name,
            version=self.version,
            filename=self.path.name,
            sha256=self.sha256,
            size=self.path.stat().st_size,
            pure=self.path.name.endswith("-any.whl"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """What the action of an image puts out, and the layers it is of."""

    manifest: Path
    config: Path
    image: Path
    blobs: tuple[Path, ...]

    @property
    def about(self) -> dict[str, Any]:
        """What is known of it."""
        found: dict[str, Any] = json.loads(self.image.read_text())
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Runs commands on the interpreter of the tests, isolated as Bazel's actions are.

    Attributes:
        folder: Where outputs go.
        env: Variables, of which actions have no others; ``base`` and ``push`` are no actions and have the tests' own.
        ran: Names of the commands that ran.
    """

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def start(self, command: str, *arguments: str | Path, inherit: bool = False) -> Ended:
        """Run a command to its end."""
        self.ran.append(command)
        done = subprocess.run(
            [sys.executable, "-I", "-m", "crossdock.bazel", command, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env={**(os.environ if inherit else {"PATH": os.defpath}), **self.env},
        )
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def run(self, command: str, *arguments: str | Path, inherit: bool = False) -> str:
        """Run a command that has to end well; gives what it wrote to stdout."""
        ended = self.start(command, *arguments, inherit=inherit)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    def base(self, name: str, *arguments: str | Path) -> Path:
        """Make a base; gives its folder."""
        folder = self.folder / name
        self.run("base", "--out", folder, *arguments, inherit=True)
        return folder

    def layer(self, name: str, wheels: Iterable[Wheel], *, python: str = "3.11", kind: str = "wheels") -> Path:
        """Make a layer of wheels, as one action for all applications does; gives what is known of it."""
        metadata = self.folder / f"{name}.json"
        if not metadata.exists():
            listed = [item for wheel in wheels for item in ("--wheel", wheel.path)]
            listed += [item for wheel in wheels for item in ("--distribution", f"{wheel.name}=={wheel.version}")]
            outputs = ("--out", self.folder / f"{name}.tar.gz", "--metadata", metadata)
            self.run("layer", "--python", python, "--kind", kind, *listed, *outputs)
        return metadata

    def layers(self, wheels: Sequence[Wheel], grouping: Grouping) -> list[Path]:
        """Make the layers that wheels are grouped into, in their order."""
        by_sha256 = {wheel.sha256: wheel for wheel in wheels}
        groups = group_wheels([wheel.sized for wheel in wheels], grouping)
        found = []
        for group in groups:
            members = [by_sha256[wheel.sha256] for wheel in group.wheels]
            found.append(self.layer("-".join(wheel.sha256[:8] for wheel in members), members))
        return found

    def files(self, name: str, listing: Mapping[str, str | Path], *arguments: str | Path) -> Path:
        """Make a layer of an application's own files; gives what is known of it."""
        lines = self.folder / f"{name}.txt"
        lines.write_text("".join(f"{path}\t{source}\n" for path, source in listing.items()))
        metadata = self.folder / f"{name}.json"
        outputs = ("--out", metadata.with_suffix(".tar.gz"), "--metadata", metadata)
        self.run("app-layer", "--files", lines, *outputs, *arguments)
        return metadata

    def image_arguments(self, name: str, base: Path, layers: Iterable[Path]) -> list[str | Path]:
        """Give the arguments of ``image`` that every image has."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        listed = [item for layer in layers for item in ("--layer", layer)]
        outputs = [part for kind in ("manifest", "config", "image") for part in (f"--{kind}", folder / f"{kind}.json")]
        return ["--name", name, "--base", base / "base.json", *listed, *outputs]

    def image(self, name: str, base: Path, layers: Sequence[Path], *arguments: str | Path) -> ImageFiles:
        """Put an image together."""
        self.run("image", *self.image_arguments(name, base, layers), *arguments)
        folder = self.folder / name
        own = json.loads((base / "base.json").read_text())["layers"]
        return ImageFiles(
            manifest=folder / "manifest.json",
            config=folder / "config.json",
            image=folder / "image.json",
            blobs=(*(base / item["blob"] for item in own), *(layer.with_suffix(".tar.gz") for layer in layers)),
        )

    def index(self, name: str, images: Iterable[ImageFiles]) -> tuple[Path, Path]:
        """Put an index together; gives it and what is known of it."""
        index, metadata = self.folder / f"{name}-index.json", self.folder / f"{name}-about.json"
        listed = [item for image in images for item in ("--image", image.image)]
        self.run("index", *listed, "--index", index, "--metadata", metadata)
        return index, metadata

    def passed(self, images: Sequence[ImageFiles], index: tuple[Path, Path] | None = None) -> list[str | Path]:
        """Give the arguments that pass whole images to a command."""
        given: list[str | Path] = [item for image in images for item in ("--image", image.image)]
        blobs = [path for image in images for path in (image.manifest, image.config, *image.blobs)]
        if index is not None:
            given += ["--index", index[1]]
            blobs.append(index[0])
        return [*given, *(item for path in dict.fromkeys(blobs) for item in ("--blob", path))]


def planned_wheels(plan: Mapping[str, Any], cache: Path, folder: Path) -> dict[str, list[Wheel]]:
    """Put the wheels of a plan under their own names, as Bazel's downloader does; gives them by architecture."""
    found: dict[str, list[Wheel]] = {}
    for target in plan["targets"]:
        for item in target["packages"]:
            path = folder / item["filename"]
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(cache / "blobs" / "sha256" / item["sha256"][:2] / item["sha256"])
            wheel = Wheel(path=path, name=item["name"], version=item["version"], sha256=item["sha256"])
            found.setdefault(target["platform"]["architecture"], []).append(wheel)
    return found
