"""Where the package index is: as the user has already told uv or pip.

Each of the three settings is taken from the first source that has it: ``CROSSDOCK_INDEX_URL``, uv's environment
variables, pip's, uv's configuration files, pip's. Nothing is looked up by name alone: every file is chosen by the
SHA-256 in the lock, so more places to look in never mean other files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import IndexConfigError
from crossdock.store.places import Host, Places
from crossdock.store.urls import local_path, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["IndexConfig", "default_index_url", "load_index_config"]

INDEX_VARIABLE = "CROSSDOCK_INDEX_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """Where to look for files.

    URLs may hold credentials, so none are shown by ``repr``.

    Attributes:
        index_url: The package index: a URL, or the path of a folder in the same arrangement; empty for none, None for
            the default, which is only looked up when it is needed.
        extra_index_urls: Further indexes, in order.
        find_links: Folders of files, or pages that link to files: paths or URLs.
        ca_bundle: The CA bundle pip is configured with, if any.
    """

    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    ca_bundle: str | None = None

    def indexes(self) -> tuple[str, ...]:
        """Return the package indexes, in order."""
        first = default_index_url() if self.index_url is None else self.index_url
        return tuple(filter(None, (first, *self.extra_index_urls)))

    def urls(self) -> tuple[str, ...]:
        """Return all the places; give them to `HttpClient` as ``trusted_urls``."""
        return (*self.indexes(), *self.find_links)

    def identity(self) -> list[str]:
        """Return what tells these places from others, without credentials; costs no look-up of the default."""
        first = "default" if self.index_url is None else self.index_url
        return [redact(url) for url in (first, *self.extra_index_urls, *self.find_links)]


def load_index_config(project: Path | None = None, *, host: Host | None = None) -> IndexConfig:
    """Find out where the package index is.

    Args:
        project: The project's folder; uv's configuration is also looked for there and in its parents.
        host: The machine; this one if absent.

    Raises:
        IndexConfigError: A configuration file cannot be understood, or names something that is no index.
    """
    sources = tuple(_sources(project, host or Host.current()))
    config = IndexConfig(
        index_url=next((s.index_url for s in sources if s.index_url), None),
        extra_index_urls=next((s.extra_index_urls for s in sources if s.extra_index_urls), ()),
        find_links=next((s.find_links for s in sources if s.find_links), ()),
        ca_bundle=next((s.ca_bundle for s in sources if s.ca_bundle), None),
    )
    _check((*filter(None, (config.index_url,)), *config.extra_index_urls, *config.find_links))
    return config


def default_index_url() -> str:
    """Return the simple index of the public registry that distlib knows."""
    from distlib.index import DEFAULT_INDEX

    return str(DEFAULT_INDEX).rstrip("/").removesuffix("/pypi") + "/simple/"


def _sources(project: Path | None, host: Host) -> Iterator[Places]:
    from crossdock.store import pip_config, uv_config

    yield Places(index_url=host.environ.get(INDEX_VARIABLE, "").strip())
    yield uv_config.from_environment(host.environ)
    yield pip_config.from_environment(host.environ)
    yield from uv_config.from_files(project, host)
    yield pip_config.from_files(host)


def _check(urls: Iterable[str]) -> None:
    for url in urls:
        try:
            known = local_path(url) is not None or urlsplit(url).scheme.lower() in ("http", "https")
        except ValueError:
            known = False
        if not known:
            raise IndexConfigError(
                f"{redact(url)} is not a package index that can be read",
                why="only http, https and file URLs and paths can be",
                hint=f"correct the index in uv's or pip's configuration, or set {INDEX_VARIABLE}",
            )
