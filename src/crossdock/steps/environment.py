"""The virtual environment inside an image: an ordinary one, whose Python is the base's (PEP 405)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from crossdock.layers.entry import Entry, directory, file, symlink
from crossdock.lockfile.basefacts import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.targets import Python

__all__ = ["APP", "PREFIX", "environment_entries", "image_environment"]

#: Working folder of an image, and its environment's folder, relative to the root.
PREFIX = ENVIRONMENT
APP = posixpath.dirname(PREFIX)
#: OCI image-spec, "Opaque Whiteout": hides what lower layers have in its folder.
_OPAQUE = f"{PREFIX}/.wh..wh..opq"


def environment_entries(python: Python, facts: BaseFacts) -> list[Entry]:
    """Give the files that make a folder of packages an environment; a base's own in its place is hidden."""
    home = facts.python_path.rpartition("/")[0]
    config = f"home = {home}\ninclude-system-site-packages = false\nversion = {python.full_version}\n"
    links = ("python", f"python{python.version[0]}", f"python{python.short}")
    folders = (APP, PREFIX, f"{PREFIX}/bin", f"{PREFIX}/lib", f"{PREFIX}/lib/python{python.short}")
    return [
        *map(directory, (*folders, f"{PREFIX}/lib/python{python.short}/site-packages")),
        *([file(_OPAQUE, b"")] if facts.has_environment else []),
        *(symlink(f"{PREFIX}/bin/{name}", facts.python_path) for name in links),
        file(f"{PREFIX}/pyvenv.cfg", config.encode()),
    ]


def image_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Give the environment variables of an image: those of its base, with the environment found first.

    Args:
        base: The base's own; ``PYTHONHOME`` is left out, as the environment's Python would look there for packages.
    """
    own = f"/{PREFIX}/bin"
    search = base.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    others = [folder for folder in search.split(":") if folder != own]  # a base may be an image of crossdock's
    kept = {name: base[name] for name in sorted(base) if name not in ("PATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return {"PATH": ":".join([own, *others]), "VIRTUAL_ENV": f"/{PREFIX}", "LANG": "C.UTF-8", **kept}
