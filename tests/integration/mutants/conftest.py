"""The clean artifacts, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command
from tests.integration.mutants.artifacts import CleanArtifacts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> CleanArtifacts:
    """Real artifacts that nothing is wrong with."""
    return CleanArtifacts(tmp_path_factory.mktemp("clean"), Command(cache=shared_cache))
