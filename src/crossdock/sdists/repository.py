"""Source trees from git repositories, at exactly the commit that was locked."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import OfflineError, RepositoryError
from crossdock.sdists.hooks import hook_environment
from crossdock.store.urls import local_path, redact, scrub

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_out", "is_local"]

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: user@host:path, which git takes for ssh.
_SCP = re.compile(r"(?:[\w.+-]+@)?[\w.-]+:(?!//)[^\\]+")
_SCHEMES = ("https", "ssh", "file")
#: What a user's git may need to be let in, beside what backends see.
_KEPT = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "XDG_CONFIG_HOME")
_OPTIONS = {
    # Nothing that the repository brings, or the user's templates add, is run.
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "init.templateDir": "",
    # The same files on every system, and with every user's configuration.
    "core.autocrlf": "false",
    "core.eol": "lf",
    "submodule.recurse": "false",
    "advice.detachedHead": "false",
    "gc.auto": "0",
}
_SHOWN_LINES = 8


def is_local(location: str, base: Path) -> Path | None:
    """Give the path of a repository that is on this machine; a relative one starts at ``base``."""
    if _SCP.fullmatch(location) and not re.match(r"[A-Za-z]:[\\/]", location):
        return None
    try:
        path = local_path(location)
    except ValueError:
        return None
    return None if path is None else Path(os.path.normpath(base / path))


def check_out(location: str, commit: str, folder: Path, *, base: Path, offline: bool = False) -> Path:
    """Clone a repository and check out a commit, with its history and tags, which versions may be made of.

    No remote stays in the clone, so that what builds from it can neither fetch nor learn how to.

    Args:
        location: https, ssh or file URL, ``user@host:path`` as git has it, or a path.
        commit: Its full object name.
        folder: Where to; must not be there yet.
        base: What a relative path is relative to.
        offline: Whether the network may not be used.

    Raises:
        RepositoryError: It cannot be read, has no such commit, or has parts that are not supported.
        OfflineError: It is on the network.
    """
    location = location.removeprefix("git+")
    shown = redact(location) if "://" in location else scrub(location)
    if not _COMMIT.fullmatch(commit):
        raise RepositoryError(
            f"The lock names no full commit of {shown}",
            why=f"it has {commit[:80]!r}" if commit else "it has none",
            hint="make the lock again with a tool that pins commits",
        )
    source, protocols = _source(location, shown, base)
    if offline and protocols != "file":
        raise OfflineError(
            f"The repository {shown} would have to be cloned",
            why="--offline forbids the network",
            hint="run the command once without --offline",
        )
    environ = _environ(protocols)
    # History and tags are all there, files only as far as the commit needs them, where the server can do that.
    clone = ("clone", "--quiet", "--no-checkout", "--no-recurse-submodules", "--filter=blob:none", "--", source)
    _git(None, environ, shown, *clone, str(folder))
    if not _has(folder, environ, commit):
        # A commit that no branch leads to any more; many servers still give it by name.
        _git(folder, environ, shown, "fetch", "--quiet", "--no-recurse-submodules", "origin", commit)
    entries = _git(folder, environ, shown, "ls-tree", "-r", "-z", commit)
    if b"\x00160000 " in b"\x00" + entries:
        raise RepositoryError(
            f"{shown} has submodules at {commit[:12]}",
            why="what they hold is not cloned, so what is built would miss it",
            hint="build a wheel elsewhere and name it in [tool.crossdock.packages.NAME]",
        )
    _git(folder, environ, shown, "checkout", "--quiet", "--force", "--detach", commit)
    _git(folder, environ, shown, "remote", "remove", "origin")
    _check_links(folder, shown)
    return folder


def _source(location: str, shown: str, base: Path) -> tuple[str, str]:
    """Give what git is to clone, and the protocols it may use for that."""
    if (path := is_local(location, base)) is not None:
        return str(path), "file"
    try:
        scheme = urlsplit(location).scheme.lower() if "://" in location else "ssh"
    except ValueError:
        scheme = ""
    plain = location.isprintable() and not location.startswith("-") and "::" not in location
    if scheme not in _SCHEMES or not plain:
        raise RepositoryError(
            f"{shown} is not a repository that can be cloned",
            why="only https, ssh and file URLs can be",
            hint="name the repository by such a URL and make the lock again",
        )
    return location, scheme


def _environ(protocols: str) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    options = {
        f"GIT_CONFIG_{kind}_{number}": text
        for number, option in enumerate(_OPTIONS.items())
        for kind, text in zip(("KEY", "VALUE"), option, strict=True)
    }
    return {
        **hook_environment(os.environ, network=True),
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        **kept,
        **options,
        "GIT_CONFIG_COUNT": str(len(_OPTIONS)),
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        # Files that are elsewhere stay what they are in git, whether or not git-lfs is there.
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ATTR_NOSYSTEM": "1",
    }


def _has(folder: Path, environ: Mapping[str, str], commit: str) -> bool:
    command = ["git", "-C", str(folder), "cat-file", "-e", f"{commit}^{{commit}}"]
    # Not asked of the server: that would be told as an error of its own.
    environ = {**environ, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0


def _git(folder: Path | None, environ: Mapping[str, str], shown: str, *arguments: str) -> bytes:
    command = ["git", *(["-C", str(folder)] if folder else []), *arguments]
    try:
        return subprocess.run(command, env=environ, capture_output=True, umask=0o022, check=True).stdout
    except FileNotFoundError:
        raise RepositoryError(
            f"{shown} cannot be cloned", why="there is no program git on PATH", hint="install git"
        ) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        raise RepositoryError(
            f"{shown} cannot be read at the locked commit",
            why="\n    ".join(map(scrub, lines)) or f"git {arguments[0]} failed",
            hint="see that git can clone it without asking for a password, and that the commit is still there",
        ) from None


def _check_links(root: Path, shown: str) -> None:
    top = os.path.realpath(root)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118
            if os.path.islink(path) and os.path.commonpath([top, os.path.realpath(path)]) != top:  # noqa: PTH114
                raise RepositoryError(
                    f"{shown} holds a link that leads out of it",
                    why=f"{os.path.relpath(path, root)} leads to {os.readlink(path)}",  # noqa: PTH115
                    hint="do not use this repository; tell its owner",
                )
