"""Which Python goes into which executable, and what it decides."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.unit.bases.interpreter.conftest import python_files, tar_of
from tests.unit.bases.interpreter.elfmaker import elf

from crossdock.bundling.exe_interpreters import exe_interpreters, exe_target
from crossdock.choosing.request import Request
from crossdock.errors import (
    ConfigError,
    CrossdockError,
    InterpreterError,
    LauncherError,
    PythonChoiceError,
    UnknownTargetError,
    UsageError,
)
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.bundling.exe_interpreters import ExeInterpreter
    from crossdock.targets import Target

MACHINES = {"amd64": (62, "/lib64/ld-linux-x86-64.so.2"), "arm64": (183, "/lib/ld-linux-aarch64.so.1")}


class Place:
    """A project, archives beside it, and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.project.mkdir()
        self.services = Services(store=Store(folder / "store"), offline=True)
        self.configure()

    def configure(self, settings: str = "", *, requires: str = ">=3.11") -> None:
        (self.project / "pyproject.toml").write_text(
            f'[project]\nname = "app"\nversion = "1"\nrequires-python = "{requires}"\n[tool.crossdock]\n{settings}\n'
        )

    def archive(self, architecture: str, name: str = "", **values: str) -> Path:
        machine, loader = MACHINES[architecture]
        options = {"loader": loader, **values}
        path = self.folder / (name or f"python-{architecture}.tar.gz")
        files = python_files(machine=machine, **options)
        if "ld-musl" in options["loader"]:  # whose symbols have no versions
            files["python/bin/python3.12"] = elf(machine=machine, loader=options["loader"], versions={})
            del files["python/lib/python3.12/lib-dynload/_x.cpython-312-x86_64-linux-gnu.so"]
        path.write_bytes(gzip.compress(tar_of(files), mtime=0))
        return path

    def find(self, *named: str, targets: tuple[str, ...] = ("linux/amd64",)) -> list[ExeInterpreter]:
        return exe_interpreters(load_project(self.project), Request(targets=targets), named, self.services)

    def target(self, *named: str, targets: tuple[str, ...] = ("linux/amd64",)) -> Target:
        (found,) = self.find(*named, targets=targets)
        return exe_target(load_project(self.project), Request(targets=targets), found)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_archive_of_the_command_line_is_read(place: Place) -> None:
    (found,) = place.find(str(place.archive("amd64")))
    assert (found.locked.python_version, found.python) == ("3.12.8", "python3.12")
    assert found.locked.sha256 == hashlib.sha256((place.folder / "python-amd64.tar.gz").read_bytes()).hexdigest()
    assert found.needs == "Linux on amd64 with glibc 2.17 or newer"
    assert [path for path, _ in found.contents.binaries] == [
        "python/bin/python3.12",
        "python/lib/libpython3.12.so.1.0",
        "python/lib/python3.12/lib-dynload/_x.cpython-312-x86_64-linux-gnu.so",
    ]


def test_secrets_in_the_address_of_an_archive_are_not_shown(place: Place) -> None:
    archive = place.archive("amd64")
    (found,) = place.find(str(archive))
    url = "https://index.example/python.tar.gz?token=secret"
    place.configure(
        f'interpreter = {{ "linux/amd64" = {{ url = "{url}", sha256 = "{found.locked.sha256}" }} }}\npython = "3.13"'
    )
    with pytest.raises(PythonChoiceError) as caught:
        place.target()
    assert caught.value.what == "python.tar.gz is Python 3.12, not 3.13"


def test_it_is_read_once(place: Place) -> None:
    archive = place.archive("amd64")
    (first,) = place.find(str(archive))
    stored = place.services.store.path(first.locked.sha256)
    stored.chmod(0o644)
    stored.write_bytes(b"what would be refused if it were read")
    (again,) = place.find(str(archive))
    assert again == first


def test_each_target_gets_its_own(place: Place) -> None:
    named = [f"linux/{name}={place.archive(name)}" for name in ("arm64", "amd64")]
    found = place.find(*named, targets=("linux/amd64", "linux/arm64"))
    assert [item.locked.architecture for item in found] == ["amd64", "arm64"]


def test_one_for_a_target_of_the_project_that_is_not_built_now_is_no_mistake(place: Place) -> None:
    named = [f"linux/{name}={place.archive(name)}" for name in ("arm64", "amd64")]
    assert len(place.find(*named, targets=("linux/arm64",))) == 1


def test_those_of_the_settings_are_taken_unless_another_is_named(place: Place) -> None:
    archive, other = place.archive("amd64"), place.archive("amd64", "other.tar.gz", version="3.12.9")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    place.configure(f'interpreter = {{ "linux/amd64" = {{ path = "{archive}", sha256 = "{sha256}" }} }}')
    assert place.find()[0].locked.python_version == "3.12.8"
    assert place.find(str(other))[0].locked.python_version == "3.12.9"


