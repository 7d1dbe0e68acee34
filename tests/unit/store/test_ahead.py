"""Going ahead in a thread changes nothing about what comes, and ends when the caller does."""

from __future__ import annotations

import _thread
import gc
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.store.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "crossdock-ahead"]


class Endless:
    """Pieces without end; counts those that were asked for."""

    def __init__(self, size: int = 64 << 10) -> None:
        self.size = size
        self.given = 0
        self.threads: set[int] = set()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.given += 1
            self.threads.add(threading.get_ident())
            yield bytes(self.size)

    def settled(self) -> int:
        """Say how many were given when no more are asked for."""
        before = -1
        while before != self.given:
            before = self.given
            time.sleep(0.1)
        return before


@given(st.lists(st.binary(max_size=300), max_size=40), st.integers(0, 3000))
def test_the_same_pieces_come_in_the_same_order(pieces: list[bytes], first: int) -> None:
    assert list(ahead(pieces, first=first)) == pieces


def test_the_order_is_kept_over_many_batches() -> None:
    pieces = [number.to_bytes(4, "big") * (number % 7000) for number in range(3000)]
    assert sum(map(len, pieces)) > 16 * MIB
    assert list(ahead(iter(pieces), first=0)) == pieces
    assert not helpers()


def test_nothing_in_gives_nothing_out() -> None:
    assert list(ahead([])) == []
    assert list(ahead([], first=0)) == []


def test_what_is_small_needs_no_thread() -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            threads.add(threading.get_ident())
            yield bytes(MIB)

    threads: set[int] = set()
    assert len(list(ahead(pieces()))) == 3
    assert threads == {threading.get_ident()}


def test_what_is_large_is_gone_through_by_one_other_thread() -> None:
    source = Endless()
    with closing(ahead(source)) as pieces:
        for _ in range(200):
            next(pieces)
        assert len(helpers()) == 1
    assert len(source.threads) == 2


@pytest.mark.parametrize(("size", "most"), [(256 << 10, 48), (64 << 10, 192), (1, 194_000)])
def test_no_more_than_some_mib_wait_to_be_taken(size: int, most: int) -> None:
    source = Endless(size)
    with closing(ahead(source, first=0)) as pieces:
        next(pieces)
        assert most // 2 < source.settled() <= most


@pytest.mark.parametrize("before", [0, 1, 100, 5000])
def test_an_error_comes_as_it_is_behind_the_pieces_before_it(before: int) -> None:
    error = LookupError("damaged")

    def pieces() -> Iterator[bytes]:
        for _ in range(before):
            yield bytes(1000)
        raise error

    seen: list[bytes] = []
    with pytest.raises(LookupError) as caught:
        seen.extend(ahead(pieces(), first=10_000))
    assert caught.value is error
    assert len(seen) == before
    assert not helpers()


@pytest.mark.parametrize("taken", [0, 1, 70, 500])
def test_the_thread_ends_when_the_caller_closes(taken: int) -> None:
    source = Endless()
    pieces = ahead(source)
    for _ in range(taken):
        next(pieces)
    source.settled()  # it waits for a place by now, if there is a thread
    began = time.monotonic()
    pieces.close()
    assert time.monotonic() - began < 1
    assert not helpers()
    given = source.given
    time.sleep(0.05)
    assert source.given == given


def test_the_thread_ends_when_the_caller_fails() -> None:
    def use() -> None:
        with closing(ahead(Endless(), first=0)) as pieces:
            next(pieces)
            raise LookupError

    with pytest.raises(LookupError):
        use()
    assert not helpers()


def test_the_thread_ends_where_it_is_forgotten() -> None:
    pieces = ahead(Endless(), first=0)
    next(pieces)
    assert helpers()
    del pieces
    gc.collect()
    assert not helpers()


def test_ctrl_c_is_heard_while_waiting_for_what_comes() -> None:
    released = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"first"
        _thread.interrupt_main()
        released.wait(0.5)  # as long as a slow disk takes; nothing is left behind that reads
        yield b"second"
        pytest.fail("went on after Ctrl-C")

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), closing(ahead(slow(), first=0)) as pieces:
        for _ in pieces:
            pass
    assert time.monotonic() - began < 5
    assert not helpers()


def test_a_second_ctrl_c_is_heard_while_the_thread_is_waited_for() -> None:
    released = threading.Event()

    def stuck() -> Iterator[bytes]:
        yield b"first"
        for _ in range(2):
            time.sleep(0.3)
            _thread.interrupt_main()
        released.wait(30)  # as on a file system that does not answer
        yield b"second"

    began = time.monotonic()
    pieces = ahead(stuck(), first=1)
    assert next(pieces) == b"first"
    with pytest.raises(KeyboardInterrupt):
        next(pieces)
    assert time.monotonic() - began < 5
    released.set()
    while helpers() and time.monotonic() - began < 10:
        time.sleep(0.01)  # joining it is no good: some Pythons take a thread for stopped whose join was interrupted
    assert not helpers()
