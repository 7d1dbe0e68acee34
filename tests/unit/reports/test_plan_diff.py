"""What changed between two plans: each change once, grouped, with the targets it is of."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.errors import UsageError
from crossdock.reports.plan_diff import PlanDiff, compare, diff_json, diff_text, read_plan, view

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def package(name: str, version: str = "1.0", *, tag: str = "py3-none-any", sha: str = "a") -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "filename": f"{name}-{version}-{tag}.whl",
        "sha256": sha * 64,
        "overrides": None,
    }


def tree(name: str, revision: str) -> dict[str, Any]:
    source = {"kind": "vcs", "location": f"https://git.example/{name}", "revision": revision, "subdirectory": None}
    return {"name": name, "version": "1.0", "filename": None, "sha256": None, "source": source, "overrides": None}


def plan() -> dict[str, Any]:
    return {
        "schema_version": 1,
        "project": {"name": "app", "version": "1"},
        "base": "debian:bookworm",
        "lock": "uv.lock",
        "extras": [],
        "groups": [],
        "targets": [
            {
                "target": f"linux/{arch}",
                "libc": "glibc2.36",
                "python": "3.11.2",
                "packages": [package("pure"), package("fast", tag=f"cp311-cp311-manylinux_2_17_{machine}")],
                "builds": [tree("tree", "c" * 40)],
                "base_packages": [{"name": "libc6", "version": "2.36-9", "sha256": "b" * 64}],
            }
            for arch, machine in (("amd64", "x86_64"), ("arm64", "aarch64"))
        ],
    }


def differing(edit: Callable[[dict[str, Any]], object]) -> PlanDiff:
    new = plan()
    edit(new)
    return compare(view(plan()), view(new))


def each(edit: Callable[[dict[str, Any]], object]) -> PlanDiff:
    """The same edit of every target."""
    return differing(lambda new: [edit(item) for item in new["targets"]])


def told(found: PlanDiff) -> list[tuple[str, str, str | None, str | None, int]]:
    return [(c.kind, c.name, c.old, c.new, len(targets)) for c, targets in found.changes.items()]


class TestCompare:
    def test_nothing(self) -> None:
        found = differing(lambda _: None)
        assert found.same
        assert diff_text(found) == ["nothing changed"]
        assert diff_json(found)["same"] is True

    def test_another_version_of_all_targets_is_one_change_even_of_different_files(self) -> None:
        found = each(lambda item: item["packages"][1].update(version="2.0", filename="other.whl", sha256="d" * 64))
        assert told(found) == [("version", "fast", "1.0", "2.0", 2)]
        assert diff_text(found) == ["other versions:", "  fast 1.0 -> 2.0"]

    def test_a_change_of_some_targets_names_them(self) -> None:
        found = differing(lambda new: new["targets"][1]["packages"][1].update(version="2.0"))
        assert diff_text(found) == ["other versions:", "  fast 1.0 -> 2.0  (linux/arm64)"]

    def test_the_same_version_from_another_file(self) -> None:
        found = each(lambda item: item["packages"][0].update(filename="pure-1.0-1-py3-none-any.whl", sha256="d" * 64))
        assert told(found) == [("file", "pure", "pure-1.0-py3-none-any.whl", "pure-1.0-1-py3-none-any.whl", 2)]
        assert diff_text(found)[1] == "  pure 1.0: pure-1.0-py3-none-any.whl -> pure-1.0-1-py3-none-any.whl"

    def test_the_same_file_name_with_other_content(self) -> None:
        found = each(lambda item: item["packages"][0].update(sha256="d" * 64))
        assert told(found) == [("rebuilt", "pure", "a" * 64, "d" * 64, 2)]
        assert diff_text(found)[1] == f"  pure 1.0: sha256 {'a' * 12} -> {'d' * 12}"

    def test_another_commit_of_a_repository(self) -> None:
        found = each(lambda item: item.update(builds=[tree("tree", "d" * 40)]))
        ((kind, name, old, new, _),) = told(found)
        assert (kind, name) == ("file", "tree")
        assert old is not None
        assert new is not None
        assert (old.endswith("@" + "c" * 40), new.endswith("@" + "d" * 40)) == (True, True)

    def test_a_package_that_is_built_now_is_another_file_not_a_new_package(self) -> None:
        def edit(item: dict[str, Any]) -> None:
            item["builds"].append({**item["packages"].pop(0), "filename": "pure-1.0.tar.gz"})

        assert told(each(edit)) == [("file", "pure", "pure-1.0-py3-none-any.whl", "pure-1.0.tar.gz", 2)]

    def test_what_is_newly_needed_and_no_longer(self) -> None:
        def edit(item: dict[str, Any]) -> None:
            item["packages"] = [item["packages"][1], package("new", "3.0")]

        found = each(edit)
        assert told(found) == [("added", "new", None, "3.0", 2), ("removed", "pure", "1.0", None, 2)]
        assert diff_text(found) == ["newly needed:", "  new 3.0", "", "no longer needed:", "  pure 1.0"]

    def test_python_and_c_library(self) -> None:
        found = each(lambda item: item.update(python="3.11.9", libc="glibc2.41"))
        assert told(found) == [
            ("python", "python", "3.11.2", "3.11.9", 2),
            ("libc", "libc", "glibc2.36", "glibc2.41", 2),
        ]
        assert diff_text(found) == ["Python:", "  3.11.2 -> 3.11.9", "", "C library:", "  glibc2.36 -> glibc2.41"]

    def test_base_packages(self) -> None:
        def edit(item: dict[str, Any]) -> None:
            item["base_packages"][0]["version"] = "2.36-10"
            item["base_packages"].append({"name": "zlib1g", "version": "1.2", "sha256": "e" * 64})

        found = each(edit)
        assert told(found) == [("base", "libc6", "2.36-9", "2.36-10", 2), ("base", "zlib1g", None, "1.2", 2)]
        assert diff_text(found) == ["base packages:", "  libc6 2.36-9 -> 2.36-10", "  + zlib1g 1.2"]
        gone = each(lambda item: item.update(base_packages=[]))
        assert diff_text(gone) == ["base packages:", "  - libc6 2.36-9"]
        rebuilt = each(lambda item: item["base_packages"][0].update(sha256="f" * 64))
        assert told(rebuilt) == [("base-file", "libc6", "b" * 64, "f" * 64, 2)]

    def test_targets(self) -> None:
        def edit(new: dict[str, Any]) -> None:
            new["targets"][1]["target"] = "linux/s390x"

        found = differing(edit)
        assert (found.added, found.removed, found.common) == (("linux/s390x",), ("linux/arm64",), ("linux/amd64",))
        assert diff_text(found) == ["new target: linux/s390x", "target gone: linux/arm64"]

    def test_what_is_said_of_the_whole(self) -> None:
        found = differing(lambda new: new.update(base="debian:trixie", groups=["web"], lock="pylock.toml"))
        assert diff_text(found) == [
            "base: debian:bookworm -> debian:trixie",
            "lock: uv.lock -> pylock.toml",
            "groups: none -> web",
        ]

    def test_settings_of_packages(self) -> None:
        found = each(lambda item: item["packages"][0].update(overrides={"exclude": ["tests/*"]}))
        assert diff_text(found) == ["other settings:", "  pure: set"]

    def test_a_plan_of_an_older_crossdock_lacks_what_came_since(self) -> None:
        old = plan()
        for key in ("extras", "groups"):
            del old[key]
        for item in old["targets"]:
            del item["builds"]
        found = compare(view(old), view(plan()))
        assert told(found) == [("added", "tree", None, "1.0", 2)]
        assert found.facts == {}

    def test_what_a_terminal_would_act_on_is_not_printed(self) -> None:
        found = differing(lambda new: new.update(base="\x1b[2Jdebian"))
        assert "\x1b" not in "\n".join(diff_text(found))

    def test_json_for_machines(self) -> None:
        values = json.loads(json.dumps(diff_json(each(lambda item: item["packages"][0].update(sha256="d" * 64)))))
        assert values == {
            "schema_version": 1,
            "same": False,
            "facts": {},
            "targets": {"added": [], "removed": [], "common": ["linux/amd64", "linux/arm64"]},
            "changes": [
                {
                    "kind": "rebuilt",
                    "name": "pure",
                    "version": "1.0",
                    "old": "a" * 64,
                    "new": "d" * 64,
                    "targets": ["linux/amd64", "linux/arm64"],
                }
            ],
        }


class TestReading:
    def test_what_was_printed_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "old.json"
        path.write_text(json.dumps(plan()))
        assert read_plan(path) == view(plan())

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "is not JSON"),
            ("{", "is not JSON"),
            ("\x00\xff", "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ("9" * 10_000, "is not JSON"),
            ("[]", "no schema_version"),
            ("{}", "no schema_version"),
            ('{"schema_version": 2}', r"schema version 2[\s\S]*compares version 1"),
            ('{"schema_version": true}', "schema version True"),
            ('{"schema_version": "1"}', "schema version 1"),
            ('{"schema_version": 1}', "'project' is missing"),
        ],
    )
    def test_what_is_no_plan_says_so(self, text: str, words: str, tmp_path: Path) -> None:
        path = tmp_path / "old.json"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(UsageError, match=words) as caught:
            read_plan(path)
        assert caught.value.hint

    @pytest.mark.parametrize("bad", [None, 3, "x", [], {}, [[]], [None], {"a": 1}])
    def test_no_value_anywhere_gives_a_traceback(self, bad: object, tmp_path: Path) -> None:
        path = tmp_path / "old.json"
        for place in _places(plan()):
            values = item = copy.deepcopy(plan())
            for key in place[:-1]:
                item = item[key]
            item[place[-1]] = bad
            path.write_text(json.dumps(values))
            with contextlib.suppress(UsageError):
                compare(read_plan(path), view(plan()))

    def test_a_file_that_is_not_there_or_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            read_plan(tmp_path / "none.json")
        with pytest.raises(UsageError, match="cannot be read"):
            read_plan(tmp_path)

    def test_a_target_that_is_there_twice(self, tmp_path: Path) -> None:
        values = plan()
        values["targets"].append(values["targets"][0])
        (tmp_path / "old.json").write_text(json.dumps(values))
        with pytest.raises(UsageError, match="linux/amd64 is there twice"):
            read_plan(tmp_path / "old.json")


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((*above, key), *_places(value[key], (*above, key)))]
