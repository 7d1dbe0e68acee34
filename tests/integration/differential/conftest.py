"""The locks and the judges' answers, each made once for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.differential import judges, locking
from tests.integration.differential.platforms import CASES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.differential.judges import Choosable
    from tests.integration.differential.locking import Made
    from tests.integration.differential.platforms import Case


@pytest.fixture(scope="session")
def locks(shared_cache: Path) -> dict[tuple[str, str], Made]:
    """All locks, by tool and requirement set."""
    return locking.make_all(shared_cache)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what judges need."""
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(scope="session")
def stubs(scratch: Path) -> Path:
    """A folder for one stub of every wheel of all locks."""
    folder = scratch / "stubs"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def by_pip(locks: dict[tuple[str, str], Made], stubs: Path, scratch: Path) -> dict[Case, dict[Choosable, str | None]]:
    """pip's choice among the wheels of every package of all locks, by target."""
    everything = set().union(*(judges.choosable(made) for made in locks.values()))
    return judges.pip_answers(sorted(everything, key=repr), CASES, stubs, scratch)
