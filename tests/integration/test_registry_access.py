"""Being let in by registries: TLS, passwords, tokens, helpers and certificates, and who gets to see what."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.support.flakyregistry import flaky_registry
from tests.support.registries import Registry, give_access, running_registry
from tests.support.registryfaults import redirect_to, status, with_header
from tests.support.sampleimage import SampleImage, sample_image
from tests.support.testca import Authority, make_authority
from tests.support.tokenserver import TokenServer, token_server

from crossdock.errors import (
    RegistryAuthError,
    RegistryConfigError,
    RegistryContentError,
    RegistryError,
    RegistryRefusedError,
)
from crossdock.oci.reference import parse_reference
from crossdock.oci.registry import Registries, RegistrySettings, Repository, push_image
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ACCOUNTS = {"ada": "open-sesame-42", "ro": "only-reading-7"}
SECRET = ACCOUNTS["ada"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> SampleImage:
    return sample_image(tmp_path_factory.mktemp("image"), size=2 << 20)


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Registry]:
    """TLS and a password."""
    with running_registry(tmp_path_factory.mktemp("private"), authority=authority, accounts=ACCOUNTS) as registry:
        yield registry


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    with token_server(
        tmp_path_factory.mktemp("tokens"), ACCOUNTS, readers=frozenset({"ro"}), public=("public/*",), oauth=True
    ) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tokens: TokenServer) -> Iterator[Registry]:
    """A registry that wants tokens."""
    with running_registry(tmp_path_factory.mktemp("guarded"), tokens=tokens) as registry:
        yield registry


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has logged in nowhere."""
    (tmp_path / "home").mkdir()
    return {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}


def at(address: str, environ: Mapping[str, str], name: str = "team/app:1", **settings: object) -> Repository:
    chosen = RegistrySettings(**{"backoff": 0.01, "retries": 2, **settings})  # type: ignore[arg-type]
    return Registries(chosen, environ=environ).repository(parse_reference(f"{address}/{name}"))


def push(repository: Repository, image: SampleImage) -> None:
    push_image(repository, image.index, image.manifests, image.blobs, tags=["1"])


def login(user: str = "ada", password: str | None = None) -> str:
    return base64.b64encode(f"{user}:{password or ACCOUNTS[user]}".encode()).decode()


def docker_config(home: Mapping[str, str], value: object) -> None:
    from pathlib import Path

    folder = Path(home["HOME"], ".docker")
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(value))


def helper(home: dict[str, str], name: str, script: str) -> None:
    """Install a credential helper."""
    from pathlib import Path

    folder = Path(home["HOME"], "bin")
    folder.mkdir(exist_ok=True)
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    home["PATH"] = f"{folder}:/usr/bin:/bin"


# Passwords


def test_a_password_of_docker_login_opens_a_registry_behind_tls(
    private: Registry, home: dict[str, str], image: SampleImage, tmp_path: Path
) -> None:
    access = give_access(tmp_path / "access", private, "ada")
    push(at(private.address, home | access.env), image)
    assert private.tags("team/app") == ["1"]
    assert at(private.address, home | access.env).manifest() == image.index


def test_a_ca_of_the_environment_and_a_password_of_the_environment(
    private: Registry, home: dict[str, str], authority: Authority, image: SampleImage
) -> None:
    environ = home | {
        "SSL_CERT_FILE": str(authority.ca),
        "CROSSDOCK_REGISTRY": private.address,
        "CROSSDOCK_REGISTRY_USERNAME": "ada",
        "CROSSDOCK_REGISTRY_PASSWORD": SECRET,
    }
    push(at(private.address, environ, "env/app:1"), image)
    assert private.tags("env/app") == ["1"]


def test_a_password_of_the_environment_is_for_the_registry_that_is_named_only(
    private: Registry, home: dict[str, str], authority: Authority
) -> None:
    environ = home | {"SSL_CERT_FILE": str(authority.ca), "CROSSDOCK_REGISTRY_PASSWORD": SECRET}
    with pytest.raises(RegistryConfigError, match=r"(?s)not said for which registry.*CROSSDOCK_REGISTRY") as caught:
        at(private.address, environ).manifest()
    assert SECRET not in str(caught.value)
    with pytest.raises(RegistryAuthError, match=r"log in to .* with docker or podman"):
        at(private.address, environ | {"CROSSDOCK_REGISTRY": "registry.example"}).manifest()


