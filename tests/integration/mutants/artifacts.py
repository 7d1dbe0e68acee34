"""The clean artifacts: built by the command line of real files, or real wheels as they are."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import wheelset
from tests.support.mutantimages import MutantImage
from tests.support.mutants import Asked, Built, Bundle, Image
from tests.support.treefiles import TreeFiles

from crossdock.oci.layout_files import open_layout
from crossdock.verify.image import verify_opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.builds import Command

    from crossdock.verify.image import SeenImage
    from crossdock.verify.report import Report
    from crossdock.verify.scan import LayerFacts

__all__ = ["BUNDLES", "IMAGES", "REBUILT", "WHEELS", "CleanArtifacts"]

_EXAMPLE = Path(__file__).parents[3] / "examples" / "hello_fastapi"

#: By what the table calls them; all are of tests/support/wheelset.txt.
WHEELS: Mapping[str, str] = {
    "Linux wheel": "markupsafe-3.0.4-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
    "musl wheel": "markupsafe-3.0.4-cp312-cp312-musllinux_1_2_x86_64.whl",
    "macOS wheel": "markupsafe-3.0.4-cp312-cp312-macosx_11_0_arm64.whl",
    "Windows wheel": "markupsafe-3.0.4-cp312-cp312-win_amd64.whl",
    "Linux wheel with a library": "google_crc32c-1.9.0-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    "macOS wheel with a library": "google_crc32c-1.9.0-cp312-cp312-macosx_12_0_arm64.whl",
    "C++ wheel": "ujson-6.1.0-cp312-cp312-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "wheel with many libraries": "psycopg2_binary-2.9.13-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
}

#: What the command line makes of the example, and the platform that it is made and judged for.
BUNDLES: Mapping[str, tuple[str, ...]] = {
    "Linux environment": ("venv", "linux/amd64"),
    "macOS environment": ("venv", "darwin/arm64"),
    "Windows environment": ("venv", "windows/amd64"),
    "musl environment": ("venv", "linux/amd64+musl1.2"),
    "32-bit ARM environment": ("venv", "linux/arm/v7"),
    "PEX": ("pex", "linux/amd64", "linux/arm64"),
    "function": ("lambda", "aws-lambda-python3.13/arm64"),
}

IMAGES = ("image",)

REBUILT = "Linux environment that is built again"

_PYTHON = "3.11"


@dataclass
class CleanArtifacts:
    """Makes each clean artifact once, and gives copies of it.

    Attributes:
        folder: Where they are made.
        command: The command line.
    """

    folder: Path
    command: Command
    _bundles: dict[str, Bundle] = field(default_factory=dict)
    _reports: dict[tuple[object, ...], Report] = field(default_factory=dict)

    def open(self, name: str, folder: Path) -> Bundle | Built | Image:
        """Give a copy of an artifact, to be changed."""
        if name in IMAGES:
            layout, facts = self._image
            return Image(MutantImage(layout, folder / "layout"), facts)
        if name == REBUILT:
            return self._built()
        return self._opened(name).copy()

    def _built(self) -> Built:
        whole = self._opened("Linux environment")
        options = [part for target in whole.asked.targets for part in ("--target", target)]
        data = (self.folder / whole.name).read_bytes()
        return Built(whole.name, data, self.project, ("venv", *options, "--python", _PYTHON), replace(whole.asked))

    def wheel(self, name: str) -> TreeFiles:
        """Give the files of another wheel of the set."""
        return TreeFiles.of_zip(_wheels()[WHEELS.get(name, name)])

    def asked(self, name: str, asked: Asked) -> Report:
        """Give what is said of an artifact as it is, when that is asked of it."""
        key = (name, asked.targets, asked.python, asked.project)
        if key not in self._reports:
            folder = self.folder / f"asked-{len(self._reports)}"
            folder.mkdir()
            work = self.open(name, folder)
            work.asked = asked
            self._reports[key] = work.verify(folder)
        return self._reports[key]

    def files(self, name: str) -> TreeFiles:
        """Give the files of another clean artifact."""
        return self._opened(name).files

    def module(self, name: str, pattern: str) -> bytes:
        """Give a file of another clean artifact, or of another wheel of the set."""
        files = self.files(name) if name in BUNDLES else self.wheel(name)
        return files.files[files.find(pattern)].content

    def _opened(self, name: str) -> Bundle:
        if name not in self._bundles:
            self._bundles[name] = self._wheel(name) if name in WHEELS else self._bundle(name)
        return self._bundles[name]

    @cached_property
    def _image(self) -> tuple[Path, Mapping[str, LayerFacts]]:
        layout = self.folder / "image"
        built = self.command.run("image", _EXAMPLE, "--output", layout)
        assert built.code == 0, built.stderr
        facts: dict[str, LayerFacts] = {}

        def watch(image: SeenImage) -> None:
            facts.update({layer.digest: layer for layer in image.layers})

        assert verify_opened(open_layout(layout), str(layout), watch=watch).ok
        return layout, facts

    @cached_property
    def project(self) -> Path:
        """What the bundles are made of: the example without its largest package, which is in the image."""
        project = self.folder / "project"
        shutil.copytree(_EXAMPLE, project)
        for name, pattern in (
            ("pyproject.toml", r'  "numpy[^"]*",\n'),
            ("requirements.txt", r"(?m)^numpy==[^\n]*\n(?:    [^\n]*\n)*"),
        ):
            path = project / name
            text, count = re.subn(pattern, "", path.read_text())
            assert count
            path.write_text(text)
        return project

    def _wheel(self, name: str) -> Bundle:
        return Bundle(WHEELS[name], self.wheel(name))

    def _bundle(self, name: str) -> Bundle:
        kind, *targets = BUNDLES[name]
        output = self.folder / name.replace(" ", "-")
        path = output.with_suffix(".tar") if kind == "venv" else output
        options = [part for target in targets for part in ("--target", target)]
        options += ["--python", _PYTHON] if kind == "venv" else []
        options += ["--multi-platform"] if kind == "pex" else []
        built = self.command.run(kind, self.project, *options, "--output", path)
        assert built.code == 0, built.stderr
        (path,) = [Path(line) for line in built.stdout.splitlines()]
        if kind == "venv":
            return Bundle(path.name, TreeFiles.of_tar(path), Asked(tuple(targets), _PYTHON))
        if kind == "lambda":
            return Bundle(path.name, TreeFiles.of_zip(path), Asked(("linux/arm64",), "3.13"))
        return Bundle(path.name, TreeFiles.of_zip(path), Asked(tuple(targets), _PYTHON))


def _wheels() -> dict[str, Path]:
    return {path.name: path for path in wheelset.wheels()}
