"""Wheels without some of their files, or with others: a wheel again, the same bytes everywhere, RECORD and all."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel, record_hash

from crossdock.errors import BadWheelError, OverrideError
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.globs import matches
from crossdock.wheels.metadata import read_metadata
from crossdock.wheels.patch import parse_patch
from crossdock.wheels.rewrite import Rewritten, rewrite_wheel
from crossdock.wheels.zipwriter import ZipWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILES: dict[str, str | bytes] = {
    "demo/__init__.py": "VALUE = 1\n",
    "demo/data.bin": b"\0\1" * 500,
    "demo/tests/test_one.py": "assert True\n" * 50,
    "demo/sub/tests/deep/test_two.py": "assert True\n",
    "demo/tool": "#!/bin/sh\n",
    "demo-1.0.data/purelib/demo/more.py": "MORE = 1\n",
    "demo-1.0.data/scripts/run": "#!python\n",
    "demo-1.0.dist-info/licenses/LICENSE": "free\n",
}
INFO = "demo-1.0.dist-info"
CHANGE = "--- a/demo/__init__.py\n+++ b/demo/__init__.py\n@@ -1 +1 @@\n-VALUE = 1\n+VALUE = 2\n"


def wheel(folder: Path, **options: object) -> Path:
    return make_wheel(folder, "demo", "1.0", FILES, executables=["demo/tool"], **options)  # type: ignore[arg-type]


def rewrite(
    path: Path, exclude: Sequence[str] = (), *patches: str, output: Path | None = None
) -> tuple[Path, Rewritten]:
    output = output or path.parent / "out" / path.name
    output.parent.mkdir(exist_ok=True)
    parsed = [parse_patch(text.encode(), f"{number}.patch") for number, text in enumerate(patches, 1)]
    with WheelArchive(path, path.name) as archive, output.open("wb") as file:
        return output, rewrite_wheel(archive, exclude, parsed, file.write)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def refused(path: Path, *patches: str, exclude: Sequence[str] = ()) -> str:
    with pytest.raises(OverrideError) as caught:
        rewrite(path, exclude, *patches)
    return str(caught.value)


class TestGlobs:
    @pytest.mark.parametrize(
        ("glob", "path"),
        [
            ("demo/x.py", "demo/x.py"),
            ("demo/*.py", "demo/x.py"),
            ("demo/**", "demo/x.py"),
            ("demo/**", "demo/a/b/x.py"),
            ("demo/", "demo/a/b/x.py"),
            ("**/x.py", "x.py"),
            ("**/x.py", "demo/a/x.py"),
            ("**/tests/**", "tests/x.py"),
            ("**/tests/**", "demo/a/tests/b/x.py"),
            ("demo/**/tests/**", "demo/tests/x.py"),
            ("demo/**/**/x.py", "demo/x.py"),
            ("**", "x.py"),
            ("**", "a/x.py"),
            ("demo-*.dist-info/licenses/**", "demo-1.0.dist-info/licenses/LICENSE"),
            ("demo/[xy].p?", "demo/y.py"),
        ],
    )
    def test_matches(self, glob: str, path: str) -> None:
        assert matches(path, glob)

    @pytest.mark.parametrize(
        ("glob", "path"),
        [
            ("demo", "demo/x.py"),
            ("x.py", "demo/x.py"),
            ("*.py", "demo/x.py"),
            ("demo/*", "demo/a/x.py"),
            ("demo/**", "demo"),
            ("demo/**", "demos/x.py"),
            ("**/tests/**", "demo/tests"),
            ("**/tests/**", "demo/my_tests/x.py"),
            ("demo/**/x.py", "demo/a/y.py"),
            ("DEMO/**", "demo/x.py"),
            ("demo/[!x].py", "demo/x.py"),
        ],
    )
    def test_does_not_match(self, glob: str, path: str) -> None:
        assert not matches(path, glob)

    def test_no_pattern_takes_long(self) -> None:
        assert not matches("/".join(["a"] * 500), "/".join(["**", "a"] * 100 + ["b"]))


class TestExcluding:
    def test_files_are_gone_and_the_rest_is_unchanged(self, tmp_path: Path) -> None:
        path = wheel(tmp_path)
        new, rewritten = rewrite(path, ["**/tests/**", "demo/tests/*", f"{INFO}/licenses/"])
        before, after = contents(path), contents(new)
        gone = {"demo/tests/test_one.py", "demo/sub/tests/deep/test_two.py", f"{INFO}/licenses/LICENSE"}
        assert before.keys() - after.keys() == gone
        assert {name: data for name, data in after.items() if not name.endswith("RECORD")} == {
            name: data for name, data in before.items() if name not in gone and not name.endswith("RECORD")
        }
        assert rewritten == Rewritten(left_out=(2, 1, 1), files_left_out=3)

    def test_paths_are_those_of_site_packages(self, tmp_path: Path) -> None:
        new, rewritten = rewrite(wheel(tmp_path), ["demo/more.py", "*.data/scripts/run"])
        assert rewritten.left_out == (1, 1)
        assert not any(".data/" in name for name in contents(new))

    def test_what_makes_it_a_wheel_stays(self, tmp_path: Path) -> None:
        new, rewritten = rewrite(wheel(tmp_path), ["**", "*.dist-info/RECORD", "*.dist-info/METADATA", "*/WHEEL"])
        assert sorted(contents(new)) == [f"{INFO}/METADATA", f"{INFO}/RECORD", f"{INFO}/WHEEL"]
        assert rewritten.left_out == (len(FILES), 0, 0, 0)

    def test_signatures_of_the_old_record_are_not_kept(self, tmp_path: Path) -> None:
        path = make_wheel(tmp_path, "demo", "1.0", {**FILES, f"{INFO}/RECORD.jws": "{}"})
        assert f"{INFO}/RECORD.jws" not in contents(rewrite(path, ["demo/tool"])[0])


class TestTheNewWheel:
    def test_its_record_says_what_is_in_it(self, tmp_path: Path) -> None:
        new, _ = rewrite(wheel(tmp_path), ["demo/tests/**"], CHANGE)
        files = contents(new)
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[f"{INFO}/RECORD"].decode()))}
        assert rows.pop(f"{INFO}/RECORD") == ["", ""]
        assert rows == {
            name: [record_hash(data), str(len(data))] for name, data in files.items() if name != f"{INFO}/RECORD"
        }

    def test_it_can_be_read_as_a_wheel_with_its_executables(self, tmp_path: Path) -> None:
        new, _ = rewrite(wheel(tmp_path), ["demo/tests/**"])
        with WheelArchive(new, new.name) as archive:
            assert read_metadata(archive).name == "demo"
            assert [member.name for member in archive.members if member.executable] == ["demo/tool"]

    def test_compressed_streams_are_the_author_s(self, tmp_path: Path) -> None:
        path = wheel(tmp_path, level=1)
        new, _ = rewrite(path, ["demo/tool"], CHANGE)
        with WheelArchive(path, path.name) as old, WheelArchive(new, new.name) as rewritten:
            streams = {member.name: old.stream(member) for member in old.members}
            same = [member.name for member in rewritten.members if rewritten.stream(member) == streams[member.name]]
        assert sorted({*streams} - {*same}) == [f"{INFO}/RECORD", "demo/__init__.py", "demo/tool"]

    def test_its_bytes_depend_on_content_alone(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        first, _ = rewrite(wheel(tmp_path), ["demo/tool"], CHANGE)
        second, _ = rewrite(wheel(tmp_path / "other", reverse=True), ["demo/tool"], CHANGE)
        assert first.read_bytes() == second.read_bytes()
        with zipfile.ZipFile(first) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            names = archive.namelist()
        assert names[-1] == f"{INFO}/RECORD"

    def test_large_members_pass_through_in_pieces(self, tmp_path: Path) -> None:
        large = random.Random(1).randbytes(3 << 20)
        path = make_wheel(tmp_path, "demo", "1.0", {**FILES, "demo/large": large, "demo/zeros": b"\0" * (8 << 20)})
        pieces: list[int] = []
        with WheelArchive(path, path.name) as archive:
            rewrite_wheel(archive, ["demo/tool"], [], lambda piece: pieces.append(len(piece)))
        assert max(pieces) <= 1 << 20

    def test_a_damaged_wheel_is_not_made_whole(self, tmp_path: Path) -> None:
        path = wheel(tmp_path, stored=["demo/data.bin"])
        path.write_bytes(path.read_bytes().replace(b"\0\1" * 500, b"\0\1" * 499 + b"\0\2"))
        with pytest.raises(BadWheelError, match="CRC-32"):
            rewrite(path, ["demo/tool"])


class TestPatching:
    def test_patches_are_applied_in_their_order(self, tmp_path: Path) -> None:
        second = CHANGE.replace("VALUE = 2", "VALUE = 3").replace("VALUE = 1", "VALUE = 2")
        new, _ = rewrite(wheel(tmp_path), (), CHANGE, second)
        assert contents(new)["demo/__init__.py"] == b"VALUE = 3\n"
        assert "1.patch does not apply" in refused(wheel(tmp_path), second, CHANGE)

    def test_files_are_created_deleted_and_found_where_they_are_installed(self, tmp_path: Path) -> None:
        new, _ = rewrite(
            wheel(tmp_path),
            (),
            "--- /dev/null\n+++ b/demo/new.py\n@@ -0,0 +1 @@\n+NEW = 1\n"
            "--- a/demo/sub/tests/deep/test_two.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-assert True\n"
            "diff --git a/demo/py.typed b/demo/py.typed\nnew file mode 100644\nindex 0..e\n"
            "--- a/demo/more.py\n+++ b/demo/more.py\n@@ -1 +1 @@\n-MORE = 1\n+MORE = 2\n"
            "--- old/demo/by_diff.py\t1970-01-01\n+++ new/demo/by_diff.py\n@@ -0,0 +1 @@\n+X = 1\n",
        )
        files = contents(new)
        assert files["demo/new.py"] == b"NEW = 1\n"
        assert files["demo/py.typed"] == b""
        assert files["demo/by_diff.py"] == b"X = 1\n"
        assert files["demo-1.0.data/purelib/demo/more.py"] == b"MORE = 2\n"
        assert "demo/sub/tests/deep/test_two.py" not in files

    def test_an_executable_stays_one(self, tmp_path: Path) -> None:
        text = "--- a/demo/tool\n+++ b/demo/tool\n@@ -1 +1 @@\n-#!/bin/sh\n+#!/bin/dash\n"
        new, _ = rewrite(wheel(tmp_path), (), text)
        with WheelArchive(new, new.name) as archive:
            assert [member.name for member in archive.members if member.executable] == ["demo/tool"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (CHANGE.replace("VALUE = 1", "VALUE = 7"), "1.patch does not apply to demo/__init__.py: hunk 1"),
            (CHANGE.replace("__init__", "absent"), "demo/absent.py is not in it"),
            ("--- /dev/null\n+++ b/demo/__init__.py\n@@ -0,0 +1 @@\n+x\n", "which is there already"),
            ("--- a/demo/data.bin\n+++ b/demo/data.bin\n@@ -1 +1 @@\n-x\n+y\n", "demo/data.bin, a binary file"),
            ("--- /dev/null\n+++ b/demo/x.so\n@@ -0,0 +1 @@\n+x\n", "demo/x.so, a binary file"),
            ("--- /dev/null\n+++ b/demo/x\n@@ -0,0 +1 @@\n+x\0y\n", "demo/x, a binary file"),
            (f"--- /dev/null\n+++ b/{INFO}/RECORD\n@@ -0,0 +1 @@\n+x\n", "the wheel's own book-keeping"),
            (f"--- a/{INFO}/WHEEL\n+++ b/{INFO}/WHEEL\n@@ -1 +1 @@\n-x\n+y\n", "the wheel's own book-keeping"),
            ("--- /dev/null\n+++ b/o-1.dist-info/METADATA\n@@ -0,0 +1 @@\n+x\n", "the wheel's own book-keeping"),
        ],
    )
    def test_what_does_not_apply_exactly_or_is_no_text_is_refused(self, tmp_path: Path, text: str, words: str) -> None:
        message = refused(wheel(tmp_path), text)
        assert message.startswith("1.patch ")
        assert words in message

    def test_an_excluded_file_is_not_patched(self, tmp_path: Path) -> None:
        assert "which exclude leaves out of" in refused(wheel(tmp_path), CHANGE, exclude=["demo/**"])

    def test_a_file_of_many_megabytes_is_not_read_whole(self, tmp_path: Path) -> None:
        path = make_wheel(tmp_path, "demo", "1.0", {"demo/__init__.py": "x\n" * (9 << 20)})
        assert "files of up to 16 MiB can be patched" in refused(path, CHANGE)


class TestZipWriter:
    def test_more_entries_than_16_bits_count(self, tmp_path: Path) -> None:
        path = tmp_path / "many.zip"
        with path.open("wb") as file:
            writer = ZipWriter(file.write)
            for number in range(70_000):
                writer.begin(f"ä{number}", method=0, crc=0, compressed=0, size=0, executable=False)
            writer.finish()
        with zipfile.ZipFile(path) as archive:
            assert len(archive.namelist()) == 70_000
            assert archive.read("ä69999") == b""
        with WheelArchive(path, "many.zip") as wheel_archive:
            assert len(wheel_archive.members) == 70_000

    def test_more_bytes_than_32_bits_count(self, tmp_path: Path) -> None:
        size, piece = 5 << 30, bytes(64 << 20)
        path = tmp_path / "large.zip"
        with path.open("wb") as file:
            # A file with holes: what is written is 5 GiB of zeros, what is kept is what is not zero.
            writer = ZipWriter(lambda data: file.seek(len(data), 1) if data is piece else file.write(data))
            writer.begin("large", method=0, crc=0, compressed=size, size=size, executable=False)
            for _ in range(size // len(piece)):
                writer.data(piece)
            writer.begin("behind", method=0, crc=0xD7D9AFA8, compressed=4, size=4, executable=True)
            writer.data(b"abc\n")
            writer.finish()
        with zipfile.ZipFile(path) as archive:
            assert [(info.filename, info.file_size) for info in archive.infolist()] == [("large", size), ("behind", 4)]
            with archive.open("large") as member:
                assert member.read(10) == bytes(10)
        with WheelArchive(path, "large.zip") as wheel_archive:
            assert wheel_archive.stream(wheel_archive.members[1]) == b"abc\n"
