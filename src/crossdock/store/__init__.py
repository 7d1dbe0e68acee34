"""Keeping and fetching files by their SHA-256; this package knows nothing of what the bytes mean.

Names are imported when they are first used, so that a run that needs no network pays for none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.store.actions import JSON, action_key
    from crossdock.store.blobs import BlobWriter, Store
    from crossdock.store.config import IndexConfig, load_index_config
    from crossdock.store.downloads import FileRequest, fetch, read_url
    from crossdock.store.http import HttpClient
    from crossdock.store.index import HashQuery, find_by_hashes, find_files, find_many
    from crossdock.store.pages import IndexFile
    from crossdock.store.progress import Progress, terminal_progress

__all__ = [
    "JSON",
    "BlobWriter",
    "FileRequest",
    "HashQuery",
    "HttpClient",
    "IndexConfig",
    "IndexFile",
    "Progress",
    "Store",
    "action_key",
    "fetch",
    "find_by_hashes",
    "find_files",
    "find_many",
    "load_index_config",
    "read_url",
    "terminal_progress",
]

_HOMES = {
    "actions": ("JSON", "action_key"),
    "blobs": ("BlobWriter", "Store"),
    "config": ("IndexConfig", "load_index_config"),
    "downloads": ("FileRequest", "fetch", "read_url"),
    "http": ("HttpClient",),
    "index": ("HashQuery", "find_by_hashes", "find_files", "find_many"),
    "pages": ("IndexFile",),
    "progress": ("Progress", "terminal_progress"),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
