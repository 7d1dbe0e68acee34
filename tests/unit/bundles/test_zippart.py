"""Parts of zip archives: made once of wheels, looked at on the way, and put together by copying."""

from __future__ import annotations

import hashlib
import io
import os
import random
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.assemble import LARGEST_ZIP, MOST_ENTRIES, assemble_zip, check_zip_limits
from crossdock.bundles.zippart import MadePart, PartRecipe, PartWriter, install_recipe
from crossdock.errors import BadWheelError, BundleError, BundleTooLargeError, DamagedLayerError, FileCollisionError
from crossdock.store import Store
from crossdock.verify.contents import Contents
from crossdock.verify.tree import Tree
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    from pathlib import Path

ELF_ARM64 = bytes.fromhex("7f454c460201010000000000000000000300b700010000000000000000000000") + bytes(4096)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def recipe_of(store: Store, *wheels: Path, prefix: str = "") -> PartRecipe:
    return install_recipe(store, [(path.name, store.add_file(path)) for path in wheels], flat(prefix))


def made(store: Store, *recipes: PartRecipe, prefix: bytes = b"") -> zipfile.ZipFile:
    out = io.BytesIO()
    digest = assemble_zip([recipe.make(store) for recipe in recipes], store, out, prefix=prefix)
    assert digest == hashlib.sha256(out.getvalue()).hexdigest()
    archive = zipfile.ZipFile(out)
    assert archive.testzip() is None
    return archive


def content_recipe(name: str, content: bytes, *, compress: bool = False) -> PartRecipe:
    key = hashlib.sha256(f"{name}{compress}".encode() + content).hexdigest()
    return PartRecipe(key, lambda out: out.add(name, content, compress=compress))


def test_a_wheel_becomes_what_an_installer_would_put_into_a_folder(tmp_path: Path, store: Store) -> None:
    wheel = make_wheel(
        tmp_path, "a", "1.0", {"a/__init__.py": "x = 1\n" * 50, "a/tool.sh": "#!/bin/sh\n"}, executables={"a/tool.sh"}
    )
    archive = made(store, recipe_of(store, wheel))
    assert archive.namelist() == sorted(
        [
            "a/__init__.py",
            "a/tool.sh",
            *(f"a-1.0.dist-info/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")),
        ]
    )
    assert archive.read("a/__init__.py") == b"x = 1\n" * 50
    modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()}
    assert modes["a/tool.sh"] == 0o755
    assert modes["a/__init__.py"] == 0o644


def test_all_of_it_goes_below_a_prefix(tmp_path: Path, store: Store) -> None:
    wheel = make_wheel(tmp_path, "a", "1.0", {"a.py": "", "a-1.0.data/data/share/a": "a"}, entry_points={"a": "a:main"})
    names = made(store, recipe_of(store, wheel, prefix="python")).namelist()
    assert {"python/a.py", "python/share/a", "python/bin/a"} <= set(names)
    assert all(name.startswith("python/") for name in names)


def test_streams_are_the_wheels_own(tmp_path: Path, store: Store) -> None:
    text = "".join(random.Random(1).choices("abcd \n", k=20_000))
    streams = []
    for level in (1, 9):
        folder = tmp_path / str(level)
        folder.mkdir()
        wheel = make_wheel(folder, "a", "1.0", {"a.py": text}, level=level)
        streams.append(zipfile.ZipFile(wheel).getinfo("a.py").compress_size)
        assert made(store, recipe_of(store, wheel)).getinfo("a.py").compress_size == streams[-1]
    assert streams[0] != streams[1]


def test_a_part_is_made_once(tmp_path: Path, store: Store) -> None:
    recipe = recipe_of(store, make_wheel(tmp_path, "a", "1.0", {"a.py": ""}))
    first = recipe.make(store)

    def never(_: PartWriter) -> None:
        raise AssertionError("it is there already")

    assert PartRecipe(recipe.key, never).make(store) == first
    store.discard(first.digest)
    assert recipe.find(store) is None
    assert recipe.make(store) == first


def test_every_program_is_seen_with_its_owner(tmp_path: Path, store: Store) -> None:
    wheel = make_wheel(tmp_path, "fast_code", "1.0", {"fast.so": ELF_ARM64, "fast.py": ""})
    contents = recipe_of(store, wheel).make(store).contents
    assert contents.files == 6
    ((path, binary),) = contents.binaries
    assert (path, binary.kind) == ("fast.so", "aarch64 ELF")
    assert Tree([contents]).package_of("fast.so") == "fast-code 1.0"
    assert Contents.from_json(contents.to_json()) == contents


def test_large_members_pass_in_pieces(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path, "a", "1.0", {"big.so": ELF_ARM64 + os.urandom(3 << 20), "zeros": bytes(3 << 20)})
    at_once = recipe_of(store, wheel).make(store)
    monkeypatch.setattr("crossdock.bundles.zippart._AT_ONCE", 1 << 20)
    store.record(recipe_of(store, wheel).key, None)
    assert recipe_of(store, wheel).make(store) == at_once


