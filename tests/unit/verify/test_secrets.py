"""What looks like a secret, what only looks a little like one, and what looking costs."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time

import pytest

from crossdock.verify.secrets import find_secret

RANDOM = random.Random(6)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def chars(count: int, alphabet: str = LETTERS) -> str:
    return "".join(RANDOM.choices(alphabet, k=count))


def pem(kind: str = "", *, head: str = "", end: str = "\n", size: int = 600) -> str:
    """A block as a key is written; the key itself is nobody's."""
    body = base64.b64encode(RANDOM.randbytes(size)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return end.join((f"-----BEGIN {kind}PRIVATE KEY-----{head}", *lines, f"-----END {kind}PRIVATE KEY-----", ""))


AWS_ID = "AKIA" + chars(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
AWS_SECRET = chars(30) + "+/" + chars(8)
ACCOUNT = json.dumps({"type": "service_account", "private_key": pem()}, indent=2)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pem(), "a private key"),
        (pem("RSA "), "a private key"),
        (pem("EC ", size=120), "a private key"),
        (pem("OPENSSH "), "a private key"),
        (pem(end="\r\n"), "a private key"),
        (pem("RSA ", head="\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123\n"), "a private key"),
        (f"key: |\n{pem(end=chr(10) + '    ')}", "a private key"),
        (f"-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n{pem()}", "a private key"),
        (json.dumps({"key": pem()}), "a private key"),
        (ACCOUNT, "a key of a service account"),
        (f"[default]\naws_access_key_id = {AWS_ID}\naws_secret_access_key = {AWS_SECRET}\n", "an AWS access key"),
        (f'client("{AWS_ID}", "{AWS_SECRET}")', "an AWS access key"),
        (f"token=ghp_{chars(36)}\n", "a GitHub token"),
        (f"https://ghs_{chars(36)}@github.example/x", "a GitHub token"),
        (f"github_pat_{chars(22)}_{chars(59)}", "a GitHub token"),
        (f"'glpat-{chars(20)}'", "a GitLab token"),
        (f"xoxb-{chars(12, '0123456789')}-{chars(12, '0123456789')}-{chars(24)}", "a Slack token"),
        (f"https://hooks.slack.example/services/T{chars(8)}/B{chars(8)}/{chars(24)}", "a Slack webhook"),
        (f"AIza{chars(35)}", "a Google API key"),
        (f"sk_live_{chars(24)}", "a Stripe key"),
        (f"npm_{chars(36)}", "an npm token"),
        (f"password = pypi-AgEI{chars(160)}", "a PyPI token"),
    ],
)
@pytest.mark.parametrize("path", ["app/settings.yaml", "app/main.py", "lib/python3.12/site-packages/x/config.json"])
def test_what_is_found_anywhere(path: str, content: str, kind: str) -> None:
    if "site-packages" in path or not path.endswith(".py"):
        assert find_secret(path, content.encode()) == kind
    assert find_secret("main.py", b"x = 1\n" * 1000 + content.encode()) == kind
    assert find_secret(path, bytearray(content.encode())) == kind