def test_nobody_is_let_in_without_a_password(private: Registry, home: dict[str, str], authority: Authority) -> None:
    environ = home | {"SSL_CERT_FILE": str(authority.ca)}
    with pytest.raises(RegistryAuthError, match=r"(?s)cannot read .*wants credentials.*config\.json.*auth\.json"):
        at(private.address, environ).manifest()


def test_a_wrong_password_is_named_by_its_place_and_never_shown(
    private: Registry, home: dict[str, str], tmp_path: Path
) -> None:
    access = give_access(tmp_path / "access", private, "ada", password="tell-nobody")
    with pytest.raises(RegistryAuthError, match=r"(?s)team/app:1.*docker/config\.json are wrong") as caught:
        at(private.address, home | access.env).manifest()
    assert "tell-nobody" not in str(caught.value)
    assert login("ada", "tell-nobody") not in str(caught.value)


# Certificates


def test_a_registry_that_nobody_vouches_for_is_not_spoken_to(private: Registry, home: dict[str, str]) -> None:
    with pytest.raises(RegistryError, match=r"(?s)certificate verify failed.*certs\.d/HOST:PORT/ca\.crt"):
        at(private.address, home).manifest()


def test_podmans_folder_of_certificates_is_read_too(private: Registry, home: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".config" / "containers" / "certs.d" / private.address
    folder.mkdir(parents=True)
    assert private.ca is not None
    (folder / "own.crt").write_bytes(private.ca.read_bytes())
    docker_config(home, {"auths": {private.address: {"auth": login()}}})
    assert at(private.address, home).find_manifest("nope") is None


def test_a_file_that_is_no_certificate_is_an_error(private: Registry, home: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".docker" / "certs.d" / private.address
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text("hello")
    with pytest.raises(RegistryConfigError, match=r"(?s)cannot use the certificate .*ca\.crt.*PEM"):
        at(private.address, home).manifest()
    (folder / "ca.crt").unlink()
    (folder / "client.cert").write_text("hello")
    with pytest.raises(RegistryConfigError, match=r"client\.cert has no key"):
        at(private.address, home).manifest()
    (folder / "client.key").write_text("hello")
    with pytest.raises(RegistryConfigError, match=r"(?s)cannot use the certificate .*client\.cert"):
        at(private.address, home).manifest()


def test_a_client_certificate_is_shown_to_the_registry_that_it_is_for(
    home: dict[str, str], tmp_path: Path, authority: Authority, image: SampleImage
) -> None:
    (tmp_path / "registry").mkdir()
    ca = make_authority(tmp_path / "registry")
    with running_registry(tmp_path / "registry", authority=authority, client_ca=ca.ca) as registry:
        folder = tmp_path / "home" / ".docker" / "certs.d" / registry.address
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(authority.ca.read_bytes())
        with pytest.raises(RegistryError, match=r"(?s)alert.*certificate.*client\.cert and client\.key"):
            at(registry.address, home).manifest()
        client = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        client += ["-CA", str(ca.ca), "-CAkey", str(tmp_path / "registry" / "ca-key.pem"), "-subj", "/CN=client"]
        client += ["-addext", "basicConstraints=critical,CA:false", "-addext", "extendedKeyUsage=clientAuth"]
        client += ["-keyout", str(folder / "client.key"), "-out", str(folder / "client.cert")]
        subprocess.run(client, check=True, capture_output=True)
        push(at(registry.address, home), image)
        assert at(registry.address, home).manifest() == image.index


# Tokens


def test_a_token_is_fetched_once_for_a_whole_push(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], image: SampleImage
) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    tokens.asked.clear()
    repository = at(guarded.address, home)
    push(repository, image)
    assert [request.scopes for request in tokens.asked] == [("repository:team/app:pull,push",)]
    assert repository.manifest() == image.index
    assert len(tokens.asked) == 1, "the token for writing is good for reading"
    tokens.asked.clear()
    assert at(guarded.address, home).manifest() == image.index
    assert [request.scopes for request in tokens.asked] == [("repository:team/app:pull",)]


def test_mounting_asks_for_both_repositories(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], image: SampleImage
) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    push(at(guarded.address, home, "mount/from:1"), image)
    tokens.asked.clear()
    assert at(guarded.address, home, "mount/to:1").mount(image.layer, "mount/from")
    assert tokens.asked[-1].scopes == ("repository:mount/to:pull,push", "repository:mount/from:pull")


