"""The sample, made once: nothing in it changes."""

from __future__ import annotations

import pytest
from tests.unit.supply.sample import Sample, make_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return make_sample(tmp_path_factory.mktemp("supply"))
