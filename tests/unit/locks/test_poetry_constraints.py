"""Poetry's version constraints, as its documentation defines them, and markers put together from what it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from crossdock.errors import MalformedLockError
from crossdock.locks.constraints import Constraint, ConstraintError
from crossdock.locks.marker_logic import (
    NEVER,
    all_of,
    any_of,
    negated,
    python_marker,
    with_extras,
    with_project_extras,
)
from crossdock.targets import Target, parse_platform, parse_python


@pytest.mark.parametrize(
    ("text", "specifiers"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^1.2", ">=1.2,<2"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("*", ""),
        ("1.*", "==1.*"),
        ("1.2.*", "==1.2.*"),
        ("1.2.x", "==1.2.*"),
        ("1.2.*.*", "==1.2.*"),
        ("1.2.3", "==1.2.3"),
        ("==1.2.3", "==1.2.3"),
        ("=1.2", "==1.2"),
        ("~=1.4.2", "~=1.4.2"),
        (">= 1.2, < 1.5", ">=1.2,<1.5"),
        (">=1.2 <1.5", ">=1.2,<1.5"),
        (">=1.2,!=1.3.*", ">=1.2,!=1.3.*"),
        ("<>1.3", "!=1.3"),
        (">=3.6.*", ">=3.6"),
        ("(>=1.0)", ">=1.0"),
        ("^1.0b2", ">=1.0b2,<2"),
        ("1.0+cpu", "==1.0+cpu"),
    ],
)
def test_each_form_has_its_meaning(text: str, specifiers: str) -> None:
    assert Constraint.parse(text).specifiers() == specifiers


def test_a_union_admits_what_one_of_its_parts_admits() -> None:
    constraint = Constraint.parse("^1.0 || >=3,<4|5.*")

    admitted = [version for version in ("0.9", "1.5", "2.0", "3.1", "4.0", "5.2") if constraint.admits(version)]
    assert admitted == ["1.5", "3.1", "5.2"]
    assert constraint.specifiers() is None


@pytest.mark.parametrize(
    ("text", "covering"),
    [
        ("^3.9", ">=3.9,<4"),
        (">=3.9,<3.10 || >=3.12", ">=3.9,!=3.10.*,!=3.11.*"),
        ("~3.9 || ~3.10", ">=3.9,<3.11"),
        ("2.7 || >=3.9", ">=3.9"),
    ],
)
def test_pythons_as_one_list_of_specifiers(text: str, covering: str) -> None:
    assert Constraint.parse(text).covering() == covering


@pytest.mark.parametrize("text", ["^^1", "^a", ">", "1.0 - 2.0", "^1.2.", "a", "1" * 5000, "[]"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConstraintError):
        Constraint.parse(text)


@given(st.text(alphabet="0123456789.*^~<>=!|, ()xab+-", max_size=40))
def test_any_text_is_a_constraint_or_an_error(text: str) -> None:
    try:
        constraint = Constraint.parse(text)
    except ConstraintError:
        return
    constraint.admits("1.0")
    constraint.covering()


ENVIRONMENTS = [
    Target(parse_platform(platform), parse_python(python)).environment
    for platform in ("linux/amd64", "linux/arm64", "windows/amd64", "macos/arm64")
    for python in ("3.9", "3.11", "3.13")
]

ATOMS = st.sampled_from(
    [
        "python_version < '3.11'",
        'python_full_version >= "3.9.5"',
        "python_version == '3.11.*'",
        "python_version ~= '3.9'",
        "'linux' in sys_platform",
        "sys_platform == 'win32'",
        "platform_machine != 'x86_64'",
        "sys_platform not in 'darwin'",
        "platform_python_implementation == 'CPython'",
    ]
)
MARKERS = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    max_leaves=6,
)


def holds(marker: str | None, environment: dict[str, str]) -> bool:
    return marker is None or Marker(marker).evaluate(dict(environment))


@given(first=MARKERS, second=MARKERS, environment=st.sampled_from(ENVIRONMENTS))
def test_logic_on_text_is_logic(first: str, second: str, environment: dict[str, str]) -> None:
    one, two = holds(first, environment), holds(second, environment)

    assert holds(all_of([first, None, second]), environment) == (one and two)
    assert holds(any_of([first, second]), environment) == (one or two)
    assert holds(any_of([first, None]), environment)
    assert not holds(any_of([]), environment)
    assert holds(negated(first, "here"), environment) != one
    assert not holds(negated(None, "here"), environment)
    assert holds(negated(NEVER, "here"), environment)


@given(first=MARKERS, environment=st.sampled_from(ENVIRONMENTS), asked=st.booleans())
def test_an_extra_is_settled_and_nothing_else_is(first: str, environment: dict[str, str], asked: bool) -> None:
    marker = with_extras(
        f"({first}) and extra == 'Some_Extra' or extra == 'other' and ({first})",
        frozenset({"some-extra"} if asked else ()),
        "here",
    )

    assert holds(marker, environment) == (asked and holds(first, environment))


def test_the_projects_extras_become_a_set() -> None:
    assert with_project_extras('extra == "A_b" and os_name != "nt"', "here") == "'a-b' in extras and os_name != \"nt\""
    assert with_project_extras('"x" != extra', "here") == "'x' not in extras"
    assert with_project_extras("os_name != 'nt'", "here") == "os_name != 'nt'"


def test_specifiers_become_a_marker() -> None:
    assert python_marker([">=3.9,<3.10", ">=3.12"]) == (
        "python_full_version >= '3.9' and python_full_version < '3.10' or python_full_version >= '3.12'"
    )
    assert python_marker([""]) is None


@pytest.mark.parametrize("marker", ["what", "(" * 60 + "os_name == 'nt'" + ")" * 60, "", "os_name =="])
def test_what_is_no_marker_is_an_error_that_names_its_place(marker: str) -> None:
    with pytest.raises(MalformedLockError, match="here"):
        negated(marker, "here")
