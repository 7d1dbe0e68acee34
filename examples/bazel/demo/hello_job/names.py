"""Domain names as the network spells them."""

import idna


def encode(name: str) -> str:
    """Give a domain name in ASCII."""
    return idna.encode(name).decode("ascii")
