"""What was read in a base, as tables of plain values: in ``crossdock.lock``, and in the cache."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from crossdock.errors import LockfileError
from crossdock.lockfile.reading import AGAIN, check_keys, checked, text_map, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.lockfile.basefacts import BaseFacts

__all__ = ["check_facts", "check_python", "facts_from_table", "facts_to_table"]

_LIBC = re.compile(r"(?:glibc|musl)")
_TWO_NUMBERS = re.compile(r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})")
_PYTHON = re.compile(r"[23]\.[0-9]{1,3}\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?\+?")
_PATH = re.compile(r"/[^\0]*")
_USER = re.compile(r"[^\s:]{1,256}(?::[^\s:]{1,256})?")
_SIGNAL = re.compile(r"[A-Za-z0-9+-]{1,32}")
_OS_KEY = re.compile(r"[A-Za-z0-9_]{1,64}")
_MOST_ITEMS = 1000
#: Bytes of all texts. Labels of buildpacks list hundreds of packages.
_LONGEST = 512 * 1024
_TEXTS = {
    "python-version": "python_version",
    "python-path": "python_path",
    "user": "user",
    "home": "home",
    "stop-signal": "stop_signal",
}
_MAPS = {"env": "env", "labels": "labels", "os-release": "os_release"}


def facts_to_table(facts: BaseFacts) -> dict[str, Any]:
    """Give facts as a table, without what is empty; `facts_from_table` reads it."""
    table: dict[str, Any] = {}
    if facts.libc is not None:
        table |= {"libc": facts.libc, "libc-version": two_numbers(facts.libc_version)}
    table |= {key: text for key, name in _TEXTS.items() if (text := getattr(facts, name))}
    if facts.has_environment:
        table["has-environment"] = True
    table |= {key: dict(sorted(items.items())) for key, name in _MAPS.items() if (items := getattr(facts, name))}
    return table


def facts_from_table(data: Mapping[str, Any], origin: str) -> BaseFacts:
    """Read facts, strictly.

    Raises:
        LockfileError: A field is unknown or malformed.
    """
    from crossdock.lockfile.basefacts import BaseFacts

    check_keys(data, {"libc", "libc-version", "has-environment", *_TEXTS, *_MAPS}, origin)
    libc = value(data, "libc", str, origin) if "libc" in data else None
    version = parse_two_numbers(value(data, "libc-version", str, origin), origin) if libc else (0, 0)
    if libc is None and "libc-version" in data:
        raise LockfileError(f"{origin}: there is a libc-version without a libc", hint=AGAIN)
    # Their types were looked at one by one.
    fields: dict[str, Any] = {
        name: value(data, key, str, origin) if key in data else "" for key, name in _TEXTS.items()
    }
    fields |= {name: text_map(data, key, origin) for key, name in _MAPS.items()}
    has_environment = value(data, "has-environment", bool, origin) if "has-environment" in data else False
    facts = BaseFacts(libc=libc, libc_version=version, has_environment=has_environment, **fields)
    checked(check_facts, facts, origin)
    return facts


def check_facts(facts: BaseFacts) -> None:
    """Check the form of every field: what is wrong here would go wrong in the image.

    Raises:
        LockfileError: A field is malformed.
    """
    maps = (facts.env, facts.labels, facts.os_release)
    try:
        texts = [part for items in maps for item in items.items() for part in item]
        encoded = sum(len(text.encode()) for text in (*texts, facts.user, facts.home, facts.python_path))
    except UnicodeEncodeError:
        raise LockfileError("there is text that is no Unicode") from None
    checks = {
        "libc": facts.libc is None or _LIBC.fullmatch(facts.libc),
        "user": not facts.user or _USER.fullmatch(facts.user),
        "home": not facts.home or _is_path(facts.home),
        "stop_signal": not facts.stop_signal or _SIGNAL.fullmatch(facts.stop_signal),
        "env": all(name and "=" not in name for name in facts.env),
        "os_release": all(_OS_KEY.fullmatch(key) for key in facts.os_release),
    }
    for field, good in checks.items():
        if not good:
            raise LockfileError(f"bad {field} {str(getattr(facts, field))[:200]!r}")
    if max(map(len, maps)) > _MOST_ITEMS or encoded > _LONGEST or any("\0" in text for text in texts):
        raise LockfileError("env, labels or os-release have more than an image can need, or NUL characters")
    if facts.python_version or facts.python_path:
        check_python(facts.python_version, facts.python_path)


def check_python(version: str, path: str) -> None:
    """Check a Python's full version and its interpreter's path in the image.

    Raises:
        LockfileError: One of them is malformed.
    """
    if not _PYTHON.fullmatch(version):
        raise LockfileError(f"bad python-version {version[:100]!r}")
    if not _is_path(path):
        raise LockfileError(f"bad python-path {path[:200]!r}")


def two_numbers(version: tuple[int, int]) -> str:
    """Write the version of a C library."""
    return f"{version[0]}.{version[1]}"


def parse_two_numbers(text: str, origin: str) -> tuple[int, int]:
    """Read the version of a C library.

    Raises:
        LockfileError: It is not two numbers.
    """
    match = _TWO_NUMBERS.fullmatch(text)
    if match is None:
        raise LockfileError(f"{origin}: {text[:100]!r} is no version of a C library", hint=AGAIN)
    return int(match[1]), int(match[2])


def _is_path(path: str) -> bool:
    return (
        _PATH.fullmatch(path) is not None and len(path) <= 4096 and path.isprintable() and ".." not in path.split("/")
    )
