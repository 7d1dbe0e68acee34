"""What each target runs on: taken from crossdock.lock, locked where it is missing, and never behind the user's back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.baselayers import glibc, program, raw_tar
from tests.support.basemaker import Layer, LayoutMaker
from tests.unit.bases.interpreter.conftest import Shelf, python_files

from crossdock.choosing.basing import Bases, ChosenBase
from crossdock.errors import ConfigError, InterpreterError, LockfileError, MissingPlatformError, StoreError
from crossdock.layers.entry import directory, symlink
from crossdock.lockfile.file import read_lockfile
from crossdock.lockfile.interpreters import LockedInterpreter
from crossdock.plan import base_of
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store import Store
from crossdock.targets import TargetSpec, parse_target

if TYPE_CHECKING:
    from pathlib import Path

AMD64, ARM64 = parse_target("linux/amd64"), parse_target("linux/arm64")
LOADERS = {"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}


def system(architecture: str, *, python: bool = True, version: str = "2.36") -> Layer:
    """What a base has: its C library, and a Python."""
    loader, triplet = LOADERS[architecture], {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
    entries = [
        symlink("lib", "usr/lib"),
        symlink("lib64", "usr/lib64"),
        program(f"usr{loader}", architecture),
        glibc(f"usr/lib/{triplet}-linux-gnu/libc.so.6", version, architecture),
    ]
    if python:
        entries += [
            program("usr/bin/python3.11", architecture, interpreter=loader, content=b"\x003.11.2\0"),
            symlink("usr/bin/python3", "python3.11"),
            directory("usr/lib/python3.11"),
        ]
    return Layer(raw_tar(*entries))


class Machine:
    """A project with a base image beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shelf = Shelf(folder)
        self.services = Services(store=Store(folder / "store"), offline=True)
        self.configure("")

    def configure(self, settings: str) -> None:
        text = f'[project]\nname = "app"\nversion = "1"\n[tool.crossdock]\nbase = "oci:base"\n{settings}'
        (self.folder / "pyproject.toml").write_text(text)

    def archives(self, **targets: str) -> None:
        """Set interpreters: by target the name of a file, which is written, or one with its SHA-256."""
        lines = ["[tool.crossdock.interpreter]"]
        for target, name in targets.items():
            location, _, sha256 = name.partition("#")
            sha256 = sha256 or self.shelf.write(files(target), location)
            lines.append(f'"linux/{target}" = {{ path = "{location}", sha256 = "{sha256}" }}')
        self.configure("\n".join(lines))

    def base(self, *architectures: str, python: bool = True, version: str = "2.36") -> None:
        """Write the base image."""
        maker = LayoutMaker(self.folder / "base")
        images = [maker.image(one, system(one, python=python, version=version)) for one in architectures]
        maker.finish(maker.index(*images))

    def bases(self) -> Bases:
        project = load_project(self.folder)
        return Bases(project, base_of(project), self.services)

    def take(self, *wanted: TargetSpec, locked: bool = False) -> list[ChosenBase]:
        return self.bases().take(wanted or (AMD64,), locked=locked)

    @property
    def lock(self) -> bytes:
        return (self.folder / "crossdock.lock").read_bytes()

    def interpreters(self) -> list[tuple[str, str]]:
        return [(item.name, item.architecture) for item in read_lockfile(self.folder / "crossdock.lock").interpreters]


def files(architecture: str) -> Any:
    if architecture == "amd64":
        return python_files()
    return python_files(loader="/lib/ld-linux-aarch64.so.1", machine=183)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_base_is_locked_once_and_taken_from_the_lock_then(machine: Machine) -> None:
    machine.base("amd64")
    (first,) = machine.take()
    assert first.facts.python_version == "3.11.2"
    assert first.interpreter is None
    assert first.inputs == list(first.base.layers)  # type: ignore[union-attr]
    written = machine.lock
    (machine.folder / "base").rename(machine.folder / "gone")
    assert machine.take() == [first]
    assert machine.take(locked=True) == [first]
    assert machine.bases().find(AMD64) == first
    assert machine.lock == written


def test_what_is_not_locked_is_refused_where_the_lock_may_not_change(machine: Machine) -> None:
    machine.base("amd64")
    with pytest.raises(LockfileError, match="does not cover oci:base for amd64") as caught:
        machine.take(locked=True)
    assert "crossdock lock" in caught.value.hint
    assert not (machine.folder / "crossdock.lock").exists()
    assert machine.bases().find(AMD64) is None


def test_scratch_has_no_layers_and_no_python(machine: Machine) -> None:
    machine.configure("")
    text = (machine.folder / "pyproject.toml").read_text()
    (machine.folder / "pyproject.toml").write_text(text.replace("oci:base", "scratch"))
    (found,) = machine.take()
    assert found.inputs == []
    assert (found.facts.libc, found.facts.python_version) == (None, "")
    assert machine.take(locked=True) == [found]


def test_an_archive_on_scratch_has_no_c_library_to_run_with(machine: Machine) -> None:
    machine.archives(amd64="python.tar.gz")
    text = (machine.folder / "pyproject.toml").read_text()
    (machine.folder / "pyproject.toml").write_text(text.replace("oci:base", "scratch"))
    with pytest.raises(InterpreterError, match="cannot run on scratch"):
        machine.take()


def test_an_archive_gives_a_base_without_python_its_own(machine: Machine) -> None:
    machine.base("amd64", python=False)
    (without,) = machine.take()
    assert without.facts.python_version == ""
    machine.archives(amd64="python.tar.gz")
    (found,) = machine.take()
    assert found.facts.python_version == "3.12.8"
    assert found.facts.python_path == "/opt/python/bin/python3.12"
    assert isinstance(found.interpreter, LockedInterpreter)
    assert found.inputs[-1] == found.interpreter
    assert machine.take(locked=True) == [found]
    assert machine.bases().find(AMD64) == found