def test_what_is_public_can_be_read_by_anyone(guarded: Registry, home: dict[str, str], image: SampleImage) -> None:
    access = dict(home)
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    push(at(guarded.address, home, "public/app:1"), image)
    docker_config(home, {})
    assert at(guarded.address, access, "public/app:1").manifest() == image.index
    with pytest.raises(RegistryAuthError, match=r"log in to .* with docker or podman"):
        push(at(guarded.address, access, "public/app:2"), image)


def test_who_may_only_read_cannot_push(guarded: Registry, home: dict[str, str], image: SampleImage) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login("ro")}}})
    with pytest.raises(RegistryAuthError, match=r"(?s)cannot .*ro/app.*config\.json are wrong, or may not do this"):
        push(at(guarded.address, home, "ro/app:1"), image)


def test_whether_one_may_push_is_seen_beforehand(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], image: SampleImage
) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login("ro")}}})
    with pytest.raises(RegistryAuthError, match=r"cannot push to .*ro/before"):
        at(guarded.address, home, "ro/before:1").check_push()
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    with flaky_registry(guarded.url) as proxy:
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        at(proxy.address, home, "ada/before:1").check_push()
        assert [one.kind for one in proxy.exchanges if one.status < 300] == ["upload-start", "upload-cancel"]
        assert tokens.asked[-1].scopes == ("repository:ada/before:pull,push,delete",)


def test_who_may_not_give_an_upload_up_does_not_ask_again(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "pushers", frozenset({"ada"}))
    with flaky_registry(guarded.url) as proxy:
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        repository = at(proxy.address, home, "ada/kept:1")
        for _ in range(3):
            repository.check_push()
        assert len([one for one in proxy.asked("upload-start") if one.status == 202]) == 3
        assert [one.status for one in proxy.asked("upload-cancel")] == [401, 401]


def test_a_password_that_the_token_server_does_not_take(
    guarded: Registry, home: dict[str, str], tokens: TokenServer
) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login("ada", "tell-nobody")}}})
    with pytest.raises(RegistryAuthError, match=r"(?s)token service http://127.*401.*access denied") as caught:
        at(guarded.address, home).manifest()
    assert "tell-nobody" not in str(caught.value)


def test_a_token_that_has_ended_is_renewed(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], image: SampleImage
) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    push(at(guarded.address, home), image)
    challenge = f'Bearer realm="{tokens.realm}",service="registry.example",error="invalid_token"'
    with flaky_registry(guarded.url) as proxy:
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        repository = at(proxy.address, home)
        repository.manifest()
        tokens.asked.clear()
        proxy.fail("manifest-get", fault=status(401, www_authenticate=challenge))
        assert repository.manifest() == image.index
        assert len(tokens.asked) == 1
        proxy.fail("manifest-get", fault=status(401, www_authenticate=challenge), times=9)
        with pytest.raises(RegistryAuthError, match="401"):
            repository.manifest()


def test_a_token_that_ends_during_an_upload_is_renewed(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], image: SampleImage
) -> None:
    challenge = f'Bearer realm="{tokens.realm}",service="registry.example",error="invalid_token"'
    with flaky_registry(guarded.url) as proxy:
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        proxy.fail("upload-data", fault=status(401, www_authenticate=challenge))
        proxy.fail("upload-end", fault=status(401, www_authenticate=challenge))
        push(at(proxy.address, home, "late/app:1"), image)
        assert proxy.unmet == 0
        assert at(proxy.address, home, "late/app:1").manifest() == image.index


