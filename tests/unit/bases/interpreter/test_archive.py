"""Archives of standalone Pythons as trees: normal form, hostile ones, and nothing left behind."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.bases.interpreter.conftest import Files, Shelf, member, python_files, tar_of

from crossdock.bases.interpreter.archive import ArchiveLimits, open_archive
from crossdock.errors import CrossdockError, InterpreterError, MissingBlobError
from crossdock.layers.entry import Entry


def entries(shelf: Shelf, files: Files) -> dict[str, Entry]:
    with shelf.open(files) as tree:
        return {entry.path: entry for entry in tree.entries()}


def refusal(shelf: Shelf, files: Files | bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(InterpreterError) as caught, shelf.open(files, **({"limits": limits} if limits else {})):
        pass
    assert shelf.leftovers() == []
    assert "python.tar.gz" in caught.value.what
    return str(caught.value)


def test_everything_comes_below_opt_python_in_normal_form(shelf: Shelf) -> None:
    found = entries(shelf, python_files())
    assert found["opt"] == Entry(path="opt", kind="directory", mode=0o755)
    assert found["opt/python/lib/python3.12"] == Entry(path="opt/python/lib/python3.12", kind="directory", mode=0o755)
    assert found["opt/python/bin/2to3"] == Entry(path="opt/python/bin/2to3", mode=0o755, content=b"#!/bin/sh\n")
    assert found["opt/python/lib/python3.12/os.py"].mode == 0o644
    assert found["opt/python/bin/python3"] == Entry(
        path="opt/python/bin/python3", kind="symlink", mode=0o777, linkname="python3.12"
    )
    assert {(entry.uid, entry.gid) for entry in found.values()} == {(0, 0)}
    files = {path.removeprefix("opt/") for path, entry in found.items() if entry.kind != "directory"}
    assert files == set(python_files())


def test_the_order_in_the_archive_and_its_form_do_not_matter(shelf: Shelf) -> None:
    files = python_files()
    turned = dict(reversed(files.items()))
    with_folders = {"python": member("", kind=tarfile.DIRTYPE), "./python/lib/": member("", kind=tarfile.DIRTYPE)}
    packed = gzip.compress(tar_of({**with_folders, **turned}, form=tarfile.PAX_FORMAT))
    with shelf.open(files) as one, shelf.open(packed) as other:
        assert list(one.entries()) == list(other.entries())


def test_parents_come_before_what_is_in_them(shelf: Shelf) -> None:
    paths = list(entries(shelf, python_files()))
    assert paths == sorted(paths, key=lambda path: path.split("/"))
    assert all(path.rpartition("/")[0] in {"", *paths[:place]} for place, path in enumerate(paths))


def test_hard_links_stay_links_and_the_first_in_order_is_the_file(shelf: Shelf) -> None:
    files: Files = {
        "python/share/m": b"data",
        "python/share/z": member("", kind=tarfile.LNKTYPE, link="python/share/m"),
        "python/share/a": member("", kind=tarfile.LNKTYPE, link="python/share/z"),
    }
    found = entries(shelf, files)
    assert found["opt/python/share/a"] == Entry(path="opt/python/share/a", content=b"data")
    for name in "mz":
        link = found[f"opt/python/share/{name}"]
        assert (link.kind, link.linkname, link.content) == ("hardlink", "opt/python/share/a", b"")


def test_names_too_long_for_a_header_are_kept(shelf: Shelf) -> None:
    path = "python/lib/" + "/".join(["d" * 90] * 4) + "/ü.py"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with shelf.open(gzip.compress(tar_of({path: b"x"}, form=form))) as tree:
            assert tree.read(path.removeprefix("python/")) == b"x"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"python/../etc/passwd": b""}, "leads out of it"),
        ({"/etc/passwd": b""}, "is not below python/"),
        ({"usr/bin/python3": b""}, "is not below python/"),
        ({"pythonista/x": b""}, "is not below python/"),
        ({"python": b""}, "python is no folder"),
        ({"python/a\nb": b""}, "is not a file name"),
        ({"python/a": b"1", "./python/a": b"2"}, "a is there twice"),
        ({"python/a": b"1", "python/a/b": b"2"}, "lies below a, which is no folder"),
        (
            {"python/a": member("", kind=tarfile.SYMTYPE, link="b"), "python/a/b": b""},
            "lies below a, which is no folder",
        ),
        ({"python/a": member("", kind=tarfile.SYMTYPE, link="/etc")}, "the symbolic link a leads out of it"),
        ({"python/a": member("", kind=tarfile.SYMTYPE, link="../x")}, "the symbolic link a leads out of it"),
        ({"python/b/a": member("", kind=tarfile.SYMTYPE, link="c/../../..")}, "leads out of it"),
        ({"python/a": member("", kind=tarfile.SYMTYPE, link="")}, "which is no path"),
        ({"python/a": member("", kind=tarfile.LNKTYPE, link="etc/shadow")}, "is not below python/"),
        (
            {"python/a": member("", kind=tarfile.LNKTYPE, link="python/b"), "python/b": b""},
            "leads to no file before it",
        ),
        ({"python/a": member("", kind=tarfile.CHRTYPE)}, "a is a device"),
        ({"python/a": member("", kind=tarfile.FIFOTYPE)}, "a is a device"),
    ],
)
def test_what_could_lead_out_of_the_image_is_refused(shelf: Shelf, files: Files, why: str) -> None:
    assert why in refusal(shelf, files)


def test_a_link_may_go_up_as_far_as_the_top(shelf: Shelf) -> None:
    link = member("", kind=tarfile.SYMTYPE, link="../../lib/x")
    assert entries(shelf, {"python/a/b/c": link, "python/lib/x": b""})["opt/python/a/b/c"].linkname == "../../lib/x"


def test_names_that_are_no_text_are_refused(shelf: Shelf) -> None:
    tar = tar_of({"python/Q": b""}).replace(b"python/Q", b"python/\xff")
    fixed = bytearray(tar)
    fixed[148:156] = b"        "
    fixed[148:156] = b"%06o\0 " % sum(fixed[:512])
    assert "is not a file name" in refusal(shelf, gzip.compress(bytes(fixed)))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (ArchiveLimits(unpacked=10_000), "unpacks to more than 10,000 bytes"),
        (ArchiveLimits(file=100), "has more than 100 bytes"),
        (ArchiveLimits(members=3), "more than 3 "),
    ],
)
def test_an_archive_beyond_its_bounds_is_refused(shelf: Shelf, limits: ArchiveLimits, why: str) -> None:
    assert why in refusal(shelf, {"python/bin/x": b"1" * 20_000, **python_files()}, limits)


def test_folders_that_only_names_imply_count_too(shelf: Shelf) -> None:
    deep = {f"python/{'/'.join(f'{number}{part}' for part in range(20))}": b"" for number in range(3)}
    assert "more than 50 files and folders" in refusal(shelf, dict(deep), ArchiveLimits(members=50))


def test_a_bomb_stops_at_the_bound(shelf: Shelf) -> None:
    bomb = gzip.compress(tar_of({"python/x": bytes(64 << 20)}))
    assert len(bomb) < 100_000
    assert "unpacks to more than" in refusal(shelf, bomb, ArchiveLimits(unpacked=1 << 20))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "neither by gzip nor by Zstandard"),
        (b"PK\x03\x04" + bytes(100), "neither by gzip nor by Zstandard"),
        (gzip.compress(tar_of(python_files()))[:-20], "cut short"),
        (gzip.compress(tar_of(python_files())[:3000]), "cut short"),
        (gzip.compress(b"not a tar archive" * 100), "the tar archive has a malformed number"),
    ],
    ids=["empty", "a zip", "half a gzip file", "half a tar archive", "no tar archive"],
)
def test_what_is_no_whole_archive_is_refused(shelf: Shelf, data: bytes, why: str) -> None:
    assert why in refusal(shelf, data)


def test_an_archive_changed_in_the_cache_is_not_read(shelf: Shelf) -> None:
    sha256 = shelf.add(python_files())
    shelf.store.path(sha256).write_bytes(gzip.compress(tar_of({"python/bin/python3.12": b"evil"})))
    with (
        pytest.raises(InterpreterError, match="was changed in the cache"),
        open_archive(shelf.store, sha256, origin="p"),
    ):
        pass
    assert shelf.leftovers() == []


def test_an_archive_that_is_not_there_is_told_so(shelf: Shelf) -> None:
    with pytest.raises(MissingBlobError), open_archive(shelf.store, "0" * 64, origin="p"):
        pass


def test_nothing_is_left_of_a_read_archive(shelf: Shelf) -> None:
    with shelf.open(python_files()) as tree:
        assert [path.stat().st_size > 0 for path in map(Path, shelf.leftovers())] == [True]
        assert tree.is_file("bin/python3.12")
        assert not tree.is_file("bin/python3")
    assert shelf.leftovers() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.data())
def test_any_damage_gives_a_tree_or_an_error_of_ours(shelf: Shelf, draw: st.DataObject) -> None:
    tar = bytearray(tar_of({"python/a/b": b"1", "python/c": member("", kind=tarfile.SYMTYPE, link="a/b")}))
    for _ in range(draw.draw(st.integers(1, 4))):
        tar[draw.draw(st.integers(0, 1535))] = draw.draw(st.integers(0, 255))
    for at in (0, 1024):  # with checksums that are right again, so that the fields are read
        tar[at + 148 : at + 156] = b"        "
        tar[at + 148 : at + 156] = b"%06o\0 " % sum(tar[at : at + 512])
    try:
        with shelf.open(gzip.compress(bytes(tar), compresslevel=1)) as tree:
            assert all(entry.path == "opt" or entry.path.startswith("opt/python") for entry in tree.entries())
    except CrossdockError:
        pass
    assert shelf.leftovers() == []
