"""[tool.crossdock]: every setting, every mistake, and nothing but a Config or a ConfigError."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import ConfigError
from crossdock.projects.config import Config, read_config
from crossdock.verify.exceptions import Allowance

EVERYTHING = """
targets = ["linux/arm64", "linux/amd64+glibc2.28"]
python = "3.12"
base = "debian:trixie"
entrypoint = "serve"
ports = [8000, "53/udp"]
user = 1000
lock = "requirements.lock"
extras = ["fast"]
groups = []
compression = "zstd"
compile = true
compile-python = "/usr/bin/python3.12"

[env]
MODE = "production"
WORKERS = 4
RATIO = 0.5
DEBUG = false

[labels]
"com.example.team" = "web"

[debian]
packages = ["libpq5"]
mirror = "https://mirror.example/debian"
security-mirror = "https://mirror.example/security"
keyring = "keys.gpg"
check-valid-until = false

[verify]
allow = ["**/*.exe"]

[[verify.exceptions]]
code = "tag-lie"
package = "Some.Package"
reason = "seen to work"
expires = 2027-01-31
"""


def read(text: str) -> Config:
    return read_config(tomllib.loads(text))


def test_nothing_set_means_every_default() -> None:
    assert read("") == Config()


def test_every_setting_is_read() -> None:
    assert read(EVERYTHING) == Config(
        compression="zstd",
        targets=("linux/arm64", "linux/amd64+glibc2.28"),
        python="3.12",
        base="debian:trixie",
        packages=("libpq5",),
        entrypoint="serve",
        env={"MODE": "production", "WORKERS": "4", "RATIO": "0.5", "DEBUG": "false"},
        labels={"com.example.team": "web"},
        ports=("8000/tcp", "53/udp"),
        user="1000",
        lock="requirements.lock",
        extras=("fast",),
        groups=(),
        allow=(
            Allowance(path="**/*.exe"),
            Allowance(code="tag-lie", package="some-package", reason="seen to work", expires=dt.date(2027, 1, 31)),
        ),
        mirror="https://mirror.example/debian",
        security_mirror="https://mirror.example/security",
        keyring="keys.gpg",
        check_valid_until=False,
        compile=True,
        compile_python="/usr/bin/python3.12",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('entrypoint = "app:main"', "app:main"),
        ('entrypoint = ["python", "-m", "app"]', ("python", "-m", "app")),
    ],
)
def test_an_entrypoint_is_a_string_or_an_array(text: str, value: object) -> None:
    assert read(text).entrypoint == value


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("ports = 80", ("80/tcp",)),
        ('ports = "0080"', ("80/tcp",)),
        ("ports = [1, 65535]", ("1/tcp", "65535/tcp")),
        ('ports = ["9/sctp"]', ("9/sctp",)),
    ],
)
def test_ports_have_one_spelling(text: str, ports: tuple[str, ...]) -> None:
    assert read(text).ports == ports


@pytest.mark.parametrize("user", ["nobody", "65532:65532", "web-1.x:staff"])
def test_users_are_names_or_ids(user: str) -> None:
    assert read(f'user = "{user}"').user == user


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("targets = []", "targets is empty"),
        ('targets = "linux/arm64"', "targets must be an array of strings, not 'linux/arm64'"),
        ("targets = [1]", "targets must be an array of strings"),
        ('targets = [""]', "targets must be an array of strings"),
        ("python = 3.1", 'write python = "3.1"'),
        ("python = 3", "python must be a string, not 3"),
        ('base = " "', "base must be a string"),
        ("base = {}", "base must be a string"),
        ("lock = true", "lock must be a string, not True"),
        ('extras = "x"', "extras must be an array of strings"),
        ("groups = {a = 1}", "groups must be an array of strings"),
        ('env = ["A=1"]', "env must be a table of strings"),
        ("env = {A = []}", "tool.crossdock.env: A must be a string"),
        ('env = {"A-B" = "1"}', "'A-B' is not the name of an environment variable"),
        ('env = {A = "\\u0000"}', "the value of A holds a NUL"),
        ("labels = {a = {b = 1}}", "tool.crossdock.labels: a must be a string"),
        ("entrypoint = []", "entrypoint cannot be []"),
        ('entrypoint = ""', "entrypoint cannot be ''"),
        ('entrypoint = ["a", 1]', "write the name of a console script"),
        ("entrypoint = 1", "entrypoint cannot be 1"),
        ("ports = [0]", "ports holds 0"),
        ("ports = [65536]", "ports holds 65536"),
        ("ports = [true]", "ports holds True"),
        ("ports = [-1]", "ports holds -1"),
        ('ports = ["80/http"]', "write numbers from 1 to 65535"),
        ('ports = ["٨٠"]', "ports holds"),
        ("ports = {a = 1}", "ports holds"),
        ('user = ""', "user cannot be ''"),
        ('user = "a b"', "user cannot be 'a b'"),
        ("user = true", "user cannot be True"),
        ("user = 1.5", "user cannot be 1.5"),
        ('user = ["a"]', "user cannot be"),
        ("debian = 1", "tool.crossdock.debian is not a table"),
        ("verify = []", "write [tool.crossdock.verify] and its keys below it"),
        ('debian = {packages = "x"}', "tool.crossdock.debian: packages must be an array of strings"),
        ('compile = "yes"', "compile must be true or false, not 'yes'"),
        ("compile-python = 3.12", "compile-python must be a string, not 3.12"),
        ('debian = {check-valid-until = "no"}', "check-valid-until must be true or false, not 'no'"),
        ("debian = {mirror = 1}", "mirror must be a string"),
        ('compression = "xz"', 'compression must be "gzip" or "zstd", not \'xz\''),
        ("compression = 9", "compression must be a string, not 9"),
        ("verify = {allow = 1}", "tool.crossdock.verify: allow must be an array of strings"),
        ("target = []", "tool.crossdock has no setting 'target'"),
        ("target = []", "did you mean 'targets'?"),
        ("zzz = 1", "the settings are debian, verify, targets, python, base"),
        ("debian = {mirrors = 1}", "did you mean 'mirror'?"),
        ("verify = {x = 1}", "tool.crossdock.verify has no setting 'x'"),
        ("user = 0x" + "f" * 5000, "a number that is too large"),
        ("env = {A = 0x" + "f" * 5000 + "}", "a number that is too large"),
    ],
)
def test_every_mistake_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as caught:
        read(text)
    assert "tool.crossdock" in caught.value.what


def test_a_mistake_in_env_does_not_print_the_values() -> None:
    with pytest.raises(ConfigError) as caught:
        read('env = {TOKEN = "hunter2", OTHER = []}')
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_the_table_itself_may_be_none(value: object) -> None:
    with pytest.raises(ConfigError, match=r"tool\.crossdock is not a table"):
        read_config(value)


SCALARS = (
    st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.sampled_from(["app:main", "linux/arm64", "80/tcp", "1000"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = st.sampled_from(
    [
        "targets",
        "python",
        "base",
        "entrypoint",
        "env",
        "labels",
        "ports",
        "user",
        "lock",
        "extras",
        "groups",
        "debian",
        "verify",
    ]
) | st.text(max_size=5)
NESTED = st.dictionaries(
    st.sampled_from(["packages", "mirror", "security-mirror", "keyring", "check-valid-until", "allow"]), VALUES
)


@given(st.dictionaries(KEYS, VALUES | NESTED, max_size=4))
def test_any_table_is_a_config_or_a_config_error(table: dict[str, Any]) -> None:
    try:
        config = read_config(table)
    except ConfigError:
        return
    assert isinstance(config, Config)
    assert all(isinstance(value, str) for value in (*config.env.values(), *config.labels.values()))
