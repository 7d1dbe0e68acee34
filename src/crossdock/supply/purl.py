"""Package URLs (the purl specification): one spelling for a package, whatever kind it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["debian_purl", "generic_purl", "image_purl", "purl", "python_purl"]

#: Characters that stay as they are, beside letters and digits. The colon is spelled out in namespaces and names only.
_PLAIN = "-._~"


def purl(
    kind: str, name: str, version: str, *, namespace: str = "", qualifiers: Mapping[str, str] | None = None
) -> str:
    """Write a package URL in its canonical form.

    Args:
        kind: The type, such as ``pypi``.
        name: As the type's own rules have it.
        version: Empty if it has none.
        namespace: One segment; empty if the type has none.
        qualifiers: Those with an empty value are left out, as the specification asks.
    """
    path = "/".join(quote(part, safe=_PLAIN) for part in (namespace, name) if part)
    at = f"@{quote(version, safe=_PLAIN + ':')}" if version else ""
    given = sorted((key, value) for key, value in (qualifiers or {}).items() if value)
    query = "&".join(f"{key}={quote(value, safe=_PLAIN + ':/')}" for key, value in given)
    return f"pkg:{kind}/{path}{at}" + (f"?{query}" if query else "")


def python_purl(name: str, version: str, *, vcs_url: str = "") -> str:
    """Name a Python distribution by its normalised name; ``vcs_url`` is that of one built from a repository."""
    return purl("pypi", name, version, qualifiers={"vcs_url": vcs_url})


def debian_purl(name: str, version: str, *, architecture: str, suite: str) -> str:
    """Name a binary package of Debian."""
    return purl("deb", name, version, namespace="debian", qualifiers={"arch": architecture, "distro": suite})


def image_purl(name: str, digest: str, *, architecture: str, tag: str = "", repository_url: str = "") -> str:
    """Name an image by its digest; ``name`` is the last part of its repository's."""
    qualifiers = {"arch": architecture, "tag": tag, "repository_url": repository_url}
    return purl("oci", name.lower(), digest, qualifiers=qualifiers)


def generic_purl(name: str, version: str) -> str:
    """Name what no package manager knows."""
    return purl("generic", name, version)