def test_a_token_that_says_when_it_ends_is_not_used_afterwards(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    repository = at(guarded.address, home, "team/short:1")
    monkeypatch.setattr(tokens, "lifetime", 1)
    tokens.asked.clear()
    repository.find_manifest()
    repository.find_manifest()
    assert len(tokens.asked) == 1
    threading.Event().wait(1.1)
    repository.find_manifest()
    assert len(tokens.asked) == 2


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_both_names_of_a_token_are_known(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tokens, "names", (name,))
    docker_config(home, {"auths": {guarded.address: {"auth": login()}}})
    assert at(guarded.address, home).find_manifest("nope") is None


def test_an_identity_token_is_exchanged(
    guarded: Registry, tokens: TokenServer, home: dict[str, str], image: SampleImage
) -> None:
    tokens.refresh_tokens["long-lived-secret"] = "ada"
    docker_config(home, {"auths": {guarded.address: {"auth": login("ada", "x"), "identitytoken": "long-lived-secret"}}})
    tokens.asked.clear()
    push(at(guarded.address, home, "identity/app:1"), image)
    assert [request.method for request in tokens.asked] == ["POST"]
    docker_config(home, {"auths": {guarded.address: {"identitytoken": "not-that-secret"}}})
    with pytest.raises(RegistryAuthError) as caught:
        at(guarded.address, home).manifest()
    assert "not-that-secret" not in str(caught.value)


def test_a_token_of_the_configuration_is_sent_as_it_is(
    guarded: Registry, tokens: TokenServer, home: dict[str, str]
) -> None:
    token = tokens.token("ada", ("repository:team/app:pull",))
    docker_config(home, {"auths": {guarded.address: {"registrytoken": token}}})
    tokens.asked.clear()
    assert at(guarded.address, home).find_manifest("nope") is None
    assert tokens.asked == []


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("http://registry.example/token", "is not HTTPS"),
        ("file:///etc/passwd", "is not HTTPS"),
        ("https://[broken", "no URL"),
        ("", "is not HTTPS"),
    ],
)
def test_credentials_are_not_sent_to_an_unsafe_token_server(
    guarded: Registry, home: dict[str, str], realm: str, words: str
) -> None:
    with flaky_registry(guarded.url) as proxy:
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        proxy.fail(fault=status(401, www_authenticate=f'Bearer realm="{realm}"'), times=9)
        with pytest.raises(RegistryAuthError, match=words):
            at(proxy.address, home).manifest()


class TokenOnly(BaseHTTPRequestHandler):
    """A registry with nothing in it, and its token service, which answers as a test wants."""

    protocol_version = "HTTP/1.1"
    answer = b""
    pause = 0.0
    leads_to = ""
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        self.seen.append((self.path.partition("?")[0], authorization))
        if self.path.startswith("/token") and self.leads_to:
            self._send(307, b"", Location=self.leads_to)
        elif self.path.startswith(("/token", "/other")):
            self._send(200, self.answer)
        elif authorization.startswith("Bearer "):
            self._send(404, b"")
        else:
            realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"  # type: ignore[index]
            self._send(401, b"", **{"WWW-Authenticate": f'Bearer realm="{realm}"'})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        for number in range(len(body)):
            self.wfile.write(body[number : number + 1])
            if self.pause:
                threading.Event().wait(self.pause)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def token_only(answer: bytes, *, pause: float = 0.0, leads_to: str = "") -> Iterator[tuple[str, type[TokenOnly]]]:
    class Handler(TokenOnly):
        seen: list[tuple[str, str]] = []  # noqa: RUF012  one test's own

    Handler.answer, Handler.pause, Handler.leads_to = answer, pause, leads_to
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False
    server.daemon_threads = True
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", Handler
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("seconds", ["1" + "0" * 400, "NaN", "Infinity", "-5", '"soon"', "null", "true"])
def test_a_token_may_say_anything_of_its_end(home: dict[str, str], seconds: str) -> None:
    with token_only(b'{"token": "abc", "expires_in": %s}' % seconds.encode()) as (address, handler):
        repository = at(address, home)
        assert repository.find_manifest() is None
        assert repository.find_manifest() is None
    assert [path for path, _ in handler.seen].count("/token") == 1


