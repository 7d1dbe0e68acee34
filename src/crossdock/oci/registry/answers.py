"""What to tell when a registry does not answer as it was hoped to (OCI distribution-spec, "Error Codes")."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from crossdock.errors import (
    RegistryAuthError,
    RegistryError,
    RegistryNotFoundError,
    RegistryRefusedError,
)
from crossdock.store.http_errors import TRANSIENT
from crossdock.store.retries import TransientError, parse_retry_after
from crossdock.store.urls import scrub

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.errors import CrossdockError

__all__ = ["Complaint", "Refusal", "status_failure"]

_LONGEST = 300
_MOST_ERRORS = 5
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of an answer's body.

    Attributes:
        code: Such as ``MANIFEST_UNKNOWN``; empty if none was sent.
        message: For people; safe to be shown.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success.

    Attributes:
        status: Its HTTP status.
        complaints: What its body says.
        retry_after: Its ``Retry-After`` header.
    """

    status: int
    complaints: tuple[Complaint, ...] = ()
    retry_after: str | None = None

    @classmethod
    def read(
        cls, status: int, body: bytes, retry_after: str | None = None, *, hide: Callable[[str], str] = str
    ) -> Refusal:
        """Take what is useful from an answer.

        Args:
            status: Its HTTP status.
            body: Its body, which may be anything.
            retry_after: Its ``Retry-After`` header.
            hide: Takes secrets out of a message.
        """
        return cls(status, tuple(_complaints(body, hide)), retry_after)

    def has(self, *codes: str) -> bool:
        """Whether one of the error codes was sent."""
        return any(complaint.code in codes for complaint in self.complaints)

    def why(self) -> str:
        """Say it in one line."""
        said = "; ".join(" ".join(filter(None, (one.code, one.message))) for one in self.complaints)
        return f"the registry answers {_phrase(self.status)}" + (f": {said}" if said else "")


def _complaints(body: bytes, hide: Callable[[str], str]) -> list[Complaint]:
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    found = []
    for error in errors[:_MOST_ERRORS] if isinstance(errors, list) else ():
        if isinstance(error, dict):
            said = [_shown(text, hide) for text in (error.get("message"), _detail(error.get("detail")))]
            found.append(Complaint(_shown(error.get("code"), hide), ": ".join(filter(None, said))))
    return found


def _detail(detail: object) -> object:
    """Find the words in what a registry says besides its message, which is often the same for all errors of a kind."""
    if isinstance(detail, dict):
        return detail.get("message") or detail.get("description")
    return detail


def _shown(text: object, hide: Callable[[str], str]) -> str:
    if not isinstance(text, str):
        return ""
    shown = scrub(hide(text))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def status_failure(what: str, refusal: Refusal, *, advice: str) -> CrossdockError | TransientError:
    """Give the error for an answer that is no success.

    Args:
        what: What was tried, as a sentence: "cannot read registry.example/app:1".
        refusal: The answer.
        advice: What can be done about credentials; empty if some were sent.
    """
    status, why = refusal.status, refusal.why()
    if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and advice):
        return RegistryAuthError(what, why=why, hint=advice)
    if status == HTTPStatus.NOT_FOUND:
        return RegistryNotFoundError(what, why=why, hint="check the registry, the repository and the tag or digest")
    if status in TRANSIENT:
        hint = "the registry is overloaded or failing: run the command again later"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            hint = "it limits how much may be asked: run the command again later, or log in for a higher limit"
        return TransientError(
            RegistryError(what, why=why, hint=hint), retry_after=parse_retry_after(refusal.retry_after)
        )
    if status >= _SERVER_ERRORS:
        return RegistryError(what, why=why, hint="the registry fails: see its logs, or tell who runs it")
    return RegistryRefusedError(what, why=why, hint=_refusal_hint(refusal))


def _refusal_hint(refusal: Refusal) -> str:
    if refusal.status == HTTPStatus.FORBIDDEN:
        return "ask who runs the registry for the right to do this, or log in as another user"
    if refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "the registry, or a proxy before it, limits the size of requests: raise that limit"
    said = refusal.why().lower()
    if "immutab" in said or "already exist" in said or refusal.status in (HTTPStatus.CONFLICT, 412):
        return "a tag that must not change is there already: push another tag"
    return "the registry does not take this: see its message and its settings"
