"""What a user can set about Debian bases, and the Debian name of an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import UnsupportedBaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["KEYRING_VARIABLE", "MIRROR_VARIABLE", "SECURITY_VARIABLE", "DebianConfig", "debian_architecture"]

MIRROR_VARIABLE = "CROSSDOCK_DEBIAN_MIRROR"
SECURITY_VARIABLE = "CROSSDOCK_DEBIAN_SECURITY_MIRROR"
KEYRING_VARIABLE = "CROSSDOCK_DEBIAN_KEYRING"

# OCI's name on the left, Debian's on the right.
_ARCHITECTURES = {"amd64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianConfig:
    """Settings for Debian bases; every one may be left out.

    Attributes:
        mirror: URL of the archive, the folder that holds ``dists/`` and ``pool/``.
        security_mirror: URL of the security archive.
        keyring: File with the archive's OpenPGP certificates.
        check_valid_until: Refuse an index whose ``Valid-Until`` has passed. Snapshot mirrors need it off.
    """

    mirror: str | None = None
    security_mirror: str | None = None
    keyring: Path | None = None
    check_valid_until: bool = True

    def with_environment(self, environ: Mapping[str, str]) -> DebianConfig:
        """Fill what is not set from ``CROSSDOCK_DEBIAN_*`` variables of ``environ``; empty ones count as unset."""
        from pathlib import Path

        keyring = environ.get(KEYRING_VARIABLE)
        return DebianConfig(
            mirror=self.mirror or environ.get(MIRROR_VARIABLE) or None,
            security_mirror=self.security_mirror or environ.get(SECURITY_VARIABLE) or None,
            keyring=self.keyring or (Path(keyring) if keyring else None),
            check_valid_until=self.check_valid_until,
        )


def debian_architecture(architecture: str) -> str:
    """Give Debian's name for an OCI architecture such as ``arm64``.

    Raises:
        UnsupportedBaseError: Debian bases are not made for this architecture.
    """
    if architecture not in _ARCHITECTURES:
        raise UnsupportedBaseError(
            f"there is no Debian base for architecture {architecture!r}",
            hint=f"build for one of {', '.join(sorted(_ARCHITECTURES))}",
        )
    return _ARCHITECTURES[architecture]
