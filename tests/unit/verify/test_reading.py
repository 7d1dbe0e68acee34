"""Reading finished artifacts: all that is in them is seen, and nothing that is hostile gets far."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.rawzip import RawMember, deflated, raw_deflate, write_zip

from crossdock.errors import CrossdockError, LayerUnreadableError, LayoutUnreadableError
from crossdock.verify.claim import Claim
from crossdock.verify.looking import ContentsReader
from crossdock.verify.platforms import Platform
from crossdock.verify.proof import prove_bundle
from crossdock.verify.reading import ReadingLimits, read_artifact
from crossdock.verify.tree import Tree

if TYPE_CHECKING:
    from crossdock.verify.contents import Contents

ARM64 = Claim(platform=Platform(os="linux", architecture="arm64"))
WHEEL = "fast-1.0-cp312-cp312-manylinux_2_17_aarch64.whl"


@pytest.fixture
def files(make: Any) -> dict[str, bytes]:
    """What a PEX holds: two wheels, one of them with programs, and code."""
    return {
        "PEX-INFO": b"{}",
        "__main__.py": b"print()" * 30_000,
        f".deps/{WHEEL}/fast/core.so": make.elf(183) + bytes(200_000),
        f".deps/{WHEEL}/fast/__init__.py": b"",
        f".deps/{WHEEL}/fast-1.0.dist-info/RECORD": b"fast/core.so,,\nfast/__init__.py,,\n",
        ".deps/pure-2.0-py3-none-any.whl/pure.py": b"x = 1\n",
    }


def expected(files: dict[str, bytes]) -> Contents:
    reader = ContentsReader()
    for path, content in files.items():
        reader.see(path, content)
    return reader.contents()


def hashes(contents: Contents) -> dict[str, tuple[int, str]]:
    return {seen.path: (seen.size, seen.sha256) for seen in contents.entries if seen.kind == "file"}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zip_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def write_form(form: str, path: Path, files: dict[str, bytes], make: Any) -> Path:
    """Write the files as an artifact of a form."""
    if form == "folder":
        return write_folder(path, files)
    if form in {"zip", "stored"}:
        return make.zip(path, files, prefix=b"#!/usr/bin/env python3.12\n", stored=form == "stored")  # type: ignore[no-any-return]
    raw = make.tar(files)
    packed = {"tar": raw, "gzip": gzip.compress(raw), "zstd": zstandard.compress(raw)}[form]
    path.write_bytes(packed)
    return path


@pytest.mark.parametrize("form", ["zip", "stored", "folder", "tar", "gzip", "zstd"])
def test_the_same_is_seen_in_every_form(form: str, tmp_path: Path, make: Any, files: dict[str, bytes]) -> None:
    artifact = read_artifact(write_form(form, tmp_path / "artifact", files, make))

    whole = expected(files)
    assert artifact.contents.files == 6
    assert dict(artifact.contents.binaries) == dict(whole.binaries) != {}
    assert Tree([artifact.contents]).package_of(f".deps/{WHEEL}/fast/core.so") == "fast 1.0"
    assert hashes(artifact.contents) == hashes(whole)
    assert {name: part.files for name, part in artifact.wheels.items()} == {WHEEL: 3, "pure-2.0-py3-none-any.whl": 1}
    assert artifact.rest.files == 2
    assert artifact.leads_out == ()


def test_the_digest_is_that_of_the_file(tmp_path: Path, make: Any, files: dict[str, bytes]) -> None:
    path = make.zip(tmp_path / "a.pex", files)
    assert read_artifact(path).digest == make.digest(path.read_bytes())
    assert read_artifact(write_folder(tmp_path / "folder", files)).digest == ""


@pytest.mark.parametrize("stored", [True, False])
def test_wheels_that_lie_in_it_as_archives_are_read(
    stored: bool, tmp_path: Path, make: Any, files: dict[str, bytes]
) -> None:
    """A packed PEX is a folder of archives; zipped again, for a function, it is archives in an archive."""
    prefix = f".deps/{WHEEL}/"
    inner = zip_of({name.removeprefix(prefix): data for name, data in files.items() if name.startswith(prefix)})
    packed = {name: data for name, data in files.items() if not name.startswith(prefix)}
    packed |= {f".deps/{WHEEL}": inner, ".bootstrap": zip_of({"pex/__init__.py": b""})}
    loose = {**files, ".bootstrap/pex/__init__.py": b""}

    from_folder = read_artifact(write_folder(tmp_path / "packed", packed))
    from_zip = read_artifact(make.zip(tmp_path / "packed.zip", packed, stored=stored))

    for artifact in (from_folder, from_zip):
        assert artifact.contents.files == 7
        assert dict(artifact.contents.binaries) == dict(expected(loose).binaries)
        assert artifact.contents.texts == expected(loose).texts != {}
        assert hashes(artifact.contents) == hashes(expected(loose))
        assert artifact.wheels[WHEEL].files == 3


def test_a_wheel_that_a_package_carries_is_read_too(tmp_path: Path, make: Any) -> None:
    carried = zip_of({"x86.so": make.elf(62)})
    outer = make.zip(tmp_path / "a.zip", {"virtualenv/embed/a-1.0-py3-none-any.whl": carried})
    ((path, binary),) = read_artifact(outer).contents.binaries
    assert (path, binary.machines) == ("virtualenv/embed/a-1.0-py3-none-any.whl/x86.so", ("amd64",))


def test_a_wheel_that_a_package_carries_is_a_file_of_it_and_no_distribution(tmp_path: Path, make: Any) -> None:
    """So it is as its RECORD says; and what is in it is not installed."""
    carried = zip_of({"pip/__init__.py": b"", "pip-24.0.dist-info/METADATA": b"Name: pip\nVersion: 24.0\n"})
    name = "lib/ensurepip/_bundled/pip-24.0-py3-none-any.whl"
    for artifact in (make.zip(tmp_path / "a.zip", {name: carried}), write_folder(tmp_path / "a", {name: carried})):
        contents = read_artifact(artifact).contents
        assert hashes(contents)[name] == (len(carried), hashlib.sha256(carried).hexdigest())
        assert f"{name}/pip/__init__.py" in hashes(contents)
        assert Tree([contents]).distributions == ()


def test_a_file_that_only_has_the_name_of_a_wheel_is_a_file(tmp_path: Path, make: Any) -> None:
    files = {"tests/data/broken-1.0-py3-none-any.whl": b"no zip archive", "a.whl": make.elf(62)}
    for artifact in (make.zip(tmp_path / "a.zip", files), write_folder(tmp_path / "folder", files)):
        contents = read_artifact(artifact).contents
        assert contents.files == 2
        assert [path for path, _ in contents.binaries] == ["a.whl"]


def test_a_wheel_of_a_pex_that_is_none_is_an_error(tmp_path: Path, make: Any) -> None:
    files = {f".deps/{WHEEL}": b"no zip archive"}
    for artifact in (make.zip(tmp_path / "a.pex", files), write_folder(tmp_path / "folder", files)):
        with pytest.raises(LayerUnreadableError, match=r"(?s)cannot be read.*does not end as a zip archive"):
            read_artifact(artifact)


def test_a_program_before_the_archive_is_judged(tmp_path: Path, make: Any) -> None:
    path = make.zip(tmp_path / "app", {"a.so": make.elf(183)}, prefix=make.elf(62))
    contents = read_artifact(path).contents
    assert [(name, binary.machines) for name, binary in contents.binaries] == [
        ("app", ("amd64",)),
        ("a.so", ("arm64",)),
    ]
    assert [finding.path for finding in prove_bundle(ARM64, [contents]).findings] == ["app"]


# Folders


def test_no_link_is_followed_and_those_that_lead_out_are_told(tmp_path: Path, make: Any) -> None:
    write_folder(tmp_path / "elsewhere", {"x86.so": make.elf(62)})
    folder = write_folder(tmp_path / "app", {"lib/a.so": make.elf(183)})
    (folder / "lib64").symlink_to("lib")
    (folder / "out.so").symlink_to(tmp_path / "elsewhere" / "x86.so")
    (folder / "lib" / "up").symlink_to("../../elsewhere")
    (folder / "round").symlink_to("round")
    (folder / "gone").symlink_to("nothing/here")

    artifact = read_artifact(folder)

    assert artifact.contents.files == 1
    assert [path for path, _ in artifact.contents.binaries] == ["lib/a.so"]
    assert set(artifact.leads_out) == {
        ("out.so", str(tmp_path / "elsewhere" / "x86.so")),
        ("lib/up", "../../elsewhere"),
    }


def test_links_out_of_a_tar_archive_are_told_too(tmp_path: Path) -> None:
    links = {"lib64": "lib", "lib/up": "../a.py", "lib/out": "../../x", "abs": "/usr/lib/x.so", "top": ".."}
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a.py"))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    out = ("lib/out", "abs", "top")
    assert read_artifact(tmp_path / "a.tar").leads_out == tuple((name, links[name]) for name in out)


def test_a_folder_may_be_named_by_a_link(tmp_path: Path, make: Any) -> None:
    folder = write_folder(tmp_path / "app", {"a.so": make.elf(183)})
    (folder / "b.so").symlink_to("a.so")
    (tmp_path / "link").symlink_to(folder)
    artifact = read_artifact(tmp_path / "link")
    assert (artifact.contents.files, artifact.leads_out) == (1, ())


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "app", {"a.py": b""})
    os.mkfifo(folder / "pipe")
    assert read_artifact(folder).contents.files == 1
    with pytest.raises(LayoutUnreadableError, match="neither a file nor a folder"):
        read_artifact(folder / "pipe")


def test_a_name_that_is_no_text_is_told_all_the_same(tmp_path: Path, make: Any) -> None:
    (tmp_path / "app").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "app") + b"/\xff.so")).write_bytes(make.elf(62))
    (finding,) = prove_bundle(ARM64, [read_artifact(tmp_path / "app").contents]).findings
    assert finding.sentence.startswith(r"\udcff.so is an x86-64 ELF file")


# What is hostile, damaged, or no artifact at all


def refused(path: Path, *words: str, limits: ReadingLimits | None = None) -> None:
    with pytest.raises(LayerUnreadableError) as caught:
        read_artifact(path, limits=limits)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert str(path) in caught.value.what


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, make: Any) -> None:
    refused(make.zip(tmp_path / "a.zip", {"zeros": bytes(100 << 20)}), "claims to unpack to")


def test_a_member_that_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    member = RawMember(name=b"a.py", stream=(raw_deflate(bytes(50 << 20)),), crc=zlib.crc32(b"x"), size=1)
    path = tmp_path / "a.pex"
    path.write_bytes(write_zip([member]))
    refused(path, "longer than")


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_bombs_in_bombs_are_counted_together(form: str, tmp_path: Path, make: Any) -> None:
    inner = zip_of({"zeros": bytes(20 << 20)})
    files = {f".deps/a{n}-1.0-py3-none-any.whl": inner for n in range(4)}
    limits = ReadingLimits(unpacked=50 << 20, ratio=1)
    refused(write_form(form, tmp_path / "a", files, make), "far more bytes than it has", limits=limits)
    assert read_artifact(tmp_path / "a").contents.files == 4


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_compressed_tar_is_bounded_too(form: str, tmp_path: Path, make: Any) -> None:
    path = write_form(form, tmp_path / "a.tar.x", {"zeros": bytes(20 << 20)}, make)
    refused(path, "far more bytes than it has", limits=ReadingLimits(unpacked=1 << 20))


def test_a_file_with_very_many_files_is_refused(tmp_path: Path, make: Any) -> None:
    files = {f"{n}.py": b"" for n in range(20)}
    for form in ("zip", "folder", "tar"):
        refused(write_form(form, tmp_path / form, files, make), limits=ReadingLimits(files=10))


def test_archives_in_archives_have_an_end(tmp_path: Path, make: Any) -> None:
    content = make.elf(62)
    for _ in range(10):
        content = zip_of({"a-1.0-py3-none-any.whl": content})
    path = make.zip(tmp_path / "a.zip", {"a-1.0-py3-none-any.whl": content})
    contents = read_artifact(path).contents
    assert (contents.files, contents.binaries) == (4, ())


@pytest.mark.parametrize("name", ["../a.so", "/a.so", "a/../../b.so", "C:/a.so", "a\\b.so"])
def test_a_path_that_leads_out_is_refused(name: str, tmp_path: Path, make: Any) -> None:
    (tmp_path / "a.pex").write_bytes(write_zip([deflated(name, make.elf(62))]))
    refused(tmp_path / "a.pex", "leads out of it")


def test_a_link_in_a_zip_archive_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.so")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "symbolic link")


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path, make: Any) -> None:
    (tmp_path / "a.pex").write_bytes(write_zip([deflated("a.so", make.elf(183)), deflated("a.so", make.elf(62))]))
    refused(tmp_path / "a.pex", "twice")


def test_a_hard_link_cannot_hide_a_file_behind_another_of_its_name(tmp_path: Path, make: Any) -> None:
    """Unpacked, the link is the first of the two files."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for program in (make.elf(62), make.elf(183)):
            info = tarfile.TarInfo("a.so")
            info.size = len(program)
            archive.addfile(info, io.BytesIO(program))
            info = tarfile.TarInfo("b.so")
            info.type, info.linkname = tarfile.LNKTYPE, "a.so"
            archive.addfile(info)
    refused(tmp_path / "a.tar", "twice", "a.so")


