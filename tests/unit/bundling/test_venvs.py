"""Environments of a plan: where they go, that all are proved before any is there, and what is refused at once."""

from __future__ import annotations

import hashlib
import os
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.steps.sampleplan import Bench, elf, make_bench

from crossdock.bundling.venvs import VenvOptions, check_venvs, make_venvs
from crossdock.errors import ArtifactRefusedError, FileCollisionError, OutputError, UsageError
from crossdock.services import Services
from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.12/site-packages"


def services(folder: Path, jobs: int = 2) -> Services:
    return Services(store=Store(folder / "store"), jobs=jobs)


def state(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path / "bench")


def test_each_target_gets_a_folder_of_its_own(bench: Bench, tmp_path: Path) -> None:
    made = make_venvs(bench.plan, services(tmp_path), VenvOptions(output=tmp_path / "out"))
    assert [item.path for item in made] == [tmp_path / "out" / f"demo_linux_{arch}" for arch in ("amd64", "arm64")]
    for item, arch in zip(made, ("amd64", "arm64"), strict=True):
        found = state(item.path)
        assert found[f"{SITE}/native/library.so"] == elf(arch)
        assert found[f"{SITE}/demo/__main__.py"] == b"print('demo')\n"
        assert "bin/native" in found
        assert item.report.ok
        assert item.report.machines == {f"{'x86-64' if arch == 'amd64' else 'aarch64'} ELF": 1}
        assert item.report.files == sum(isinstance(content, bytes) for content in found.values())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["demo_linux_amd64", "demo_linux_arm64"]


def test_without_an_output_they_are_in_dist(bench: Bench, tmp_path: Path) -> None:
    (one,) = make_venvs(bench.only("arm64").plan, services(tmp_path), VenvOptions())
    assert one.path == bench.plan.project.root / "dist" / "demo_linux_arm64"
    assert (one.path / "pyvenv.cfg").is_file()


@pytest.mark.parametrize("name", ["env", "env.tar", "env.tar.gz", "env.tgz", "env.tar.zst"])
def test_one_target_is_what_the_output_names(name: str, bench: Bench, tmp_path: Path) -> None:
    (one,) = make_venvs(bench.only("arm64").plan, services(tmp_path), VenvOptions(output=tmp_path / "new" / name))
    assert one.path == tmp_path / "new" / name
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]
    if one.path.is_file():
        assert one.report.digest == f"sha256:{hashlib.sha256(one.path.read_bytes()).hexdigest()}"
        assert one.path.stat().st_mode & 0o777 == 0o644
    if name.endswith((".tar", "gz")):
        with tarfile.open(one.path) as archive:
            assert "pyvenv.cfg" in archive.getnames()


@pytest.mark.parametrize("layout", ["venv", "flat"])
def test_how_many_are_written_at_a_time_makes_no_difference(layout: str, bench: Bench, tmp_path: Path) -> None:
    for jobs in (1, 4):
        options = VenvOptions(output=tmp_path / f"jobs-{jobs}", layout="flat" if layout == "flat" else "venv")
        make_venvs(bench.plan, services(tmp_path, jobs), options)
    assert state(tmp_path / "jobs-1") == state(tmp_path / "jobs-4")
    assert len(state(tmp_path / "jobs-1")) > 20


def test_what_is_there_is_only_replaced_when_that_is_wanted(bench: Bench, tmp_path: Path) -> None:
    plan = bench.only("arm64").plan
    output = tmp_path / "env"
    output.mkdir()
    (output / "precious").write_text("x")
    with pytest.raises(OutputError, match="already holds something"):
        make_venvs(plan, services(tmp_path), VenvOptions(output=output))
    assert state(output) == {"precious": b"x"}
    make_venvs(plan, services(tmp_path), VenvOptions(output=output, clear=True))
    assert "precious" not in state(output)
    assert "pyvenv.cfg" in state(output)


