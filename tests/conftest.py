"""What all tests share: caches of their own, and the rule that CI skips nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_REQUIRE_ALL = os.environ.get("CROSSDOCK_REQUIRE_ALL") == "1"


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep a test that names no cache from reading, or filling, the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSDOCK_CACHE", str(tmp_path_factory.mktemp("cache-of-no-test")))
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for one test alone, set as CROSSDOCK_CACHE."""
    folder = tmp_path / "crossdock-cache"
    monkeypatch.setenv("CROSSDOCK_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_cache() -> Path:
    """A cache folder outside the tree that lasts, so that no run downloads what another one has.

    Pass it on as CROSSDOCK_CACHE only where the state of the cache does not matter to the test.
    """
    named = os.environ.get("CROSSDOCK_TEST_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "crossdock-test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not _REQUIRE_ALL or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    # pytest gives a skip's reason as (path, line, reason).
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"CROSSDOCK_REQUIRE_ALL=1 lets no test be skipped, and this one was:\n  {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