def test_a_token_that_trickles_in_is_given_up(home: dict[str, str]) -> None:
    with token_only(b'{"token": "' + b"a" * 1000 + b'"}', pause=0.05) as (address, _):
        environ = home | {"UV_HTTP_TIMEOUT": "0.4"}
        with pytest.raises(RegistryError, match=r"/token: the server sent [0-9]+ bytes in"):
            at(address, environ, retries=0).manifest()


def test_a_token_service_may_have_moved(home: dict[str, str]) -> None:
    with token_only(b'{"token": "abc"}', leads_to="/other/token") as (address, handler):
        docker_config(home, {"auths": {address: {"auth": login()}}})
        assert at(address, home).find_manifest() is None
    assert ("/other/token", f"Basic {login()}") in handler.seen


def test_where_a_token_service_leads_to_never_sees_credentials(home: dict[str, str]) -> None:
    with (
        token_only(b'{"token": "abc"}') as (elsewhere, other),
        token_only(b"", leads_to=f"http://{elsewhere}/other") as (address, handler),
    ):
        docker_config(home, {"auths": {address: {"auth": login()}, elsewhere: {"auth": login("ro")}}})
        assert at(address, home).find_manifest() is None
    assert other.seen == [("/other", "")]
    assert ("/token", f"Basic {login()}") in handler.seen


def test_a_token_service_that_leads_in_a_circle_is_given_up(home: dict[str, str]) -> None:
    with (
        token_only(b"", leads_to="/token") as (address, _),
        pytest.raises(RegistryAuthError, match=r"token service .* 307"),
    ):
        at(address, home).manifest()


# Helpers


def test_a_credential_helper_is_asked_once(
    guarded: Registry, home: dict[str, str], image: SampleImage, tmp_path: Path
) -> None:
    answer = json.dumps({"ServerURL": guarded.address, "Username": "ada", "Secret": SECRET})
    helper(home, "test", f"read server; echo \"$1 $server\" >> {tmp_path}/asked; echo '{answer}'")
    docker_config(home, {"credHelpers": {guarded.address: "test"}})
    push(at(guarded.address, home, "helped/app:1"), image)
    assert (tmp_path / "asked").read_text() == f"get {guarded.address}\n"


def test_a_store_of_credentials_that_knows_nothing_is_no_error(
    guarded: Registry, home: dict[str, str], image: SampleImage
) -> None:
    helper(home, "none", "echo 'credentials not found in native keychain'; exit 1")
    docker_config(home, {"credsStore": "none", "auths": {guarded.address: {"auth": login()}}})
    push(at(guarded.address, home, "helped/app:1"), image)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'the keychain is locked' >&2; exit 1", "exit code 1: the keychain is locked"),
        ('echo \'{"Username": "ada", "Secret": "open-sesame-42"}\'; exit 3', "exit code 3\n"),
        ("echo hello", "not an object with Username and Secret"),
        ("echo '{}'", "not an object with Username and Secret"),
    ],
)
def test_a_helper_that_fails_is_an_error(guarded: Registry, home: dict[str, str], script: str, words: str) -> None:
    helper(home, "bad", script)
    docker_config(home, {"credHelpers": {guarded.address: "bad"}})
    with pytest.raises(RegistryConfigError, match=words) as caught:
        at(guarded.address, home).manifest()
    assert SECRET not in str(caught.value)


def test_a_helper_that_is_missing_is_an_error(guarded: Registry, home: dict[str, str]) -> None:
    docker_config(home, {"credsStore": "missing"})
    with pytest.raises(RegistryConfigError, match=r"(?s)docker-credential-missing is not on PATH.*config\.json"):
        at(guarded.address, home).manifest()
    docker_config(home, {"credsStore": "../../bin/sh"})
    with pytest.raises(RegistryConfigError, match="cannot be one"):
        at(guarded.address, home).manifest()


# Who sees what


