"""Text of others, made fit to be shown."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str | None) -> str:
    """Keep control characters of hostile files off the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text or "")
