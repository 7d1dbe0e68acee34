"""Who we are to a registry, and where that was found."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Account"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Credentials for a registry; none of their values is ever shown.

    Attributes:
        source: Where they were found; may be shown.
        user: User name.
        password: Password, or a token in its place.
        identity_token: What is exchanged for access tokens instead of a password (OAuth 2's refresh token).
        registry_token: An access token that is sent as it is.
    """

    source: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be in any message."""
        return tuple(filter(None, (self.password, self.identity_token, self.registry_token)))
