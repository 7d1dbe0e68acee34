"""What to tell when an HTTP request fails, and whether to try again."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from crossdock.errors import DownloadError
from crossdock.store.retries import TransientError, parse_retry_after
from crossdock.store.urls import redact, scrub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3.exceptions import ProxyError

__all__ = ["TRANSIENT", "reported", "status_error", "too_slow", "unreadable"]

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
# What a proxy answers to CONNECT and will answer again.
_FINAL = frozenset(range(400, 500)) - TRANSIENT
_TUNNEL = re.compile(r"Tunnel connection failed: (?P<status>[0-9]{3})\b")
_PROXY_HINTS = {407: "put user and password of the proxy into HTTPS_PROXY and HTTP_PROXY"}
_HINTS = _PROXY_HINTS | {
    404: "the index may have moved or removed it: check the index URL, or make the lock file again",
}


@contextlib.contextmanager
def reported(url: str, *, hint: str = "") -> Iterator[None]:
    """Turn urllib3's errors before the body into ours.

    Args:
        url: What is asked for.
        hint: What to do about a failing network, where that is not about a package index.
    """
    from urllib3.exceptions import HTTPError, LocationValueError, ProxyError, SSLError

    try:
        yield
    except ProxyError as error:
        if isinstance(error.original_error, SSLError):
            raise unreadable(url, error.original_error, hint=hint) from error
        raise _proxy_failure(url, error) from error
    except SSLError as error:
        failure = unreadable(url, error, hint=hint)
        raise (TransientError(failure) if _broken_off(error) else failure) from error
    except LocationValueError as error:
        raise unreadable(url, error, hint=hint) from error
    except (HTTPError, OSError) as error:
        raise TransientError(unreadable(url, error, hint=hint)) from error
    except ValueError as error:
        raise unreadable(url, error, hint=hint) from error


def _proxy_failure(url: str, error: ProxyError) -> TransientError | DownloadError:
    """Say what a proxy answers to CONNECT, which urllib3 tells in words only."""
    why = str(error.original_error) or str(error)
    answered = _TUNNEL.search(why)
    status = int(answered["status"]) if answered else 0
    hint = _PROXY_HINTS.get(status, "check the proxy settings: HTTPS_PROXY, HTTP_PROXY, NO_PROXY")
    # The status is the proxy's, not the index's: nobody may take its 404 for a project that is not there.
    failure = DownloadError(f"cannot read {redact(url)}", why=scrub(why), hint=hint)
    return failure if status in _FINAL else TransientError(failure)


def _broken_off(error: Exception) -> bool:
    """Whether a TLS connection ended where it should not, rather than was refused."""
    import ssl

    cause = error.args[0] if error.args else None
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def unreadable(url: str, error: Exception, *, hint: str = "") -> DownloadError:
    """Tell of an error of urllib3 or the system, without what is secret in it; ``hint`` as in `reported`."""
    from urllib3.exceptions import SSLError

    hint = hint or "check the network, the proxy settings and the URL of the index, then run the command again"
    if isinstance(error, SSLError) and not _broken_off(error):
        hint = "if a proxy or a private CA signs this host, name its CA bundle in SSL_CERT_FILE"
    return DownloadError(f"cannot read {redact(url)}", why=scrub(str(error)) or type(error).__name__, hint=hint)


def too_slow(url: str, received: int, seconds: float) -> DownloadError:
    """Tell of a sender that will never be done."""
    return DownloadError(
        f"cannot read {redact(url)}",
        why=f"the server sent {received} bytes in {seconds:.0f} seconds",
        hint="check the network and the proxy settings, then run the command again",
    )


def status_error(url: str, status: int, retry_after: str | None, advice: str) -> TransientError | DownloadError:
    """Tell of a status that is no success; ``advice`` is what to do, where more is known than the status."""
    from http import HTTPStatus

    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    error = DownloadError(
        f"cannot read {redact(url)}",
        why=f"the server answers {status}{phrase}",
        hint=advice or _HINTS.get(status, "try again later, or use another index"),
        status=status,
    )
    return TransientError(error, retry_after=parse_retry_after(retry_after)) if status in TRANSIENT else error
