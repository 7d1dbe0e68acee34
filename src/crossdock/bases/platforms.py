"""Which of an image's platforms a target can run: operating system, architecture and variant.

The rules are containerd's: a variant that says nothing is the architecture's first, and a machine also runs what was
made for a lower one, if there is nothing better.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.targets import Platform
    from crossdock.verify.platforms import Platform as ImagePlatform

__all__ = ["fitness", "platform_of", "same_machine", "wanted_platform"]

_DEFAULTS = {"amd64": "v1", "arm64": "v8", "arm": "v7", "riscv64": "rva20u64"}
_LEVEL = re.compile(r"v?([0-9]{1,2})(?:\.([0-9]{1,2}))?")


def platform_of(value: object) -> ImagePlatform | None:
    """Read the platform of an index entry or a config; None if it names no operating system or architecture."""
    from crossdock.verify.platforms import Platform as ImagePlatform

    return ImagePlatform.from_json(value) if isinstance(value, dict) else None


def wanted_platform(platform: Platform) -> ImagePlatform:
    """Give a target's platform as images spell it."""
    found = platform_of(platform.oci)
    assert found is not None  # noqa: S101  a target has both fields
    return found


def fitness(offered: ImagePlatform, wanted: ImagePlatform) -> tuple[int, int] | None:
    """Say how well an image's platform serves a target: the more, the better; None if not at all."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return None
    mine, yours = _level(offered), _level(wanted)
    if mine is None or yours is None:  # variants without an order: one is the other, or is not
        return (0, 0) if _variant(offered) == _variant(wanted) else None
    return mine if mine <= yours else None


def same_machine(entry: ImagePlatform, config: Mapping[str, object]) -> bool:
    """Say whether a config is for the machine that its entry in an index says.

    A config of some tools names no variant: then the entry's counts.
    """
    own = platform_of(config)
    if own is None or (own.os, own.architecture) != (entry.os, entry.architecture):
        return False
    if not own.variant or not entry.variant:
        return True
    mine, other = _level(own), _level(entry)
    return _variant(own) == _variant(entry) if mine is None or other is None else mine == other


def _variant(platform: ImagePlatform) -> str:
    return platform.variant or _DEFAULTS.get(platform.architecture, "")


def _level(platform: ImagePlatform) -> tuple[int, int] | None:
    match = _LEVEL.fullmatch(_variant(platform)) if platform.architecture in {"amd64", "arm64", "arm"} else None
    return (int(match[1]), int(match[2] or 0)) if match else None
