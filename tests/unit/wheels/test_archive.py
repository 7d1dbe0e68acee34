"""A wheel is read where it lies; one that is damaged, or made to do harm, is refused by a sentence that names it."""

from __future__ import annotations

import bz2
import io
import random
import struct
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import deflate
import pytest
from tests.support.rawzip import End, RawMember, deflated, raw_deflate, write_zip, zip64_extra
from tests.support.wheelmaker import make_wheel

from crossdock.errors import BadWheelError, UnsafeWheelError, UnsupportedWheelError, WheelError
from crossdock.wheels import streams
from crossdock.wheels.archive import Limits, WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
CONTENT = b"".join(b"%d: a line that deflate finds easy\n" % i for i in range(2000))
GOOD = deflated("demo/a.py", CONTENT)
OTHER = deflated("demo/b.py", b"b = 2\n" * 20)


@pytest.fixture(params=["libdeflate", "zlib alone"])
def inflate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every hostile stream is tried on both ways of unpacking."""
    if request.param == "zlib alone":
        monkeypatch.setattr(streams, "_libdeflate", None)
    else:
        assert vars(streams)["_libdeflate"] is deflate
    return str(request.param)


def read_all(path: Path, *, limits: Limits | None = None) -> dict[str, bytes]:
    """Read each member at once and piece by piece; both must say the same."""
    found = {}
    with WheelArchive(path, NAME, limits=limits) as archive:
        for member in archive.members:
            found[member.name] = archive.read(member)
            assert b"".join(archive.unpacked_pieces(member)) == found[member.name]
    return found


def write(folder: Path, data: bytes | bytearray) -> Path:
    path = folder / "wheel"
    path.write_bytes(data)
    return path


def refused(path: Path, kind: type[WheelError], why: str, *, limits: Limits | None = None) -> WheelError:
    """Both ways of reading refuse it, by exactly that class, naming the wheel; nothing appears beside it."""

    def at_once() -> None:
        with WheelArchive(path, NAME, limits=limits) as archive:
            for member in archive.members:
                archive.read(member)

    def in_pieces() -> None:
        with WheelArchive(path, NAME, limits=limits) as archive:
            for member in archive.members:
                list(archive.unpacked_pieces(member))

    errors = []
    for way in (at_once, in_pieces):
        with pytest.raises(WheelError) as error:
            way()
        errors.append(error)
    for error in errors:
        assert error.type is kind
        assert NAME in str(error.value)
        assert why in str(error.value)
    assert list(path.parent.iterdir()) == [path]
    return errors[0].value


def refused_member(folder: Path, member: RawMember, why: str, kind: type[WheelError] = BadWheelError) -> None:
    error = refused(write(folder, write_zip([member, OTHER])), kind, why)
    assert repr(member.name.decode()) in str(error)


# What is read


def test_reads_what_zipfile_wrote(tmp_path: Path, inflate: str) -> None:
    files: dict[str, str | bytes] = {
        "demo/__init__.py": "x = 1\n" * 50,
        "demo/empty.py": "",
        "demo/stored.bin": random.Random(1).randbytes(5000),
        "demo/gezählt/ñ.txt": "ü" * 300,
        "demo/run.sh": "#!/bin/sh\n",
    }
    wheel = make_wheel(tmp_path, "demo", "1.0", files, stored=["demo/stored.bin"], executables=["demo/run.sh"])
    with zipfile.ZipFile(wheel) as expected:
        assert read_all(wheel) == {name: expected.read(name) for name in expected.namelist()}
    with WheelArchive(wheel, NAME) as archive:
        assert [member.name for member in archive.members if member.executable] == ["demo/run.sh"]
        assert {member.name for member in archive.members if member.method == 0} == {"demo/stored.bin"}


def test_large_members_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inflate: str) -> None:
    monkeypatch.setattr("crossdock.wheels.archive.CHUNK", 1000)
    content = random.Random(2).randbytes(30_000) + bytes(9_000_000)
    wheel = make_wheel(tmp_path, "demo", "1.0", {"demo/a.bin": content, "demo/b.bin": content}, stored=["demo/b.bin"])
    with WheelArchive(wheel, NAME) as archive:
        for member in archive.members:
            if member.name.startswith("demo/"):
                pieces = list(archive.unpacked_pieces(member))
                assert b"".join(pieces) == content
                assert len(pieces) > 30
                assert max(map(len, pieces)) <= 4 << 20


def test_folder_entries_are_passed_over(tmp_path: Path) -> None:
    folder = RawMember(name=b"demo/", stream=(), crc=0, size=0, method=0, mode=0o040755)
    assert list(read_all(write(tmp_path, write_zip([folder, GOOD])))) == ["demo/a.py"]


def test_a_comment_is_passed_over(tmp_path: Path) -> None:
    data = write_zip([GOOD], end=End(comment=b"made by hand"))
    assert read_all(write(tmp_path, data)) == {"demo/a.py": CONTENT}


def test_long_extra_fields_of_the_local_header_are_passed_over(tmp_path: Path, inflate: str) -> None:
    padded = replace(GOOD, local_extra=struct.pack("<2H", 0xCAFE, 5000) + bytes(5000))
    assert read_all(write(tmp_path, write_zip([padded, OTHER])))["demo/a.py"] == CONTENT


def test_utf8_names_without_the_flag_are_read_as_utf8(tmp_path: Path) -> None:
    unflagged = replace(GOOD, name="demo/ä.py".encode(), flags=0)
    assert list(read_all(write(tmp_path, write_zip([unflagged])))) == ["demo/ä.py"]


def test_reads_a_member_written_with_zip64_and_a_data_descriptor(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """zipfile writes data descriptors where it cannot seek."""

        data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with (
        zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.py", "w", force_zip64=True) as out,
    ):
        out.write(CONTENT)
    assert read_all(write(tmp_path, pipe.data)) == {"a.py": CONTENT}


def test_reads_zip64_archives(tmp_path: Path) -> None:
    large = replace(
        GOOD, size=0xFFFFFFFF, compressed=0xFFFFFFFF, offset=0xFFFFFFFF, extra=zip64_extra(len(CONTENT), GOOD_LENGTH, 0)
    )
    end = End(zip64=True, count=0xFFFF, size=0xFFFFFFFF, offset=0xFFFFFFFF)
    assert read_all(write(tmp_path, write_zip([large, OTHER], end=end)))["demo/a.py"] == CONTENT
    in_both = write_zip([GOOD, OTHER], end=End(zip64=True))
    assert read_all(write(tmp_path, in_both))["demo/a.py"] == CONTENT


def test_an_archive_of_nothing_holds_nothing(tmp_path: Path) -> None:
    assert read_all(write(tmp_path, write_zip([]))) == {}


def test_the_file_is_closed_when_the_wheel_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, b"no wheel")
    with pytest.raises(BadWheelError):  # an open file would be a ResourceWarning, which is an error in these tests
        WheelArchive(path, NAME)
    path.unlink()


# Streams that are not what the directory says

GOOD_LENGTH = len(GOOD.stream[0])
CORRUPT = bytearray(GOOD.stream[0])
CORRUPT[GOOD_LENGTH // 2] ^= 0x55
SELF_FORGED = GOOD.stream[0] + struct.pack("<2L", zlib.crc32(CONTENT), len(CONTENT))


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (replace(GOOD, crc=GOOD.crc ^ 1), "CRC-32"),
        (replace(GOOD, crc=0), "CRC-32"),
        (replace(GOOD, size=len(CONTENT) + 1), "shorter"),
        (replace(GOOD, size=len(CONTENT) - 1), "longer"),
        (replace(GOOD, size=0, crc=0), "longer"),
        (replace(GOOD, stream=(GOOD.stream[0][:-40],)), ""),
        (replace(GOOD, stream=(GOOD.stream[0][:-1],)), ""),
        (replace(GOOD, stream=()), "shorter"),
        (replace(GOOD, stream=(bytes(CORRUPT),)), ""),
        (replace(GOOD, stream=(b"\xff" * 50,)), ""),
        (replace(GOOD, stream=(GOOD.stream[0], b"\0")), "behind its end"),
        (replace(GOOD, stream=(GOOD.stream[0], random.Random(3).randbytes(3000))), "behind its end"),
        (replace(GOOD, stream=(*GOOD.stream, *GOOD.stream)), "behind its end"),
        (replace(GOOD, stream=(SELF_FORGED,)), "behind its end"),
        (replace(GOOD, stream=(SELF_FORGED, b"smuggled" * 100)), "behind its end"),
        (replace(GOOD, stream=(SELF_FORGED, SELF_FORGED)), "behind its end"),
        (replace(GOOD, stream=(SELF_FORGED, SELF_FORGED[-8:])), "behind its end"),
        (replace(GOOD, stream=(CONTENT,), method=0, crc=GOOD.crc ^ 1), "CRC-32"),
    ],
)
def test_a_stream_that_is_not_what_the_directory_says_is_damaged(
    tmp_path: Path, inflate: str, member: RawMember, why: str
) -> None:
    refused_member(tmp_path, member, why)


def _with_periodic_trailer() -> tuple[bytes, bytes]:
    """Give a content whose CRC-32 and size are eight equal bytes, and its stream: found by appending four bytes."""
    size = 0x01010101
    content = bytearray(size)
    # CRC-32 is linear: four free bytes at the end reach any value. Solve for them bit by bit.
    base = zlib.crc32(content)
    columns = []
    for bit in range(32):
        struct.pack_into("<L", content, size - 4, 1 << bit)
        columns.append(zlib.crc32(content) ^ base)
    solution = _solve(columns, base ^ size)
    struct.pack_into("<L", content, size - 4, solution)
    return bytes(content), raw_deflate(bytes(content), 9)


def _solve(columns: list[int], wanted: int) -> int:
    """Solve a linear system over GF(2)."""
    basis: dict[int, tuple[int, int]] = {}
    for index, column in enumerate(columns):
        value, mask = column, 1 << index
        while value and value.bit_length() in basis:
            other, other_mask = basis[value.bit_length()]
            value, mask = value ^ other, mask ^ other_mask
        if value:
            basis[value.bit_length()] = value, mask
    solution = 0
    while wanted:
        value, mask = basis[wanted.bit_length()]
        wanted, solution = wanted ^ value, solution ^ mask
    return solution


def test_left_over_bytes_that_continue_a_periodic_trailer_are_found(tmp_path: Path, inflate: str) -> None:
    """Where CRC-32 and size are eight times 0x01, one 0x01 too many looks like a trailer in two places."""
    content, stream = _with_periodic_trailer()
    assert struct.pack("<2L", zlib.crc32(content), len(content)) == b"\1" * 8
    member = RawMember(name=b"demo/a.bin", stream=(stream,), crc=zlib.crc32(content), size=len(content))
    assert read_all(write(tmp_path, write_zip([member])))["demo/a.bin"] == content
    for left_over in (b"\1", b"\1" * 3, b"\1" * 8, b"\1" * 11):
        refused_member(tmp_path, replace(member, stream=(stream, left_over)), "behind its end")


def test_a_deflate_bomb_whose_directory_lies_stops_at_the_size_it_claims(tmp_path: Path, inflate: str) -> None:
    bomb = raw_deflate(bytes(200 << 20), 9)
    member = RawMember(name=b"demo/bomb", stream=(bomb,), crc=zlib.crc32(b"x" * 100), size=100)
    path = write(tmp_path, write_zip([member, OTHER]))
    with WheelArchive(path, NAME) as archive:
        with pytest.raises(BadWheelError, match="longer than"):
            next(archive.unpacked_pieces(archive.members[0]))
        with pytest.raises(BadWheelError, match="longer than"):
            archive.read(archive.members[0])


# Names


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "demo/../../evil.py",
        "demo/..",
        "..",
        ".",
        "./demo.py",
        "demo/./a.py",
        "/etc/passwd",
        "//evil/share",
        "demo//a.py",
        "demo\\a.py",
        "..\\evil.py",
        "C:/evil.py",
        "c:evil.py",
        "demo\0.py",
        "",
    ],
)
def test_a_path_that_leads_out_is_unsafe(tmp_path: Path, name: str) -> None:
    refused_member(tmp_path, replace(GOOD, name=name.encode()), "leads out of it", UnsafeWheelError)


def test_a_folder_with_content_is_unsafe(tmp_path: Path) -> None:
    refused_member(tmp_path, replace(GOOD, name=b"demo/"), "leads out of it", UnsafeWheelError)


def test_a_path_of_thousands_of_folders_is_refused(tmp_path: Path) -> None:
    wheel = write(tmp_path, write_zip([replace(GOOD, name=b"d/" * 512 + b"x")]))
    refused(wheel, UnsafeWheelError, "1,025 characters long")
    with WheelArchive(write(tmp_path, write_zip([replace(GOOD, name=b"d/" * 511 + b"xx")])), "demo.whl") as archive:
        assert len(archive.members[0].name) == 1024


def test_a_name_that_is_not_utf8_is_bad(tmp_path: Path) -> None:
    for flags in (0, 0x800):
        wheel = write(tmp_path, write_zip([replace(GOOD, name=b"demo/\xff.py", flags=flags)]))
        refused(wheel, BadWheelError, r"b'demo/\xff.py' is not UTF-8")


def test_a_name_given_twice_is_unsafe(tmp_path: Path) -> None:
    wheel = write(tmp_path, write_zip([GOOD, replace(OTHER, name=GOOD.name)]))
    refused(wheel, UnsafeWheelError, "'demo/a.py' twice")


@pytest.mark.parametrize("local", [b"demo/x.py", b"demo/a", b"", b"demo/a.py/../../../x" * 20])
def test_another_name_in_the_local_header_is_unsafe(tmp_path: Path, local: bytes) -> None:
    refused_member(tmp_path, replace(GOOD, local_name=local, local_extra=bytes(20)), "another name", UnsafeWheelError)


# Features of zip that wheels do not use, or must not


def test_another_method_in_the_local_header_is_unsafe(tmp_path: Path) -> None:
    refused_member(tmp_path, replace(GOOD, local_method=0), "one compression method", UnsafeWheelError)


def test_a_stored_member_of_two_sizes_is_unsafe(tmp_path: Path) -> None:
    stored = replace(GOOD, stream=(CONTENT,), method=0, size=len(CONTENT) + 1)
    refused_member(tmp_path, stored, "two sizes", UnsafeWheelError)


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)])
def test_other_compression_methods_are_not_supported(tmp_path: Path, method: int, number: int) -> None:
    path = tmp_path / "wheel"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("demo/a.py", CONTENT)
    error = refused(path, UnsupportedWheelError, f"method {number}")
    assert "'demo/a.py'" in str(error)
    assert error.hint


def test_a_member_that_only_says_deflate_is_damaged(tmp_path: Path, inflate: str) -> None:
    refused_member(tmp_path, replace(GOOD, stream=(bz2.compress(CONTENT),)), "")


def test_an_encrypted_member_is_not_supported(tmp_path: Path) -> None:
    refused_member(tmp_path, replace(GOOD, flags=0x801), "encrypted", UnsupportedWheelError)


@pytest.mark.parametrize(
    ("mode", "why"), [(0o120777, "symbolic link"), (0o020644, "regular file"), (0o010644, "regular"), (0o040755, "")]
)
def test_links_and_devices_are_unsafe(tmp_path: Path, mode: int, why: str) -> None:
    refused_member(tmp_path, replace(GOOD, mode=mode), why, UnsafeWheelError)


# Bombs


def test_members_that_share_bytes_are_unsafe(tmp_path: Path) -> None:
    """How a small archive unpacks to a very large one: many entries, one stream."""
    copies = [replace(GOOD, name=b"demo/%d.py" % i, local_name=GOOD.name, offset=0, stream=()) for i in range(5)]
    same = [replace(copy, compressed=GOOD_LENGTH) for copy in copies]
    refused(write(tmp_path, write_zip([GOOD, *same])), UnsafeWheelError, "overlaps")


def test_a_member_that_runs_into_the_next_one_or_the_directory_is_unsafe(tmp_path: Path) -> None:
    longer = replace(GOOD, compressed=GOOD_LENGTH + 1)
    refused(write(tmp_path, write_zip([longer, OTHER])), UnsafeWheelError, "'demo/a.py' overlaps")
    refused(write(tmp_path, write_zip([OTHER, longer])), UnsafeWheelError, "'demo/a.py' overlaps")


def test_a_member_outside_the_file_is_unsafe(tmp_path: Path) -> None:
    refused(write(tmp_path, write_zip([replace(GOOD, offset=10**9)])), UnsafeWheelError, "overlaps")
    far = replace(GOOD, offset=0xFFFFFFFF, extra=zip64_extra(2**64 - 1))
    refused(write(tmp_path, write_zip([far])), UnsafeWheelError, "overlaps")


def test_sizes_no_wheel_has_are_unsafe_before_anything_is_unpacked(tmp_path: Path) -> None:
    declared = replace(GOOD, size=0xFFFFFFF0)
    refused(write(tmp_path, write_zip([declared])), UnsafeWheelError, "claims to unpack to 4,294,967,280 bytes")
    huge = replace(GOOD, size=0xFFFFFFFF, extra=zip64_extra(2**63))
    refused(write(tmp_path, write_zip([huge])), UnsafeWheelError, "claims to unpack")


def test_a_real_bomb_is_unsafe_by_its_ratio(tmp_path: Path) -> None:
    content = bytes(70 << 20)
    bomb = RawMember(name=b"zeros", stream=(raw_deflate(content),), crc=zlib.crc32(content), size=len(content))
    path = write(tmp_path, write_zip([bomb]))
    assert read_all(path) == {"zeros": content}  # within the 64 MiB that are free, and 200 bytes for each byte
    refused(path, UnsafeWheelError, "claims to unpack", limits=Limits(ratio=10))


def test_directories_no_wheel_has_are_unsafe(tmp_path: Path) -> None:
    path = write(tmp_path, write_zip([GOOD, OTHER]))
    refused(path, UnsafeWheelError, "claims 2 members", limits=Limits(members=1))
    refused(path, UnsafeWheelError, "bytes", limits=Limits(directory=50))


# The directory and its end


def archives() -> Iterator[tuple[str, Iterable[int] | bytes | bytearray, type[WheelError], str]]:
    good = bytes(write_zip([GOOD, OTHER]))
    end = len(good) - 22
    yield "empty file", b"", BadWheelError, "does not end as a zip"
    yield "text", b"<html>not found</html>", BadWheelError, "does not end as a zip"
    yield "half", good[: len(good) // 2], BadWheelError, "does not end as a zip"
    yield "last byte missing", good[:-1], BadWheelError, "does not end as a zip"
    yield "trailing garbage", good + b"x", UnsafeWheelError, "data after its end"
    yield "much garbage", good + bytes(70_000), BadWheelError, "does not end as a zip"
    yield "self-extracting", b"#!/bin/sh\nexit\n" + good, UnsafeWheelError, "does not end where"
    yield "two archives", good + good, UnsafeWheelError, "does not end where"
    yield "bytes in the middle", good[:end] + b"x" + good[end:], UnsafeWheelError, "does not end where"
    yield "directory's magic", good.replace(b"PK\1\2", b"PK\1\3"), BadWheelError, "directory is damaged"
    yield "local magic", good.replace(b"PK\3\4", b"PK\3\5"), BadWheelError, "no local header for 'demo/a.py'"
    yield "split", write_zip([GOOD], end=End(disk=1)), UnsupportedWheelError, "split archive"
    yield "too few", write_zip([GOOD, OTHER], end=End(count=1)), BadWheelError, "more than it counts"
    yield "too many", write_zip([GOOD, OTHER], end=End(count=3)), BadWheelError, "directory is damaged"
    yield "none", write_zip([GOOD, OTHER], end=End(count=0)), BadWheelError, "more than it counts"
    yield "size", write_zip([GOOD], end=End(size=30)), UnsafeWheelError, "does not end where"
    yield "offset", write_zip([GOOD], end=End(offset=1)), UnsafeWheelError, "does not end where"
    yield "no size", write_zip([GOOD], end=End(size=0, offset=0)), UnsafeWheelError, "does not end where"
    long_name = bytearray(good)
    struct.pack_into("<H", long_name, good.index(b"PK\1\2") + 28, 60_000)
    yield "name beyond the directory", long_name, BadWheelError, "directory is damaged"


@pytest.mark.parametrize(("data", "kind", "why"), [pytest.param(*case[1:], id=case[0]) for case in archives()])
def test_an_archive_that_does_not_end_as_it_should_is_refused(
    tmp_path: Path, data: bytes, kind: type[WheelError], why: str
) -> None:
    refused(write(tmp_path, data), kind, why)


@pytest.mark.parametrize(
    ("end", "kind", "why"),
    [
        (End(zip64=True, place64=0), BadWheelError, "ZIP64 end record"),
        (End(zip64=True, place64=2**63), BadWheelError, "ZIP64 end record"),
        (End(zip64=True, place64=2**64 - 1), BadWheelError, "ZIP64 end record"),
        (End(zip64=True, between64=b"gap"), BadWheelError, "ZIP64 end record"),
        (End(zip64=True, count64=1), UnsafeWheelError, "contradict"),
        (End(zip64=True, count64=2**62), UnsafeWheelError, "contradict"),
        (End(zip64=True, count64=2**62, count=0xFFFF), UnsafeWheelError, "members"),
        (End(zip64=True, count64=1, count=0xFFFF), BadWheelError, "more than it counts"),
        (End(zip64=True, offset=7), UnsafeWheelError, "contradict"),
        (End(zip64=True, disk=3), UnsafeWheelError, "contradict"),
    ],
)
def test_a_zip64_end_that_lies_is_refused(tmp_path: Path, end: End, kind: type[WheelError], why: str) -> None:
    refused(write(tmp_path, write_zip([GOOD, OTHER], end=end)), kind, why)


@pytest.mark.parametrize(
    "extra", [b"", zip64_extra(), b"\1\0\xff\xff", struct.pack("<2HL", 1, 4, 5), struct.pack("<2H", 7, 0), b"\1"]
)
def test_a_member_without_the_zip64_sizes_it_needs_is_bad(tmp_path: Path, extra: bytes) -> None:
    member = replace(GOOD, size=0xFFFFFFFF, extra=extra)
    refused(write(tmp_path, write_zip([member])), BadWheelError, "'demo/a.py' has no ZIP64 sizes")


def test_a_second_zip64_record_that_only_some_readers_see_is_refused(tmp_path: Path) -> None:
    """The locator points at one archive inside the file, the place before it holds another."""
    inner = write_zip([deflated("inner.py", b"inner")], end=End(zip64=True))
    record = inner.index(b"PK\6\6")
    outer = write_zip([GOOD], end=End(zip64=True, place64=record), prefix=b"")
    refused(write(tmp_path, inner + outer), BadWheelError, "ZIP64 end record")
