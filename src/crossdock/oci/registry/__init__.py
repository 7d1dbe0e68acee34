"""The registry client (OCI distribution-spec 1.1): pulling, pushing, tags and referrers.

Make one `Registries` for a run; it hands out a `Repository` for each reference, all sharing connections and tokens.
Names are imported when they are first used, so that a run that needs no registry pays for none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.oci.registry.push import PushedBlob, PushStats, Remote, push_image
    from crossdock.oci.registry.registries import Registries
    from crossdock.oci.registry.repository import Repository
    from crossdock.oci.registry.settings import RegistrySettings

__all__ = ["PushStats", "PushedBlob", "Registries", "RegistrySettings", "Remote", "Repository", "push_image"]

_HOMES = {
    "push": ("PushStats", "PushedBlob", "Remote", "push_image"),
    "registries": ("Registries",),
    "repository": ("Repository",),
    "settings": ("RegistrySettings",),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
