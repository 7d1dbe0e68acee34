"""What looks like a secret that got into an artifact by accident.

Looking for one word costs as much as hashing, so what is searched is chosen first, by path. Of installed packages these
are the files that hold settings and keys: their code and documents were published. Elsewhere it is every text.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

__all__ = ["find_secret"]

#: A folder of packages, Python's own library among them; and what lies in a wheel.
_PACKAGES: Final = re.compile(r"(?:-packages|/(?:python|pypy)\d+\.\d+t?|\.whl)/")
#: What is searched of packages: by the end of the name; beside all hidden files, and what is named like a key.
_SETTINGS: Final = frozenset(
    {"cfg", "conf", "env", "ini", "json", "key", "p8", "pem", "ppk", "properties", "sh", "toml", "yaml", "yml"}
)
_NAMED: Final = (".", "id_", "credentials")
#: What is searched nowhere: media, archives, and programs in parts.
_UNSEARCHED: Final = frozenset(
    {"a", "bz2", "gif", "gz", "ico", "jpeg", "jpg", "mo", "npy", "o", "otf", "pdf", "png", "pyc", "ttf", "whl", "woff"}
    | {"woff2", "xz", "zip", "zst"}
)

#: What has a zero byte in its first bytes is no text.
_START: Final = 1 << 10

_DESCRIPTIVE: Final = frozenset({"RECORD", "METADATA", "WHEEL", "PKG-INFO", "LICENSE", "entry_points.txt"})

#: Names of files of settings that are there to be copied.
_ENV_SAMPLE: Final = re.compile(r"example|sample|template|dist$|default")

_PEM: Final = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:\s|\\[nr])*(?:[A-Za-z-]{1,40}: [^\n]{0,200}\n\s*)*+(?:[A-Za-z0-9+/=\s]|\\[nr])*+-----END "
)
_PEM_MARK: Final = re.compile(rb"-----[^-]*-----")
_LEAST_KEY: Final = 64

_AWS: Final = re.compile(rb"(?<![A-Za-z0-9/+])A(?:KI|SI)A[A-Z2-7]{16}(?![A-Za-z0-9/+=])")
_AWS_SECRET: Final = re.compile(rb"(?<![A-Za-z0-9/+=_.-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])")
_AWS_NEAR: Final = 400
_MOST_IDS: Final = 200
_HEX: Final = re.compile(rb"[0-9a-f]+|[0-9A-F]+")

#: Each kind of token, behind what passes over nearly every file quickly: one pass over the file for several kinds.
_TOKENS: Final = tuple(
    (mark, tuple((kind, re.compile(rb"(?<![\w-])" + token + rb"(?!\w)")) for kind, token in tokens))
    for mark, tokens in (
        (
            re.compile(rb"A(?:Iza|gE)").search,
            (("a Google API key", rb"AIza[\w-]{35}"), ("a PyPI token", rb"pypi-AgE[\w-]{80,400}")),
        ),
        (re.compile(rb"gh[opsur]_").search, (("a GitHub token", rb"gh[opsur]_[A-Za-z0-9]{36}"),)),
        (
            re.compile(rb"pat[_-]").search,
            (
                ("a GitHub token", rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
                ("a GitLab token", rb"glpat-[\w-]{20,60}"),
            ),
        ),
        (
            re.compile(rb"xox|services/T").search,
            (
                ("a Slack token", rb"xox[abeoprs]-(?:\d-)?\d{6,15}-[\w-]{16,200}"),
                ("a Slack webhook", rb"services/T\w{6,14}/B\w{6,14}/\w{20,32}"),
            ),
        ),
        (re.compile(rb"k_live_").search, (("a Stripe key", rb"[rs]k_live_[A-Za-z0-9]{24,120}"),)),
        (re.compile(rb"npm_").search, (("an npm token", rb"npm_[A-Za-z0-9]{36}"),)),
    )
)
#: A token of fewer different characters is one somebody made up, such as ``ghp_xxxx``.
_LEAST_VARIETY: Final = 9

_PLACEHOLDER: Final = re.compile(
    rb"(?i).{0,5}|[\s*.x_-]+|[$<{%(\[].*|.*(?:\$\{|\{\{|<[a-z]).*"
    rb"|.*(?:example|placeholder|change|your|dummy|replace|insert|sample|redacted|secret|password|passwd).*"
    rb"|none|null|true|false|todo|tbd|test\w{0,8}|foobar|default|disabled|optional|required|enabled"
)
_ASSIGNED: Final = re.compile(
    rb"(?im)^[ \t]*(?:export[ \t]+)?\w{0,80}?(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)\w{0,20}"
    rb"[ \t]*=[ \t]*([^\r\n]*)"
)
_NETRC: Final = re.compile(rb"(?<!\S)password\s+(\S{1,400})")
_PYPIRC: Final = re.compile(rb"(?im)^[ \t]*password[ \t]*[=:][ \t]*([^\r\n]*)")
_NPMRC: Final = re.compile(rb"(?m)^[^\r\n#;]*?_(?:authToken|auth|password)[ \t]*=[ \t]*([^\r\n]*)")
_DOCKER: Final = re.compile(rb'"(?:auth|identitytoken|registrytoken)"\s*:\s*"([^"]{0,4000})"')
_AWS_FILE: Final = re.compile(rb"(?im)^[ \t]*aws_secret_access_key[ \t]*=[ \t]*([^\r\n]*)")
_IN_URL: Final = re.compile(rb"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{0,100}:([^\s/@\"']{1,400})@")

#: Files that are there to hold secrets, by what their paths end with: the kind, and where in them it is.
_BY_NAME: Final[tuple[tuple[re.Pattern[str], str, re.Pattern[bytes]], ...]] = tuple(
    (re.compile(rf"(?:^|/)(?:{name})$"), kind, pattern)
    for name, kind, pattern in (
        (r"[._]netrc", "a password of a .netrc", _NETRC),
        (r"\.pypirc", "a password of a .pypirc", _PYPIRC),
        (r"\.npmrc", "a token of an .npmrc", _NPMRC),
        (r"\.docker/config\.json|\.dockercfg|containers/auth\.json", "a container registry's credentials", _DOCKER),
        (r"\.aws/credentials", "an AWS secret access key", _AWS_FILE),
        (r"\.git-credentials", "a password in a URL", _IN_URL),
        (r"pip\.conf|pip\.ini|uv\.toml|\.git/config", "a password in a URL", _IN_URL),
        (r"\.env(?:\.[\w.-]+)?|[\w-]+\.env|\.envrc", "a setting with a secret", _ASSIGNED),
    )
)


def find_secret(path: str, content: bytes | bytearray) -> str | None:
    """Say what a file holds that looks like a secret; None if nothing does.

    Keys and tokens that every documentation shows, and values that stand for one that is still to be filled in, are
    none.

    Args:
        path: Where the file is, in the artifact or in a layer or part of it.
        content: All of it.
    """
    name = path[path.rfind("/") + 1 :]
    end = name[name.rfind(".") + 1 :]
    if end not in _SETTINGS and (
        end in _UNSEARCHED
        or name in _DESCRIPTIVE
        or (("-packages/" in path or _PACKAGES.search(path)) and not name.startswith(_NAMED))
        or b"\0" in content[:_START]
    ):
        return None
    return _named_for_it(path, name, content) or _token(content)


def _named_for_it(path: str, name: str, content: bytes | bytearray) -> str | None:
    """Look into a file whose name says that it holds secrets."""
    if not name.startswith((".", "_", "pip.", "uv.", "auth.", "cred", "config")) and not name.endswith(".env"):
        return None
    for place, kind, pattern in _BY_NAME:
        if place.search(path) and not (pattern is _ASSIGNED and _ENV_SAMPLE.search(name)):
            return kind if any(not _is_placeholder(match[1]) for match in pattern.finditer(content)) else None
    return None


def _token(content: bytes | bytearray) -> str | None:
    if b"PRIVATE KEY" in content and any(map(_is_key, _PEM.finditer(content))):
        return "a key of a service account" if b'"service_account"' in content else "a private key"
    if (b"AKIA" in content or b"ASIA" in content) and _has_aws_key(content):
        return "an AWS access key"
    for mark, tokens in _TOKENS:
        if mark(content):
            for kind, token in tokens:
                if any(map(_is_varied, token.finditer(content))):
                    return kind
    return None


def _is_key(match: re.Match[bytes]) -> bool:
    """Say whether a block is as long as a key is, and no row of one character."""
    body = _PEM_MARK.sub(b"", match[0])
    return len(body) >= _LEAST_KEY and len(set(body)) > _LEAST_VARIETY


def _has_aws_key(content: bytes | bytearray) -> bool:
    for match in islice(_AWS.finditer(content), _MOST_IDS):
        if match[0].endswith(b"EXAMPLE") or not _is_varied(match):
            continue
        near = content[max(0, match.start() - _AWS_NEAR) : match.end() + _AWS_NEAR]
        for secret in _AWS_SECRET.finditer(near):
            if not _HEX.fullmatch(secret[0]) and b"EXAMPLE" not in secret[0] and len(set(secret[0])) > _LEAST_VARIETY:
                return True
    return False


def _is_varied(match: re.Match[bytes]) -> bool:
    return len(set(match[0])) > _LEAST_VARIETY and b"EXAMPLE" not in match[0].upper()


def _is_placeholder(value: bytes) -> bool:
    value = value.partition(b" #")[0].strip().strip(b"\"'").strip()
    return len(value) > 4000 or _PLACEHOLDER.fullmatch(value) is not None
