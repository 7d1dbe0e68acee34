"""What crossdock puts together holds what was seen in its parts: read again, independently of how it was made."""

from __future__ import annotations

import gzip
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.assemble import assemble_zip
from crossdock.bundles.exe.assemble import assemble_exe
from crossdock.bundles.exe.launcher import Launch
from crossdock.bundles.folder import FolderWriter
from crossdock.bundles.zippart import PartRecipe, install_recipe
from crossdock.errors import LayerUnreadableError
from crossdock.store import Store
from crossdock.verify.claim import Claim
from crossdock.verify.contents import merged
from crossdock.verify.platforms import Platform
from crossdock.verify.proof import prove_bundle
from crossdock.verify.reading import read_artifact
from crossdock.verify.tree import Tree
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    from pathlib import Path

ARM64 = Claim(platform=Platform(os="linux", architecture="arm64"))
ARM64_TAG = "py3-none-manylinux_2_17_aarch64"


def test_an_assembled_archive_holds_what_was_seen_in_its_parts(tmp_path: Path, make: Any) -> None:
    store = Store(tmp_path / "store")
    wheels = [
        make_wheel(
            tmp_path,
            "fast",
            "1.0",
            {"fast/core.so": make.elf(183) + bytes(9000), "fast/__init__.py": ""},
            tag=ARM64_TAG,
        ),
        make_wheel(
            tmp_path,
            "quick",
            "2.0",
            {"quick.so": make.elf(183), "quick-2.0.data/scripts/q": "#!python\n"},
            tag=ARM64_TAG,
        ),
        make_wheel(tmp_path, "pure", "3.0", {"pure.py": "x = 1\n" * 9000}),
    ]
    parts = [install_recipe(store, [(path.name, store.add_file(path))], flat("")).make(store) for path in wheels]
    parts.append(PartRecipe("e" * 64, lambda out: out.add("code.py", b"import pure\n")).make(store))
    with (tmp_path / "out.zip").open("wb") as out:
        digest = assemble_zip(parts, store, out, prefix=b"#!/usr/bin/env python3\n")

    artifact = read_artifact(tmp_path / "out.zip")

    union = merged(part.contents for part in parts)
    assert artifact.digest == f"sha256:{digest}"
    assert artifact.contents.files == union.files == sum(part.contents.files for part in parts)
    assert dict(artifact.contents.binaries) == dict(union.binaries)
    assert artifact.contents.texts == union.texts
    assert set(artifact.contents.entries) == set(union.entries)
    assert [Tree([artifact.contents]).package_of(path) for path in ("fast/core.so", "quick.so")] == [
        "fast 1.0",
        "quick 2.0",
    ]
    assert prove_bundle(ARM64, [artifact.contents]).findings == ()


def test_a_part_made_for_another_machine_is_refused(tmp_path: Path, make: Any) -> None:
    store = Store(tmp_path / "store")
    right = make_wheel(tmp_path, "fast", "1.0", {"fast/core.so": make.elf(183)}, tag="py3-none-manylinux_2_17_aarch64")
    lying = make_wheel(tmp_path, "lies", "1.0", {"lies/core.so": make.elf(62)}, tag="py3-none-manylinux_2_17_aarch64")
    parts = [
        install_recipe(store, [(path.name, store.add_file(path))], flat("")).make(store) for path in (right, lying)
    ]
    with (tmp_path / "out.zip").open("wb") as out:
        assemble_zip(parts, store, out)

    for contents in ([part.contents for part in parts], [read_artifact(tmp_path / "out.zip").contents]):
        report = prove_bundle(ARM64, contents)
        assert [finding.code for finding in report.findings] == ["elf-machine"]
        assert report.findings[0].sentence.startswith("lies 1.0: lies/core.so is an x86-64 ELF file")
        assert not report.ok


def test_a_written_folder_holds_what_was_seen_on_the_way(tmp_path: Path, make: Any) -> None:
    (tmp_path / "out").mkdir()
    writer = FolderWriter(tmp_path / "out")
    writer.add("lib/a.so", make.elf(183))
    writer.add("lib/a-1.0.dist-info/RECORD", b"a.so,,\n")
    writer.link("lib64", "lib")
    read, written = read_artifact(tmp_path / "out").contents, writer.contents()
    assert {seen for seen in read.entries if seen.kind != "directory"} == set(written.entries)
    assert {seen.path for seen in read.entries if seen.kind == "directory"} == {"lib", "lib/a-1.0.dist-info"}
    assert (read.files, read.texts, read.binaries) == (written.files, written.texts, written.binaries)


def write_exe(path: Path, store: Store, python: dict[str, bytes], app: list[dict[str, bytes]], make: Any) -> Path:
    """Write an executable; the application's archive comes in pieces, of which only the last has an end."""
    end = 1024
    raw = [make.tar(files, format=tarfile.USTAR_FORMAT) for files in app]
    cut = [data[: len(data.rstrip(b"\0")) + -len(data.rstrip(b"\0")) % 512] for data in raw[:-1]]
    pieces = [store.add_bytes(gzip.compress(data)) for data in (*cut, raw[-1] + bytes(end))]
    launch = Launch(
        name="app",
        target="linux/arm64",
        architecture="arm64",
        libc=("glibc", (2, 17)),
        needs="glibc 2.17",
        python="python3.12",
        version="3.12.1",
        python_folder="python-1",
        app_folder="app-1",
        command="-m app",
        env={},
        about={},
    )
    with path.open("w+b") as out:
        assemble_exe(launch, store.add_bytes(gzip.compress(make.tar(python))), pieces, store, out)
    return path


def test_an_executable_holds_its_python_and_its_packages(tmp_path: Path, make: Any) -> None:
    store = Store(tmp_path / "store")
    python = {"python/bin/python3.12": make.elf(183)}
    app = [{"lib/a.so": make.elf(183)}, {"lib/b.so": make.elf(62)}, {"bin/app": b"#!/bin/sh\n"}]
    path = write_exe(tmp_path / "app", store, python, app, make)

    artifact = read_artifact(path)

    assert artifact.digest == make.digest(path.read_bytes())
    assert artifact.contents.files == 4
    assert [name for name, _ in artifact.contents.binaries] == ["python/bin/python3.12", "lib/a.so", "lib/b.so"]
    assert [finding.path for finding in prove_bundle(ARM64, [artifact.contents]).findings] == ["lib/b.so"]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LayerUnreadableError, match=r"(?s)cannot be read.*it is cut short: its script says"):
        read_artifact(path)
