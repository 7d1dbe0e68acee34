"""One thing that is wrong with an artifact, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

__all__ = ["Finding", "Severity", "printable"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: Names the rule, for programs: ``elf-machine``.
        severity: An error refuses the artifact; a note is told to whoever asks for all there is.
        path: The file inside the image; empty where it is about the image itself.
        package: The distribution it belongs to, ``numpy 2.1.0``, or None if unknown.
        found: What is there, to follow the subject: ``is an x86-64 ELF file``.
        wanted: What should be, to follow ``but``; may be empty.
        hint: What the user can do.
        others: The paths of further files that the same is wrong with, if one finding tells of them all; not told.
    """

    code: str
    severity: Severity
    path: str = ""
    package: str | None = None
    found: str
    wanted: str = ""
    hint: str = ""
    others: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What a user needs to read, in one line that is safe to print."""
        subject = ": ".join(part for part in (self.package, self.path) if part)
        sentence = f"{subject} {self.found}" if subject else self.found
        return printable(f"{sentence}, but {self.wanted}" if self.wanted else sentence)

    @classmethod
    def from_json(cls, data: Any) -> Finding:  # noqa: ANN401
        """Make a finding of what `to_json` returned.

        Raises:
            ValueError: It is not that.
        """
        try:
            return cls(**{name: value for name, value in data.items() if name != "sentence"})
        except (AttributeError, TypeError) as error:
            raise ValueError(f"no finding: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes, the sentence included."""
        told = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "others"}
        return {**told, "sentence": self.sentence}


def printable(text: str) -> str:
    r"""Escape what does not belong on a terminal: ``\x1b`` becomes four characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
