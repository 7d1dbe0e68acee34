"""The indexes that integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.flakyproxy import FlakyProxy, flaky_proxy
from tests.support.indexuser import Machine, Place, running_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Place]:
    """A real index that wants a password, another one, and a CA."""
    with running_place(tmp_path_factory.mktemp("index"), shared_cache) as one:
        yield one


@pytest.fixture
def front(place: Place) -> Iterator[FlakyProxy]:
    """TLS in front of the index that wants a password."""
    with flaky_proxy(place.private, tls=place.authority.server_context()) as proxy:
        yield proxy


@pytest.fixture
def machine(tmp_path: Path, place: Place) -> Machine:
    for name in ("home", "project"):
        (tmp_path / name).mkdir()
    return Machine(folder=tmp_path, place=place)
