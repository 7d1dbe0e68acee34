"""Where the package index is: as the user has already told uv or pip.

Each setting is taken from the first source that has it: ``CROSSDOCK_INDEX_URL``, uv's environment variables, pip's,
uv's configuration files, pip's. Nothing is looked up by name alone: every file is chosen by the SHA-256 in the lock,
so more places to look in never mean other files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import IndexConfigError
from crossdock.store.places import KEYRING_PROVIDERS, Host, Places
from crossdock.store.urls import local_path, redact, scrub

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["IndexConfig", "check_places", "default_index_url", "load_index_config"]

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
        named: Indexes that have a name, those used for assigned packages only included: names and URLs.
        assigned: Packages that are looked for in an index of their own first: normalized names and URLs.
        keyring: Whether passwords may be looked up in a keyring.
    """

    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    ca_bundle: str | None = None
    named: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    assigned: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    keyring: bool = False

    def indexes(self) -> tuple[str, ...]:
        """Return the package indexes, in order."""
        first = default_index_url() if self.index_url is None else self.index_url
        return tuple(filter(None, (first, *self.extra_index_urls)))

    def urls(self) -> tuple[str, ...]:
        """Return all the places; give them to `HttpClient` as ``trusted_urls``."""
        named = (url for _, url in self.named)
        return tuple(dict.fromkeys((*self.indexes(), *self.find_links, *named)))

    def indexes_of(self, project: str) -> tuple[str, ...]:
        """Return the indexes that a package, by its normalized name, is looked for in first."""
        return tuple(url for name, url in self.assigned if name == project)

    def resolve_index(self, text: str) -> str:
        """Return the URL of an index given by its name or its URL; it may hold credentials.

        Raises:
            IndexConfigError: No index has that name, or it is no URL of one.
        """
        for name, url in self.named:
            if name == text:
                return url
        if "://" not in text and not text.startswith("file:"):
            names = ", ".join(sorted({scrub(name) for name, _ in self.named}))
            raise IndexConfigError(
                f"there is no index with the name {scrub(text[:80])!r}",
                why=f"these are known: {names}" if names else "no index has a name",
                hint="name it in a [[tool.uv.index]] table of pyproject.toml, or give its URL",
            )
        check_places((text,))
        return text

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
    index_url = next((s.index_url for s in sources if s.index_url), None)
    extra = next((s.extra_index_urls for s in sources if s.extra_index_urls), ())
    if _no_index(sources):
        index_url, extra = "", ()
    named = {name: url for s in reversed(sources) for name, url in reversed(s.named)}
    config = IndexConfig(
        index_url=index_url,
        extra_index_urls=extra,
        find_links=next((s.find_links for s in sources if s.find_links), ()),
        ca_bundle=next((s.ca_bundle for s in sources if s.ca_bundle), None),
        named=tuple(sorted(named.items())),
        assigned=tuple(_assigned(sources, named)),
        keyring=_keyring(next((s.keyring_provider for s in sources if s.keyring_provider), "")),
    )
    check_places((*filter(None, (config.index_url,)), *config.extra_index_urls, *config.find_links, *named.values()))
    return config


def _no_index(sources: Sequence[Places]) -> bool:
    """Whether no index may be asked: the first source that names one, or says that there is none, decides."""
    for source in sources:
        if source.no_index is not None:
            return source.no_index
        if source.index_url:
            return False
    return False


def _assigned(sources: Iterable[Places], named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, index in (pair for source in sources for pair in source.assigned):
        from packaging.utils import canonicalize_name

        if index in named:
            yield canonicalize_name(name), named[index]


def _keyring(provider: str) -> bool:
    if provider and provider not in KEYRING_PROVIDERS:
        raise IndexConfigError(
            f"{scrub(provider[:80])!r} is not a keyring provider",
            why=f"these are known: {', '.join(KEYRING_PROVIDERS)}",
            hint="correct keyring-provider in uv's or pip's configuration, or their environment variables",
        )
    return provider not in ("", "disabled")


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


def check_places(urls: Iterable[str]) -> None:
    """Check that URLs and paths are of a kind that can be read.

    Raises:
        IndexConfigError: One is not.
    """
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
