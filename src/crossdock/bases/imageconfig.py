"""What an image's config and its system files say, as values; both are written by strangers.

Implements "Image Configuration" of the OCI image-spec, os-release(5) and passwd(5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_PATH", "DEFAULT_USER", "environment", "home_of", "labels", "os_release", "stop_signal", "user_of"]

#: What container engines set where an image sets none.
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Who runs a container whose base names nobody, or root: the number that distroless images call nonroot.
DEFAULT_USER: Final = "65532:65532"

_NAME: Final = r"(?:[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}\$?)"
_USER: Final = re.compile(rf"({_NAME})(?::{_NAME})?")
_SIGNAL: Final = re.compile(r"[A-Z0-9][A-Z0-9+-]{0,19}")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})=(.*)")
_QUOTED: Final = re.compile(r"""(["'])(.*)\1\s*""")
_LONGEST_RELEASE: Final = 64 << 10
_LONGEST_HOME: Final = 4096  # as Linux
_ESCAPED: Final = re.compile(r"""\\([\\$"'`])""")


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """Give the environment variables of a config's ``config``; entries that are none are left out."""
    entries = config.get("Env")
    pairs = (entry.partition("=") for entry in entries if isinstance(entry, str)) if isinstance(entries, list) else ()
    return {key: value for key, equals, value in pairs if key and equals and _is_text(key + value)}


def labels(config: Mapping[str, Any]) -> dict[str, str]:
    """Give the labels of a config's ``config``; entries that are none are left out."""
    entries = config.get("Labels")
    if not isinstance(entries, dict):
        return {}
    pairs = [(key, value) for key, value in entries.items() if isinstance(key, str) and isinstance(value, str)]
    return {key: value for key, value in pairs if key and _is_text(key + value)}


def stop_signal(config: Mapping[str, Any]) -> str:
    """Give the stop signal of a config's ``config``; empty if it has none of a known form."""
    signal = config.get("StopSignal")
    return signal if isinstance(signal, str) and _SIGNAL.fullmatch(signal) else ""


def user_of(config: Mapping[str, Any], passwd: bytes) -> str:
    """Give who runs containers: as the config says, unless that is root by name or by number, or nobody.

    Args:
        config: A config's ``config``.
        passwd: The image's ``/etc/passwd``.
    """
    user = config.get("User")
    found = _USER.fullmatch(user) if isinstance(user, str) else None
    if found is None or found[1] == "root" or (found[1].isdigit() and int(found[1]) == 0):
        return DEFAULT_USER
    entry = None if found[1].isdigit() else _passwd_entry(passwd, found[1])
    return DEFAULT_USER if entry and entry[2].strip("0") == "" else found[0]


def home_of(user: str, passwd: bytes) -> str:
    """Give the home folder of a user such as ``65532:65532`` or ``app``; empty if it is not known."""
    entry = _passwd_entry(passwd, user.partition(":")[0])
    home = entry[5] if entry else ""
    usable = home.startswith("/") and home.isprintable() and len(home) <= _LONGEST_HOME
    return home if usable and ".." not in home.split("/") else ""


def os_release(text: bytes) -> dict[str, str]:
    """Read an os-release file; lines of another form are left out, and so is a file of unreasonable size."""
    values: dict[str, str] = {}
    lines = text.decode("utf-8", "replace").splitlines() if len(text) <= _LONGEST_RELEASE else []
    for line in lines:
        if (found := _ASSIGNMENT.fullmatch(line.strip())) and line.strip().isprintable():
            quoted = _QUOTED.fullmatch(found[2])
            values[found[1]] = _ESCAPED.sub(r"\1", quoted[2] if quoted else found[2])
    return values


def _is_text(value: str) -> bool:
    """Tell whether it can be written down; JSON can spell half of a surrogate pair, and NUL."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def _passwd_entry(passwd: bytes, user: str) -> list[str] | None:
    column = 2 if user.isdigit() else 0
    for line in passwd.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[column] == user:
            return fields
    return None
