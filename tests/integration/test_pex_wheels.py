"""A wheel in a PEX is what pex's own command line makes of it: paths, contents, modes, fingerprint."""

from __future__ import annotations

import zipfile
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.support.pexfiles import pex_cli, pex_info, zip_files
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.pex.dist import Distribution, dist_recipe, wheel_recipe
from crossdock.errors import BadWheelError, UnsafeWheelError
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = "odd-1.0.data"
#: All that pex treats in a way of its own.
ODD: dict[str, str | bytes] = {
    "odd/__init__.py": "def main():\n    print('odd')\n",
    "odd/run.sh": "#!/bin/sh\necho\n",
    "odd/größe.txt": "groß",
    "odd/empty.txt": "",
    "odd/old.pyc": b"bytecode",
    "odd/__pycache__/odd.cpython-311.pyc": b"bytecode",
    "odd/__pycache__/kept.txt": "not part of the fingerprint",
    "odd.pth": "import sys\n",
    f"{DATA}/scripts/placeholder": "#!python\nprint(1)\n",
    f"{DATA}/scripts/windowed": b"#!pythonw -x\r\nprint(1)\r\n",
    f"{DATA}/scripts/env": "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint(1)\n",
    f"{DATA}/scripts/versioned": "#!/opt/bin/python3.9 -E\nprint(1)\n",
    f"{DATA}/scripts/no-newline": "#!python",
    f"{DATA}/scripts/shell": "#!/bin/sh\necho hi\n",
    f"{DATA}/scripts/tool": "#!python\nin place of which the entry point comes\n",
    f"{DATA}/scripts/program": b"\x7fELF" + bytes(range(200)),
    f"{DATA}/data/share/x.txt": "x",
    f"{DATA}/data/share/x.pyc": b"bytecode",
    f"{DATA}/headers/odd.h": "/* */",
    f"{DATA}/platlib/oddplat.py": "x = 1\n",
    "odd-1.0.dist-info/INSTALLER": "pip\n",
    "odd-1.0.dist-info/REQUESTED": "",
    "odd-1.0.dist-info/direct_url.json": "{}",
    "odd-1.0.dist-info/RECORD.jws": "{}",
    "odd-1.0.dist-info/entry_points.txt": (
        "[gui_scripts]\nwin = odd:main\n\n[console_scripts]\nztool = odd:main\ntool = odd:main [extra]\n"
        "# a comment\na.b = odd.x : f.g\n[other]\nq = r\n"
    ),
}


def odd(folder: Path) -> Path:
    programs = {"odd/run.sh", f"{DATA}/scripts/shell", f"{DATA}/scripts/placeholder", f"{DATA}/scripts/program"}
    return make_wheel(folder, "odd", "1.0", ODD, executables=programs)


def binary(folder: Path) -> Path:
    files = {"plat/__init__.py": "", "plat-2.0.data/purelib/pure.py": "", "plat-2.0.data/headers/a/b.h": ""}
    return make_wheel(folder, "plat", "2.0", files, tag="cp311-cp311-linux_x86_64")


def capital(folder: Path) -> Path:
    files = {
        "Big_Name-1.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Big.Name\nVersion: 1.0.0\n",
        "Big_Name-1.0.0.data/headers/x.h": "",
        "big.py": "",
    }
    return make_wheel(folder, "Big_Name", "1.0.0", files)


def rewritten(path: Path, change: Callable[[zipfile.ZipInfo, bytes], bytes], extra: str = "") -> Path:
    """Write a wheel anew, with other attributes, dates or contents."""
    with zipfile.ZipFile(path) as archive:
        items = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        folder = zipfile.ZipInfo("a-folder/", (2020, 2, 2, 3, 4, 6))
        folder.external_attr = 0o40755 << 16 | 0x10
        archive.writestr(folder, b"")
        for info, data in items:
            info.date_time = (2021, 3, 4, 5, 6, 8)
            archive.writestr(info, change(info, data))
        if extra:
            archive.writestr(extra, "which RECORD does not list")
    return path


def modes(folder: Path) -> Path:
    path = make_wheel(folder, "modes", "1.0", {f"modes/{name}": name for name in "abc"})

    def change(info: zipfile.ZipInfo, data: bytes) -> bytes:
        attributes = {"modes/a": 0o755, "modes/b": 0o100711, "modes/c": 0o100755}
        info.external_attr = attributes.get(info.filename, 0o100644) << 16
        info.create_system = 0 if info.filename == "modes/c" else 3
        return data

    return rewritten(path, change)


def crlf(folder: Path) -> Path:
    path = make_wheel(folder, "crlf", "1.0", {"crlf/__init__.py": "x = 1\n"})
    return rewritten(
        path, lambda info, data: data.replace(b"\n", b"\r\n") if info.filename.endswith("RECORD") else data, "crlf/more"
    )


def absolute(folder: Path) -> Path:
    files = {"absolute/z/y.py": "", "absolute/b.py": "", "absolute-1.0.data/scripts/script": "#!python\n"}
    path = make_wheel(folder, "absolute", "1.0", files, entry_points={"abs": "absolute:main"})
    return rewritten(
        path,
        lambda info, data: data.replace(b"absolute/b", b"/b/absolute/b") if info.filename.endswith("RECORD") else data,
    )


def loose(folder: Path) -> Path:
    record = 'METADATA,,\n./loose.py,sha256=abc,0\nmissing.py,,\n"with,comma.py",,3\n'
    files = {"loose.py": "", "loose-1.0.dist-info/RECORD": record}
    return make_wheel(folder, "loose", "1.0", files)


