"""A real index is reached with the user's own credentials, CA and proxies; no password is ever told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.support.flakyproxy import FlakyProxy, flaky_proxy, status
from tests.support.indexuser import PASSWORD, USER, USERINFO, WRONG, Machine, with_user

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform == "win32", reason="pip and uv look elsewhere for their configuration"),
]


@pytest.mark.parametrize("variable", ["CROSSDOCK_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_credentials_in_the_url(machine: Machine, front: FlakyProxy, variable: str) -> None:
    machine.gets("small", **{variable: with_user(front.url)})


def test_credentials_in_pips_and_uvs_files(machine: Machine, front: FlakyProxy) -> None:
    machine.write("pip.conf", f"[global]\nindex-url = {with_user(front.url)}\n")
    machine.gets("small")


def test_credentials_in_uvs_variables(machine: Machine, front: FlakyProxy) -> None:
    index = f'[[tool.uv.index]]\nname = "in-house"\nurl = "{front.url}/simple/"\ndefault = true\n'
    machine.write("project/pyproject.toml", index)
    machine.gets("small", UV_INDEX_IN_HOUSE_USERNAME=USER, UV_INDEX_IN_HOUSE_PASSWORD=PASSWORD)


def test_credentials_in_netrc(machine: Machine, front: FlakyProxy) -> None:
    machine.write("home/.netrc", f"machine 127.0.0.1 login {USER} password {PASSWORD}\n").chmod(0o600)
    machine.gets("small", UV_DEFAULT_INDEX=f"{front.url}/simple/")


def test_the_password_of_a_user_in_the_url_is_in_netrc(machine: Machine, front: FlakyProxy) -> None:
    machine.write("home/.netrc", f"machine 127.0.0.1 login {USER} password {PASSWORD}\n").chmod(0o600)
    machine.gets("small", UV_DEFAULT_INDEX=with_user(front.url, USER))


def test_the_command_line_tells_what_went_wrong(machine: Machine, front: FlakyProxy) -> None:
    """A lock that holds only hashes is looked up in the index, with the user's own settings."""
    digest = machine.place.sha256("small")
    machine.write("project/requirements.txt", f"small==1.0 --hash=sha256:{digest}\n")
    machine.write("project/pyproject.toml", '[project]\nname = "app"\nversion = "1"\ndependencies = ["small"]\n')
    target = ("--target", "linux/amd64+glibc2.36", "--python", "3.12")
    command = ("-m", "crossdock", "check", str(machine.folder / "project"), *target)
    front.page_faults += [status(429, Retry_After="0")] * 2
    wrong = machine.start(*command, UV_DEFAULT_INDEX=with_user(front.url, f"{USER}:{WRONG}"))
    assert wrong.returncode == 54
    assert "hint: user or password is wrong" in wrong.stderr
    offline = machine.start(*command, "--offline", UV_DEFAULT_INDEX=with_user(front.url))
    assert offline.returncode == 110
    assert "why: small 1.0" in offline.stderr
    for more in ([], ["--offline"]):
        right = machine.start(*command, *more, UV_DEFAULT_INDEX=with_user(front.url))
        assert (right.returncode, right.stderr) == (0, "")
        assert "small" in right.stdout
    assert len(front.asked) == 4


def test_no_credentials(machine: Machine, front: FlakyProxy) -> None:
    told = machine.fails("small", 54, UV_DEFAULT_INDEX=f"{front.url}/simple/")
    assert f"cannot read {front.url}/simple/small/" in told
    assert "401 Unauthorized" in told
    assert "put user and password for this host into the index URL, ~/.netrc, or ask for access" in told
    assert len(front.asked) == 1


def test_a_wrong_password(machine: Machine, front: FlakyProxy) -> None:
    told = machine.fails("small", 54, PIP_INDEX_URL=with_user(front.url, f"{USER}:{WRONG}"))
    assert "403 Forbidden" in told
    assert "user or password is wrong" in told
    assert len(front.asked) == 1


def keyring(machine: Machine, **more: str) -> dict[str, str]:
    """The settings of a user who has the keyring program, with its plain file as the backend."""
    return {
        "PATH": os.pathsep.join([str(machine.place.tools), os.environ["PATH"]]),
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(machine.folder / "home" / "data"),
    } | more


