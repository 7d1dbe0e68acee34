"""Being let in by one registry: what to send at first, and what after it refused."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crossdock.errors import RegistryAuthError
from crossdock.oci.registry.challenge import parse_challenges
from crossdock.oci.registry.tokens import token_service
from crossdock.store.credentials import basic_authorization

if TYPE_CHECKING:
    from crossdock.oci.registry.accounts import Account
    from crossdock.oci.registry.credentials import CredentialFinder
    from crossdock.oci.registry.hosts import Host
    from crossdock.oci.registry.tokens import Token, TokenService
    from crossdock.oci.registry.transport import Transport

__all__ = ["Access", "Scope"]

# Shorter ones would be found in every sentence.
_SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request needs to be allowed.

    Attributes:
        repository: The repository.
        push: Whether it writes.
        mounts: Other repositories that it reads from.
        delete: Whether it takes something away, such as an upload that was begun.
    """

    repository: str
    push: bool = False
    mounts: tuple[str, ...] = ()
    delete: bool = False

    def texts(self) -> list[str]:
        """Spell it as token services want it."""
        actions = "pull" + (",push" if self.push else "") + (",delete" if self.delete else "")
        return [f"repository:{self.repository}:{actions}", *(f"repository:{name}:pull" for name in self.mounts)]


@dataclass(slots=True)
class _State:
    """What was learned of a registry: how it lets in, and with what."""

    service: TokenService | None = None
    basic: set[str] = field(default_factory=set)
    tokens: dict[Scope, Token] = field(default_factory=dict)


class Access:
    """Authorization headers for one registry. Safe to use from many threads.

    Args:
        host: The registry.
        transport: How token services are asked.
        finder: Where credentials are looked up, when the registry asks for some.
        plain_http: Hosts that plain HTTP may be spoken to.
    """

    def __init__(self, host: Host, transport: Transport, finder: CredentialFinder, plain_http: frozenset[str]) -> None:
        self._host = host
        self._transport = transport
        self._finder = finder
        self._plain_http = plain_http
        self._state = _State()
        self._secrets: set[str] = set()
        self._lock = threading.RLock()

    def header(self, scope: Scope, *, what: str) -> str | None:
        """Give the ``Authorization`` header to send at first; None before the registry asked for any.

        Raises:
            RegistryAuthError: And others, as `TokenService.fetch`.
        """
        with self._lock:
            if scope.repository in self._state.basic:
                account = self._finder.find(self._host, scope.repository)
                return _basic(account)
            if self._state.service is None:
                return None
            return self._bearer(self._state.service, scope, what)

    def renew(self, scope: Scope, challenges: str, sent: str | None, *, base: str, what: str) -> str:
        """Give the header to send after a refusal.

        Args:
            scope: What the request needs.
            challenges: The ``WWW-Authenticate`` header of the answer.
            sent: The header that was refused.
            base: URL of the registry.
            what: What fails if this fails.

        Raises:
            RegistryAuthError: There is nothing else to try; and others, as `TokenService.fetch`.
        """
        known = {challenge.scheme: challenge for challenge in reversed(parse_challenges(challenges))}
        with self._lock:
            account = self._finder.find(self._host, scope.repository)
            header: str | None = None
            if "bearer" in known:
                self._state.service = token_service(known["bearer"], base, self._plain_http, what=what)
                self._state.tokens = {
                    other: token for other, token in self._state.tokens.items() if f"Bearer {token.value}" != sent
                }
                header = self._bearer(self._state.service, scope, what)
            elif "basic" in known and account is not None and account.password:
                self._state.basic.add(scope.repository)
                header = _basic(account)
                self._keep_secret(account)
        if header is None or header == sent:
            raise RegistryAuthError(
                what,
                why="the registry wants other credentials" if sent else "the registry wants credentials",
                hint=self.advice(scope.repository),
            )
        return header

    def advice(self, repository: str) -> str:
        """Say what somebody who was refused can do; shows no credentials."""
        account = self._finder.find(self._host, repository)
        if account is None:
            return (
                f"check that there is such a repository; if so, log in to {self._host.name} with docker or podman:"
                f" no credentials were found in {self._finder.looked_in()}"
            )
        return (
            f"the credentials for {self._host.name} from {account.source} are wrong, or may not do this,"
            " or there is no such repository: log in again, or ask for access"
        )

    def has_account(self, repository: str) -> bool:
        """Whether credentials are known."""
        return self._finder.find(self._host, repository) is not None

    def hide(self, text: str) -> str:
        """Take out of somebody else's message what is secret."""
        with self._lock:
            secrets = sorted(self._secrets, key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, "***")
        return text

    def _bearer(self, service: TokenService, scope: Scope, what: str) -> str:
        """Give a token that is good for a scope; fetched by one thread, used by all."""
        wider = replace(scope, push=True)
        now = time.monotonic()
        for one in (scope, wider):
            token = self._state.tokens.get(one)
            if token is not None and token.ends > now:
                return f"Bearer {token.value}"
        account = self._finder.find(self._host, scope.repository)
        if account is not None:
            self._keep_secret(account)
            if account.registry_token:
                return f"Bearer {account.registry_token}"
        advice = self.advice(scope.repository)
        token = service.fetch(self._transport, account, scope.texts(), what=what, advice=advice, hide=self.hide)
        self._secrets.add(token.value)
        self._state.tokens[scope] = token
        return f"Bearer {token.value}"

    def _keep_secret(self, account: Account) -> None:
        pair = basic_authorization(account.user, account.password).removeprefix("Basic ")
        self._secrets.update(secret for secret in (*account.secrets, pair) if len(secret) >= _SHORTEST_SECRET)


def _basic(account: Account | None) -> str | None:
    return basic_authorization(account.user, account.password) if account is not None and account.password else None
