"""What an installed wheel consists of: which file goes where, and the files an installer adds."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel, record_hash

from crossdock.errors import BadWheelError, UnsupportedWheelError
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from pathlib import Path

SCHEME = posix_venv("app/.venv", "3.11")
SITE = "app/.venv/lib/python3.11/site-packages"
FILES: dict[str, str | bytes] = {
    "demo/__init__.py": "def main(): ...\n" * 30,
    "demo/tool.bin": b"\x7fELF",
    'demo/with, comma and "quotes".txt': "x",
    "demo-1.0.data/purelib/demo/pure.py": "pure = 1\n",
    "demo-1.0.data/platlib/demo/plat.so": "plat",
    "demo-1.0.data/scripts/old-style": "#!python\nprint('old')\n",
    "demo-1.0.data/scripts/shell": "#!/bin/sh\necho hello\n",
    "demo-1.0.data/data/share/demo/help.txt": "help\n",
    "demo-1.0.data/headers/demo.h": "#define DEMO\n",
}


def installed(wheel: Path) -> dict[str, tuple[bytes, bool]]:
    """Give contents and executable bits by path, in the order ``install`` gives them."""
    with WheelArchive(wheel, wheel.name) as archive:
        return {
            item.path: (archive.read(item.member) if item.member else item.content, item.executable)
            for item in install(archive, SCHEME)
        }


def record_of(tree: dict[str, tuple[bytes, bool]]) -> list[list[str]]:
    text = tree[f"{SITE}/demo-1.0.dist-info/RECORD"][0].decode()
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def tree(tmp_path: Path) -> dict[str, tuple[bytes, bool]]:
    points = {"demo": "demo:main"}
    return installed(make_wheel(tmp_path, "demo", "1.0", FILES, entry_points=points, executables=["demo/tool.bin"]))


def test_every_file_goes_where_its_scheme_key_says(tree: dict[str, tuple[bytes, bool]]) -> None:
    assert list(tree) == sorted(tree)
    assert set(tree) == {
        "app/.venv/bin/demo",
        "app/.venv/bin/old-style",
        "app/.venv/bin/shell",
        "app/.venv/include/site/python3.11/demo/demo.h",
        f"{SITE}/demo-1.0.dist-info/INSTALLER",
        f"{SITE}/demo-1.0.dist-info/METADATA",
        f"{SITE}/demo-1.0.dist-info/RECORD",
        f"{SITE}/demo-1.0.dist-info/WHEEL",
        f"{SITE}/demo-1.0.dist-info/entry_points.txt",
        f"{SITE}/demo/__init__.py",
        f"{SITE}/demo/plat.so",
        f"{SITE}/demo/pure.py",
        f"{SITE}/demo/tool.bin",
        f'{SITE}/demo/with, comma and "quotes".txt',
        "app/.venv/share/demo/help.txt",
    }


def test_contents_are_the_wheels_own_but_for_scripts(tree: dict[str, tuple[bytes, bool]]) -> None:
    assert tree[f"{SITE}/demo/__init__.py"][0] == b"def main(): ...\n" * 30
    assert tree["app/.venv/bin/shell"][0] == b"#!/bin/sh\necho hello\n"
    assert tree["app/.venv/bin/old-style"][0] == b"#!/app/.venv/bin/python\nprint('old')\n"
    assert tree["app/.venv/bin/demo"][0].startswith(b"#!/app/.venv/bin/python\nimport sys\nfrom demo import main\n")
    assert tree[f"{SITE}/demo-1.0.dist-info/INSTALLER"][0] == b"crossdock\n"


def test_scripts_and_what_the_wheel_marks_are_executable(tree: dict[str, tuple[bytes, bool]]) -> None:
    executable = {path for path, (_, bit) in tree.items() if bit}
    assert executable == {
        "app/.venv/bin/demo",
        "app/.venv/bin/old-style",
        "app/.venv/bin/shell",
        f"{SITE}/demo/tool.bin",
    }


def test_record_lists_every_file_once_with_its_hash_and_size(tree: dict[str, tuple[bytes, bool]]) -> None:
    expected = [
        [SCHEME.record_path(path), *(("", "") if path.endswith("/RECORD") else (record_hash(data), str(len(data))))]
        for path, (data, _) in sorted(tree.items())
    ]
    assert record_of(tree) == expected
    assert {"../../../bin/demo", "../../../share/demo/help.txt", "demo/pure.py"} < {row[0] for row in expected}


def test_files_without_a_hash_in_the_wheels_record_get_one(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {**FILES, "demo-1.0.dist-info/RECORD": "demo/__init__.py,,\n"}
    tree = installed(make_wheel(tmp_path, "demo", "1.0", files))
    assert {row[0]: row[1] for row in record_of(tree) if row[0] != "demo-1.0.dist-info/RECORD"} == {
        SCHEME.record_path(path): record_hash(data) for path, (data, _) in tree.items() if not path.endswith("/RECORD")
    }


def test_record_does_not_depend_on_the_order_in_the_wheel(tmp_path: Path) -> None:
    (tmp_path / "reversed").mkdir()
    forwards = installed(make_wheel(tmp_path, "demo", "1.0", FILES))
    backwards = installed(make_wheel(tmp_path / "reversed", "demo", "1.0", dict(reversed(FILES.items())), reverse=True))
    assert list(forwards.items()) == list(backwards.items())


def test_what_another_installer_left_in_the_wheel_is_left_out(tmp_path: Path) -> None:
    info = "demo-1.0.dist-info"
    files: dict[str, str | bytes] = {
        f"{info}/RECORD.jws": "{}",
        f"{info}/RECORD.p7s": "x",
        f"{info}/INSTALLER": "pip\n",
    }
    tree = installed(make_wheel(tmp_path, "demo", "1.0", files))
    assert {path.rpartition("/")[2] for path in tree} == {"INSTALLER", "METADATA", "RECORD", "WHEEL"}
    assert tree[f"{SITE}/{info}/INSTALLER"][0] == b"crossdock\n"


def test_a_script_the_wheel_brings_stays_where_an_entry_point_has_its_name(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"demo-1.0.data/scripts/demo": "#!/bin/sh\n"}
    tree = installed(make_wheel(tmp_path, "demo", "1.0", files, entry_points={"demo": "demo:main"}))
    assert tree["app/.venv/bin/demo"][0] == b"#!/bin/sh\n"


@pytest.mark.parametrize("path", ["demo-1.0.data/stdlib/os.py", "demo-1.0.data/scripts", "demo-1.0.data/x"])
def test_data_for_no_known_key_is_an_error(tmp_path: Path, path: str) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {path: "x"})
    with WheelArchive(wheel, wheel.name) as archive, pytest.raises(BadWheelError) as error:
        install(archive, SCHEME)
    assert wheel.name in str(error.value)
    assert path in str(error.value)


def test_two_files_for_one_path_are_an_error(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a.py": "1", "demo-1.0.data/purelib/demo/a.py": "2"})
    with WheelArchive(wheel, wheel.name) as archive, pytest.raises(BadWheelError, match=r"a\.py twice"):
        install(archive, SCHEME)


def test_a_python_script_too_long_to_be_rewritten_is_not_supported(tmp_path: Path) -> None:
    script = b"#!python\n" + b"# filler line\n" * (5 << 20)
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo-1.0.data/scripts/huge": script}, level=1)
    with WheelArchive(wheel, wheel.name) as archive, pytest.raises(UnsupportedWheelError, match=r"scripts/huge is 73,"):
        install(archive, SCHEME)


def test_the_data_folder_of_another_distribution_is_code(tmp_path: Path) -> None:
    tree = installed(make_wheel(tmp_path, "demo", "1.0", {"other-1.0.data/scripts/x": "#!python\n"}))
    assert tree[f"{SITE}/other-1.0.data/scripts/x"] == (b"#!python\n", False)
