"""Every error a user can meet: what happened, why, and what to do next.

Each class has an exit code of its own, so that scripts can tell failures apart; ``docs/errors.md`` lists them.
A class that is never raised itself groups its children: catch it to catch them all.
"""

from __future__ import annotations

from typing import ClassVar


class CrossdockError(Exception):
    """Base of all errors that end a command with a message instead of a traceback.

    Args:
        what: One sentence: what happened, naming the file, package or target.
        why: The reason, where ``what`` does not say it already.
        hint: What the user can do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class UsageError(CrossdockError):
    """The command line cannot be understood."""

    exit_code = 2


# Project and configuration: 10-19


class ProjectError(CrossdockError):
    """Something about the project being built."""

    exit_code = 10


# Targets: 20-29


class TargetError(CrossdockError):
    """A target that is not spelled, or does not exist, as given."""

    exit_code = 20


class UnknownTargetError(TargetError):
    """A spelling that names no target."""

    exit_code = 21


# Locks: 30-39


class LockError(CrossdockError):
    """A lock file that is missing, unreadable or of a kind not supported."""

    exit_code = 30


# Selection: 40-49


class SelectionError(CrossdockError):
    """The lock has no answer for a target."""

    exit_code = 40


# Store, downloads and the index: 50-59


class StoreError(CrossdockError):
    """Fetching or keeping a file."""

    exit_code = 50


# Wheels: 60-69


class WheelError(CrossdockError):
    """A wheel that is broken, or dangerous to read."""

    exit_code = 60


# Layers and images: 70-79


class ImageError(CrossdockError):
    """Writing or reading an image."""

    exit_code = 70


# Bases: 80-89


class BaseError(CrossdockError):
    """The base image or the packages it is put together from."""

    exit_code = 80


# Proof: 90-99


class VerificationError(CrossdockError):
    """The artifact is not what it says it is."""

    exit_code = 90
