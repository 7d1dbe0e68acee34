"""A base image is locked by digest with what was read in its layers, which are read once."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.baselayers import glibc, program, raw_tar
from tests.support.basemaker import ArchiveMaker, Layer, LayoutMaker, layer

from crossdock.bases.image_layers import bring_layers, image_base_recipes
from crossdock.bases.image_lock import lock_image_base, lock_scratch
from crossdock.bases.sources import open_source
from crossdock.bases.spec import parse_base
from crossdock.errors import BaseImageError, LayerUnreadableError, RegistryContentError
from crossdock.layers.entry import directory, file, symlink
from crossdock.lockfile.file import Lockfile, read_lockfile, write_lockfile
from crossdock.oci.model import LAYER_GZIP
from crossdock.store import Progress, Store
from crossdock.targets import parse_platform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.bases.spec import BaseSpec
    from crossdock.lockfile.images import LockedImageBase
    from crossdock.oci.content import ImageSource
    from crossdock.oci.reference import Reference

LOADER = "/lib64/ld-linux-x86-64.so.2"
SYSTEM = Layer(
    raw_tar(
        symlink("lib", "usr/lib"),
        symlink("lib64", "usr/lib64"),
        program("usr/lib64/ld-linux-x86-64.so.2"),
        glibc("usr/lib/x86_64-linux-gnu/libc.so.6", "2.36"),
        file("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
    )
)
PYTHON = Layer(
    raw_tar(
        program("usr/bin/python3.11", interpreter=LOADER, content=b"\x003.11.2\0"),
        symlink("usr/bin/python3", "python3.11"),
        directory("usr/lib/python3.11"),
    )
)
CONFIG: dict[str, Any] = {"config": {"Env": ["PATH=/usr/bin", "LANG=C.UTF-8"], "User": "1000:1000"}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def maker(tmp_path: Path) -> LayoutMaker:
    return LayoutMaker(tmp_path / "base")


def no_registry(reference: Reference) -> ImageSource:
    raise AssertionError(f"{reference} was asked for")


def opener(root: Path) -> Callable[[BaseSpec], ImageSource]:
    return lambda spec: open_source(spec, root, no_registry)


def lock(root: Path, store: Store, base: str = "oci:base", warnings: list[str] | None = None) -> LockedImageBase:
    spec = parse_base(base)
    warn = (warnings if warnings is not None else []).append
    return lock_image_base(spec, opener(root)(spec), parse_platform("linux/amd64"), store, warn=warn)


def test_digests_and_facts_are_locked(maker: LayoutMaker, store: Store) -> None:
    image = maker.image("amd64", SYSTEM, PYTHON, **CONFIG)
    index = maker.index(image)
    maker.finish(index)

    locked = lock(maker.path.parent, store)

    assert (locked.name, locked.architecture, locked.variant) == ("oci:base", "amd64", "")
    assert (locked.digest, locked.index) == (image["digest"], index["digest"])
    assert [item.diff_id for item in locked.layers] == [SYSTEM.diff_id, PYTHON.diff_id]
    facts = locked.facts
    assert (facts.libc, facts.libc_version) == ("glibc", (2, 36))
    assert (facts.python_path, facts.python_version) == ("/usr/bin/python3.11", "3.11.2")
    assert (facts.env["LANG"], facts.user, facts.os_release["ID"]) == ("C.UTF-8", "1000:1000", "debian")


def test_an_archive_of_the_same_image_brings_the_same(maker: LayoutMaker, tmp_path: Path, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM, PYTHON, **CONFIG))
    archive = ArchiveMaker(tmp_path / "base.tar")
    archive.image("amd64", SYSTEM, PYTHON, **CONFIG)
    archive.finish()
    maker.archive(tmp_path / "layout.tar")

    folder, docker = lock(tmp_path, store), lock(tmp_path, store, "docker-archive:base.tar")

    assert docker.facts == folder.facts == lock(tmp_path, Store(tmp_path / "other"), "oci:layout.tar").facts
    assert [item.diff_id for item in docker.layers] == [item.diff_id for item in folder.layers]


def test_layers_are_read_once(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM, PYTHON, **CONFIG))
    first = lock(maker.path.parent, store)
    for item in first.layers:
        maker.file(item.digest).unlink()
    assert lock(maker.path.parent, store) == first
    with pytest.raises(BaseImageError, match="not there"):
        lock(maker.path.parent, Store(store.root.parent / "empty"))


def test_files_on_this_machine_are_not_copied_to_be_read(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM))
    locked = lock(maker.path.parent, store)
    assert store.find(locked.layers[0].digest[7:]) is None


def test_the_reader_says_why_a_python_is_none(maker: LayoutMaker, store: Store) -> None:
    odd = Layer(raw_tar(file("usr/bin/python3", b"#!/bin/sh\n", mode=0o755)))
    maker.finish(maker.image("amd64", SYSTEM, odd))
    warnings: list[str] = []
    assert lock(maker.path.parent, store, warnings=warnings).facts.python_path == ""
    assert ["oci:base has no Python that can be used" in text for text in warnings] == [True]


def test_the_reader_says_which_python_was_passed_over(maker: LayoutMaker, store: Store) -> None:
    shim = Layer(raw_tar(file("root/.pyenv/shims/python3", b"#!/usr/bin/env bash\n", mode=0o755)))
    path = "PATH=/root/.pyenv/shims:/usr/local/bin:/usr/bin"
    maker.finish(maker.image("amd64", SYSTEM, PYTHON, shim, config={"Env": [path]}))
    warnings: list[str] = []
    facts = lock(maker.path.parent, store, warnings=warnings).facts
    (warning,) = warnings
    assert warning.startswith(f"oci:base has {facts.python_path} as its Python: /root/.pyenv/shims/python3 leads to ")


def test_a_layer_that_is_not_the_one_of_the_config_is_refused(maker: LayoutMaker, store: Store) -> None:
    image = maker.image("amd64", SYSTEM)
    manifest = json.loads(maker.file(image["digest"]).read_bytes())
    manifest["layers"] = [maker.blob(PYTHON.packed, LAYER_GZIP)]
    maker.finish(maker.json(manifest, image["mediaType"]))
    for _ in range(2):
        with pytest.raises(BaseImageError, match="is not the one that its config names"):
            lock(maker.path.parent, store)


def test_a_layer_that_is_no_archive_is_refused(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", Layer(b"what?" * 1000)))
    with pytest.raises(LayerUnreadableError, match="oci:base"):
        lock(maker.path.parent, store)


@pytest.mark.parametrize(
    "config",
    [
        {"Env": ["A=\ud800", "B=x\0y", "=x", "GOOD=1"]},
        {"Labels": {"\ud800": "x", "a": "\udfff", "b": "x\0"}},
        {"User": "a b:c\n", "StopSignal": "\x07" * 100},
        {"Env": [f"V{number}={'x' * 1000}" for number in range(1000)]},
    ],
)
def test_what_is_locked_of_a_hostile_config_can_be_written_and_read(
    maker: LayoutMaker, store: Store, config: dict[str, Any]
) -> None:
    maker.finish(maker.image("amd64", SYSTEM, config=config))
    path = store.root.parent / "crossdock.lock"
    with suppress(BaseImageError):  # or else it is refused as what it is
        locked = lock(maker.path.parent, store)
        write_lockfile(path, Lockfile(images=(locked,)))
        assert read_lockfile(path).images == (locked,)


def test_scratch_is_nothing() -> None:
    locked = lock_scratch(parse_platform("linux/arm64"))
    assert (locked.digest, locked.layers, locked.facts.libc, locked.variant) == ("", (), None, "v8")


# The layers of the image that is built on it.


def test_layers_go_into_the_image_unchanged(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM, PYTHON))
    locked = lock(maker.path.parent, store)

    made = [item.make(store) for item in image_base_recipes(locked, opener(maker.path.parent), store)]

    assert [item.digest for item in made] == [item.digest[7:] for item in locked.layers]
    assert [item.diff_id for item in made] == [SYSTEM.diff_id[7:], PYTHON.diff_id[7:]]
    assert store.read_bytes(made[0].digest) == SYSTEM.packed
    shutil.rmtree(maker.path)
    again = image_base_recipes(locked, opener(maker.path.parent), store)
    assert [item.make(store) for item in again] == made


def test_tars_of_an_archive_are_compressed_always_the_same(tmp_path: Path, store: Store) -> None:
    import gzip

    big = Layer(raw_tar(file("big", bytes(range(256)) * 10_000)))
    archive = ArchiveMaker(tmp_path / "base.tar")
    archive.image("amd64", SYSTEM, big)
    archive.finish()
    locked = lock(tmp_path, store, "docker-archive:base.tar")

    recipes = image_base_recipes(locked, opener(tmp_path), store)
    made = [item.make(store) for item in recipes]

    assert {item.media_type for item in recipes} == {LAYER_GZIP}
    assert [item.diff_id for item in made] == [SYSTEM.diff_id[7:], big.diff_id[7:]]
    assert gzip.decompress(store.read_bytes(made[1].digest)) == big.tar
    assert made[1].size < len(big.tar) / 10
    other = Store(tmp_path / "other")
    bring_layers(opener(tmp_path)(parse_base(locked.name)), locked.layers, other, jobs=2)
    (tmp_path / "base.tar").unlink()
    assert [item.make(other) for item in image_base_recipes(locked, opener(tmp_path), other)] == made


def test_brought_layers_are_checked_and_stay(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM, PYTHON, SYSTEM))
    locked = lock(maker.path.parent, store)
    source = opener(maker.path.parent)(parse_base("oci:base"))
    bring_layers(source, locked.layers, store, jobs=4)
    shutil.rmtree(maker.path)
    bring_layers(source, locked.layers, store, jobs=4)
    assert [store.size(item.digest[7:]) for item in locked.layers] == [item.size for item in locked.layers]


def test_a_layer_that_was_spoilt_in_the_cache_is_noticed_and_goes(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM))
    locked = lock(maker.path.parent, store)
    (recipe,) = image_base_recipes(locked, opener(maker.path.parent), store)
    bring_layers(opener(maker.path.parent)(parse_base("oci:base")), locked.layers, store, jobs=1)
    path = store.path(locked.layers[0].digest[7:])
    path.write_bytes(b"x" * path.stat().st_size)

    with pytest.raises(RegistryContentError, match=r"not the one in crossdock\.lock"):
        recipe.make(store)

    assert recipe.make(store).digest == locked.layers[0].digest[7:]


def test_a_layer_that_is_another_by_now_is_refused(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", layer(a=b"1")))
    locked = lock(maker.path.parent, store)
    shutil.rmtree(maker.path)
    LayoutMaker(maker.path).finish()
    with pytest.raises(BaseImageError, match="not there") as caught:
        image_base_recipes(locked, opener(maker.path.parent), store)[0].make(store)
    assert "crossdock lock" in caught.value.hint


def test_a_layer_that_was_cut_off_in_the_cache_is_made_again(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM))
    locked = lock(maker.path.parent, store)
    bring_layers(opener(maker.path.parent)(parse_base("oci:base")), locked.layers, store, jobs=1)
    path = store.path(locked.layers[0].digest[7:])
    path.write_bytes(b"x")
    (recipe,) = image_base_recipes(locked, opener(maker.path.parent), store)
    assert recipe.make(store).size == locked.layers[0].size
    assert path.read_bytes() == SYSTEM.packed


def test_progress_counts_what_is_brought(maker: LayoutMaker, store: Store) -> None:
    maker.finish(maker.image("amd64", SYSTEM, PYTHON))
    locked = lock(maker.path.parent, store)
    drawn = io.StringIO()
    source = opener(maker.path.parent)(parse_base("oci:base"))
    for _ in range(2):
        bring_layers(source, locked.layers, store, jobs=1, progress=Progress(drawn))
    assert drawn.getvalue().count("fetching 2/2 files") == 1