@pytest.mark.parametrize("name", ["bench", "cache"])
def test_neither_the_project_nor_the_cache_is_replaced(name: str, bench: Bench, tmp_path: Path) -> None:
    ours = services(tmp_path / "cache")
    root = tmp_path / name
    assert (bench.plan.project.root if name == "bench" else ours.store.root).is_relative_to(root)
    ours.store.root.mkdir(parents=True, exist_ok=True)
    before = state(root)
    assert before
    with pytest.raises(OutputError, match="cannot be replaced"):
        make_venvs(bench.only("arm64").plan, ours, VenvOptions(output=root, clear=True))
    assert state(root) == before


def test_an_archive_replaces_an_archive_but_no_folder(bench: Bench, tmp_path: Path) -> None:
    plan = bench.only("arm64").plan
    (tmp_path / "env.tar").write_text("old")
    make_venvs(plan, services(tmp_path), VenvOptions(output=tmp_path / "env.tar"))
    assert (tmp_path / "env.tar").stat().st_size > 10_000
    (tmp_path / "env.tgz").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        make_venvs(plan, services(tmp_path), VenvOptions(output=tmp_path / "env.tgz"))


def test_several_targets_are_not_one_archive(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is one archive, and there are 2 targets") as error:
        make_venvs(bench.plan, services(tmp_path), VenvOptions(output=tmp_path / "env.tar"))
    assert "--target" in error.value.hint
    assert not (tmp_path / "env.tar").exists()


@pytest.fixture
def mixed(bench: Bench) -> Bench:
    """The second target's wheel holds what the first one's does: programs for another machine."""
    amd64, arm64 = bench.plan.targets
    return replace(bench, plan=replace(bench.plan, targets=(amd64, replace(arm64, selection=amd64.selection))))


@pytest.mark.parametrize("output", ["out", "out.tar", "out.tar.gz", "out.tar.zst"])
def test_a_program_for_another_machine_is_refused_and_nothing_is_left(
    output: str, mixed: Bench, tmp_path: Path
) -> None:
    chosen = mixed if output == "out" else mixed.only("arm64")
    (tmp_path / "new").mkdir()
    with pytest.raises(ArtifactRefusedError, match="is not what it claims to be") as error:
        make_venvs(chosen.plan, services(tmp_path), VenvOptions(output=tmp_path / "new" / output))
    assert "native 3.0" in str(error.value)
    assert "is an x86-64 ELF file" in str(error.value)
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]


def test_a_collision_with_the_environment_leaves_nothing(tmp_path: Path) -> None:
    bench = make_bench(tmp_path / "bench", {"pure-2.0.data/scripts/activate": b"#!/bin/sh\n"})
    with pytest.raises(FileCollisionError, match=r"pure-2\.0.* would replace bin/activate"):
        make_venvs(bench.only("arm64").plan, services(tmp_path), VenvOptions(output=tmp_path / "env"))
    assert not (tmp_path / "env").exists()


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid"), reason="needs POSIX")
@pytest.mark.parametrize("output", ["file/env", "file/env.tar"])
def test_an_output_that_cannot_be_written_is_an_error(output: str, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        make_venvs(bench.only("arm64").plan, services(tmp_path), VenvOptions(output=tmp_path / output))


def test_the_interpreter_and_the_prompt_are_what_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    options = VenvOptions(output=tmp_path / "env", interpreter="/opt/python/bin/python3.12", prompt="hello")
    make_venvs(bench.only("arm64").plan, services(tmp_path), options)
    found = state(tmp_path / "env")
    assert found["bin/python"] == "/opt/python/bin/python3.12"
    config = found["pyvenv.cfg"]
    assert isinstance(config, bytes)
    assert b"home = /opt/python/bin\n" in config
    assert b"prompt = hello\n" in config


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (VenvOptions(layout="flat", prompt="x"), "--prompt is for environments"),
        (VenvOptions(prompt="$(x)"), "--prompt cannot be"),
    ],
)
def test_options_that_contradict_each_other_are_an_error(options: VenvOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("$", r"\$").replace("(", r"\(")):
        check_venvs(options)


def test_clear_is_for_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--clear is for folders"):
        check_venvs(VenvOptions(output=tmp_path / "env.tar.gz", clear=True))
    check_venvs(VenvOptions(output=tmp_path / "env", clear=True))
