"""Lists that registries give page by page (OCI distribution-spec, "Listing Tags" and "Listing Referrers")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from crossdock.errors import RegistryContentError
from crossdock.oci.registry.reading import parse_json, read_limited, wrong
from crossdock.store.urls import origin, split_credentials

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from crossdock.oci.registry.access import Scope
    from crossdock.oci.registry.client import Client

__all__ = ["next_page", "pages", "tag_names"]

_PAGE_LIMIT = 8 << 20
_MOST_PAGES = 1000
_MOST_TAGS = 1_000_000
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
# Nothing is given back once it matched: else blanks could be shared out in so many ways that a header takes for ever.
_LINK = re.compile(
    r"""\s*+<([^<>\s]*+)>((?:\s*+;\s*+[^\s;,="]++\s*+(?:=\s*+(?:"[^"]*+"|[^\s;,"]*+))?+)*+)\s*+(?:,|$)"""
)
_NEXT = re.compile(r"""(?:^|;)\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\s*(?=;|$))""", re.IGNORECASE)
_LONGEST_HEADER = 16384


def next_page(header: str) -> str:
    """Give the target of a ``Link`` header's entry with ``rel=next`` (RFC 8288); empty if there is none."""
    position, text = 0, header[:_LONGEST_HEADER]
    while match := _LINK.match(text, position):
        if _NEXT.search(match[2]):
            return match[1]
        if match.end() == position:
            break
        position = match.end()
    return ""


def pages(
    client: Client, path: str, scope: Scope, *, what: str, expected: Collection[int] = ()
) -> Iterator[tuple[bytes, Mapping[str, str]]]:
    """Read a list page by page.

    Args:
        client: The registry.
        path: Of the first page.
        scope: What reading it needs to be allowed.
        what: What fails if this fails.
        expected: Statuses of the first page that the caller knows what to do with.

    Yields:
        A page and the headers it came with.

    Raises:
        RefusedAnswer: The status is one of ``expected``.
        RegistryContentError: There is no end of pages, or one leads to another server.
    """
    target, seen = path, set[str]()
    while target:
        if target in seen or len(seen) >= _MOST_PAGES:
            raise RegistryContentError(what, why=f"the list has no end: {len(seen)} pages were read")
        seen.add(target)

        def read(target: str = target) -> tuple[bytes, str, Mapping[str, str]]:
            with client.ask("GET", target, scope, what=what, expected=expected) as answer:
                return read_limited(answer, _PAGE_LIMIT, client.patience, what=what), answer.url, answer.headers

        data, url, headers = client.retrying(read)
        yield data, headers
        target = _following(client.base(what), url, next_page(headers.get("link", "")), what)


def tag_names(client: Client, repository: str, scope: Scope, *, what: str) -> Iterator[str]:
    """List the tags of a repository; arguments and errors as `pages`."""
    count = 0
    for page, _ in pages(client, f"/v2/{repository}/tags/list?n=1000", scope, what=what):
        names = parse_json(page, what=what).get("tags") or []
        if not isinstance(names, list):
            raise wrong(what, "the registry sends something else than a list of tags")
        count += len(names)
        if count > _MOST_TAGS:
            raise wrong(what, f"there are more than {_MOST_TAGS}")
        yield from (name for name in names if isinstance(name, str) and _TAG.fullmatch(name))


def _following(base: str, url: str, target: str, what: str) -> str:
    if not target:
        return ""
    try:
        following, _ = split_credentials(urljoin(url, target))
        same = origin(following) == origin(base)
    except ValueError:
        same = False
    if not same:
        raise RegistryContentError(what, why="the next page of the list is said to be on another server")
    return following