@pytest.mark.parametrize(
    "content",
    [
        "if line == '-----BEGIN PRIVATE KEY-----': read()\n",
        "-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nBad Key, though the cert should be OK\n-----END RSA PRIVATE KEY-----\n",
        f"-----BEGIN PRIVATE KEY-----\n{'A' * 640}\n-----END PRIVATE KEY-----\n",
        pem()[:300],
        pem().replace("PRIVATE", "PUBLIC"),
        "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        f"{AWS_ID} is only half of it",
        f"{AWS_ID} {hashlib.sha1(b'').hexdigest()}",
        f"{AWS_ID}{'A1b2C3d4' * 5} {AWS_SECRET}",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        f"ghp_{chars(30)}",
        f"my_ghp_{chars(36)}",
        "glpat-XXXXXXXXXXXXXXXXXXXX",
        "xoxb-your-token-here",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "npm_config_registry_is_a_setting_of_npm_and_no_token",
        "postgresql://scott:tiger@localhost/test",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzb21lIjoicGF5bG9hZCJ9.4twFt5NiznN84AWoo1d7KO1T_yoc0Z6XOpOVswacPZg",
    ],
)
def test_what_is_no_secret(content: str) -> None:
    assert find_secret("app/settings.yaml", content.encode()) is None


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("root/.netrc", "machine index.example login ann password hunter22x\n", "a password of a .netrc"),
        ("root/.pypirc", "[index]\nusername = ann\npassword = hunter22x\n", "a password of a .pypirc"),
        ("app/.npmrc", "//index.example/:_authToken=0123-4567-89ab\n", "a token of an .npmrc"),
        (
            "root/.docker/config.json",
            '{"auths": {"r": {"auth": "YW5uOmh1bnRlcjI="}}}',
            "a container registry's credentials",
        ),
        ("root/.aws/credentials", f"[x]\naws_secret_access_key = {AWS_SECRET}\n", "an AWS secret access key"),
        ("root/.git-credentials", "https://ann:hunter22x@git.example\n", "a password in a URL"),
        ("etc/pip.conf", "index-url = https://ann:hunter22x@index.example/simple\n", "a password in a URL"),
        ("app/.env", "DEBUG=1\nDB_PASSWORD=hunter22x\n", "a setting with a secret"),
        ("app/.env.production", 'export API_TOKEN="h8Gk2lPq"\n', "a setting with a secret"),
        ("app/prod.env", "SECRET_KEY = 'django-insecure-1a2b3c'\n", "a setting with a secret"),
        (".env", "MY_API_KEY=h8Gk2lPq\n", "a setting with a secret"),
    ],
)
def test_files_that_are_there_to_hold_secrets(path: str, content: str, kind: str) -> None:
    assert find_secret(path, content.encode()) == kind
    assert find_secret("app/notes.txt", content.encode()) is None


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (".env", "DB_PASSWORD=\n"),
        (".env", "DB_PASSWORD=${DB_PASSWORD}\nSECRET=$(cat x)\nTOKEN=<your token>\n"),
        (".env", "DB_PASSWORD=changeme\nAPI_TOKEN=your-token-here\nX_SECRET=xxxxxxxx\nY_SECRET=********\n"),
        (".env", "# DB_PASSWORD=hunter22x\nDEBUG=1\n"),
        (".env.example", "DB_PASSWORD=hunter22x\n"),
        (".env.sample", "DB_PASSWORD=hunter22x\n"),
        (".npmrc", "//index.example/:_authToken=${NPM_TOKEN}\nregistry=https://index.example\n"),
        (".pypirc", "[index]\nusername = ann\n"),
        (".netrc", "machine index.example login ann\n"),
        ("pip.conf", "index-url = https://${USER}:${PASSWORD}@index.example/simple\n"),
        (".docker/config.json", '{"auths": {}, "credsStore": "desktop"}'),
        ("x/config.json", '{"auth": "YW5uOmh1bnRlcjI="}'),
    ],
)
def test_what_is_still_to_be_filled_in_is_none(path: str, content: str) -> None:
    assert find_secret(path, content.encode()) is None


@pytest.mark.parametrize(
    "path",
    [
        "app/.venv/lib/python3.12/site-packages/x/ssh.py",
        "usr/lib/python3/dist-packages/x/README.rst",
        "usr/local/lib/python3.12/ssl.py",
        ".deps/x-1-py3-none-any.whl/x/keys.py",
        "x-1.0.dist-info/METADATA",
        "app/picture.png",
    ],
)
def test_published_code_is_not_searched(path: str) -> None:
    assert find_secret(path, pem().encode()) is None


@pytest.mark.parametrize("name", ["server.key", "cert.pem", ".env.local", "id_rsa", "settings.json", "credentials"])
def test_keys_and_settings_among_packages_are(name: str) -> None:
    assert find_secret(f"lib/python3.12/site-packages/x/{name}", pem().encode()) == "a private key"


@pytest.mark.parametrize(
    "piece",
    [
        "-----BEGIN PRIVATE KEY-----\n",
        f"-----BEGIN PRIVATE KEY-----\n{'Ab1+' * 16}\n",
        "A: b\n",
        f"-----BEGIN PRIVATE KEY-----\n{'A: b' * 3}\n",
        f"{AWS_ID} ",
        "AKIA",
        "ghp_",
        "xoxb-123456-",
        "x_TOKEN_x_SECRET",
        "_auth",
        "a://",
        "https://a:",
        "SECRET=",
    ],
)
def test_no_content_makes_it_slow(piece: str) -> None:
    content = (piece * (256 * 1024 // len(piece)) + "-----BEGIN PRIVATE KEY-----").encode()
    for path in ("x.txt", ".env", ".npmrc", ".netrc", "pip.conf"):
        before = time.process_time()
        find_secret(path, content)
        assert time.process_time() - before < 2