def remember(machine: Machine, service: str, password: str = PASSWORD) -> None:
    """Store a password as its user does."""
    environ = keyring(machine, HOME=str(machine.folder / "home"))
    command = [str(machine.place.tools / "keyring"), "set", service, USER]
    subprocess.run(command, env=environ, input=password, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("service", ["{url}/simple/", "{url}/simple", "{host}"])
def test_the_keyring_has_the_password_of_a_user(machine: Machine, front: FlakyProxy, service: str) -> None:
    remember(machine, service.format(url=front.url, host=front.url.partition("//")[2]))
    index = with_user(front.url, USER)
    machine.gets("small", **keyring(machine, UV_DEFAULT_INDEX=index, UV_KEYRING_PROVIDER="subprocess"))
    assert all("authorization" in asked.headers for asked in front.asked)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pip.conf", "[global]\nkeyring-provider = subprocess\n"),
        ("pip.conf", "[global]\nkeyring-provider = auto\n"),
        ("project/pyproject.toml", '[tool.uv]\nkeyring-provider = "subprocess"\n'),
    ],
)
def test_the_keyring_is_asked_if_a_file_says_so(machine: Machine, front: FlakyProxy, file: str, text: str) -> None:
    remember(machine, f"{front.url}/simple/")
    machine.write(file, text)
    machine.gets("small", **keyring(machine, PIP_INDEX_URL=with_user(front.url, USER)))


BACKEND = f"""
from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential
class Backend(KeyringBackend):
    priority = 1
    def get_password(self, service, username):
        return None
    def set_password(self, service, username, password):
        raise NotImplementedError
    def get_credential(self, service, username):
        return SimpleCredential({USER!r}, {PASSWORD!r}) if service.endswith("/simple/") else None
"""


def test_the_keyring_has_the_user_too(machine: Machine, front: FlakyProxy) -> None:
    """Backends of cloud providers make a token for a service, whoever asks."""
    machine.write("backends/cloud_backend.py", BACKEND)
    backend = {"PYTHONPATH": str(machine.folder / "backends"), "PYTHON_KEYRING_BACKEND": "cloud_backend.Backend"}
    settings = keyring(machine, UV_DEFAULT_INDEX=f"{front.url}/simple/", UV_KEYRING_PROVIDER="subprocess", **backend)
    machine.gets("small", **settings)
    # It is asked only when the index wants somebody, and only once.
    assert ["authorization" in asked.headers for asked in front.asked] == [False, True, True]


def test_the_keyring_is_not_asked_unless_told(machine: Machine, front: FlakyProxy) -> None:
    remember(machine, f"{front.url}/simple/")
    told = machine.fails("small", 54, **keyring(machine, UV_DEFAULT_INDEX=with_user(front.url, USER)))
    assert "403 Forbidden" in told


def test_the_keyring_has_a_wrong_password(machine: Machine, front: FlakyProxy) -> None:
    remember(machine, f"{front.url}/simple/", WRONG)
    settings = keyring(machine, UV_DEFAULT_INDEX=with_user(front.url, USER), UV_KEYRING_PROVIDER="subprocess")
    assert "the keyring's user or password for this host is wrong" in machine.fails("small", 54, **settings)


def test_the_keyring_is_not_there(machine: Machine, front: FlakyProxy) -> None:
    settings = {"UV_DEFAULT_INDEX": f"{front.url}/simple/", "UV_KEYRING_PROVIDER": "subprocess", "PATH": "/nonexistent"}
    assert "keyring program gave no password: it is not on PATH" in machine.fails("small", 54, **settings)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "pip.conf"])
def test_a_private_ca(machine: Machine, front: FlakyProxy, variable: str) -> None:
    ca = str(machine.place.authority.ca)
    settings = {"SSL_CERT_FILE": "", variable: ca, "UV_DEFAULT_INDEX": with_user(front.url)}
    if variable == "pip.conf":
        machine.write("pip.conf", f"[global]\ncert = {ca}\n")
        del settings[variable]
    machine.gets("small", **settings)


def test_a_ca_nobody_told_of(machine: Machine, front: FlakyProxy) -> None:
    told = machine.fails("small", 54, SSL_CERT_FILE="", UV_DEFAULT_INDEX=with_user(front.url))
    assert "CERTIFICATE_VERIFY_FAILED" in told
    assert "name its CA bundle in SSL_CERT_FILE" in told
    assert front.asked == []