class Recorder(BaseHTTPRequestHandler):
    """A store of blobs that notes what it is told."""

    data = b""
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_store_of_blobs_elsewhere_never_sees_credentials(
    kind: str,
    tmp_path: Path,
    home: dict[str, str],
    image: SampleImage,
    guarded: Registry,
) -> None:
    content = image.blobs[0].content
    data = content.read_bytes()  # type: ignore[union-attr]

    class Elsewhere(Recorder):
        seen: list[dict[str, str]] = []  # noqa: RUF012  one test's own

    Elsewhere.data = data
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        registry = guarded
        if kind == "basic":
            registry = stack.enter_context(running_registry(tmp_path, accounts=ACCOUNTS))
        proxy = stack.enter_context(flaky_registry(registry.url))
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        repository = at(proxy.address, home)
        push(repository, image)
        proxy.fail("blob-get", fault=redirect_to(f"http://ada:stolen@127.0.0.1:{server.server_address[1]}"))
        store = Store(tmp_path / "store")
        repository.fetch_blob(image.layer, store)
        assert store.find(image.layer.sha256) is not None
        assert proxy.asked("blob-get")[-1].headers["authorization"].lower().startswith(kind)
    assert len(Elsewhere.seen) == 1
    assert "authorization" not in Elsewhere.seen[0]
    assert "cookie" not in Elsewhere.seen[0]


def test_a_registry_that_leads_to_another_one_is_not_lent_credentials(
    guarded: Registry, tokens: TokenServer, home: dict[str, str]
) -> None:
    with flaky_registry("http://127.0.0.1:1") as proxy:
        docker_config(home, {"auths": {address: {"auth": login()} for address in (proxy.address, guarded.address)}})
        proxy.fail("manifest-get", fault=redirect_to(guarded.url))
        tokens.asked.clear()
        with pytest.raises(RegistryError, match=r"(?s)redirects to, answers 401.*name that in the reference"):
            at(proxy.address, home).manifest()
        assert tokens.asked == []


def test_a_redirect_from_https_to_http_is_refused(
    private: Registry, home: dict[str, str], authority: Authority
) -> None:
    with flaky_registry("http://127.0.0.1:1", tls=authority.server_context()) as proxy:
        environ = home | {"SSL_CERT_FILE": str(authority.ca)}
        proxy.fail("manifest-get", fault=redirect_to("http://registry.example"))
        with pytest.raises(RegistryContentError, match=r"(?s)to http://registry\.example/.*not HTTPS"):
            at(proxy.address, environ).manifest()


def test_a_location_on_http_of_a_registry_on_https_is_refused(
    home: dict[str, str], authority: Authority, image: SampleImage, tmp_path: Path
) -> None:
    with (
        running_registry(tmp_path) as registry,
        flaky_registry(registry.url, tls=authority.server_context()) as proxy,
    ):
        environ = home | {"SSL_CERT_FILE": str(authority.ca)}
        push(at(proxy.address, environ), image)
        proxy.fail("upload-start", fault=with_header("location", f"http://{proxy.address}/v2/x"), times=9)
        with pytest.raises(RegistryContentError, match=r"(?s)not HTTPS.*X-Forwarded-Proto"):
            at(proxy.address, environ, "other:1").upload(image.layer, image.blobs[0].content)  # type: ignore[arg-type]


def test_what_a_registry_says_is_shown_without_secrets_and_in_short(
    guarded: Registry, home: dict[str, str], image: SampleImage
) -> None:
    words = f"you sent {SECRET} or {login()} \x1b[31m" + "x" * 5000
    body = json.dumps({"errors": [{"code": "DENIED", "message": words}]}).encode()
    with flaky_registry(guarded.url) as proxy:
        docker_config(home, {"auths": {proxy.address: {"auth": login()}}})
        proxy.fail("manifest-put", fault=status(403, body), times=9)
        with pytest.raises(RegistryRefusedError, match=r"DENIED you sent \*\*\* or \*\*\*") as caught:
            push(at(proxy.address, home), image)
    text = str(caught.value)
    assert SECRET not in text
    assert "\x1b" not in text
    assert len(text) < 1000


def test_https_is_spoken_where_plain_http_is_not_asked_for(home: dict[str, str]) -> None:
    # The name resolves to nothing: what counts is the scheme that was tried.
    with pytest.raises(RegistryError, match=r"https://registry\.invalid:5000/v2/"):
        at("registry.invalid:5000", home, retries=0).manifest()
    with pytest.raises(RegistryError, match=r"http://registry\.invalid:5000/v2/"):
        at("registry.invalid:5000", home, retries=0, plain_http=frozenset({"registry.invalid:5000"})).manifest()
