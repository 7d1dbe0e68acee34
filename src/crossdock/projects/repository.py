"""The git repository around a project, as far as build backends ask it: for the version and for what is tracked.

A build works on a copy of the sources. The copy gets a repository of its own, which borrows the objects of the real
one and is in the same state; so nothing is ever written to the real one, and what backends do with git works.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

from crossdock.projects.sources import repository_top

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["clone_repository", "match_repository", "repository_state"]

#: crossdock writes it, also while it builds; it is no source.
_OWN_FILE = "crossdock.lock"
_CHANGED = ("diff", "--name-only", "--no-relative", "--no-ext-diff", "-z")


def repository_state(root: Path, environ: Mapping[str, str], *, versioned: bool) -> str | None:
    """Name what a backend can learn from git.

    Args:
        root: The project's folder.
        environ: Environment of the git commands.
        versioned: Whether the project's version may come from git; else only which files are tracked counts.

    Returns:
        A digest, the same as long as the answers are; empty without a repository that git can read. None if a version
        may come from git and tracked files were changed: such versions depend on the day.
    """
    top = repository_top(root)
    if top is None or _git(top, environ, "rev-parse", "--verify", "HEAD") is None:
        return ""
    questions: list[tuple[str, ...]] = [("ls-files", "-z", "--", str(root))]
    if versioned:
        changed = ("status", "--porcelain", "--untracked-files=no", "-z", "--", ".", f":(exclude,glob)**/{_OWN_FILE}")
        if _git(top, environ, *changed) != b"":
            return None
        questions += [
            ("rev-parse", "HEAD"),
            ("symbolic-ref", "--quiet", "HEAD"),
            ("for-each-ref", "--format=%(refname) %(objectname)", "refs/tags"),
        ]
    answers = [_git(top, environ, *question) or b"" for question in questions]
    return hashlib.sha256(b"".join(hashlib.sha256(answer).digest() for answer in answers)).hexdigest()


def clone_repository(top: Path, copy: Path, environ: Mapping[str, str]) -> bool:
    """Make a repository without files that stands at the same commit and has the same tags; False if git cannot."""
    if _git(top, environ, "rev-parse", "--verify", "HEAD") is None:
        return False
    options = ("--quiet", "--no-checkout", "--shared", "--config", f"core.hooksPath={os.devnull}")
    return _git(top, environ, "clone", *options, "--", str(top), str(copy)) is not None


def match_repository(top: Path, copy: Path, environ: Mapping[str, str]) -> None:
    """Let a clone whose files were copied say the same as the real repository of what is tracked and what was changed.

    What was left out of the copy, or is a file there and a link here, is no change; nor is a crossdock.lock.
    """
    tracked = _git(top, environ, "ls-files", "--stage", "-z") or b""
    _git(copy, environ, "update-index", "-z", "--index-info", stdin=tracked)
    real, copied = ({*(_git(folder, environ, *_CHANGED) or b"").split(b"\0")} for folder in (top, copy))
    own = {path for path in copied if path.rpartition(b"/")[2] == _OWN_FILE.encode()}
    only_here = b"\0".join(sorted((copied - real) | own))
    _git(copy, environ, "update-index", "-z", "--skip-worktree", "--stdin", stdin=only_here)


def _git(folder: Path, environ: Mapping[str, str], *arguments: str, stdin: bytes = b"") -> bytes | None:
    """Run git; None when it fails or is not there."""
    # Without optional locks, asking changes nothing: not even the index of the real repository.
    environ = {**environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, env=environ, input=stdin, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