WHEELS = (odd, binary, capital, modes, crlf, absolute, loose)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return {make.__name__: make(folder) for make in WHEELS}


@pytest.fixture(scope="module")
def theirs(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pex_cli(tmp_path_factory.mktemp("cli") / "theirs.pex", list(wheels.values()))


@pytest.fixture(scope="module")
def their_files(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pex_cli(tmp_path_factory.mktemp("cli") / "theirs.pex", list(wheels.values()), "--no-pre-install-wheels")


@pytest.mark.parametrize("name", [make.__name__ for make in WHEELS])
def test_an_installed_wheel_is_that_of_pex(name: str, wheels: dict[str, Path], theirs: Path, tmp_path: Path) -> None:
    store, wheel = Store(tmp_path), wheels[name]
    folder = f".deps/{wheel.name}"
    part = dist_recipe(store, wheel.name, store.add_file(wheel), folder).make(store)
    wanted = {path: entry for path, entry in zip_files(theirs).items() if path.startswith(f"{folder}/")}
    assert zip_files(store.path(part.digest)) == wanted
    assert Distribution.of(wheel.name, part, "").fingerprint == pex_info(theirs)["distributions"][wheel.name]


@pytest.mark.parametrize("name", [make.__name__ for make in WHEELS])
def test_a_wheel_that_stays_a_file_is_that_of_pex(
    name: str, wheels: dict[str, Path], their_files: Path, tmp_path: Path
) -> None:
    store, wheel = Store(tmp_path), wheels[name]
    part = wheel_recipe(store, wheel.name, store.add_file(wheel)).make(store)
    path = f".deps/{wheel.name}"
    assert zip_files(store.path(part.digest)) == {path: zip_files(their_files)[path]}
    assert Distribution.of(wheel.name, part, "").fingerprint == pex_info(their_files)["distributions"][wheel.name]


def test_in_a_packed_pex_a_wheel_is_an_archive(tmp_path: Path) -> None:
    wheel = odd(tmp_path)
    theirs = pex_cli(tmp_path / "theirs.pex", [wheel], "--layout", "packed")
    store = Store(tmp_path / "store")
    part = dist_recipe(store, wheel.name, store.add_file(wheel), "").make(store)
    assert zip_files(store.path(part.digest)) == zip_files(theirs / ".deps" / wheel.name)


def test_what_pex_loses_of_some_wheels_is_kept(tmp_path: Path) -> None:
    """Known difference: pex loses files of .data/platlib where the root is platlib, too, and of purelib likewise."""
    files = {"plat/__init__.py": "", "plat-2.0.data/platlib/more.py": "x = 1\n"}
    wheel = make_wheel(tmp_path, "plat", "2.0", files, tag="cp311-cp311-linux_x86_64")
    theirs = pex_cli(tmp_path / "theirs.pex", [wheel])
    store = Store(tmp_path / "store")
    folder = f".deps/{wheel.name}"
    part = dist_recipe(store, wheel.name, store.add_file(wheel), folder).make(store)
    ours = zip_files(store.path(part.digest))
    assert set(ours) - set(zip_files(theirs)) == {f"{folder}/more.py"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"bad-1.0.data/nowhere/x": "x"}, "has data for 'nowhere'"),
        ({"a.py": "1", "bad-1.0.data/purelib/a.py": "2"}, "writes a.py twice"),
        ({"bad-1.0.dist-info/entry_points.txt": "[console_scripts]\n../x = a:b\n"}, "cannot be made"),
        ({".layout.json": "{}"}, "writes .layout.json"),
        (
            {".prefix/bin/tool": "x", "bad-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = a:b\n"},
            "bin/tool",
        ),
        ({".layout.json/x": ""}, ".layout.json as a file and as a folder"),
        ({".prefix/data": "", "bad-1.0.data/data/x": ""}, ".prefix/data as a file and as a folder"),
        ({"bad-1.0.pex-info": ""}, "pex-info as a file and as a folder"),
        ({"bad-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nTag: {'-'.join(['a' + '.a' * 300] * 3)}\n"}, "10,000 tags"),
        ({"bad-1.0.dist-info/METADATA": "Name: ../../up\nVersion: 1.0\n"}, "holds another distribution"),
        ({"bad-1.0.dist-info/METADATA": "Version: 1.0\n"}, "holds another distribution"),
    ],
)
def test_a_wheel_that_cannot_be_installed_is_refused(files: dict[str, str | bytes], words: str, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "bad", "1.0", files)
    store = Store(tmp_path / "store")
    recipe = dist_recipe(store, wheel.name, store.add_file(wheel), "d")
    with pytest.raises(BadWheelError, match=words):
        recipe.make(store)
    assert recipe.find(store) is None


@pytest.mark.parametrize(
    "name", ["a-1-py3-none-any/../x.whl", "a-1-py3-none-a\\b.whl", "a-1-py3-none-any", "a\n-1.whl"]
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    for recipe in (partial(dist_recipe, folder="d"), wheel_recipe):
        with pytest.raises(UnsafeWheelError, match="was refused"):
            recipe(Store(tmp_path), name, "0" * 64)


def test_what_only_looks_like_a_script_is_none(tmp_path: Path) -> None:
    points = "[other]\na = b\n  [console_scripts]\n  ../../../up = c:d\n"
    wheel = make_wheel(tmp_path, "sly", "1.0", {"sly-1.0.dist-info/entry_points.txt": points})
    store = Store(tmp_path / "store")
    part = dist_recipe(store, wheel.name, store.add_file(wheel), "d").make(store)
    assert not [path for path in zip_files(store.path(part.digest)) if "bin/" in path or ".." in path]
