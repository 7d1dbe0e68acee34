"""What is known of a wheel without having it: where its files are, so that wheels that may meet are found."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.wheelmaker import make_wheel

from crossdock.steps.wheel_facts import WheelFacts, meeting_wheels, places_of, read_wheel_facts
from crossdock.store.blobs import Store
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from pathlib import Path

SCHEME = posix_venv("app/.venv", "3.12")
SITE = SCHEME.site_packages
TREES = st.sets(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(lambda parts: "/".join([SITE, *parts])),
    min_size=1,
    max_size=6,
)


def facts_of(folder: Path, name: str, files: dict[str, str], **options: Any) -> WheelFacts:
    store = Store(folder / "store")
    path = make_wheel(folder, name, "1.0", files, **options)
    facts = read_wheel_facts(store, path.name, store.add_file(path), SCHEME)
    assert facts is not None
    return facts


def test_a_package_is_one_place_and_a_namespace_is_none(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "", "pkg/deep/x.py": "", "one.py": "", "google/cloud/storage/__init__.py": ""}
    facts = facts_of(tmp_path, "pkg", files, entry_points={"tool": "pkg:main"})
    assert facts.places == (
        "app/.venv/bin/tool",
        f"{SITE}/google/cloud/storage",
        f"{SITE}/one.py",
        f"{SITE}/pkg",
        f"{SITE}/pkg-1.0.dist-info",
    )
    assert facts.scripts == ("tool",)
    assert facts.size == (tmp_path / "pkg-1.0-py3-none-any.whl").stat().st_size


def test_facts_are_remembered_when_the_wheel_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    path = make_wheel(tmp_path, "pkg", "1.0", {"pkg/__init__.py": ""})
    sha256 = store.add_file(path)
    facts = read_wheel_facts(store, path.name, sha256, SCHEME)
    store.discard(sha256)
    assert read_wheel_facts(store, path.name, sha256, SCHEME) == facts
    assert read_wheel_facts(store, path.name, sha256, posix_venv("app/.venv", "3.13")) is None


def test_a_wheel_all_over_the_tree_is_looked_at_itself(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, "pkg", {f"module{number}.py": "" for number in range(300)})
    assert facts.places is None
    assert meeting_wheels({"a": None, "b": ("x",)}, []) == {"a", "b"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lib/x.py", "lib/x.py"),
        ("lib/pkg", "lib/pkg/sub"),
        ("lib/pkg/sub", "lib/pkg"),
        ("lib/pkg", "lib/pkg/sub/deep/x"),
    ],
)
def test_wheels_meet_where_a_place_is_in_another_ones(one: str, other: str) -> None:
    assert meeting_wheels({"a": (one,), "b": (other,), "c": ("lib/other",)}, []) == {"a", "b"}


def test_wheels_beside_each_other_do_not_meet() -> None:
    assert meeting_wheels({"a": ("lib/pkg", "lib/pkg-1"), "b": ("lib/pkg2", "lib/pk")}, ["lib/python"]) == set()


def test_a_wheel_meets_what_is_reserved() -> None:
    assert meeting_wheels({"a": ("bin/python",), "b": ("bin/tool",)}, ["bin/python"]) == {"a"}
    assert meeting_wheels({"a": ("bin",), "b": ("lib/x",)}, ["bin/python"]) == {"a"}


@given(first=TREES, second=TREES)
def test_wheels_that_would_write_one_path_always_meet(first: set[str], second: set[str]) -> None:
    def clash(one: str, other: str) -> bool:
        return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")

    # A tree that clashes with itself is no wheel's; such a wheel is refused before.
    assume(not any(clash(*pair) for tree in (first, second) for pair in combinations(tree, 2)))
    meeting = meeting_wheels({"a": places_of(first, SCHEME), "b": places_of(second, SCHEME)}, [])
    assert meeting == {"a", "b"} or not any(clash(one, other) for one in first for other in second)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_facts_that_somebody_made_up_are_an_exception_of_another_kind(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        WheelFacts.from_json(value)


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"size": True},
        {"size": "1"},
        {"scripts": "tool"},
        {"scripts": [1]},
        {"places": ["x" * 5000]},
        {"places": ["x"] * 1000},
        {"site_packages": None},
    ],
)
def test_facts_that_are_malformed_are_refused(change: dict[str, Any]) -> None:
    good = WheelFacts(size=1, site_packages=SITE, scripts=("tool",), places=("lib/x",))
    assert WheelFacts.from_json(good.to_json()) == good
    with pytest.raises(ValueError, match=r"."):
        WheelFacts.from_json({**good.to_json(), **change})
