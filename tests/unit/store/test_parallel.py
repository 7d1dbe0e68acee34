"""Work in parallel keeps its order, and ends as soon as one part fails."""

from __future__ import annotations

import threading
import time

import pytest

from crossdock.store.parallel import Cancellation, CancelledError, run_parallel


def test_results_keep_the_order_of_the_items() -> None:
    def work(item: int, _: Cancellation) -> int:
        time.sleep(0.01 * (5 - item))
        return item * item

    assert run_parallel(work, range(5), jobs=3) == [0, 1, 4, 9, 16]
    assert run_parallel(work, [], jobs=3) == []


def test_no_more_than_the_given_number_at_once() -> None:
    running: list[int] = []
    seen: list[int] = []

    def work(item: int, _: Cancellation) -> None:
        running.append(item)
        seen.append(len(running))
        time.sleep(0.005)
        running.remove(item)

    run_parallel(work, range(20), jobs=3)
    assert 1 <= max(seen) <= 3


def test_the_first_failure_wakes_those_that_wait_and_begins_nothing_more() -> None:
    begun: list[int] = []
    woken = threading.Event()

    def work(item: int, cancellation: Cancellation) -> None:
        begun.append(item)
        if item == 2:
            time.sleep(0.1)
            raise LookupError("two")
        if item == 1:
            with cancellation.waking(woken.set):
                assert woken.wait(30)
                cancellation.check()
        cancellation.wait(30)

    began = time.monotonic()
    with pytest.raises(LookupError, match="two"):
        run_parallel(work, range(100), jobs=3)
    assert time.monotonic() - began < 2
    assert sorted(begun) == [0, 1, 2]
    assert woken.is_set()


def test_cancelled_work_cannot_begin_to_wait() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError), cancellation.waking(lambda: None):
        raise AssertionError("not reached")
    with pytest.raises(CancelledError):
        cancellation.wait(30)
