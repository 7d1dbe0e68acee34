"""Where the parts of a wheel go in a target's tree (binary distribution format, "The .data directory")."""

from __future__ import annotations

import posixpath
from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["LAUNCHERS", "SCHEME_VERSION", "Launchers", "Lookup", "Scheme", "below", "flat", "posix_venv"]

#: Part of every layer's cache key and annotations: raised whenever the same wheels give other bytes.
SCHEME_VERSION = 1

#: How a script finds its interpreter and the packages: by a path that is fixed; by what lies in its own folder,
#: wherever that was moved to; or by an interpreter outside, with the folder above the script's on ``sys.path``.
Lookup = Literal["fixed", "beside", "above"]

#: Kinds of the programs that start scripts on Windows, as the library ``installer`` names them.
Launchers = Literal["win-amd64", "win-arm64", "win-ia32"]

#: Which kind each architecture of Windows, by OCI's names, needs.
LAUNCHERS: dict[str, Launchers] = {"amd64": "win-amd64", "arm64": "win-arm64", "386": "win-ia32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Install locations, as paths relative to the root of what is built.

    Attributes:
        prefix: The environment's own folder.
        site_packages: Where pure and platform code goes; one folder in a virtual environment.
        scripts: Where console scripts go.
        data: Where "data" files go.
        headers: Where C headers go; the distribution's name is added.
        interpreter: Absolute path of the environment's Python, for shebangs; the name of a file where scripts find it
            beside themselves.
        lookup: How scripts find it.
        launchers: Which programs start scripts; None on POSIX, where scripts are programs themselves.

    Every location may be empty: that is the root itself.
    """

    prefix: str
    site_packages: str
    scripts: str
    data: str
    headers: str
    interpreter: str
    lookup: Lookup = "fixed"
    launchers: Launchers | None = None

    def to_json(self) -> dict[str, str]:
        """Give all of it, for keys of what depends on it."""
        # What a field is by default is left out: keys made before it came do not change.
        defaults = {"lookup": "fixed", "launchers": None}
        return {name: value for name, value in asdict(self).items() if name not in defaults or value != defaults[name]}

    def data_folder(self, key: str, distribution: str) -> str | None:
        """Where a wheel's ``.data/KEY`` goes, or None if there is no such key."""
        return {
            "purelib": self.site_packages,
            "platlib": self.site_packages,
            "scripts": self.scripts,
            "data": self.data,
            "headers": posixpath.join(self.headers, distribution),
        }.get(key)

    def record_path(self, path: str) -> str:
        """A path as RECORD has it: relative to site-packages."""
        inside = below(self.site_packages)
        return path.removeprefix(inside) if path.startswith(inside) else posixpath.relpath(path, self.site_packages)


def below(folder: str) -> str:
    """Give what the paths of all that is in a folder start with."""
    return folder and f"{folder}/"


def flat(prefix: str = "") -> Scheme:
    """Give the scheme of a folder that is put on ``sys.path`` as a whole, as ``pip install --target`` fills it.

    Args:
        prefix: The folder; empty for the root.
    """
    inside = below(prefix)
    return Scheme(
        prefix=prefix,
        site_packages=prefix,
        scripts=f"{inside}bin",
        data=prefix,
        headers=f"{inside}include",
        interpreter="/usr/bin/env python3",
    )


def posix_venv(prefix: str, python: str) -> Scheme:
    """Give the scheme of a virtual environment on Linux or macOS.

    Args:
        prefix: Its folder, without a leading slash: ``app/.venv``.
        python: Version as in ``3.11``.
    """
    return Scheme(
        prefix=prefix,
        site_packages=f"{prefix}/lib/python{python}/site-packages",
        scripts=f"{prefix}/bin",
        data=prefix,
        headers=f"{prefix}/include/site/python{python}",
        interpreter=f"/{prefix}/bin/python",
    )
