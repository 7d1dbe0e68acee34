"""Layers on top of each other: what a container sees of them (OCI image specification, "Applying Changesets")."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.seentree import SITE, Link, contents, dist

from crossdock.verify.looking import ContentsReader
from crossdock.verify.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.verify.contents import Contents


def tree(*layers: Mapping[str, Any]) -> Tree:
    return Tree([contents(layer) for layer in layers])


def paths(*layers: Mapping[str, Any]) -> set[str]:
    return {path for path, seen in tree(*layers).entries.items() if seen.kind != "directory"}


LOWER = {"a/": "", "a/one": "1", "a/two": "2", "a/b/three": "3", "c": "4"}


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ({}, {"a/one", "a/two", "a/b/three", "c"}),
        ({"a/.wh.one": ""}, {"a/two", "a/b/three", "c"}),
        ({".wh.a": ""}, {"c"}),
        ({"a/.wh..wh..opq": ""}, {"c"}),
        ({"a/.wh..wh..opq": "", "a/new": "5"}, {"a/new", "c"}),
        ({"a/new": "5", "a/.wh..wh..opq": ""}, {"a/new", "c"}),
        ({".wh..wh..opq": "", "d": "5"}, {"d"}),
        ({".wh.a": "", "a/new": "5"}, {"a/new", "c"}),
        ({"a": "a file now"}, {"a", "c"}),
        ({"a": Link("c")}, {"a", "c"}),
        ({"c/": "", "c/new": "5"}, {"a/one", "a/two", "a/b/three", "c/new"}),
        ({".wh.nothing": "", "a/.wh.none": ""}, {"a/one", "a/two", "a/b/three", "c"}),
        ({".wh.on": ""}, {"a/one", "a/two", "a/b/three", "c"}),
    ],
)
def test_upper_layers_win(upper: dict[str, Any], expected: set[str]) -> None:
    assert paths(LOWER, upper) == expected


def test_a_whiteout_hides_nothing_of_its_own_layer() -> None:
    assert paths({"a/one": "1", "a/.wh.one": ""}) == {"a/one"}
    assert paths({"a/.wh.one": "", "a/one": "1"}) == {"a/one"}


def test_the_content_is_the_uppermost_layers() -> None:
    found = tree({"a.pth": "one", "run": "#!/bin/a\n"}, {"a.pth": "two", "run": "no script"})
    assert (found.texts, found.shebangs) == ({"a.pth": "two"}, {})
    assert found.entries["a.pth"].size == 3


def test_a_whiteout_is_no_file_whatever_is_in_it(make: Any) -> None:
    found = tree({"a.pth": "one", "x": "#!/bin/a\n"}, {".wh.a.pth": "two", ".wh.x": "#!/bin/b\n", ".wh.y": make.elf()})
    assert (found.entries, found.texts, found.shebangs, found.binaries) == ({}, {}, {}, {})


def test_programs_and_secrets_that_were_replaced_are_gone(make: Any) -> None:
    key = f"-----BEGIN PRIVATE KEY-----\n{'aB1cD2eF3gH4' * 20}\n-----END PRIVATE KEY-----\n"
    lower = {"x.so": make.elf(62), "key": key}
    assert (list(tree(lower).binaries), list(tree(lower).secrets)) == (["x.so"], ["key"])
    for upper in ({"x.so": "", "key": ""}, {".wh.x.so": "", ".wh.key": ""}, {".wh..wh..opq": ""}):
        found = tree(lower, upper)
        assert (found.binaries, found.secrets) == ({}, {})
    assert tree(lower, {"x.so": make.elf(183)}).binaries["x.so"].machines == ("arm64",)


def test_files_are_where_the_links_above_them_lead() -> None:
    lower = {"usr/lib/one": "1", "lib": Link("usr/lib"), "opt/app": Link("/srv/app")}
    found = tree(lower, {"lib/two": "2", "opt/app/x.pth": "3"}, {"lib/.wh.one": ""})
    assert {path for path, seen in found.entries.items() if seen.kind == "file"} == {"usr/lib/two", "srv/app/x.pth"}
    assert found.texts == {"srv/app/x.pth": "3"}


def linked(*links: tuple[str, str], of: Mapping[str, Any] | None = None) -> Contents:
    """Look at a layer of files and, behind them, hard links to files."""
    reader = ContentsReader()
    for path, content in (of or {}).items():
        reader.see(path, content)
    for path, other in links:
        reader.other(path, "hardlink", mode=0o644, link=other)
    return reader.contents()


def test_a_hard_link_is_the_file_with_all_that_is_known_of_it(make: Any) -> None:
    """As uv installs: what is in its cache comes first in the archive, and packages are links to that."""
    cached = {"cache/x.so": make.elf(), "cache/M.dist-info/METADATA": b"Name: m\n\n", "cache/run": b"#!/bin/sh\n"}
    links = [(path.replace("cache", "site"), path) for path in cached]
    found = Tree([linked(*links, of=cached)])
    assert found.texts["site/M.dist-info/METADATA"] == "Name: m"
    assert (found.shebangs["site/run"], set(found.binaries)) == ("/bin/sh", {"cache/x.so", "site/x.so"})
    assert found.entries["site/run"].sha256 == found.entries["cache/run"].sha256
    assert found.entries["site/run"].size == len(cached["cache/run"])


def test_a_hard_link_to_a_lower_layers_file_outlives_it(make: Any) -> None:
    lower = contents({"bad.so": make.elf(183), "a.pth": "/home/me/a"})
    found = Tree([lower, linked(("app/good.so", "bad.so"), ("app/a.pth", "a.pth")), contents({".wh.bad.so": ""})])
    assert {path: binary.machines for path, binary in found.binaries.items()} == {"app/good.so": ("arm64",)}
    assert found.texts["app/a.pth"] == "/home/me/a"


@pytest.mark.parametrize("upper", [{"a": Link("c")}, {"a": "a file now"}])
def test_a_folder_that_no_entry_names_is_replaced_as_well(make: Any, upper: dict[str, Any]) -> None:
    found = tree({"a/b/x.so": make.elf(), "c": ""}, upper)
    assert (set(found.entries), found.binaries) == ({"a", "c"}, {})


def test_a_folder_behind_a_link_is_replaced_as_well() -> None:
    lower = {"usr/lib/": "", "usr/lib/p/": "", "usr/lib/p/one": "1", "lib": Link("usr/lib")}
    assert paths(lower, {"lib/p": Link("/opt")}) == {"lib", "usr/lib/p"}


def test_a_link_to_the_root_leads_there() -> None:
    assert paths({"here": Link("/")}, {"here/x": "1"}) == {"here", "x"}


def test_where_there_are_no_layers_a_whiteout_is_a_file(make: Any) -> None:
    found = Tree([contents({"x.so": make.elf()}), contents({".wh.x.so": make.elf(183)})], whiteouts=False)
    assert {path: binary.machines for path, binary in found.binaries.items()} == {
        "x.so": ("amd64",),
        ".wh.x.so": ("arm64",),
    }


def test_no_path_is_longer_than_linux_opens() -> None:
    deep = "a/" * 60_000 + "x"
    assert tree({"a/b": ""}).resolve(deep) is None
    assert tree({"a": Link("a/" * 60_000), "a/b": ""}).resolve("a/b") is None


def test_a_folder_in_the_place_of_a_link_is_a_folder() -> None:
    found = tree({"usr/lib/one": "1", "lib": Link("usr/lib")}, {"lib/": "", "lib/two": "2"})
    assert {path for path, seen in found.entries.items() if seen.kind == "file"} == {"usr/lib/one", "lib/two"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("bin/python", "usr/bin/python3.12"),
        ("app/python", "usr/bin/python3.12"),
        ("app/up", "usr/bin/python3.12"),
        ("usr/bin", "usr/bin"),
        ("app/folder", "usr/bin"),
        ("usr/bin/../../app/python", "usr/bin/python3.12"),
        ("", ""),
        ("app/nowhere", None),
        ("app/loop", None),
        ("app/self", None),
        ("usr/bin/python3.12/x", None),
        ("nothing", None),
    ],
)
def test_resolving_links(path: str, expected: str | None) -> None:
    found = tree(
        {
            "usr/bin/python3.12": "",
            "usr/bin/python": Link("python3.12"),
            "bin": Link("usr/bin"),
            "app/python": Link("/bin/python"),
            "app/up": Link("../../../../bin/python"),
            "app/folder": Link("/bin"),
            "app/nowhere": Link("/opt/none"),
            "app/loop": Link("pool"),
            "app/pool": Link("loop"),
            "app/self": Link("self/self"),
        }
    )
    assert found.resolve(path) == expected


def test_links_without_an_end_take_no_time() -> None:
    found = tree({f"l{number}": Link(f"l{number + 1}/" * 20) for number in range(100)})
    assert found.resolve("l0") is None


def test_folders_and_their_names() -> None:
    found = tree(LOWER)
    assert found.names_in("a") == {"one", "two"} or found.names_in("a") == {"one", "two", "b"}
    assert found.names_in("nothing") == frozenset()


def test_a_file_belongs_to_the_distribution_that_lists_it() -> None:
    found = tree(dist("Alpha_X", "1.5"), {"other": ""})
    assert found.package_of(f"{SITE}/Alpha_X/__init__.py") == "alpha-x 1.5"
    assert found.package_of("other") is None
    assert [item.label for item in found.distributions] == ["alpha-x 1.5"]


def test_it_is_whole_if_all_parts_are() -> None:
    one = contents({"a": "1"})
    assert Tree([one, one]).whole
    assert not Tree([one, replace(one, whole=False)]).whole
    assert (Tree([one, one]).files, Tree([one, one]).layers) == (2, 2)
