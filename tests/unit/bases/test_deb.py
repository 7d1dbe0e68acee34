"""Reading package files, most of them hostile."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import tarfile

import pytest
from tests.unit.bases.conftest import ar, deb, tar

import crossdock.bases.debian.deb as deb_module
from crossdock.bases.debian.deb import read_deb
from crossdock.errors import DebError
from crossdock.layers.entry import Entry, directory, file, symlink

_CONTROL = tar([file("./control", b"Package: tool\n")])


def _special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def test_files_folders_and_links_come_with_mode_and_owner() -> None:
    members = [
        directory("./"),
        directory("./usr/"),
        Entry(path="./usr/tool", content=b"x" * 700, mode=0o4755, uid=0, gid=42),
        symlink("./usr/alias", "tool"),
        Entry(path="./usr/same", kind="hardlink", linkname="./usr/tool"),
    ]
    found = read_deb(deb(members, extra={"conffiles": "/etc/tool\nremove-on-upgrade /etc/old\n"}), origin="tool.deb")
    assert found.entries == (
        directory("usr"),
        Entry(path="usr/tool", content=b"x" * 700, mode=0o4755, uid=0, gid=42),
        symlink("usr/alias", "tool"),
        Entry(path="usr/same", kind="hardlink", linkname="usr/tool"),
    )
    assert found.conffiles == ("/etc/tool",)
    assert found.control.startswith("Package: tool\n")


def test_checksums_are_read() -> None:
    found = read_deb(deb([], extra={"md5sums": f"{'0' * 32}  usr/a file\n"}), origin="tool.deb")
    assert found.md5sums == {"usr/a file": "0" * 32}


@pytest.mark.parametrize(("suffix", "compress"), [(".xz", lzma.compress), (".gz", gzip.compress), ("", bytes)])
def test_every_compression_debian_uses_is_read(suffix: str, compress: object) -> None:
    assert callable(compress)
    data = compress(tar([file("./a", b"1")]))
    package = ar(
        [("debian-binary", b"2.0\n"), (f"control.tar{suffix}", compress(_CONTROL)), (f"data.tar{suffix}", data)]
    )
    assert read_deb(package, origin="tool.deb").entries == (file("a", b"1"),)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "./../x", "a/../../x", "a//b", "./a\nb", "a\x7f", "x" * 5000])
def test_a_path_that_leads_out_or_cannot_be_shown_is_refused(path: str) -> None:
    with pytest.raises(DebError, match=r"path inside the package|file name"):
        read_deb(deb([file(path, b"")]), origin="tool.deb")


@pytest.mark.parametrize("target", ["../../etc/shadow", "../..", "../../../../x", ""])
def test_a_symbolic_link_that_leads_out_or_nowhere_is_refused(target: str) -> None:
    with pytest.raises(DebError, match="symbolic link"):
        read_deb(deb([symlink("./usr/link", target)]), origin="tool.deb")


def test_a_hard_link_that_leads_out_is_refused() -> None:
    with pytest.raises(DebError, match="path inside the package"):
        read_deb(deb([Entry(path="./a", kind="hardlink", linkname="/etc/shadow")]), origin="tool.deb")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_devices_pipes_and_oddities_are_refused(kind: bytes) -> None:
    with pytest.raises(DebError):
        read_deb(deb([_special("./dev/x", kind)]), origin="tool.deb")


def test_a_bomb_is_stopped_while_it_expands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "_DATA_LIMIT", 1_000_000)
    bomb = deb([file("./zeros", bytes(50_000_000))])
    assert len(bomb) < 100_000
    with pytest.raises(DebError, match="expands to more than 1000000 bytes"):
        read_deb(bomb, origin="tool.deb")


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "_MEMBER_LIMIT", 3)
    with pytest.raises(DebError, match="more than 3 files"):
        read_deb(deb([file(f"./{name}", b"") for name in "abcd"]), origin="tool.deb")


def test_a_file_cut_short_anywhere_is_refused_and_never_crashes() -> None:
    data = deb([file("./a", b"hello" * 100), symlink("./b", "a")])
    for length in range(0, len(data) - 1, 7):
        with pytest.raises(DebError):
            read_deb(data[:length], origin="tool.deb")


def test_a_damaged_byte_is_refused_or_harmless_and_never_crashes() -> None:
    # Not compressed, so that no checksum of xz stands between the damage and the tar reader.
    content = tar([directory("./d"), file("./d/a", b"hello"), symlink("./b", "d/a"), file("./" + "l" * 150, b"")])
    data = ar([("debian-binary", b"2.0\n"), ("control.tar", _CONTROL), ("data.tar", content)])
    refused = 0
    for position in range(0, len(data), 3):
        broken = data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]
        with contextlib.suppress(DebError):
            read_deb(broken, origin="tool.deb")
            continue
        refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("debian-binary", b"3.0\n"), ("control.tar", _CONTROL), ("data.tar", tar([]))],
        [("debian-binary", b"2.0\n"), ("data.tar", tar([]))],
        [("debian-binary", b"2.0\n"), ("control.tar", _CONTROL)],
        [("debian-binary", b"2.0\n"), ("control.tar", tar([])), ("data.tar", tar([]))],
        [("debian-binary", b"2.0\n"), ("control.tar", _CONTROL), ("data.tar", b""), ("data.tar.gz", b"")],
        [("debian-binary", b"2.0\n"), ("control.tar", _CONTROL), ("data.tar.zst", b"")],
        [("debian-binary", b"2.0\n"), ("control.tar", tar([file("./control", b"\xff")])), ("data.tar", tar([]))],
    ],
)
def test_what_is_not_a_package_of_format_2_is_refused(members: list[tuple[str, bytes]]) -> None:
    with pytest.raises(DebError):
        read_deb(ar(members), origin="tool.deb")
