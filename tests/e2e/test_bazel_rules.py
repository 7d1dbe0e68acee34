"""The rules' own tests, which Bazel runs: names, choices, groups of wheels, actions, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e.bazelrun import own_workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network


def test_the_tests_of_the_rules_pass(shared_cache: Path) -> None:
    with own_workspace(shared_cache) as here:
        statuses = here.test("//bazel/...").tests

    assert len(statuses) > 50
    assert set(statuses.values()) == {"PASSED"}
