"""What several rules ask of an artifact's paths: its environments, its scripts, and what is no path of its own."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.verify.claim import Case
    from crossdock.verify.distributions import Distribution
    from crossdock.verify.tree import Tree

__all__ = [
    "Environment",
    "Script",
    "environments",
    "host_paths",
    "is_host_path",
    "is_systems",
    "is_windows_path",
    "on_path",
    "real_file",
    "scripts",
]

_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIG: Final = "pyvenv.cfg"
_SCRIPT_FOLDERS: Final = frozenset({"bin", "Scripts"})
_SCRIPT_OF_WHEEL: Final = re.compile(r"[^/]+\.data/scripts/[^/]+")
_WINDOWS_PATH: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\|[^/]*\.exe$", re.IGNORECASE)
#: Where a system's own packages install to, and by which names these are known as installers.
_SYSTEM_SITE: Final = re.compile(r"(?:^|/)usr/lib(?:32|64)?/(?:python|pypy)[\d.]*t?/(?:site|dist)-packages$")
_SYSTEM_INSTALLERS: Final = frozenset({"conda", "debian", "rpm", "apk"})
_EXEC: Final = re.compile(r"(?:/usr)?/bin/env")

#: Folders that people's homes and the jobs of build services are in: where nothing of an artifact is.
_HOST: Final = re.compile(
    r"(?<![\w.$}~-])(?:"
    r"/(?:home|Users)/[^/\s\"'<>|:;,]+"
    r"|/(?:root|tmp|private/tmp|private/var/folders|var/folders|builds?|github/workspace|__w|opt/hostedtoolcache"
    r"|workspaces?|home/runner)"
    r"|[A-Za-z]:[\\/]{1,2}(?:Users[\\/]{1,2}[^\\/\s\"'<>|:;,]+|a|hostedtoolcache)"
    r")(?:[\\/][^\s\"'<>|:;,]*|(?=[\s\"':;,]|$))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment (PEP 405).

    Attributes:
        root: Its folder; empty for the artifact's root.
        settings: What its ``pyvenv.cfg`` says, by lower-case names.
    """

    root: str
    settings: dict[str, str]

    @property
    def config(self) -> str:
        """The path of its ``pyvenv.cfg``."""
        return self.join(_CONFIG)

    @property
    def version(self) -> str:
        """``3.12``, as it says itself; empty if it does not."""
        said = self.settings.get("version_info") or self.settings.get("version") or ""
        match = re.match(r"\d+\.\d+", said)
        return match[0] if match else ""

    def join(self, *parts: str) -> str:
        """Give a path in it."""
        return posixpath.join(self.root, *parts)

    def holds(self, path: str) -> bool:
        """Say whether a path is in it."""
        return not self.root or path.startswith(f"{self.root}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script that is there to be run by its name.

    Attributes:
        path: Where it is.
        interpreter: The program its first line names; behind ``env`` the one that is looked for on PATH.
        searched: Whether that is looked for.
        environment: The one it belongs to, if any.
    """

    path: str
    interpreter: str
    searched: bool
    environment: Environment | None


def environments(tree: Tree) -> list[Environment]:
    """Give the environments of an artifact, by path."""
    found = []
    for path, text in sorted(tree.texts.items()):
        folder, _, name = path.rpartition("/")
        if name == _CONFIG:
            lines = (line.partition("=") for line in text.splitlines())
            settings = {key.strip().lower(): value.strip() for key, equals, value in lines if equals}
            found.append(Environment(root=folder, settings=settings))
    return found


def scripts(case: Case) -> Iterator[Script]:
    """Give the scripts of the application, not those of the system below it, nor what lies among packages."""
    tree = case.tree
    known = environments(tree)
    started = _started(case)
    for path, line in sorted(tree.shebangs.items()):
        folder = posixpath.dirname(path)
        environment = next((item for item in known if folder in (item.join("bin"), item.join("Scripts"))), None)
        named = posixpath.basename(folder) in _SCRIPT_FOLDERS and "-packages/" not in path
        if case.claim.subject == "wheel":
            chosen = _SCRIPT_OF_WHEEL.fullmatch(path) is not None
        else:
            outside = case.claim.subject in {"image", "layer"}
            chosen = path == started or (named and bool(environment or not outside or path in tree.owners))
        if chosen and (words := _words(line)):
            searched = _EXEC.fullmatch(words[0]) is not None
            if searched:
                words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
            if words:
                yield Script(path=path, interpreter=words[0], searched=searched, environment=environment)


def _started(case: Case) -> str | None:
    config = case.claim.config
    if config is None or not config.entrypoint:
        return None
    return on_path(case, config.entrypoint[0])


def _words(line: str) -> list[str]:
    if line.startswith('"'):
        program, _, rest = line[1:].partition('"')
        return [program, *rest.split()]
    return line.split()


def real_file(tree: Tree, path: str) -> str | None:
    """Give the path of the file behind an absolute path in an artifact, links followed; None if there is none."""
    found = tree.resolve(path.lstrip("/"))
    if found is None:
        return None
    seen = tree.entries.get(found)
    if seen is None:
        return found if found in tree.binaries else None
    return found if seen.kind in {"file", "hardlink"} else None


def on_path(case: Case, program: str) -> str | None:
    """Find what an image starts by a name or path, as its config has PATH and the folder it works in; None if nothing.

    Returns:
        The path of the file itself, links followed.
    """
    config = case.claim.config
    folder = config.working_dir if config else "/"
    if "/" in program:
        return real_file(case.tree, posixpath.join(folder or "/", program))
    search = (config.env.get("PATH") if config else None) or _DEFAULT_PATH
    for place in search.split(":"):
        found = real_file(case.tree, posixpath.join(folder or "/", place, program))
        if found is not None:
            return found
    return None


def is_systems(tree: Tree, distribution: Distribution) -> bool:
    """Say whether a distribution was put there by a system's own packages: they keep their records elsewhere.

    They change files after these were recorded, and leave parts of the metadata out. Installers of wheels always say
    who they are, in INSTALLER.
    """
    installer = tree.texts.get(f"{distribution.folder}/INSTALLER", "").strip().lower()
    if installer:
        return installer in _SYSTEM_INSTALLERS
    return _SYSTEM_SITE.search(distribution.site) is not None


def is_windows_path(text: str) -> bool:
    r"""Say whether a program is named as on Windows: ``C:\Python\python.exe``."""
    return _WINDOWS_PATH.match(text.strip('"')) is not None


def host_paths(case: Case, text: str) -> Iterator[str]:
    """Give the paths in a text that are of the machine something was built on: what an image has itself is none."""
    for match in _HOST.finditer(text):
        path = match[0].rstrip("/\\.)")
        if case.claim.subject not in {"image", "layer"} or not _is_here(case.tree, path):
            yield path


def is_host_path(case: Case, path: str) -> bool:
    """Say whether a path is one of the machine something was built on."""
    return any(found == path.rstrip("/\\.)") for found in host_paths(case, path))


def _is_here(tree: Tree, path: str) -> bool:
    if tree.resolve(path.lstrip("/")) is not None:
        return True
    # A home that is in the image is one of its own users'.
    parts = path.split("/")
    return parts[1] in {"home", "Users"} and tree.resolve("/".join(parts[1:3])) is not None