def test_damage_in_a_file_that_is_no_program_is_found(tmp_path: Path, make: Any) -> None:
    path = make.zip(tmp_path / "a.pex", {"a.py": os.urandom(100_000)}, stored=True)
    data = bytearray(path.read_bytes())
    data[90_000] ^= 1
    path.write_bytes(data)
    refused(path, "CRC-32")


def test_a_pex_is_a_zip_archive_whatever_it_begins_like(tmp_path: Path, make: Any) -> None:
    """Python runs what is at the end; that a tar archive is before it makes it none."""
    harmless = make.tar({"a.py": b""})
    path = make.zip(tmp_path / "a.pex", {"a.so": make.elf(62)}, prefix=harmless)
    assert [name for name, _ in read_artifact(path).contents.binaries] == ["a.so"]


@pytest.mark.parametrize("content", [b"", b"text", b"#!/bin/sh\nexit\n", b"\x7fELF" + bytes(2000), b"PK\x03\x04"])
def test_what_is_no_artifact_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "app"
    path.write_bytes(content)
    with pytest.raises(LayoutUnreadableError, match="neither a zip archive"):
        read_artifact(path)
    with pytest.raises(LayoutUnreadableError, match="No such file"):
        read_artifact(tmp_path / "none.pex")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, make: Any) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sample")
    files = {"a.so": make.elf(183), f".deps/{WHEEL}": zip_of({"b.so": make.elf(62), "c.py": b"x" * 500})}
    return {form: write_form(form, folder / form, files, make).read_bytes() for form in ("zip", "tar", "gzip", "zstd")}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["zip", "tar", "gzip", "zstd"]), st.integers(0, 3000), st.integers(0, 255), st.booleans())
def test_damage_gives_our_error_or_none(
    sample: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, form: str, at: int, value: int, cut: bool
) -> None:
    data = bytearray(sample[form])
    data[at % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data[: at % len(data)] if cut else data)
    try:
        read_artifact(path)
    except CrossdockError as error:
        assert error.exit_code in {92, 93}  # noqa: PT017