@pytest.mark.parametrize("account", ["", f"{USER}:{PASSWORD}"])
def test_a_proxy_between(machine: Machine, front: FlakyProxy, account: str) -> None:
    with flaky_proxy(account=account) as proxy:
        url = proxy.url.replace("//", f"//{USERINFO}@") if account else proxy.url
        machine.gets("small", HTTPS_PROXY=url, UV_DEFAULT_INDEX=with_user(front.url))
        machine.gets("open", HTTP_PROXY=url, UV_DEFAULT_INDEX=f"{machine.place.public}/simple/")
        methods = [asked.method for asked in proxy.asked]
        assert set(methods) == {"CONNECT", "GET"}
        assert not any(asked.headers.get("authorization") for asked in proxy.asked)
        before = len(proxy.asked)
        machine.gets("medium", HTTPS_PROXY=url, NO_PROXY="127.0.0.1", UV_DEFAULT_INDEX=with_user(front.url))
        assert len(proxy.asked) == before


def test_a_tunnel_that_breaks(machine: Machine, front: FlakyProxy) -> None:
    with flaky_proxy() as proxy:
        proxy.tunnel_faults += [100, 400_000, 200_000]
        machine.gets("medium", HTTPS_PROXY=proxy.url, UV_DEFAULT_INDEX=with_user(front.url))
        assert proxy.tunnel_faults == []


@pytest.mark.parametrize("userinfo", ["", f"{USER}:{WRONG}@"])
def test_a_proxy_that_wants_another_password(machine: Machine, front: FlakyProxy, userinfo: str) -> None:
    with flaky_proxy(account=f"{USER}:{PASSWORD}") as proxy:
        url = proxy.url.replace("//", f"//{userinfo}")
        told = machine.fails("open", 54, HTTP_PROXY=url, UV_DEFAULT_INDEX=f"{machine.place.public}/simple/")
        assert "407 Proxy Authentication Required" in told
        told = machine.fails("small", 54, HTTPS_PROXY=url, UV_DEFAULT_INDEX=with_user(front.url))
        assert "407 Proxy Authentication Required" in told
        assert "put user and password of the proxy into HTTPS_PROXY and HTTP_PROXY" in told


def test_a_package_with_an_index_of_its_own(machine: Machine, front: FlakyProxy) -> None:
    machine.write(
        "project/pyproject.toml",
        f"""
[tool.uv.sources]
Small = {{ index = "in-house" }}
[[tool.uv.index]]
name = "in-house"
url = "{front.url}/simple/"
explicit = true
[[tool.uv.index]]
name = "first"
url = "{machine.place.public}/simple/"
default = true
""",
    )
    account = {"UV_INDEX_IN_HOUSE_USERNAME": USER, "UV_INDEX_IN_HOUSE_PASSWORD": PASSWORD}
    machine.gets("open", **account)
    assert front.asked == []
    machine.gets("small", **account)
    assert {asked.target.split("/")[1] for asked in front.asked} == {"simple", "packages"}


@pytest.mark.parametrize("setting", ["PIP_NO_INDEX", "UV_NO_INDEX", "pip.conf", "pyproject.toml"])
def test_no_index_at_all(machine: Machine, front: FlakyProxy, setting: str) -> None:
    links = machine.folder / "links"
    links.mkdir()
    (links / machine.place.files["small"].name).write_bytes(machine.place.files["small"].read_bytes())
    text = {
        "pip.conf": f"[global]\nno-index = true\nextra-index-url = {with_user(front.url)}\n",
        "pyproject.toml": f'[tool.uv]\nno-index = true\nextra-index-url = ["{with_user(front.url)}"]\n',
    }
    environ = {"PIP_FIND_LINKS": str(links), "PIP_INDEX_URL": with_user(front.url)}
    if setting in text:
        machine.write(setting if setting == "pip.conf" else f"project/{setting}", text[setting])
        del environ["PIP_INDEX_URL"]
    else:
        environ[setting] = "1"
    machine.gets("small", **environ)
    done = machine.run("medium", **environ)
    assert (done.returncode, done.stdout.strip()) == (0, "")
    assert front.asked == []
