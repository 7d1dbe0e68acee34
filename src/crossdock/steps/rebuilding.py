"""Builds an artifact again, elsewhere, and says whether the same came out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.errors import UsageError, VerificationError
from crossdock.steps.diffing import compare_sides, read_side
from crossdock.steps.subjects import open_subject
from crossdock.verify.finding import Finding, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.services import Services
    from crossdock.steps.subjects import ImageSubject
    from crossdock.verify.comparing import Difference

__all__ = ["check_command", "rebuild_and_compare"]

#: What builds an artifact; each writes what --output names.
_COMMANDS: Final = frozenset({"image", "pex", "lambda", "venv", "exe"})
#: Folders that no build reads, and that may be large.
_LEFT_OUT: Final = ("__pycache__", ".venv", "venv", "node_modules", ".tox", ".nox", ".mypy_cache", ".pytest_cache")
_LONGEST: Final = 3600.0
_MOST_TOLD: Final = 2000


def rebuild_and_compare(
    subject: ImageSubject | Path, name: str, root: Path, member: str, command: Sequence[str], services: Services
) -> list[Finding]:
    """Build a project again with nothing kept, in another place and another environment, and compare.

    What is built is a copy of the folder, by another user's view of things: an empty cache, another time zone, locale,
    umask and hash seed. What is downloaded has to be the same, as the locks name it by hash.

    Args:
        subject: What is to come out.
        name: As the user gave it.
        root: The folder that holds the project, or the whole workspace.
        member: The project's own folder in it; empty if that is the same.
        command: What builds it: words behind ``crossdock``, without project and output.
        services: For reading what came out.

    Returns:
        A finding for each platform that is not the same.

    Raises:
        UsageError: The command builds nothing.
        VerificationError: The build fails.
    """
    check_command(command)
    with tempfile.TemporaryDirectory(prefix="crossdock-rebuild-", ignore_cleanup_errors=True) as folder:
        again = _build(Path(folder), root, member, command, subject)
        with open_subject(str(again), services, whole=True) as other:
            differences = compare_sides(read_side(subject, name), read_side(other, "built again"))
    return [_finding(item, command) for item in differences if not item.same]


def check_command(command: Sequence[str]) -> None:
    """Say no to what builds nothing.

    Raises:
        UsageError: It is no command that writes one artifact.
    """
    if not command or command[0] not in _COMMANDS or any(word.startswith("--output") for word in command):
        raise UsageError(
            f"--rebuild {' '.join(command)!r} is no command that builds",
            hint=f"write one of {', '.join(sorted(_COMMANDS))} and its options, without PROJECT and --output",
        )


def _finding(item: Difference, command: Sequence[str]) -> Finding:
    built, artifact = item.digests[1], item.digests[0]
    reasons = "; ".join(item.reasons) or "`crossdock diff` compares them"
    alone = f"name what builds it with --rebuild=COMMAND, if that is not `crossdock {' '.join(command)}`"
    where = f" for {item.platform}" if item.platform else ""
    return Finding(
        code="not-rebuilt",
        severity="error",
        found=f"building it again gave {_named(built, 'nothing')}{where}",
        wanted=f"the artifact {'is ' if artifact is not None else ''}{_named(artifact, 'has nothing for it')}",
        hint=alone if built is None or artifact is None else reasons,
    )


def _named(digest: str | None, missing: str) -> str:
    return missing if digest is None else digest or "another folder"


def _build(folder: Path, root: Path, member: str, command: Sequence[str], subject: ImageSubject | Path) -> Path:
    copy = folder / "elsewhere" / root.name
    shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    output = folder / "built" / (subject.name if isinstance(subject, Path) else "image")
    output.parent.mkdir()
    environ = {
        **os.environ,
        "CROSSDOCK_CACHE": str(folder / "cache"),
        "PYTHONHASHSEED": "4242",
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
    }
    words = [sys.executable, "-m", "crossdock", command[0], str(copy / member), "--quiet"]
    try:
        done = subprocess.run(
            [*words, "--output", str(output), *command[1:]],
            check=False,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            umask=0o027,
            timeout=_LONGEST,
        )
    except subprocess.TimeoutExpired:
        raise VerificationError(
            "Building it again took more than an hour", hint="build it by hand and compare"
        ) from None
    if done.returncode:
        raise VerificationError(
            f"Building it again failed with exit code {done.returncode}",
            why=printable(done.stderr.decode("utf-8", "replace")[-_MOST_TOLD:].strip()),
            hint="the project has to be as it was when the artifact was built",
        )
    return output
