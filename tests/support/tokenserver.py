"""A token server as registries have in front of them (Docker Registry v2 authentication, "Token Authentication").

It signs real tokens, which docker-registry checks by the server's certificate.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["TokenRequest", "TokenServer", "token_server"]

_ISSUER = "tests"
_SERVICE = "registry.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What a client asked for.

    Attributes:
        method: GET, or POST as OAuth 2 has it.
        user: Who asks, whose password was right; empty for anyone.
        scopes: The scopes as asked for.
        granted: Whether a token was given.
    """

    method: str
    user: str
    scopes: tuple[str, ...]
    granted: bool


@dataclass(slots=True, kw_only=True)
class TokenServer:
    """The token server.

    Attributes:
        folder: Where its key and certificate are.
        accounts: Passwords by user.
        readers: Users that may only pull.
        pushers: Users that may pull and push, and not delete.
        public: Patterns of repositories that anyone may pull from.
        lifetime: Seconds that a token says it is good for; docker-registry allows 60 more.
        names: What the token is called in the answer: ``token`` (Docker), ``access_token`` (OAuth 2), or both.
        oauth: Whether it takes POST; otherwise it answers 404 as older servers do.
        tls: The TLS context it serves with.
        asked: All requests so far.
        refresh_tokens: Users by refresh token.
    """

    folder: Path
    accounts: Mapping[str, str]
    readers: frozenset[str] = frozenset()
    pushers: frozenset[str] = frozenset()
    public: tuple[str, ...] = ()
    lifetime: int = 300
    names: tuple[str, ...] = ("token", "access_token")
    oauth: bool = False
    tls: ssl.SSLContext | None = None
    asked: list[TokenRequest] = field(default_factory=list)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    port: int = 0

    @property
    def realm(self) -> str:
        """Where tokens are to be had."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/token"

    def registry_config(self) -> dict[str, str]:
        """Give what docker-registry is to be told."""
        certificate = str(self.folder / "token.pem")
        return {"realm": self.realm, "service": _SERVICE, "issuer": _ISSUER, "rootcertbundle": certificate}

    def token(self, user: str, scopes: tuple[str, ...]) -> str:
        """Sign what a user may do of what is asked for (RFC 7519, RS256)."""
        now = int(time.time())
        claims = {
            "iss": _ISSUER,
            "sub": user,
            "aud": _SERVICE,
            "exp": now + self.lifetime,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [access for scope in scopes if (access := self._access(user, scope))["actions"]],
        }
        pem = (self.folder / "token.pem").read_text()
        der = "".join(line for line in pem.splitlines() if not line.startswith("-"))
        header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(claims).encode())}"
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.folder / "token-key.pem")]
        made = subprocess.run(command, input=signed.encode(), capture_output=True, check=True)
        return f"{signed}.{_base64(made.stdout)}"

    def _access(self, user: str, scope: str) -> dict[str, object]:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        allowed = {"pull", "push", "delete", "*"} if user else set()
        if user in self.pushers:
            allowed = {"pull", "push"}
        if user in self.readers or any(fnmatchcase(name, pattern) for pattern in self.public):
            allowed = allowed & {"pull"} if user in self.readers else allowed | {"pull"}
        return {"type": kind, "name": name, "actions": [one for one in actions.split(",") if one in allowed]}


@contextlib.contextmanager
def token_server(
    folder: Path,
    accounts: Mapping[str, str],
    *,
    readers: frozenset[str] = frozenset(),
    public: tuple[str, ...] = (),
    lifetime: int = 300,
    names: tuple[str, ...] = ("token", "access_token"),
    oauth: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Iterator[TokenServer]:
    """Run a token server, its key in a folder that is there; other arguments as `TokenServer`."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test tokens"]
    command += ["-keyout", str(folder / "token-key.pem"), "-out", str(folder / "token.pem")]
    subprocess.run(command, check=True, capture_output=True)
    tokens = TokenServer(
        folder=folder,
        accounts=accounts,
        readers=readers,
        public=public,
        lifetime=lifetime,
        names=names,
        oauth=oauth,
        tls=tls,
    )
    server = _Server(tokens)
    tokens.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield tokens
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, tokens: TokenServer) -> None:
        self.tokens = tokens
        super().__init__(("127.0.0.1", 0), _Handler)
        if tokens.tls is not None:
            self.socket = tokens.tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep clients that leave early out of the tests' output."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user, password = "", ""
        if scheme.lower() == "basic":
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        right = not scheme or (user != "" and self.server.tokens.accounts.get(user) == password)
        self._decide(query, user, right=right)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        if not self.server.tokens.oauth:
            self._send(HTTPStatus.NOT_FOUND, {})
            return
        (grant,) = form.get("grant_type", ["password"])
        if grant == "refresh_token":
            user = self.server.tokens.refresh_tokens.get(form["refresh_token"][0], "")
            right = user != ""
        else:
            user = form["username"][0]
            right = self.server.tokens.accounts.get(user) == form["password"][0]
        self._decide(form, user, right=right)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def _decide(self, query: dict[str, list[str]], user: str, *, right: bool) -> None:
        tokens = self.server.tokens
        # Several scopes come in parameters of their own, or in one with spaces between them.
        scopes = tuple(scope for text in query.get("scope", []) for scope in text.split())
        granted = right and query.get("service") == [_SERVICE]
        tokens.asked.append(
            TokenRequest(method=self.command, user=user if right else "", scopes=scopes, granted=granted)
        )
        if not granted:
            self._send(HTTPStatus.UNAUTHORIZED, {"errors": [{"code": "UNAUTHORIZED", "message": "access denied"}]})
            return
        token = tokens.token(user, scopes)
        answer: dict[str, object] = dict.fromkeys(tokens.names, token)
        answer["expires_in"] = tokens.lifetime
        answer["issued_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if query.get("offline_token") == ["true"] or query.get("access_type") == ["offline"]:
            refresh = secrets.token_hex(16)
            tokens.refresh_tokens[refresh] = user
            answer["refresh_token"] = refresh
        self._send(HTTPStatus.OK, answer)

    def _send(self, status: HTTPStatus, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
