"""Two things that would write one path are told before anything is built."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.errors import FileCollisionError
from crossdock.layers.collisions import TakenPaths
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from pathlib import Path

SCHEME = posix_venv("app/.venv", "3.11")
PYTHON = {"app/.venv/bin/python": "a part of the environment", "app/.venv/pyvenv.cfg": "a part of the environment"}


def take_all(*wheels: Path) -> list[str]:
    taken = TakenPaths(PYTHON)
    folders: list[str] = []
    with ExitStack() as stack:
        for wheel in wheels:
            archive = stack.enter_context(WheelArchive(wheel, wheel.name))
            for item in install(archive, SCHEME):
                folders += taken.take(item, archive) or []
    return folders


def test_each_folder_is_new_once_and_parents_come_first(tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "one", "1", {"shared/a.py": b"a"})
    two = make_wheel(tmp_path, "two", "1", {"shared/b.py": b"b"})

    folders = take_all(one, two)

    assert len(folders) == len(set(folders))
    assert folders.index("app") < folders.index("app/.venv") < folders.index("app/.venv/lib")


def test_the_same_file_in_two_wheels_is_one_file(tmp_path: Path) -> None:
    take_all(
        make_wheel(tmp_path, "one", "1", {"shared.py": b"same"}),
        make_wheel(tmp_path, "two", "1", {"shared.py": b"same"}),
    )


def test_another_content_names_both_wheels_and_the_path(tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "one", "1", {"shared.py": b"one"})
    two = make_wheel(tmp_path, "two", "1", {"shared.py": b"two"})

    with pytest.raises(FileCollisionError, match=r"one-1-.* and two-1-.* both install .*/shared\.py"):
        take_all(one, two)


@pytest.mark.parametrize("order", [0, 1])
def test_a_path_is_not_both_file_and_folder(tmp_path: Path, order: int) -> None:
    wheels = [make_wheel(tmp_path, "one", "1", {"x": b"file"}), make_wheel(tmp_path, "two", "1", {"x/y": b"below"})]

    with pytest.raises(FileCollisionError, match=r"x is a file in one-1-.* and a folder in two-1-"):
        take_all(*(reversed(wheels) if order else wheels))


def test_no_script_replaces_the_interpreter(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "evil", "1", {"evil.py": b""}, entry_points={"python": "evil:main"})

    with pytest.raises(FileCollisionError, match=r"evil-1-.* would replace app/\.venv/bin/python"):
        take_all(wheel)


def test_no_data_replaces_the_environments_configuration(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "evil", "1", {"evil.py": b"", "evil-1.data/data/pyvenv.cfg": b"home = /elsewhere\n"})

    with pytest.raises(FileCollisionError, match=r"would replace app/\.venv/pyvenv\.cfg"):
        take_all(wheel)
