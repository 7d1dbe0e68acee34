"""Access tokens: asking a token service for them, and knowing when they end (distribution's token specification)."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from crossdock.errors import RegistryAuthError
from crossdock.oci.registry.answers import Refusal, status_failure
from crossdock.oci.registry.hosts import is_loopback
from crossdock.oci.registry.transport import Body, check_redirect, finish, network_errors
from crossdock.store.credentials import basic_authorization
from crossdock.store.http import Response
from crossdock.store.http_errors import TRANSIENT
from crossdock.store.urls import origin, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.oci.registry.accounts import Account
    from crossdock.oci.registry.challenge import Challenge
    from crossdock.oci.registry.transport import Transport

__all__ = ["Token", "TokenService", "token_service"]

_MOST_BYTES = 1 << 20
# RFC 6750, 2.1: what may be in an Authorization header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,65536}")
# What the specification says when the service says nothing, and the least it should give.
_SECONDS = 60.0
_MOST_SECONDS = 86_400.0
# A token is not used when it is about to end.
_MARGIN = 0.2
_LONGEST_MARGIN_SECONDS = 30.0
_CLIENT = "crossdock"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Token:
    """An access token.

    Attributes:
        value: What is sent.
        ends: When it is not used any more, by `time.monotonic`.
    """

    value: str = field(repr=False)
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenService:
    """Where tokens for a registry come from.

    Attributes:
        realm: Its URL.
        service: What it calls the registry.
    """

    realm: str
    service: str

    def fetch(
        self,
        transport: Transport,
        account: Account | None,
        scopes: Sequence[str],
        *,
        what: str,
        advice: str,
        hide: Callable[[str], str],
    ) -> Token:
        """Get a token for scopes such as ``repository:team/app:pull``.

        Args:
            transport: How it is asked.
            account: Who we are; nobody if None.
            scopes: What the token shall allow.
            what: What fails if this fails.
            advice: What to do if the service refuses.
            hide: Takes secrets out of a message.

        Raises:
            RegistryAuthError: The service refuses, or gives something else than a token.
            TransientError: It cannot be asked now.
            RegistryError: It cannot be asked at all, or leads where nothing may be asked.
        """
        began = time.monotonic()
        if account is not None and account.identity_token:
            method, url, headers, body = self._exchange(account.identity_token, scopes)
        else:
            method, url, headers, body = self._request(account, scopes)
        response = transport.send(method, url, what=what, headers=headers, body=body)
        for _ in range(_MOST_REDIRECTS):
            if method != "GET" or response.status not in _REDIRECTS or "location" not in response.headers:
                break
            finish(response)
            following = check_redirect(url, response.headers["location"], what)
            if origin(following) != origin(url):
                headers = {}
            url = following
            response = transport.send(method, url, what=what, headers=headers)
        if response.status != HTTPStatus.OK:
            refusal = Refusal.read(response.status, finish(response), response.headers.get("retry-after"), hide=hide)
            if refusal.status in TRANSIENT:
                raise status_failure(what, refusal, advice=advice)
            raise RegistryAuthError(what, why=f"the token service {redact(self.realm)}: {refusal.why()}", hint=advice)
        try:
            with network_errors(what, self.realm):
                data = _read(Response(url=self.realm, raw=response, patience=transport.patience))
        finally:
            finish(response)
        return _read_token(data, began, lambda why: RegistryAuthError(what, why=why, hint=advice))

    def _request(self, account: Account | None, scopes: Sequence[str]) -> tuple[str, str, dict[str, str], Body | None]:
        query = [("service", self.service)] if self.service else []
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if account is not None and account.password:
            headers["Authorization"] = basic_authorization(account.user, account.password)
        separator = "&" if urlsplit(self.realm).query else "?"
        return "GET", f"{self.realm}{separator}{urlencode(query)}", headers, None

    def _exchange(self, identity_token: str, scopes: Sequence[str]) -> tuple[str, str, dict[str, str], Body | None]:
        form = {
            "grant_type": "refresh_token",
            "service": self.service,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            "refresh_token": identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return "POST", self.realm, headers, Body.of(urlencode(form).encode())


def token_service(challenge: Challenge, base: str, plain_http: frozenset[str], *, what: str) -> TokenService:
    """Read where tokens come from.

    Credentials will be sent there, so it must be spoken to as safely as the registry itself.

    Args:
        challenge: The registry's.
        base: URL of the registry.
        plain_http: Hosts that plain HTTP may be spoken to.
        what: What fails if this fails.

    Raises:
        RegistryAuthError: It is no URL, or one that credentials must not be sent to.
    """
    hint = "correct the address of the token service in the registry's settings"
    try:
        realm, _ = split_credentials(challenge.parameters.get("realm", ""))
        parts = urlsplit(realm)
        address = parts.netloc.lower()
        _ = parts.port
    except ValueError:
        raise RegistryAuthError(what, why="the registry names a token service that is no URL", hint=hint) from None
    same = parts.scheme == "http" and base.startswith("http:") and address == urlsplit(base).netloc
    plain = parts.scheme == "http" and (same or is_loopback(address) or address in plain_http)
    if not address or not (parts.scheme == "https" or (plain and base.startswith("http:"))):
        raise RegistryAuthError(
            what, why=f"credentials are not sent to the token service {redact(realm)}: it is not HTTPS", hint=hint
        )
    return TokenService(realm=realm.partition("#")[0], service=challenge.parameters.get("service", ""))


def _read(response: Response) -> bytes:
    """Read so much of an answer that it shows when it is too long; one that trickles in is given up."""
    data = bytearray()
    for piece in response.chunks():
        data += piece
        if len(data) > _MOST_BYTES:
            break
    return bytes(data)


def _read_token(data: bytes, began: float, error: Callable[[str], RegistryAuthError]) -> Token:
    try:
        answer: Any = json.loads(data) if len(data) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise error("the token service sends something else than a token")
    value = answer.get("token") or answer.get("access_token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise error("the token service sends an object without a usable token")
    seconds = answer.get("expires_in")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
        seconds = _SECONDS
    seconds = min(seconds, _MOST_SECONDS)
    return Token(value, began + seconds - min(seconds * _MARGIN, _LONGEST_MARGIN_SECONDS))
