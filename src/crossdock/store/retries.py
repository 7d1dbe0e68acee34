"""When a failed request is sent again, and after how long."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.errors import CrossdockError
    from crossdock.store.parallel import Cancellation

__all__ = ["TransientError", "parse_retry_after", "retry_delay", "retrying"]

T = TypeVar("T")

# A server that asks for more is telling us to come back another day.
LONGEST_WAIT_SECONDS = 120.0


class TransientError(Exception):
    """A request failed in a way that may pass.

    Attributes:
        error: What to tell the user if it does not.
        retry_after: Seconds the server asks to wait, if it does.
        progressed: Whether a good part of the file arrived before it failed.
    """

    def __init__(self, error: CrossdockError, *, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        self.progressed = False


def retrying(operation: Callable[[], T], *, retries: int, backoff: float, cancellation: Cancellation) -> T:
    """Call ``operation`` until it succeeds, with growing pauses, and raise its last error when it does not.

    Args:
        operation: What to do; fails with a TransientError where trying again makes sense.
        retries: How often it is called again.
        backoff: Seconds before the first retry; doubled with each.
        cancellation: What can end a pause.
    """
    attempt = 0
    while True:
        try:
            return operation()
        except TransientError as failure:
            # A bad line that lets a good part through each time gets a large file in the end.
            attempt = 0 if failure.progressed else attempt
            delay = retry_delay(attempt, asked=failure.retry_after, backoff=backoff)
            if attempt >= retries or delay is None:
                raise failure.error from failure.__cause__
        attempt += 1
        cancellation.wait(delay)


def retry_delay(attempt: int, *, asked: float | None, backoff: float) -> float | None:
    """Return the seconds to wait after a failed attempt, or None to give up.

    Args:
        attempt: How many attempts failed before this one.
        asked: Seconds the server asked for.
        backoff: Seconds after the first attempt; doubled with each.
    """
    delay = max(backoff * 2.0**attempt, asked or 0.0)
    return delay if delay <= LONGEST_WAIT_SECONDS else None


def parse_retry_after(value: str | None, *, now: dt.datetime | None = None) -> float | None:
    """Return the seconds of a ``Retry-After`` header (RFC 9110, 10.2.3), or None if it has no usable value."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:10])
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=dt.UTC)
    return max(0.0, (date - (now or dt.datetime.now(dt.UTC))).total_seconds())
