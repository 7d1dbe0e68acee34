"""Why a package is there: the ways to it, the markers on them, and every file with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.lockmaker import ARM, LINUX, NOTHING, WINDOWS, LockMaker, surveyed, target

from crossdock.choosing.request import Parts
from crossdock.cli.explain import explain_json, explain_text
from crossdock.cli.table import Look
from crossdock.errors import UnknownPackageError
from crossdock.locks import Lock, Source
from crossdock.reports.explaining import Entry, explain

if TYPE_CHECKING:
    from crossdock.targets import Target

CP312 = "cp312-cp312"


def entry_of(lock: Lock, name: str, one: Target | None = None, parts: Parts = NOTHING) -> Entry:
    (item,) = explain(lock, parts, surveyed(lock, one or target(), parts=parts), name)
    return item.entries[0]


def ways(entry: Entry) -> list[str]:
    """The chains in short: ``app > a > b``, with ! before a step that does not hold."""
    return [
        " > ".join(["app", *(f"{'' if step.open else '!'}{step.package.split()[0]}" for step in chain.steps)])
        for chain in entry.chains
    ]


def text_of(lock: Lock, name: str, *targets: Target, parts: Parts = NOTHING, look: Look | None = None) -> str:
    return "\n".join(
        explain_text(explain(lock, parts, surveyed(lock, *targets, parts=parts), name), lock.path.name, look or Look())
    )


class TestWays:
    def test_the_shortest_way_by_each_who_names_it_is_told_shortest_first(self) -> None:
        lock = (
            LockMaker()
            .add("a", needs=["b"])
            .add("b", needs=["goal"])
            .add("c", needs=["goal"])
            .add("goal")
            .lock("a", "c", "b")
        )
        assert ways(entry_of(lock, "goal")) == ["app > b > goal", "app > c > goal"]

    def test_a_way_never_comes_back_to_the_package(self) -> None:
        lock = LockMaker().add("a", needs=["b"]).add("b", needs=["a"]).lock("a")
        assert ways(entry_of(lock, "a")) == ["app > a"]
        assert ways(entry_of(lock, "b")) == ["app > a > b"]

    def test_a_longer_way_that_holds_comes_before_a_shorter_one_that_does_not(self) -> None:
        lock = (
            LockMaker()
            .add("a", needs=["b"])
            .add("b", needs=["goal"])
            .add("goal")
            .lock("a", ("goal", "sys_platform == 'win32'"))
        )
        assert ways(entry_of(lock, "goal")) == ["app > a > b > goal", "app > !goal"]
        assert entry_of(lock, "goal").status == "pure"

    def test_of_several_ways_to_who_names_it_the_one_that_holds_is_told(self) -> None:
        lock = (
            LockMaker()
            .add("short", needs=[("namer", "sys_platform == 'win32'")])
            .add("long", needs=["longer"])
            .add("longer", needs=["namer"])
            .add("namer", needs=["goal"])
            .add("goal")
            .lock("short", "long")
        )
        assert ways(entry_of(lock, "goal")) == ["app > long > longer > namer > goal"]

    def test_each_target_has_its_own_answer(self) -> None:
        lock = LockMaker().add("goal").lock(("goal", "sys_platform == 'win32'"))
        found = explain(lock, NOTHING, surveyed(lock, target(LINUX), target(WINDOWS)), "goal")
        assert [item.entries[0].status for item in found] == ["skipped", "pure"]
        assert [item.entries[0].chains[0].steps[0].holds for item in found] == [False, True]

    def test_an_extra_of_a_package_counts_where_it_is_asked_for(self) -> None:
        maker = LockMaker().add("server", extras={"fast": ["goal"]}).add("goal")
        asked = entry_of(maker.lock(("server", None, ("fast",))), "goal")
        not_asked = entry_of(maker.lock("server"), "goal")

        assert ways(asked) == ["app > server > goal"]
        assert asked.chains[0].steps[1].via == "extra fast"
        assert (not_asked.status, ways(not_asked)) == ("skipped", ["app > server > !goal"])

    def test_extras_and_groups_of_the_project(self) -> None:
        lock = (
            LockMaker()
            .add("goal")
            .add("tool", needs=["goal"])
            .lock("tool", optional={"more": ["goal"]}, groups={"dev": ["goal"]})
        )
        entry = entry_of(lock, "goal", parts=Parts(extras=("More",), groups=()))
        told = [(chain.steps[0].via, chain.open) for chain in entry.chains]
        assert told == [("extra more", True), ("", True), ("group dev", False)]

    def test_an_extra_of_the_project_that_includes_another(self) -> None:
        lock = LockMaker().add("goal").lock(optional={"all": [("app", None, ("more",))], "more": ["goal"]})
        lock = replace(lock, roots=())
        entry = entry_of(lock, "goal", parts=Parts(extras=("all",), groups=()))
        assert (entry.needed, entry.chains[0].open, entry.chains[0].steps[0].via) == (True, True, "extra more")

    def test_markers_of_conflicts_ask_for_extras(self) -> None:
        lock = LockMaker().add("goal").lock(("goal", "'cpu' in extras"), optional={"cpu": [], "gpu": []})
        lock = replace(lock, conflicts=(frozenset({("extras", "cpu"), ("extras", "gpu")}),))
        for extra, needed in (("cpu", True), ("gpu", False)):
            entry = entry_of(lock, "goal", parts=Parts(extras=(extra,), groups=()))
            assert (entry.needed, entry.chains[0].open) == (needed, needed)

    def test_a_marker_that_cannot_be_decided_is_told_as_that(self) -> None:
        lock = (
            LockMaker()
            .add("other", needs=[("goal", "platform_release > '5'")])
            .add("goal")
            .lock("goal", ("other", "sys_platform == 'win32'"))
        )
        entry = entry_of(lock, "goal")
        assert (entry.needed, entry.chains[1].steps[-1].holds) == (True, None)
        assert "platform_release > '5': cannot be decided" in text_of(lock, "goal")

    def test_only_a_group_is_asked_for(self) -> None:
        lock = LockMaker().add("goal").add("other").lock("goal", groups={"dev": ["other"]})
        only = Parts(extras=(), groups=("dev",), include_project=False)
        assert ways(entry_of(lock, "other", parts=only)) == ["app > other"]
        entry = entry_of(lock, "goal", parts=only)
        assert (entry.status, ways(entry)) == ("skipped", ["app > !goal"])

    def test_a_flat_format_has_the_way_from_the_project_and_names_who_lists_it(self) -> None:
        lock = LockMaker("pylock.toml").add("web", needs=["goal"]).add("goal").lock()
        entry = entry_of(lock, "goal")
        assert (ways(entry), entry.required_by) == (["app > goal"], ("web",))
        assert "a dependency of web" in text_of(lock, "goal")

    def test_ways_are_as_many_as_edges_however_many_paths_there_are(self) -> None:
        maker = LockMaker()
        for level in range(40):  # 2 ** 40 paths
            maker.add(f"a{level}", needs=[f"a{level + 1}", f"b{level + 1}"])
            maker.add(f"b{level}", needs=[f"a{level + 1}", f"b{level + 1}"])
        maker.add("a40", needs=["goal"]).add("b40", needs=["goal"]).add("goal")
        assert len(entry_of(maker.lock("a0", "b0"), "goal").chains) == 2

    def test_of_very_many_ways_a_hundred_are_kept(self) -> None:
        maker = LockMaker().add("goal")
        for number in range(130):
            maker.add(f"n{number}", needs=["goal"])
        entry = entry_of(maker.lock(), "goal")
        assert (len(entry.chains), entry.more_chains) == (100, 31)
        assert "and 119 more" in text_of(maker.lock(), "goal")

    def test_agrees_with_the_activation_everywhere(self) -> None:
        markers = ["sys_platform == 'win32'", "python_version >= '3.12'", None, "platform_machine == 'aarch64'"]
        maker = LockMaker()
        for number in range(24):
            needs = [(f"p{(number * 7 + step) % 24}", markers[(number + step) % 4]) for step in (1, 2, 5)]
            maker.add(f"p{number}", needs=needs)
        lock = maker.lock("p0", ("p3", markers[0]))
        for one in (target(LINUX), target(ARM), target(WINDOWS, "3.11")):
            for number in range(24):
                entry = entry_of(lock, f"p{number}", one)
                assert entry.needed == any(chain.open for chain in entry.chains)


class TestFiles:
    def test_all_are_there_best_first(self) -> None:
        lock = (
            LockMaker()
            .add(
                "goal",
                "sdist",
                f"{CP312}-win_amd64",
                "py3-none-any",
                f"{CP312}-manylinux_2_40_x86_64",
                f"{CP312}-manylinux_2_17_x86_64",
                "cp310-abi3-manylinux_2_17_x86_64",
                f"{CP312}-manylinux_2_28_x86_64",
            )
            .lock()
        )
        files = entry_of(lock, "goal").files

        assert [file.filename.removeprefix("goal-1.0").removesuffix(".whl") for file in files] == [
            f"-{CP312}-manylinux_2_28_x86_64",
            f"-{CP312}-manylinux_2_17_x86_64",
            "-cp310-abi3-manylinux_2_17_x86_64",
            "-py3-none-any",
            f"-{CP312}-manylinux_2_40_x86_64",
            f"-{CP312}-win_amd64",
            ".tar.gz",
        ]
        assert [file.taken for file in files] == [True] + [False] * 6
        ranks = [file.rank for file in files[:4]]
        assert all(first is not None and second is not None and first < second for first, second in pairwise(ranks))
        assert [file.rank for file in files[4:]] == [None] * 3
        assert "needs glibc 2.40 or newer" in files[4].reason

    def test_of_one_tag_the_higher_build_is_better(self) -> None:
        lock = LockMaker().add("goal", "2-py3-none-any", "py3-none-any", "10-py3-none-any").lock()
        builds = [file.filename.split("-")[2] for file in entry_of(lock, "goal").files]
        assert builds == ["10", "2", "py3"]

    def test_missing(self) -> None:
        lock = LockMaker().add("goal", f"{CP312}-win_amd64", f"{CP312}-manylinux_2_17_aarch64", "sdist").lock()
        entry = entry_of(lock, "goal")
        assert entry.status == "missing"
        assert entry.files[0].filename == f"goal-1.0-{CP312}-manylinux_2_17_aarch64.whl"
        assert entry.missing[0] == f"nearest is {entry.files[0].filename}, which {entry.files[0].reason}"
        assert "from-source" in entry.hints[1]

    def test_built_from_source(self) -> None:
        entry = entry_of(LockMaker().add("goal", "sdist").lock(), "goal")
        assert (entry.status, entry.files[0].filename, entry.files[0].taken) == ("sdist", "goal-1.0.tar.gz", True)

        tree = LockMaker().add(
            "goal", source=Source(kind="vcs", location="https://git.example/goal", revision="a" * 40)
        )
        assert "built here from the repository" in text_of(tree.lock(), "goal")

    def test_one_version_from_two_sources_is_two_entries(self) -> None:
        lock = LockMaker().add("goal").add("goal", source=Source(kind="directory", location="vendor/goal")).lock()
        roots = tuple(
            replace(lock.roots[0], index=index, marker=f"sys_platform {sign} 'win32'")
            for index, sign in enumerate(("==", "!="))
        )
        lock = replace(lock, roots=roots)
        for one, status in ((target(WINDOWS), "pure"), (target(LINUX), "sdist")):
            (item,) = explain(lock, NOTHING, surveyed(lock, one), "goal")
            assert [entry.status for entry in item.entries] == [status, "skipped"]
            assert item.entries[1].files == ()

    def test_a_virtual_package_has_none(self) -> None:
        lock = LockMaker().add("goal", source=Source(kind="virtual", location="sub")).lock()
        assert (entry_of(lock, "goal").status, entry_of(lock, "goal").files) == ("virtual", ())


class TestNames:
    LOCK = LockMaker().add("num-py").add("numpydoc").lock()

    @pytest.mark.parametrize("spelling", ["num-py", "Num_Py", "NUM.PY"])
    def test_any_spelling_will_do(self, spelling: str) -> None:
        assert entry_of(self.LOCK, spelling).package.name == "num-py"

    def test_an_unknown_package_is_told_with_those_close_to_it(self) -> None:
        with pytest.raises(UnknownPackageError, match=r"no package num\.pi[\s\S]*did you mean num-py"):
            entry_of(self.LOCK, "num.pi")
        with pytest.raises(UnknownPackageError, match=r"add it to the project"):
            entry_of(self.LOCK, "zzz")

    def test_the_project_itself_is_none_of_its_packages(self) -> None:
        with pytest.raises(UnknownPackageError, match=r"App is the project itself"):
            entry_of(self.LOCK, "App")

    def test_a_name_that_would_act_on_the_terminal_is_not_printed(self) -> None:
        with pytest.raises(UnknownPackageError) as caught:
            entry_of(self.LOCK, "\x1b[2J")
        assert "\x1b" not in str(caught.value)


class TestText:
    LOCK = (
        LockMaker()
        .add("web", needs=[("goal", "sys_platform == 'win32'")], extras={"fast": [("goal", "os_name == 'nt'")]})
        .add("goal")
        .lock(("web", None, ("fast",)), groups={"dev": ["goal"]})
    )

    def test_what_is_not_needed_says_what_keeps_it_out(self) -> None:
        head, *lines = text_of(self.LOCK, "goal").splitlines()
        assert head == f"{target()}, from uv.lock"
        assert lines == [
            "  goal 1.0: not needed",
            "    the project names goal 1.0, but its group dev is not asked for",
            "    web 1.0 names goal 1.0, but the marker os_name == 'nt' is false",
            "    web 1.0 names goal 1.0, but the marker sys_platform == 'win32' is false",
            "    ways to it:",
            "      the project (group dev, not asked for) -> goal 1.0",
            "      the project -> web[fast] 1.0 (extra fast; if os_name == 'nt': FALSE) -> goal 1.0",
            "      the project -> web[fast] 1.0 (if sys_platform == 'win32': FALSE) -> goal 1.0",
        ]

    def test_what_is_needed_says_why_and_as_which_file(self) -> None:
        lines = text_of(self.LOCK, "goal", target(WINDOWS)).splitlines()
        assert lines[1:] == [
            "  goal 1.0: needed: a wheel for every platform",
            "    ways to it:",
            "      the project -> web[fast] 1.0 (extra fast; if os_name == 'nt': true) -> goal 1.0",
            "      the project -> web[fast] 1.0 (if sys_platform == 'win32': true) -> goal 1.0",
            "      the project (group dev, not asked for) -> goal 1.0",
            "    files, best first:",
            f"      taken  goal-1.0-py3-none-any.whl: {entry_of(self.LOCK, 'goal', target(WINDOWS)).files[0].reason}",
        ]

    def test_a_marker_cannot_act_on_the_terminal(self) -> None:
        lock = LockMaker().add("goal").lock(("goal", "sys_platform == '\x1b]0;x\x07'"))
        assert "\x1b" not in text_of(lock, "goal")

    def test_lines_break_at_the_width(self) -> None:
        text = text_of(self.LOCK, "goal", target(WINDOWS), look=Look(width=40))
        assert max(map(len, text.splitlines())) <= 40
        assert "".join(text.split()) == "".join(text_of(self.LOCK, "goal", target(WINDOWS)).split())

    def test_colour_only_repeats_the_words(self) -> None:
        lock = LockMaker().add("goal", f"{CP312}-win_amd64").lock()
        plain, coloured = text_of(lock, "goal"), text_of(lock, "goal", look=Look(colours=True))
        assert "MISSING" in plain
        assert coloured != plain
        for code in ("\x1b[31;1m", "\x1b[1m", "\x1b[0m"):
            coloured = coloured.replace(code, "")
        assert coloured == plain


def test_json_has_what_the_text_has() -> None:
    found = explain(TestText.LOCK, NOTHING, surveyed(TestText.LOCK, target(LINUX)), "goal")
    values = json.loads(json.dumps(explain_json("goal", "uv.lock", found)))
    (entry,) = values["targets"][0]["entries"]
    assert (values["schema_version"], values["package"], entry["status"], entry["needed"]) == (
        1,
        "goal",
        "skipped",
        False,
    )
    assert entry["chains"][0] == {
        "holds": False,
        "steps": [
            {
                "parent": "",
                "via": "group dev",
                "asked": False,
                "package": "goal 1.0",
                "extras": [],
                "marker": None,
                "holds": True,
            }
        ],
    }