@pytest.mark.parametrize(
    ("named", "targets", "words"),
    [
        (["{amd64}"], ("linux/amd64", "linux/arm64"), "which target is it for?"),
        (["linux/riscv64={amd64}"], ("linux/amd64",), "is for no target"),
        (["{amd64}", "linux/amd64={amd64}"], ("linux/amd64",), "two archives for linux/amd64"),
    ],
)
def test_an_archive_is_for_one_target(named: list[str], targets: tuple[str, ...], words: str, place: Place) -> None:
    archive = place.archive("amd64")
    with pytest.raises(UsageError) as caught:
        place.find(*(text.format(amd64=archive) for text in named), targets=targets)
    assert words in caught.value.what


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ([], InterpreterError, "there is no Python for linux/amd64"),
        (["nowhere.tar.gz"], InterpreterError, "there is no archive nowhere.tar.gz"),
        (["linux/amd64=nowhere.tar.gz"], InterpreterError, "there is no archive nowhere.tar.gz"),
        (["linux/z80=x"], UnknownTargetError, "Unknown target 'linux/z80'"),
        (["{folder}"], InterpreterError, "there is no archive"),
        (["{arm64}"], InterpreterError, "is not a Python for linux/amd64"),
        (["{text}"], InterpreterError, "is no archive of a standalone Python"),
    ],
)
def test_what_is_no_python_for_the_target_is_refused(
    named: list[str], error: type[CrossdockError], words: str, place: Place
) -> None:
    text = place.folder / "text"
    text.write_text("no archive")
    values = {"arm64": place.archive("arm64"), "text": text, "folder": place.folder}
    with pytest.raises(error) as caught:
        place.find(*(item.format(**values) for item in named))
    assert words in caught.value.what


def test_zstandard_is_refused_as_few_systems_unpack_it(place: Place) -> None:
    import zstandard

    path = place.folder / "python.tar.zst"
    path.write_bytes(zstandard.compress(tar_of(python_files())))
    with pytest.raises(InterpreterError, match=r"python\.tar\.zst cannot be put into an executable"):
        place.find(str(path))


def test_debians_packages_are_no_archive(place: Place) -> None:
    place.configure('interpreter = "debian:bookworm"')
    with pytest.raises(InterpreterError) as caught:
        place.find()
    assert "Debian" in caught.value.why


def test_an_archive_for_no_target_in_the_settings_is_a_mistake(place: Place) -> None:
    archive = place.archive("amd64")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    place.configure(f'interpreter = {{ "linux/s390x" = {{ path = "{archive}", sha256 = "{sha256}" }} }}')
    with pytest.raises(ConfigError, match="is no target of the project"):
        place.find()


@pytest.mark.parametrize("target", ["windows/amd64", "darwin/arm64"])
def test_systems_without_a_launcher_are_refused_before_any_archive_is_looked_for(target: str, place: Place) -> None:
    with pytest.raises(LauncherError, match=f"There is no launcher for {target}"):
        place.find("nowhere", targets=(target,))


def test_the_interpreter_decides_python_and_c_library(place: Place) -> None:
    target = place.target(str(place.archive("amd64", version="3.12.8", glibc="2.31")))
    assert (target.python.full_version, target.platform.spelling) == ("3.12.8", "linux/amd64+glibc2.31")
    assert target.environment["python_full_version"] == "3.12.8"


def test_wheels_may_not_count_on_more_than_is_usual(place: Place) -> None:
    assert place.target(str(place.archive("amd64", glibc="2.12"))).platform.floor == "glibc2.17"


def test_a_target_may_promise_a_newer_c_library_but_no_older_one(place: Place) -> None:
    archive = str(place.archive("amd64", glibc="2.31"))
    assert place.target(archive, targets=("linux/amd64+glibc2.34",)).platform.floor == "glibc2.34"
    with pytest.raises(InterpreterError, match=r"does not run with glibc2\.28") as caught:
        place.target(archive, targets=("linux/amd64+glibc2.28",))
    assert caught.value.why == "it needs glibc2.31"


def test_another_c_library_is_refused(place: Place) -> None:
    with pytest.raises(InterpreterError, match="is linked to glibc"):
        place.target(str(place.archive("amd64")), targets=("linux/amd64+musl",))


def test_an_archive_for_musl_makes_the_target_musl(place: Place) -> None:
    archive = place.archive("amd64", loader="/lib/ld-musl-x86_64.so.1", glibc="")
    assert place.target(str(archive)).platform.floor == "musl1.2"


@pytest.mark.parametrize(
    ("settings", "requires", "words"),
    [
        ('python = "3.11"', ">=3.11", "is Python 3.12, not 3.11"),
        ("", ">=3.13", "does not run on the Python 3.12.8 of python-amd64.tar.gz"),
    ],
)
def test_a_python_that_the_project_does_not_take_is_refused(
    settings: str, requires: str, words: str, place: Place
) -> None:
    place.configure(settings, requires=requires)
    with pytest.raises(PythonChoiceError) as caught:
        place.target(str(place.archive("amd64")))
    assert words in caught.value.what
