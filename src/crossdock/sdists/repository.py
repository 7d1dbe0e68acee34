"""Source trees from git repositories, at exactly the commit that was locked."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import FetchedFilesError, OfflineError, RepositoryError
from crossdock.sdists.hooks import hook_environment
from crossdock.store.http import FETCH_HINT
from crossdock.store.urls import local_path, redact, scrub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_out", "is_local", "make_bundle"]

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
#: First lines of bundles (gitformat-bundle(5)).
_SIGNATURES = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_LONGEST_SIGNATURE = max(map(len, _SIGNATURES))


def is_local(location: str, base: Path) -> Path | None:
    """Give the path of a repository that is on this machine; a relative one starts at ``base``."""
    if _SCP.fullmatch(location) and not re.match(r"[A-Za-z]:[\\/]", location):
        return None
    try:
        path = local_path(location)
    except ValueError:
        return None
    return None if path is None else Path(os.path.normpath(base / path))


def check_out(
    location: str, commit: str, folder: Path, *, base: Path, offline: bool = False, bundle: Path | None = None
) -> Path:
    """Clone a repository and check out a commit, with its history and the tags in it, which versions may be made of.

    No remote stays in the clone, so that what builds from it can neither fetch nor learn how to, and no branch or other
    tag, so that what is built is a function of the commit and its tags.

    Args:
        location: https, ssh or file URL, ``user@host:path`` as git has it, or a path.
        commit: Its full object name.
        folder: Where to; must not be there yet.
        base: What a relative path is relative to.
        offline: Whether the network may not be used.
        bundle: What ``make_bundle`` wrote; cloned instead of the location. It need not be trusted: the commit's name
            is a hash of all that is checked out.

    Raises:
        RepositoryError: It cannot be read, has no such commit, or has parts that are not supported.
        FetchedFilesError: The bundle cannot be read, or has no such commit.
        OfflineError: It is not on this machine.
    """
    shown = _shown(location)
    _check_commit(commit, shown)
    if bundle is not None:
        environ = _clone_bundle(bundle, shown, commit, folder)
    else:
        # History and tags are all there, files only as far as the commit needs them, where the server can do that.
        partial = ("--no-checkout", "--no-recurse-submodules", "--filter=blob:none")
        environ = _clone(location, commit, folder, partial, base=base, offline=offline)
    _check_submodules(folder, environ, shown, commit)
    _git(folder, environ, shown, "checkout", "--quiet", "--force", "--detach", commit)
    _keep_history(folder, environ, shown, commit)
    _git(folder, environ, shown, "remote", "remove", "origin")
    _check_links(folder, shown)
    return folder


def make_bundle(location: str, commit: str, folder: Path, *, base: Path, offline: bool = False) -> Path:
    """Write a commit of a repository, its history and the tags in it into one file (git-bundle(1)).

    Args:
        location: As ``check_out``.
        commit: Its full object name.
        folder: An empty folder for the file, and for a clone that the caller removes with it.
        base: What a relative path is relative to.
        offline: Whether the network may not be used.

    Raises:
        RepositoryError: As ``check_out``.
        OfflineError: The repository is not on this machine.
    """
    shown = _shown(location)
    _check_commit(commit, shown)
    clone, bundle = folder / "clone.git", folder / "repository.bundle"
    environ = _clone(location, commit, clone, ("--bare",), base=base, offline=offline)
    _check_submodules(clone, environ, shown, commit)
    _git(clone, environ, shown, "update-ref", "--no-deref", "HEAD", commit)
    _keep_history(clone, environ, shown, commit)
    # How threads share the work would be seen in the file.
    create = ("-c", "pack.threads=1", "bundle", "create", "--quiet", str(bundle), "HEAD", "--tags")
    _git(clone, environ, shown, *create)
    return bundle


def _shown(location: str) -> str:
    location = location.removeprefix("git+")
    return redact(location) if "://" in location else scrub(location)


def _check_commit(commit: str, shown: str) -> None:
    if not _COMMIT.fullmatch(commit):
        raise RepositoryError(
            f"The lock names no full commit of {shown}",
            why=f"it has {commit[:80]!r}" if commit else "it has none",
            hint="make the lock again with a tool that pins commits",
        )


def _clone(
    location: str, commit: str, folder: Path, options: Sequence[str], *, base: Path, offline: bool
) -> Mapping[str, str]:
    """Clone from where the lock says, and give the environment for what is done with the clone."""
    shown = _shown(location)
    source, protocols = _source(location.removeprefix("git+"), shown, base)
    if offline and (protocols != "file" or not Path(source).exists()):
        raise OfflineError(
            f"The repository {shown} would have to be cloned",
            why="--offline forbids the network, and it is not on this machine",
            hint=FETCH_HINT,
        )
    environ = _environ(protocols)
    _git(None, environ, shown, "clone", "--quiet", *options, "--", source, str(folder))
    if not _has(folder, environ, commit):
        # A commit that no branch leads to any more; many servers still give it by name.
        _git(folder, environ, shown, "fetch", "--quiet", "--no-recurse-submodules", "origin", commit)
    return environ


def _clone_bundle(bundle: Path, shown: str, commit: str, folder: Path) -> Mapping[str, str]:
    environ = _environ("file")
    with bundle.open("rb") as file:
        # Else git might take it for a text that names another repository on this machine.
        is_bundle = file.readline(_LONGEST_SIGNATURE) in _SIGNATURES
    why = "it is no git bundle"
    if is_bundle:
        clone = ("clone", "--quiet", "--no-checkout", "--no-recurse-submodules", "--", str(bundle), str(folder))
        done = _run(None, environ, shown, *clone)
        if done.returncode == 0 and _has(folder, environ, commit):
            return environ
        why = _told(done) if done.returncode else f"it does not hold the commit {commit}"
    raise FetchedFilesError(
        f"The bundle of {shown} cannot be used", why=why, hint="make it again with `crossdock fetch`"
    )


def _check_submodules(folder: Path, environ: Mapping[str, str], shown: str, commit: str) -> None:
    entries = _git(folder, environ, shown, "ls-tree", "-r", "-z", commit)
    if b"\x00160000 " in b"\x00" + entries:
        raise RepositoryError(
            f"{shown} has submodules at {commit[:12]}",
            why="what they hold is not cloned, so what is built would miss it",
            hint="build a wheel elsewhere and name it in [tool.crossdock.packages.NAME]",
        )


def _keep_history(folder: Path, environ: Mapping[str, str], shown: str, commit: str) -> None:
    """Drop every branch, and every tag that does not lead to the commit or one before it."""

    def names(*chosen: str) -> set[bytes]:
        return set(_git(folder, environ, shown, "for-each-ref", "--format=%(refname)", *chosen).splitlines())

    kept = names(f"--merged={commit}", "refs/tags")
    dropped = b"".join(b"delete %s\n" % name for name in sorted(names("refs/heads", "refs/tags") - kept))
    _git(folder, environ, shown, "update-ref", "--stdin", fed=dropped)


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
        # An object is what its name says, and no other one in its stead.
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def _has(folder: Path, environ: Mapping[str, str], commit: str) -> bool:
    command = ["git", "-C", str(folder), "cat-file", "-e", f"{commit}^{{commit}}"]
    # Not asked of the server: that would be told as an error of its own.
    environ = {**environ, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0


def _git(folder: Path | None, environ: Mapping[str, str], shown: str, *arguments: str, fed: bytes = b"") -> bytes:
    done = _run(folder, environ, shown, *arguments, fed=fed)
    if done.returncode:
        raise RepositoryError(
            f"{shown} cannot be read at the locked commit",
            why=_told(done) or f"git {arguments[0]} failed",
            hint="see that git can clone it without asking for a password, and that the commit is still there",
        )
    return done.stdout


def _run(
    folder: Path | None, environ: Mapping[str, str], shown: str, *arguments: str, fed: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *(["-C", str(folder)] if folder else []), *arguments]
    try:
        return subprocess.run(command, env=environ, input=fed, capture_output=True, umask=0o022, check=False)
    except FileNotFoundError:
        raise RepositoryError(
            f"{shown} cannot be cloned", why="there is no program git on PATH", hint="install git"
        ) from None


def _told(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
    return "\n    ".join(map(scrub, lines))


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
