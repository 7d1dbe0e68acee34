"""Exit codes: one for each class, and docs/errors.md tells them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crossdock import errors
from crossdock.errors import ConfigError, CrossdockError, UsageError

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
ROW = re.compile(r"\| (\d+) \| `(\w+)` \| (.+) \|")
#: What scripts and shells give a meaning of their own.
RESERVED = {0, 126, 127, 130}


def all_classes(parent: type[CrossdockError] = CrossdockError) -> list[type[CrossdockError]]:
    return [parent, *(found for child in parent.__subclasses__() for found in all_classes(child))]


GROUPS = [CrossdockError, *CrossdockError.__subclasses__()]


def meaning(error: type[CrossdockError]) -> str:
    assert error.__doc__
    return re.sub(r"``(.+?)``", r"`\1`", error.__doc__.splitlines()[0])


def test_every_class_has_an_exit_code_of_its_own() -> None:
    classes = all_classes()
    assert len({error.exit_code for error in classes}) == len(classes)
    assert all("exit_code" in vars(error) for error in classes)


@pytest.mark.parametrize("error", all_classes())
def test_exit_codes_are_ones_a_shell_can_tell(error: type[CrossdockError]) -> None:
    assert 0 < error.exit_code < 126
    assert error.exit_code not in RESERVED


@pytest.mark.parametrize(
    "error", [error for error in all_classes() if error.__base__ not in (Exception, CrossdockError)]
)
def test_a_class_lies_in_the_ten_of_its_group(error: type[CrossdockError]) -> None:
    group = [base for base in error.__mro__ if issubclass(base, CrossdockError) and base is not CrossdockError][-1]
    assert group.exit_code % 5 == 0
    assert group.exit_code < error.exit_code < group.exit_code // 10 * 10 + 10


def test_all_classes_are_in_one_module() -> None:
    assert {error.__module__ for error in all_classes()} == {errors.__name__}


def test_the_page_lists_every_class_with_its_code_and_meaning() -> None:
    rows = [(int(code), name, text) for code, name, text in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    expected = sorted((error.exit_code, error.__name__, meaning(error)) for error in all_classes())
    assert rows == expected


def test_a_message_has_what_why_and_hint_on_lines_of_their_own() -> None:
    assert str(ConfigError("what")) == "what"
    assert str(UsageError("what", why="why", hint="hint")) == "what\n  why: why\n  hint: hint"
