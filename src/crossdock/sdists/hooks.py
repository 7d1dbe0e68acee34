"""What a build backend (PEP 517) sees of the machine, and where the files of a build are while it lasts."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EARLIEST_ZIP_TIME", "hook_environment", "scratch_folder"]

#: 1980-01-01, the first moment a zip archive can name, in seconds.
EARLIEST_ZIP_TIME = 315532800

#: What a process is told of the machine: where programs and homes are.
_KEPT = {
    *("PATH", "HOME", "TMPDIR", "TEMP", "TMP"),
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
}
#: Where settings of the user are.
_HOMES = ("HOME", "USERPROFILE", "APPDATA")
#: What only those are told that have to reach the network: how, and with which passwords. Of pip's settings none that
#: say where something is installed, or how.
_NETWORK = {
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_TRUSTED_HOST"),
    *("PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_CONSTRAINT"),
}
_FIXED = {
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    # Backends write what they keep in sets.
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "SOURCE_DATE_EPOCH": str(EARLIEST_ZIP_TIME),
}
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")


def hook_environment(environ: Mapping[str, str], *, network: bool = False, home: Path | None = None) -> dict[str, str]:
    """Choose the variables of a process: none that changes what it builds, and one locale, time zone and clock.

    Args:
        environ: Those of this process.
        network: Whether it has to reach the network: pip and git do, backends do not.
        home: Takes the place of the user's home: setuptools, for one, reads settings there that change wheels.
    """
    names = _KEPT | _NETWORK if network else _KEPT
    kept = {key: value for key, value in environ.items() if key.upper() in names}
    if home is not None:
        kept |= dict.fromkeys(_HOMES, str(home))
    return kept | _FIXED


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a temporary folder in which all temporary files of a build are made, by us and by what we run.

    So one removal leaves nothing behind, also when the build is interrupted. While it lasts, it holds for the
    whole process.
    """
    before, default = {name: os.environ.get(name) for name in _TEMPORARY}, tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True) as name:
        folder = Path(os.path.realpath(name))
        temporary = folder / "tmp"
        temporary.mkdir()
        try:
            tempfile.tempdir = str(temporary)
            os.environ.update(dict.fromkeys(_TEMPORARY, str(temporary)))
            yield folder
        finally:
            tempfile.tempdir = default
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value
