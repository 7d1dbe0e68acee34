"""Wheels built here: proved by looking into them, and written in one way."""

from __future__ import annotations

import csv
import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel, record_hash

from crossdock.errors import BackendFailedError, ImpureSourceError
from crossdock.sdists.requirements import Subject
from crossdock.sdists.wheel import check_pure, rewrite_wheel

if TYPE_CHECKING:
    from pathlib import Path

DEMO = Subject(name="demo", version="1.0")
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, 62, 1) + bytes(100)
PE = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x8664) + bytes(300)
MACHO = struct.pack("<IIII", 0xFEEDFACF, 0x0100000C, 0, 6) + bytes(200)


def test_a_wheel_of_python_alone_is_pure(tmp_path: Path) -> None:
    points = {"tool": "demo:main", "admin": "demo:admin"}
    path = make_wheel(tmp_path, "Demo", "1.0", {"demo/__init__.py": "", "demo/x.bin": b"\0\1"}, entry_points=points)
    pure = check_pure(path, DEMO)
    assert (pure.name, str(pure.version), pure.scripts) == ("demo", "1.0", ("admin", "tool"))


@pytest.mark.parametrize("content", [ELF, PE, MACHO], ids=["elf", "pe", "macho"])
@pytest.mark.parametrize("name", ["demo/_speed.so", "demo/data.txt", "demo-1.0.data/scripts/tool"])
def test_a_program_under_any_name_is_found(content: bytes, name: str, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "demo", "1.0", {"demo/__init__.py": "", name: content})
    with pytest.raises(ImpureSourceError, match="is not pure Python") as caught:
        check_pure(path, DEMO)
    assert name in caught.value.why
    assert '[tool.crossdock.packages.demo] wheel = "…"' in caught.value.hint


@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "py3-none-win_amd64", "cp311-abi3-any"])
def test_tags_of_this_machine_are_impure(tag: str, tmp_path: Path) -> None:
    with pytest.raises(ImpureSourceError) as caught:
        check_pure(make_wheel(tmp_path, "demo", "1.0", {}, tag=tag), DEMO)
    assert tag in caught.value.why


def test_a_wheel_that_says_it_is_not_pure_is_not(tmp_path: Path) -> None:
    text = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n"
    with pytest.raises(ImpureSourceError) as caught:
        check_pure(make_wheel(tmp_path, "demo", "1.0", {"demo-1.0.dist-info/WHEEL": text}), DEMO)
    assert "Root-Is-Purelib" in caught.value.why


def test_what_is_no_wheel_is_the_backends_failure(tmp_path: Path) -> None:
    for name, content in {"demo.whl": b"", "demo-1.0-py3-none-any.whl": b"no zip"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BackendFailedError, match=r"built no (usable )?wheel"):
            check_pure(tmp_path / name, DEMO)


FILES = {"demo/__init__.py": "x = 1\n" * 500, "demo/run.sh": "#!/bin/sh\n", "demo/größe.txt": "ä"}


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    made = []
    for number, (level, reverse) in enumerate([(1, False), (9, True)]):
        folder = tmp_path / str(number)
        (folder / "out").mkdir(parents=True)
        path = make_wheel(folder, "demo", "1.0", FILES, level=level, reverse=reverse, executables=["demo/run.sh"])
        made.append(rewrite_wheel(path, folder / "out"))
    first, second = made
    assert first.read_bytes() == second.read_bytes()
    assert first.name == "demo-1.0-py3-none-any.whl"


def test_a_rewritten_wheel_holds_the_same(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    extra = {"demo-1.0.dist-info/RECORD.jws": "signature", "demo-1.0.dist-info/RECORD": "demo/run.sh,sha256=wrong,7\n"}
    path = make_wheel(tmp_path, "demo", "1.0", {**FILES, **extra}, executables=["demo/run.sh"])
    with zipfile.ZipFile(rewrite_wheel(path, tmp_path / "out")) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        texts = {name: archive.read(name) for name in infos}
    info = "demo-1.0.dist-info"
    assert list(infos) == [*sorted(FILES), f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"]
    assert {name: texts[name].decode() for name in FILES} == FILES
    assert {item.compress_type for item in infos.values()} == {zipfile.ZIP_STORED}
    assert {item.date_time for item in infos.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name for name, item in infos.items() if item.external_attr >> 16 == 0o100755} == {"demo/run.sh"}
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(texts[f"{info}/RECORD"].decode()))}
    assert rows.pop(f"{info}/RECORD") == ["", ""]
    assert rows == {name: [record_hash(texts[name]), str(len(texts[name]))] for name in texts if name in rows}
    assert set(rows) == set(texts) - {f"{info}/RECORD"}
