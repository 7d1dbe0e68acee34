"""Pages of package indexes, read by the standard library alone: before there is a zipapp, there is nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from crossdock.errors import IndexPageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Link", "read_page"]

_HASH: Final = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)


class Link(NamedTuple):
    """A file an index has; ``sha256`` is empty if the index does not say."""

    filename: str
    url: str
    sha256: str


def read_page(body: bytes, kind: str, url: str) -> list[Link]:
    """Read a page (PEP 503, PEP 691).

    Raises:
        IndexPageError: It is none of a package index.
    """
    if "json" not in kind and "html" not in kind:
        raise IndexPageError(f"it answers with {kind!r}, which no package index does (PEP 503, PEP 691)")
    text = body.decode("utf-8", errors="replace")
    try:
        links = list((_json_links if "json" in kind else _html_links)(text, url))
    except (ValueError, RecursionError, AssertionError) as error:  # all that the parsers raise for what is none
        raise IndexPageError(f"its answer is not {kind} of a package index: {error}") from None
    if not links:
        raise IndexPageError("its page names no files: is it a package index (PEP 503, PEP 691)?")
    return links


class _Anchors(HTMLParser):
    """Collects links, and the page's base."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.links.append(target)
        elif tag == "base" and target:
            self.base = target


def _html_links(text: str, url: str) -> Iterator[Link]:
    parser = _Anchors()
    parser.feed(text)
    for target in parser.links:
        bare, fragment = urldefrag(urljoin(urljoin(url, parser.base), target))
        match = _HASH.search(fragment)
        yield Link(unquote(urlsplit(bare).path.rpartition("/")[2]), bare, match[1] if match else "")


def _json_links(text: str, url: str) -> Iterator[Link]:
    document = json.loads(text)
    files = document.get("files") if isinstance(document, dict) else None
    if not isinstance(files, list):
        raise ValueError("it has no list of files")  # noqa: TRY004 - as for all else that is no page
    for entry in filter(lambda item: isinstance(item, dict), files):
        filename, target, hashes = entry.get("filename"), entry.get("url"), entry.get("hashes")
        sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
        if isinstance(filename, str) and isinstance(target, str):
            yield Link(filename, urljoin(url, target), sha256 if isinstance(sha256, str) else "")
