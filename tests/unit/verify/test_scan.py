"""Scanning layers: whatever tar and gzip can spell is read, whatever lies is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.gunzip import gunzip
from crossdock.layers.tarwalk import Member, TarWalker
from crossdock.verify.contents import Contents, merged
from crossdock.verify.looking import ContentsReader
from crossdock.verify.scan import LayerFacts, ScanLimits, scan_layer
from crossdock.verify.tree import Tree

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01\0\0\0" + bytes(40)
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR = "application/vnd.oci.image.layer.v1.tar"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def scan(data: bytes, media_type: str = TAR, **limits: int) -> LayerFacts:
    return scan_layer(io.BytesIO(data), media_type=media_type, limits=ScanLimits(**limits))


def walk(raw: bytes) -> list[tuple[Member, bytes]]:
    tar = TarWalker(iter([raw]), max_members=1000)
    return [(member, tar.read(member.size)) for member in tar]


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_of_tarfile_is_read(make: Any, format_: int) -> None:
    long = "deep/" * 30 + "lib.so" if format_ != tarfile.USTAR_FORMAT else "deep/" * 25 + "lib.so"
    raw = make.tar({"bin/a": ELF, long: ELF, "text": b"hello", "empty": b""}, format=format_)
    facts = scan(raw)
    assert facts.contents.files == 4
    assert [path for path, _ in facts.contents.binaries] == ["bin/a", long]
    assert facts.digest == facts.diff_id == make.digest(raw)


def test_gzip_of_many_members_is_read_whole(make: Any) -> None:
    raw = make.tar({f"lib/{n}.so": ELF for n in range(200)})
    blob = b"".join(gzip.compress(raw[at : at + 700]) for at in range(0, len(raw), 700)) + gzip.compress(b"")
    facts = scan(blob, GZIP)
    assert (facts.contents.files, len(facts.contents.binaries)) == (200, 200)
    assert (facts.diff_id, facts.digest, facts.size) == (make.digest(raw), make.digest(blob), len(blob))


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=8), st.integers(1, 5000), st.integers(0, 9))
def test_gunzip_gives_back_what_was_compressed(parts: list[bytes], step: int, level: int) -> None:
    blob = b"".join(gzip.compress(part, level) for part in parts)
    assert b"".join(gunzip(blob[at : at + step] for at in range(0, len(blob), step))) == b"".join(parts)


def test_gunzip_holds_output_of_extreme_ratio_in_bounds() -> None:
    sizes = [len(piece) for piece in gunzip([gzip.compress(bytes(20_000_000))])]
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= 256 * 1024


NAMES = st.lists(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
        lambda part: part not in {".", ".."}
    ),
    min_size=1,
    max_size=6,
).map("/".join)


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=6),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(1, 3000),
)
def test_the_walker_agrees_with_tarfile(files: dict[str, bytes], format_: int, step: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_, pax_headers={"comment": "x"}) as tar:
        for number, (name, content) in enumerate(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
            link = tarfile.TarInfo(f"link{number}")
            link.type, link.linkname = tarfile.LNKTYPE, name
            tar.addfile(link)
    raw = out.getvalue()
    walker = TarWalker((raw[at : at + step] for at in range(0, len(raw), step)), max_members=1000)
    ours = [(m.path, m.kind, m.linkname, walker.read(m.size)) for m in walker]
    theirs = []
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isreg() else None
            kind = "file" if info.isreg() else "hardlink"
            theirs.append((info.name, kind, info.linkname, stream.read() if stream else b""))
    assert ours == theirs


@given(st.binary(max_size=2048), st.integers(0, 3000), st.integers(0, 255))
def test_damaged_archives_give_our_error_or_none(noise: bytes, at: int, value: int) -> None:
    raw = bytearray(io.BytesIO(_sample()).getvalue())
    raw[at % len(raw)] = value
    for data in (bytes(raw), noise, bytes(raw[: at % len(raw)])):
        for media_type in (TAR, GZIP):
            try:
                scan(data, media_type)
            except LayerUnreadableError:
                continue


def _sample() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("é" * 80)
        info.size = len(ELF)
        tar.addfile(info, io.BytesIO(ELF))
    return out.getvalue()


def test_base_256_sizes_are_read(make: Any) -> None:
    block = bytearray(make.block(b"a"))
    block[124:136] = b"\x80" + (3).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    [(member, content)] = walk(bytes(block) + b"abc".ljust(512, b"\0"))
    assert (member.size, content) == (3, b"abc")


def test_an_archive_may_end_without_the_last_padding_but_not_inside_content(make: Any) -> None:
    raw = make.block(b"a.so", size=len(ELF)) + ELF
    assert len(scan(raw).contents.binaries) == 1
    with pytest.raises(LayerUnreadableError, match="cut short"):
        scan(raw[:-1])


def test_a_hardlink_to_a_program_is_a_program(make: Any) -> None:
    raw = make.block(b"./a.so", size=64) + ELF.ljust(512, b"\0") + make.block(b"b.so", type_=b"1", link=b"a.so")
    facts = scan(raw + bytes(1024))
    assert [path for path, _ in facts.contents.binaries] == ["a.so", "b.so"]
    assert facts.contents.files == 2


LARGE = 17 << 20


def in_pieces(path: str, content: bytes, *, said: int = LARGE) -> Contents:
    reader = ContentsReader()
    reader.pieces(path, said, (content[at : at + 4000] for at in range(0, len(content), 4000)))
    return reader.contents()


@pytest.mark.parametrize("name", ["a-1.dist-info/RECORD", "a-1.dist-info/METADATA", "a.pth", "pyvenv.cfg"])
def test_a_text_too_large_to_keep_is_noted(name: str) -> None:
    seen = in_pieces(name, b"x: y\n" * 2000)
    assert (seen.texts, seen.unread) == ({}, (name,))
    assert Contents.from_json(json.loads(json.dumps(seen.to_json()))) == seen
    assert seen.below("b").unread == merged([seen.below("b")]).unread == (f"b/{name}",)


def test_texts_are_noted_that_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossdock.verify.looking._MOST_TEXT", 100)
    reader = ContentsReader()
    for name in ("a.pth", "b.pth", "c.pth"):
        reader.see(name, b"x" * 60)
    seen = reader.contents()
    assert (list(seen.texts), seen.unread) == (["a.pth"], ("b.pth", "c.pth"))


def test_metadata_of_too_many_fields_is_not_read_in_part() -> None:
    fields = b"Name: a\n" + b"Requires-Dist: b\n" * 20_000
    reader = ContentsReader()
    reader.see("a-1.dist-info/METADATA", fields)
    reader.see("b-1.dist-info/METADATA", b"Name: b\n\n" + fields)
    seen = reader.contents()
    assert (seen.texts, seen.unread) == ({"b-1.dist-info/METADATA": "Name: b"}, ("a-1.dist-info/METADATA",))


def test_a_large_script_is_a_script() -> None:
    assert in_pieces("app.pex", b"#!/usr/bin/python3\n" + bytes(9000)).shebangs == {"app.pex": "/usr/bin/python3"}


@pytest.mark.parametrize("size", [64, 1023, 1024, 9000])
def test_a_program_is_one_whatever_size_was_said(make: Any, size: int) -> None:
    content = make.elf(183).ljust(size, b"\0")
    for said in (0, LARGE):
        seen = in_pieces("x.so", content, said=said)
        assert [binary.machines for _, binary in seen.binaries] == [("arm64",)]
        assert (seen.entries[0].size, seen.entries[0].sha256) == (size, hashlib.sha256(content).hexdigest())


def test_a_program_named_like_a_record_is_looked_at(make: Any) -> None:
    assert len(scan(make.tar({"x-1.dist-info/RECORD": ELF})).contents.binaries) == 1


@pytest.mark.parametrize("offset", [3900, 4090, 4096, 200_000])
def test_a_pe_header_is_read_however_far_it_lies(make: Any, offset: int) -> None:
    [(_, binary)] = scan(make.tar({"a.dll": make.pe(0xAA64, offset=offset), "b": b"x"})).contents.binaries
    assert (binary.machines, binary.undecided) == (("arm64",), "")


def test_a_pe_offset_beyond_the_file_is_no_program(make: Any) -> None:
    data = (b"MZ" + bytes(58) + b"\xff\xff\xff\x7f").ljust(9000, b"\0")
    assert scan(make.tar({"a": data, "b.so": ELF})).contents.files == 2


def test_records_name_the_distribution_of_a_program(make: Any) -> None:
    site = "app/.venv/lib/python3.12/site-packages"
    record = b'numpy/_core.so,sha256=x,64\n"../../../bin/f2py",,\n'
    files = {f"{site}/numpy/_core.so": ELF, "app/.venv/bin/f2py": ELF, f"{site}/numpy-2.1.0.dist-info/RECORD": record}
    tree = Tree([scan(make.tar(files)).contents])
    assert {path: tree.package_of(path) for path in tree.binaries} == {
        f"{site}/numpy/_core.so": "numpy 2.1.0",
        "app/.venv/bin/f2py": "numpy 2.1.0",
    }


def test_whiteouts_are_noted(make: Any) -> None:
    raw = make.tar({"etc/.wh.passwd": b"", "opt/.wh..wh..opq": b"", "x": b""})
    assert scan(raw).contents.whiteouts == ("etc/.wh.passwd", "opt/.wh..wh..opq")


def test_facts_survive_json(make: Any) -> None:
    site = "lib/python3.12/site-packages"
    facts = scan(make.tar({f"{site}/a.so": ELF, f"{site}/a-1.dist-info/RECORD": b"a.so,,", ".wh.b": b""}))
    assert LayerFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("data", [{}, {"version": 99}, {"version": 1}, {"version": 1, "binaries": 3}])
def test_other_json_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="layer facts"):
        LayerFacts.from_json(data)


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../../b", "..", "/../x", "a/.."])
def test_escaping_paths_are_refused(make: Any, path: str) -> None:
    for raw in (make.block(path.encode()), make.block(b"ok", type_=b"1", link=path.encode())):
        with pytest.raises(LayerUnreadableError, match="leads out"):
            scan(raw + bytes(1024))


def _pax(records: bytes, make: Any, type_: bytes = b"x") -> bytes:
    return bytes(
        make.block(b"pax", type_=type_, size=len(records)) + records.ljust(-(-len(records) // 512) * 512, b"\0")
    )


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("global path", "ambiguous"),
        ("pax and GNU name", "ambiguous"),
        ("path twice", "ambiguous"),
        ("GNU header with prefix", "ambiguous"),
        ("sparse by pax", "sparse"),
        ("sparse by GNU", "sparse"),
        ("unknown type", "unknown type"),
        ("negative size", "malformed number"),
        ("size with letters", "malformed size"),
        ("huge extended header", "unreasonable size"),
        ("malformed pax", "malformed extended header"),
        ("file without a name", "without a name"),
        ("extended header at the end", "cut short"),
        ("content cut short", "cut short"),
        ("data behind the end", "after the end"),
        ("wrong checksum", "damaged"),
    ],
)
def test_hostile_archives_are_refused_with_a_reason(make: Any, case: str, message: str) -> None:
    plain = make.block(b"a")
    negative = bytearray(plain)
    negative[124:136] = b"\xff" * 12
    prefixed = bytearray(make.block(b"a", magic=b"ustar  \0"))
    prefixed[345] = 0x41
    for block in (negative, prefixed):
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    raw = {
        "global path": _pax(b"10 path=b\n", make, b"g") + plain,
        "pax and GNU name": _pax(b"10 path=b\n", make)
        + make.block(b"L", type_=b"L", size=2)
        + b"c\0".ljust(512, b"\0")
        + plain,
        "path twice": _pax(b"10 path=b\n10 path=c\n", make) + plain,
        "GNU header with prefix": bytes(prefixed),
        "sparse by pax": _pax(b"22 GNU.sparse.major=1\n", make) + plain,
        "sparse by GNU": make.block(b"a", type_=b"S"),
        "unknown type": make.block(b"a", type_=b"X"),
        "negative size": bytes(negative),
        "size with letters": _pax(b"12 size=1_0\n", make) + plain,
        "huge extended header": make.block(b"a", type_=b"x", size=2**32),
        "malformed pax": _pax(b"99 path=b\n", make) + plain,
        "file without a name": make.block(b"./"),
        "extended header at the end": _pax(b"10 path=b\n", make),
        "content cut short": make.block(b"a", size=5000) + bytes(100),
        "data behind the end": plain + bytes(1024) + plain,
        "wrong checksum": b"b" + plain[1:],
    }[case]
    end = b"" if "cut" in message or case == "data behind the end" else bytes(1024)
    with pytest.raises(LayerUnreadableError) as error:
        scan(raw + end)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda blob: blob[:-1], "cut short"),
        (lambda blob: blob[: len(blob) // 2], "cut short"),
        (lambda _: b"", "cut short"),
        (lambda blob: blob + b"trailing", "after the end of the gzip"),
        (lambda blob: blob + bytes(512), "after the end of the gzip"),
        (lambda blob: blob[:-8] + bytes([blob[-8] ^ 1]) + blob[-7:], "damaged"),
        (gzip.decompress, "not gzip"),
    ],
)
def test_broken_gzip_is_refused(make: Any, change: Any, message: str) -> None:
    blob = gzip.compress(make.tar({"a": random.Random(1).randbytes(5000)}))
    with pytest.raises(LayerUnreadableError) as error:
        scan(change(blob), GZIP)
    assert message in str(error.value)


def test_bombs_stop_at_the_limits(make: Any) -> None:
    bomb = gzip.compress(make.tar({"a": bytes(5_000_000)}))
    with pytest.raises(LayerUnreadableError, match="too large"):
        scan(bomb, GZIP, max_bytes=1_000_000)
    with pytest.raises(LayerUnreadableError, match="too many members"):
        scan(make.tar({str(n): b"" for n in range(20)}), max_members=10)


@pytest.mark.parametrize("media_type", [ZSTD, "application/vnd.docker.image.rootfs.diff.tar.zstd"])
def test_zstd_layers_are_read_like_gzip_layers(make: Any, media_type: str) -> None:
    raw = make.tar({"lib/a.so": ELF, "text": b"hello"})
    blob = zstandard.compress(raw[:700]) + zstandard.compress(raw[700:])
    facts = scan(blob, media_type)
    assert (facts.digest, facts.diff_id, facts.size) == (make.digest(blob), make.digest(raw), len(blob))
    assert facts.contents == scan(gzip.compress(raw), GZIP).contents
    assert facts.contents.files == 2


def test_zstd_bombs_stop_at_the_limit(make: Any) -> None:
    with pytest.raises(LayerUnreadableError, match="too large"):
        scan(zstandard.compress(make.tar({"a": bytes(5_000_000)})), ZSTD, max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda blob: blob[:-1], "cut short"),
        (lambda _: b"", "cut short"),
        (lambda blob: blob + b"trailing", "after the end of the zstd"),
        (zstandard.decompress, "not zstd"),
    ],
)
def test_broken_zstd_is_refused(make: Any, change: Any, message: str) -> None:
    with pytest.raises(LayerUnreadableError) as error:
        scan(change(zstandard.compress(make.tar({"a": random.Random(1).randbytes(5000)}))), ZSTD)
    assert message in str(error.value)


def test_unknown_compressions_are_named() -> None:
    with pytest.raises(LayerUnsupportedError, match=r"tar\+brotli"):
        scan(b"", "application/vnd.oci.image.layer.v1.tar+brotli")
