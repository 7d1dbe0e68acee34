"""Files that cannot be in one tree, by the rules of the system the tree is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.venv.layout import environment, folder
from crossdock.bundles.venv.tree import Tree, plan_tree
from crossdock.errors import BundleError, FileCollisionError
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from pathlib import Path

SITE = "lib/python3.12/site-packages"


def target(platform: str) -> Target:
    return Target(parse_platform(platform), parse_python("3.12"))


def planned(tmp_path: Path, platform: str, *wheels: dict[str, str | bytes], flat: bool = False) -> Tree:
    """Plan the tree of some wheels, called one, two and so on by their files."""
    layout = folder(target(platform)) if flat else environment(target(platform), prompt="demo")
    names = ("one", "two", "three")
    paths = [make_wheel(tmp_path, name, "1.0", files) for name, files in zip(names, wheels, strict=False)]
    return plan_tree(layout, [(path.name, path) for path in paths])


def files(tree: Tree) -> list[str]:
    return [item.path for wheel in tree.wheels for item in wheel.files]


def test_one_content_of_two_wheels_is_written_once(tmp_path: Path) -> None:
    tree = planned(tmp_path, "linux/amd64", {"shared/__init__.py": ""}, {"shared/__init__.py": "", "shared/b.py": "b"})
    assert files(tree).count(f"{SITE}/shared/__init__.py") == 1
    assert f"{SITE}/shared" in tree.wheels[0].folders
    assert f"{SITE}/shared" not in tree.wheels[1].folders
    assert SITE not in tree.wheels[0].folders  # the environment has it


def test_two_contents_of_one_path_are_an_error_naming_both_wheels(tmp_path: Path) -> None:
    with pytest.raises(FileCollisionError, match=r"one-1\.0-py3.* and two-1\.0-py3.*shared/a\.py"):
        planned(tmp_path, "linux/amd64", {"shared/a.py": "1"}, {"shared/a.py": "2"})


@pytest.mark.parametrize(
    ("platform", "path"),
    [
        ("linux/amd64", "one-1.0.data/scripts/python"),
        ("linux/amd64", "one-1.0.data/scripts/activate"),
        ("linux/amd64", "one-1.0.data/data/pyvenv.cfg"),
        ("linux/amd64", "one-1.0.data/scripts/pyvenv.cfg"),
        ("windows/amd64", "one-1.0.data/scripts/PyVenv.cfg"),
        ("linux/amd64", "one-1.0.data/data/lib64/python3.12/site-packages/x.py"),
        ("linux/amd64", "one-1.0.data/data/include"),
        ("linux/amd64", "one-1.0.data/data/lib"),
        ("darwin/arm64", "one-1.0.data/data/INCLUDE"),
        ("windows/amd64", "one-1.0.data/data/include"),
        ("darwin/arm64", "one-1.0.data/scripts/PYTHON3"),
        ("darwin/arm64", "one-1.0.data/data/PyVenv.cfg"),
        ("windows/amd64", "one-1.0.data/scripts/Python.exe"),
        ("windows/amd64", "one-1.0.data/data/SCRIPTS/activate.BAT"),
        ("windows/amd64", "one-1.0.data/data/PYVENV.CFG/x"),
    ],
)
def test_no_wheel_may_replace_a_part_of_the_environment(tmp_path: Path, platform: str, path: str) -> None:
    with pytest.raises(FileCollisionError):
        planned(tmp_path, platform, {path: "x"})


def test_the_deepest_path_of_a_wheel_is_a_path_here(tmp_path: Path) -> None:
    path = "d/" * 511 + "xx"
    tree = planned(tmp_path, "windows/amd64", {path: "x"})
    assert f"Lib/site-packages/{path}" in files(tree)
    assert len(tree.wheels[0].folders) > 511


def test_a_console_script_called_python_is_an_error(tmp_path: Path) -> None:
    points = "[console_scripts]\npython = one:main\n"
    with pytest.raises(FileCollisionError, match=r"one-1\.0.* would replace bin/python"):
        planned(tmp_path, "linux/amd64", {"one-1.0.dist-info/entry_points.txt": points})


CASES: list[tuple[dict[str, str | bytes], dict[str, str | bytes]]] = [
    ({"shared/Name.py": ""}, {"shared/name.py": ""}),
    ({"shared/Name.py": "", "shared/name.py": ""}, {}),
    ({"shared/name": "a file"}, {"shared/NAME/x.py": "a folder"}),
    ({"shared/NAME/x.py": "a folder"}, {"shared/name": "a file"}),
    ({"shared/STRASSE.py": ""}, {"shared/straße.py": ""}),
    ({"shared/\u00fc.py": ""}, {"shared/u\u0308.py": ""}),
    ({"SHARED/a.py": "1"}, {"shared/a.py": "2"}),
]


@pytest.mark.parametrize(("one", "two"), CASES)
@pytest.mark.parametrize("platform", ["darwin/arm64", "windows/amd64"])
@pytest.mark.parametrize("flat", [False, True])
def test_two_files_that_the_system_takes_for_one_are_an_error(
    tmp_path: Path, platform: str, one: dict[str, str | bytes], two: dict[str, str | bytes], flat: bool
) -> None:
    with pytest.raises(FileCollisionError, match=r"cannot be in one tree on (macOS|Windows)"):
        planned(tmp_path, platform, one, two, flat=flat)


@pytest.mark.parametrize(("one", "two"), CASES)
def test_linux_tells_them_apart(tmp_path: Path, one: dict[str, str | bytes], two: dict[str, str | bytes]) -> None:
    found = files(planned(tmp_path, "linux/amd64", one, two))
    assert {f"{SITE}/{path}" for path in (*one, *two)} <= set(found)


def test_folders_that_differ_in_case_are_one_folder_there(tmp_path: Path) -> None:
    tree = planned(tmp_path, "windows/amd64", {"One/a.py": "", "one-1.0.data/data/lib/x.txt": ""}, {"one/b.py": ""})
    assert {"Lib/site-packages/One/a.py", "Lib/site-packages/one/b.py", "lib/x.txt"} <= set(files(tree))


@pytest.mark.parametrize(
    "name",
    [
        "aux.py",
        "NUL",
        "com1.txt",
        "a:b",
        "what?.py",
        "star*.py",
        "end.",
        "end ",
        "tab\t.py",
        "con .txt",
        "a|b",
        "CONIN$",
    ],
)
def test_a_name_that_windows_does_not_allow_is_an_error_only_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match=r"one-1\.0.* has a file that cannot be on Windows") as error:
        planned(tmp_path, "windows/amd64", {f"pkg/{name}": "", f"pkg/{name}x/y.py": ""})
    assert repr(name) in error.value.why
    assert f"{SITE}/pkg/{name}" in files(planned(tmp_path, "darwin/arm64", {f"pkg/{name}": ""}))


@pytest.mark.parametrize("name", ["auxiliary.py", "console", "com10.txt", "a.b", ".hidden", "nul_.py", "lpt0"])
def test_names_that_only_look_like_it_are_allowed(tmp_path: Path, name: str) -> None:
    assert f"Lib/site-packages/pkg/{name}" in files(planned(tmp_path, "windows/amd64", {f"pkg/{name}": ""}))
