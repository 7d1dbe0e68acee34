"""Which recorded wheels a build needs: decided from the record alone, on this interpreter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from crossdock.errors import BuildRequirementsError
from crossdock.lockfile.builds import LockedRequirement
from crossdock.sdists.needs import Needs, Unmet, close, parse_requirements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def locked(text: str) -> LockedRequirement:
    name, _, version = text.partition("==")
    return LockedRequirement(name=name, version=version, sha256s=("0" * 64,))


def decide(asked: Sequence[str], known: Mapping[str, Sequence[str] | None]) -> list[str] | str:
    """Give what is installed, or what is not met; ``known`` are pins with what they require, None without a wheel."""
    needs = {
        locked(pin): None if requires is None else Needs(tuple(map(Requirement, requires)))
        for pin, requires in known.items()
    }
    found = close(parse_requirements(asked, "demo"), list(needs), lambda items: {item: needs[item] for item in items})
    return found.requirement if isinstance(found, Unmet) else [str(item) for item in found]


def test_all_that_is_needed_and_nothing_else() -> None:
    known = {"a==1": ["B>=2"], "b==2": ["c"], "c==1": ["a"], "unused==1": []}
    assert decide(["A"], known) == ["a==1", "b==2", "c==1"]


def test_of_several_versions_the_first_that_fits() -> None:
    known: dict[str, Sequence[str]] = {"a==3": [], "a==2": [], "a==1": []}
    assert decide(["a<3"], known) == ["a==2"]
    assert decide(["a<1"], known) == "a<1"


def test_a_prerelease_that_was_recorded_counts() -> None:
    assert decide(["a>=1"], {"a==2.0rc1": []}) == ["a==2.0rc1"]


def test_what_is_chosen_already_has_to_fit_everybody() -> None:
    assert decide(["a", "b"], {"a==2": [], "a==1": [], "b==1": ["a<2"]}) == "a<2"


def test_extras_add_what_they_need() -> None:
    known = {"a==1": ["b; extra == 'x'", "c; extra == 'Y-z'"], "b==1": [], "c==1": []}
    assert decide(["a"], known) == ["a==1"]
    assert decide(["a[X]"], known) == ["a==1", "b==1"]
    assert decide(["a", "a[y_z]"], known) == ["a==1", "c==1"]


def test_markers_are_those_of_this_interpreter() -> None:
    here = f"sys_platform == '{sys.platform}'"
    asked = [f"a; {here}", "b; sys_platform == 'nowhere'", "c; python_version < '3'"]
    assert decide(asked, {"a==1": ["b; sys_platform == 'nowhere'"]}) == ["a==1"]


def test_what_has_no_wheel_here_does_not_do() -> None:
    assert decide(["a"], {"a==1": ["b"], "b==1": None}) == "b==1"
    assert decide([], {}) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not a requirement", "cannot be read"),
        ("a @ https://index.example/a.whl", "from a URL"),
        ("", "cannot be read"),
    ],
)
def test_what_is_no_released_version_is_refused(text: str, words: str) -> None:
    with pytest.raises(BuildRequirementsError, match=words) as caught:
        parse_requirements([text], "demo 1.0")
    assert "index.example" not in str(caught.value)