def test_an_archive_that_is_not_locked_is_refused_where_the_lock_may_not_change(machine: Machine) -> None:
    machine.base("amd64")
    machine.take()
    written = machine.lock
    machine.archives(amd64="python.tar.gz")
    with pytest.raises(LockfileError, match=r"does not cover the interpreter python\.tar\.gz"):
        machine.take(locked=True)
    assert machine.lock == written
    assert machine.bases().find(AMD64) is None


def test_another_archive_under_the_same_name_is_locked_anew(machine: Machine) -> None:
    machine.base("amd64")
    machine.archives(amd64="python.tar.gz")
    (old,) = machine.take()
    sha256 = machine.shelf.write(python_files(version="3.12.9"), "python.tar.gz")
    machine.archives(amd64=f"python.tar.gz#{sha256}")
    with pytest.raises(LockfileError, match="does not cover the interpreter"):
        machine.take(locked=True)
    (new,) = machine.take()
    assert (old.facts.python_version, new.facts.python_version) == ("3.12.8", "3.12.9")
    assert machine.interpreters() == [("python.tar.gz", "amd64")]


def test_archives_of_all_targets_are_locked_whichever_is_built_first(machine: Machine) -> None:
    machine.base("amd64", "arm64")
    machine.archives(amd64="amd.tar.gz", arm64="arm.tar.gz")
    (first,) = machine.take(ARM64)
    assert machine.interpreters() == [("arm.tar.gz", "arm64")]
    both = machine.take(AMD64, ARM64)
    assert both[1] == first
    assert machine.interpreters() == [("amd.tar.gz", "amd64"), ("arm.tar.gz", "arm64")]
    written = machine.lock
    machine.take(AMD64)
    assert machine.lock == written


def test_a_target_without_an_archive_has_the_bases_python(machine: Machine) -> None:
    machine.base("amd64", "arm64")
    machine.archives(arm64="arm.tar.gz")
    found = machine.take(AMD64, ARM64)
    assert [item.facts.python_version for item in found] == ["3.11.2", "3.12.8"]


def test_archives_that_the_settings_name_no_longer_go(machine: Machine) -> None:
    machine.base("amd64", "arm64")
    machine.archives(amd64="amd.tar.gz", arm64="arm.tar.gz")
    machine.take(AMD64, ARM64)
    machine.archives(amd64="amd.tar.gz")
    machine.take()
    assert machine.interpreters() == [("amd.tar.gz", "amd64")]
    machine.configure("")
    machine.take()
    assert machine.interpreters() == []


def test_a_lock_that_may_not_change_keeps_what_is_not_needed_any_more(machine: Machine) -> None:
    machine.base("amd64", "arm64")
    machine.archives(amd64="amd.tar.gz", arm64="arm.tar.gz")
    machine.take(AMD64, ARM64)
    written = machine.lock
    machine.archives(amd64="amd.tar.gz")
    (machine.folder / "crossdock.lock").chmod(0o444)
    machine.take(locked=True)
    machine.configure("")
    machine.take(locked=True)
    assert machine.lock == written


def test_an_archive_for_another_machine_is_not_locked(machine: Machine) -> None:
    machine.base("amd64", "arm64")
    machine.archives(amd64="python.tar.gz")
    sha256 = machine.shelf.write(files("amd64"), "python.tar.gz")
    machine.archives(arm64=f"python.tar.gz#{sha256}")
    with pytest.raises(InterpreterError):
        machine.take(ARM64)
    assert machine.interpreters() == []


def test_an_archive_that_needs_a_newer_c_library_is_refused_by_name(machine: Machine) -> None:
    machine.base("amd64")
    sha256 = machine.shelf.write(python_files(glibc="2.39"), "python.tar.gz")
    machine.archives(amd64=f"python.tar.gz#{sha256}")
    with pytest.raises(InterpreterError, match="cannot run on oci:base") as caught:
        machine.take()
    assert caught.value.why == "it needs glibc 2.39, and oci:base has 2.36"


def test_an_archive_with_another_hash_is_refused(machine: Machine) -> None:
    machine.base("amd64")
    machine.archives(amd64="python.tar.gz")
    machine.archives(amd64="python.tar.gz#" + "0" * 64)
    with pytest.raises(StoreError, match=r"python\.tar\.gz"):
        machine.take()
    assert machine.interpreters() == []


def test_an_archive_for_no_target_is_a_mistake_in_the_settings(machine: Machine) -> None:
    machine.base("amd64")
    machine.archives(riscv64="python.tar.gz#" + "0" * 64)
    with pytest.raises(ConfigError, match="is no target of the project"):
        machine.take()


def test_renewing_locks_the_base_as_it_is_now(machine: Machine) -> None:
    machine.base("amd64")
    machine.archives(amd64="python.tar.gz")
    (old,) = machine.take()
    (machine.folder / "base").rename(machine.folder / "old")
    machine.base("amd64", version="2.41")
    assert machine.take() == [old]
    machine.bases().renew([AMD64])
    (new,) = machine.take(locked=True)
    assert new.facts.libc_version == (2, 41)
    assert new.interpreter == old.interpreter


def test_a_platform_that_the_base_has_not_is_an_error_and_locks_nothing(machine: Machine) -> None:
    machine.base("amd64")
    with pytest.raises(MissingPlatformError, match="arm64"):
        machine.take(AMD64, ARM64)
    assert not (machine.folder / "crossdock.lock").exists()
