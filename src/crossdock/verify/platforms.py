"""The platform an image claims to be for: OCI's ``os``, ``architecture`` and ``variant``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Platform"]

# What an absent variant means, as container engines agree on it.
_DEFAULT_VARIANTS: Final = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform, as the "platform" object of an index or the fields of a config spell it.

    Attributes:
        os: ``linux``.
        architecture: ``amd64``, ``arm64``, ….
        variant: ``v8``, ``v7``, …; empty if not given.
    """

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Platform | None:
        """Take the fields out of a JSON object; None if one is missing or no text."""
        fields = data.get("os"), data.get("architecture"), data.get("variant", "")
        if not all(isinstance(item, str) for item in fields) or not fields[0] or not fields[1]:
            return None
        return cls(os=str(fields[0]), architecture=str(fields[1]), variant=str(fields[2]))

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read what ``str`` gave.

        Raises:
            ValueError: It is not that.
        """
        os, slash, rest = text.partition("/")
        architecture, _, variant = rest.partition("/")
        if not os or not slash or not architecture:
            raise ValueError(f"no platform: {text[:100]!r}")
        return cls(os=os, architecture=architecture, variant=variant)

    @property
    def is_unknown(self) -> bool:
        """Whether it is the mark of a manifest that is no image, such as a build attestation."""
        return self.os == self.architecture == "unknown"

    @property
    def canonical(self) -> tuple[str, str, str]:
        """The three fields, an absent variant taken for its default."""
        return self.os, self.architecture, self.variant or _DEFAULT_VARIANTS.get(self.architecture, "")

    def same_machine(self, other: Platform) -> bool:
        """Compare, taking an absent variant for its default."""
        return self.canonical == other.canonical

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
