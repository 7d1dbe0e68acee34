"""Locks that hold hashes alone, or tell no dependencies: the index and the wheels' METADATA are asked for the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.hubindex import Index, sha256, wheel
from tests.unit.bazel.hubs import closure, hub, wheels

from crossdock.bazel.hubs.metadata import _key
from crossdock.errors import HashMismatchError, OfflineError
from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

AMD, WIN = "linux/amd64+glibc2.28 cp311", "windows/amd64 cp311"


def test_files_are_found_by_hash_and_edges_by_metadata(flat_lock: Path, index: Index) -> None:
    made = hub(flat_lock, AMD, WIN, offline=False)
    assert made["lock"]["graph"] == "metadata"
    web, fast = made["packages"]["web"], made["packages"]["fast"]
    assert {made["files"][sha256]["filename"] for sha256 in fast["wheels"].values()} == {
        "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "fast-1.0-cp311-cp311-win_amd64.whl",
    }
    assert web["deps"] == {AMD: ["=core"], WIN: ["=core", "winonly"]}
    # What the extra "all" needs is not locked, and "no name" cannot be that of a target.
    assert web["extras"].keys() == {"quick"}
    # Each wheel is asked, not one for all.
    assert fast["extras"]["speed"] == {AMD: ["core", "fast"], WIN: ["fast", "winonly"]}
    assert closure(made, AMD, ["web[quick]"]) == {"web", "core", "fast"}
    assert set(wheels(made, AMD, made["project"][AMD])) == {"web", "core", "fast"}
    assert "winonly" in made["project"][WIN]


def test_an_extra_that_one_target_has_not_locked_is_none_at_all(flat_lock: Path) -> None:
    # The extra "quick" needs fast, whose entry is now for one of the two only.
    flat_lock.write_text(flat_lock.read_text().replace("fast==1.0 ", "fast==1.0 ; sys_platform == 'win32' "))
    assert hub(flat_lock, WIN, offline=False)["packages"]["web"]["extras"].keys() == {"quick"}
    assert hub(flat_lock, AMD, WIN, offline=False)["packages"]["web"]["extras"] == {}


def test_a_target_without_a_wheel_takes_no_extra_from_the_others(flat_lock: Path) -> None:
    arm = "linux/arm64+glibc2.28 cp311"
    made = hub(flat_lock, AMD, arm, offline=False)
    assert arm in made["packages"]["fast"]["missing"]
    assert made["packages"]["fast"]["extras"]["speed"][AMD] == ["core", "fast"]


def test_no_url_of_an_index_is_written_down(flat_lock: Path) -> None:
    made = hub(flat_lock, AMD, offline=False)
    assert all((file["url"] is None and file["size"] is None) or file["url"] is None for file in made["files"].values())
    assert "127.0.0.1" not in json.dumps(made)


def test_of_a_large_wheel_only_the_end_is_read(flat_lock: Path, index: Index) -> None:
    hub(flat_lock, AMD, offline=False)
    assert 0 < index.read() < 400_000


def test_metadata_in_front_is_read_by_its_place(flat_lock: Path, index: Index) -> None:
    old = next(index.folder.glob("fast-*-manylinux*"))
    before = sha256(old)
    wheel(
        index.folder,
        "fast",
        'Requires-Dist: web; extra == "speed"',
        "Provides-Extra: speed",
        tag="cp311-cp311-manylinux_2_17_x86_64",
        filler=2_000_000,
        last=False,
    )
    flat_lock.write_text(flat_lock.read_text().replace(before, sha256(old)))
    made = hub(flat_lock, AMD, offline=False)
    assert made["packages"]["fast"]["extras"]["speed"] == {AMD: ["fast", "web"]}
    assert index.read() < 600_000


def test_a_server_without_ranges_sends_it_whole(flat_lock: Path, index: Index) -> None:
    index.ranges = False
    assert hub(flat_lock, AMD, offline=False)["packages"]["fast"]["extras"]["speed"] == {AMD: ["core", "fast"]}


@pytest.mark.parametrize(
    "span",
    [
        "bytes {first}-{last}/999999999999999",
        "bytes {first}-{last}/1",
        "bytes 0-{whole}/{whole}",
        "bytes {last}-{first}/{whole}",
        "bytes {first}-{last}/*",
        "bytes 999999999999999-{last}/{whole}",
        "nonsense",
    ],
)
def test_a_server_that_lies_about_parts_is_asked_for_the_whole(
    span: str, flat_lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = hub(flat_lock, AMD, offline=False)
    index.span = span
    monkeypatch.setenv("CROSSDOCK_CACHE", str(flat_lock.parent / "another"))
    assert hub(flat_lock, AMD, offline=False) == truth


def test_more_than_was_asked_for_is_not_read(flat_lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = hub(flat_lock, AMD, offline=False)
    monkeypatch.setenv("CROSSDOCK_CACHE", str(flat_lock.parent / "another"))
    index.more = bytes(10)
    assert hub(flat_lock, AMD, offline=False) == truth


def test_what_a_part_says_is_not_known_of_the_wheel(
    flat_lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(flat_lock, AMD, offline=False)
    digest = sha256(next(index.folder.glob("fast-*-manylinux*")))
    assert Store.default().action(_key(digest)) is None
    index.ranges = False
    monkeypatch.setenv("CROSSDOCK_CACHE", str(flat_lock.parent / "another"))
    hub(flat_lock, AMD, offline=False)
    assert Store.default().action(_key(digest)) is not None


def test_without_a_place_for_parts_the_whole_is_read(
    flat_lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(flat_lock.parent / "full"))
    assert hub(flat_lock, AMD, offline=False)["packages"]["core"]["deps"] == {AMD: ["=web"]}
    assert index.read() > 2_000_000


class TestMetadataBeside:
    @pytest.mark.parametrize("attribute", ["data-core-metadata", "data-dist-info-metadata"])
    def test_it_is_read_in_place_of_the_wheel(self, attribute: str, flat_lock: Path, index: Index) -> None:
        index.metadata, index.attribute = True, attribute
        made = hub(flat_lock, AMD, WIN, offline=False)
        assert made["packages"]["fast"]["extras"]["speed"] == {AMD: ["core", "fast"], WIN: ["fast", "winonly"]}
        assert {path.rsplit(".", 1)[-1] for path, _ in index.asked if path.startswith("/files/")} == {"metadata"}
        index.asked.clear()
        assert hub(flat_lock, AMD, WIN, offline=True) == made

    def test_one_that_is_not_what_the_index_says_is_not_taken(self, flat_lock: Path, index: Index) -> None:
        index.metadata = True
        name = next(index.folder.glob("core-*")).name
        index.said[f"{name}.metadata"] = "0" * 64
        assert hub(flat_lock, AMD, offline=False)["packages"]["core"]["deps"] == {AMD: ["=web"]}
        assert [path for path, _ in index.asked if name in path] == [f"/files/{name}.metadata", f"/files/{name}"]


def test_what_is_not_the_locked_wheel_is_not_read(flat_lock: Path, index: Index) -> None:
    victim = next(index.folder.glob("core-*"))
    index.said[victim.name] = sha256(victim)
    victim.write_bytes(victim.read_bytes()[:-40] + bytes(40))
    with pytest.raises(HashMismatchError, match=r"core-1\.0"):
        hub(flat_lock, AMD, offline=False)


def test_a_file_that_is_gone_is_a_missing_wheel_and_no_failure(flat_lock: Path, index: Index) -> None:
    next(index.folder.glob("core-*")).unlink()
    made = hub(flat_lock, AMD, offline=False)
    assert "there is on the index no file with one of the locked hashes" in made["packages"]["core"]["missing"][AMD]


def test_the_second_time_asks_nobody(flat_lock: Path, index: Index) -> None:
    first = hub(flat_lock, AMD, offline=False)
    index.asked.clear()
    assert hub(flat_lock, AMD, offline=True) == first
    assert index.asked == []


def test_offline_names_what_would_have_to_be_asked(flat_lock: Path) -> None:
    with pytest.raises(OfflineError, match=r"core 1\.0, fast 1\.0"):
        hub(flat_lock, AMD)


def test_a_pylock_without_dependencies_is_read_likewise(tmp_path: Path, index: Index) -> None:
    tables = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "1.0"\nwheels = [{{ url = "{index.url}/files/{file.name}", '
        f'hashes = {{ sha256 = "{sha256(file)}" }} }}]\n'
        for name in ("web", "core")
        for file in index.folder.glob(f"{name}-*")
    )
    path = tmp_path / "pylock.toml"
    path.write_text(f'lock-version = "1.0"\ncreated-by = "hand"\n{tables}')
    with pytest.raises(OfflineError, match="does not say which package needs which"):
        hub(path, AMD)
    made = hub(path, AMD, offline=False)
    assert made["packages"]["web"]["deps"] == {AMD: ["=core"]}
    assert all(file["url"].startswith(index.url) for file in made["files"].values())


def test_what_settings_add_is_added_to_what_wheels_say(flat_lock: Path) -> None:
    (flat_lock.parent / "pyproject.toml").write_text(
        '[project]\nname = "my-app"\nversion = "1"\n'
        "[tool.crossdock.packages.core]\ndependencies = [\"winonly; sys_platform == 'win32'\"]\n"
    )
    made = hub(flat_lock, AMD, WIN, offline=False)
    assert made["lock"]["graph"] == "metadata"
    assert closure(made, WIN, ["web"]) == closure(made, WIN, ["core"]) == {"web", "core", "winonly"}
    assert made["packages"]["fast"]["extras"].keys() == {"speed"}
    assert closure(made, AMD, ["core"]) == {"web", "core"}


def test_a_folder_as_index(flat_lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", "")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(index.folder))
    made = hub(flat_lock, AMD)
    assert made["packages"]["web"]["deps"] == {AMD: ["=core"]}
    assert str(index.folder) not in json.dumps(made)


def test_a_file_of_a_folder_that_is_not_the_locked_wheel_is_refused(tmp_path: Path, index: Index) -> None:
    file = next(index.folder.glob("core-*"))
    path = tmp_path / "pylock.toml"
    path.write_text(
        f'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "core"\nversion = "1.0"\n'
        f'wheels = [{{ path = "files/{file.name}", hashes = {{ sha256 = "{sha256(file)}" }} }}]\n'
    )
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(HashMismatchError, match="is not the file that was locked"):
        hub(path, AMD)