def test_a_damaged_wheel_is_refused(tmp_path: Path, store: Store) -> None:
    wheel = make_wheel(tmp_path, "a", "1.0", {"a.py": "x = 1\n" * 50}, stored={"a.py"})
    wheel.write_bytes(wheel.read_bytes().replace(b"x = 1", b"x = 2", 1))
    recipe = recipe_of(store, wheel)
    with pytest.raises(BadWheelError, match="CRC-32"):
        recipe.make(store)
    assert recipe.find(store) is None


def test_wheels_that_agree_on_a_file_bring_it_once(tmp_path: Path, store: Store) -> None:
    wheels = [make_wheel(tmp_path, name, "1.0", {"shared/__init__.py": "", f"shared/{name}.py": ""}) for name in "ab"]
    names = made(store, recipe_of(store, *wheels)).namelist()
    assert names.count("shared/__init__.py") == 1
    assert {"shared/a.py", "shared/b.py"} <= set(names)


def test_wheels_that_disagree_are_refused(tmp_path: Path, store: Store) -> None:
    wheels = [make_wheel(tmp_path, name, "1.0", {"shared.py": name}) for name in "ab"]
    with pytest.raises(FileCollisionError, match=r"both install shared\.py"):
        recipe_of(store, *wheels).make(store)


def test_parts_that_hold_one_path_are_refused(store: Store) -> None:
    with pytest.raises(FileCollisionError, match=r"two parts of an archive hold 'a\\x1b'"):
        made(store, content_recipe("a\x1b", b"1"), content_recipe("a\x1b", b"2"))


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, store: Store) -> None:
    """A zip archive could hold some of them, a file system none: what unpacks it would stop there."""
    for path in ("é" * 127 + "x", "/".join(["f" * 255] * 15 + ["f" * 254])):
        assert content_recipe(path, b"").make(store).entries == 1
        with pytest.raises(BundleError, match="cannot be in a zip archive"):
            content_recipe(f"{path}xy", b"").make(store)
    wheel = make_wheel(tmp_path, "a", "1.0", {"x" * 256: ""})
    with pytest.raises(BundleError, match="cannot be in a zip archive"):
        recipe_of(store, wheel, prefix="python").make(store)


@pytest.mark.parametrize("prefix", [b"", b"#!/usr/bin/env python3\n", b"x" * 100_000])
def test_offsets_count_from_the_beginning_of_the_file(store: Store, prefix: bytes) -> None:
    archive = made(store, *(content_recipe(f"{number}.txt", b"text" * number) for number in range(5)), prefix=prefix)
    assert archive.getinfo("0.txt").header_offset == len(prefix)
    assert [archive.read(f"{number}.txt") for number in range(5)] == [b"text" * number for number in range(5)]


def test_content_is_compressed_where_that_is_worth_it(store: Store) -> None:
    archive = made(
        store, content_recipe("long", b"a" * 999, compress=True), content_recipe("short", b"a", compress=True)
    )
    assert archive.getinfo("long").compress_type == zipfile.ZIP_DEFLATED
    assert archive.getinfo("short").compress_type == zipfile.ZIP_STORED


def test_folders_and_names_of_every_language(store: Store) -> None:
    def write(out: PartWriter) -> None:
        out.folder("größe")
        out.add("größe/ß.txt", b"")

    archive = made(store, PartRecipe("0" * 64, write))
    assert archive.namelist() == ["größe/", "größe/ß.txt"]
    assert archive.getinfo("größe/").is_dir()
    assert stat.S_ISDIR(archive.getinfo("größe/").external_attr >> 16)


def test_every_entry_has_the_same_time_and_system(tmp_path: Path, store: Store) -> None:
    for info in made(store, recipe_of(store, make_wheel(tmp_path, "a", "1.0", {"a.py": ""}))).infolist():
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert info.create_system == 3


def test_a_part_that_changed_in_the_cache_is_not_handed_over(store: Store) -> None:
    recipe = content_recipe("a", b"good")
    part = recipe.make(store)
    path = store.path(part.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
    with pytest.raises(DamagedLayerError, match="damaged"):
        made(store, recipe)
    assert made(store, recipe).read("a") == b"good"


def part(*, entries: int = 1, size: int = 1) -> MadePart:
    return MadePart(
        digest="0" * 64, size=size, directory=0, entries=entries, unpacked=0, contents=Contents(files=entries)
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([part(entries=MOST_ENTRIES), part()], "would have 65,535 entries"),
        ([part(size=LARGEST_ZIP), part()], "would have 4,294,967,295 bytes"),
    ],
)
def test_what_needs_zip64_is_refused_with_advice(parts: list[MadePart], words: str) -> None:
    check_zip_limits(parts[:1], "It", "do less")
    with pytest.raises(BundleTooLargeError, match=words) as caught:
        check_zip_limits(parts, "It", "do less")
    assert caught.value.hint == "do less"
    assert "ZIP64" in caught.value.why
