"""Project pages of a package index, as values.

The simple repository API: HTML pages (PEP 503, with PEP 592 yanking) and JSON pages (PEP 691, with PEP 700 sizes).
What a page says is never trusted further than to find a file, whose bytes must then have the SHA-256 the lock names.
"""

from __future__ import annotations

import re
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from crossdock.errors import IndexPageError
from crossdock.store.urls import redact, split_credentials

if TYPE_CHECKING:
    from crossdock.store.downloads import Document

__all__ = ["IndexFile", "accept_header", "parse_page", "safe_filename"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file that an index offers.

    Attributes:
        filename: Its name: one plain path component.
        url: Where it is: an http, https or file URL, without credentials or fragment.
        sha256: Its SHA-256, if the index gives it.
        size: Its length in bytes, if the index gives it.
        requires_python: The Python versions it says it is for; empty if it says nothing.
        yanked: Whether its author has withdrawn it.
        metadata_sha256: SHA-256 of its METADATA, if the index has that beside it (PEP 658, PEP 714).
    """

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    requires_python: str = ""
    yanked: bool = False
    metadata_sha256: str | None = None


_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_HTML_TYPES = frozenset({"", "text/html", "application/xhtml+xml", "application/vnd.pypi.simple.v1+html"})
# A link to a part of a page is no link to a file, and mousebender takes every fragment for a hash. Looking ahead for a
# link ends where the next begins, so that a page of nothing else is not read 4096 times.
_PART_OF_PAGE = re.compile(
    r"""(\bhref\s*=\s*["']?(?:(?!href=)[^"'#>\s]){0,4096})#[^"'=>\s]{0,4096}(?=["'>\s])""", re.IGNORECASE
)
# warnings.catch_warnings changes the state of the whole process.
_WARNINGS_LOCK = threading.Lock()


def accept_header() -> str:
    """Return the ``Accept`` header of PEP 691: JSON if there is any, else HTML."""
    from mousebender import simple

    return simple.ACCEPT_SUPPORTED


def parse_page(document: Document, name: str) -> list[IndexFile]:
    """Read a project page.

    Files whose name or URL could not be used safely are left out.

    Args:
        document: The page.
        name: The project's name.

    Raises:
        IndexPageError: The page is in no form the API allows.
    """
    try:
        details = _details(document, name)
        entries = list(details["files"])
    except Exception as error:  # the parsers meet hostile text, and any way they fail means the same
        why = str(error) if isinstance(error, (TypeError, ValueError)) else type(error).__name__
        raise IndexPageError(
            f"cannot understand the page of {name} at {redact(document.url)}",
            why=why[:200],
            hint="check that the index URL is that of a simple index (PEP 503), not of a web site",
        ) from error
    files = (_file(entry, document.url) for entry in entries if isinstance(entry, dict))
    return [file for file in files if file is not None]


def _details(document: Document, name: str) -> Any:  # noqa: ANN401 - nothing is known of a hostile page's shape
    from mousebender import simple

    text = document.body.decode("utf-8", errors="replace")
    if document.content_type == simple.ACCEPT_JSON_V1:
        details: Any = simple.parse_project_details(text, simple.ACCEPT_JSON_V1, name)
        version = details["meta"]["api-version"]
        if str(version).partition(".")[0] != "1":
            raise ValueError("its API version is not 1")
        return details
    if document.content_type not in _HTML_TYPES:
        raise ValueError(f"its media type is {document.content_type!r}")
    with _WARNINGS_LOCK, warnings.catch_warnings():
        # Later minor versions only add to what is read here (PEP 629).
        warnings.simplefilter("ignore", simple.APIVersionWarning)
        return simple.from_project_details_html(_PART_OF_PAGE.sub(r"\1", text), name)


def _file(entry: dict[str, Any], page_url: str) -> IndexFile | None:
    filename, target = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(target, str) or not safe_filename(filename):
        return None
    url = _resolve(target, page_url)
    if url is None:
        return None
    size, requires = entry.get("size"), entry.get("requires-python")
    return IndexFile(
        filename=filename,
        url=url,
        sha256=_sha256(entry.get("hashes")),
        size=size if type(size) is int and size >= 0 else None,
        requires_python=requires if isinstance(requires, str) else "",
        yanked=entry.get("yanked") not in (None, False),
        metadata_sha256=_sha256(entry.get("core-metadata", entry.get("dist-info-metadata"))),
    )


def _sha256(hashes: object) -> str | None:
    value = hashes.get("sha256") if isinstance(hashes, dict) else None
    return value.lower() if isinstance(value, str) and _SHA256.fullmatch(value) else None


def _resolve(target: str, page_url: str) -> str | None:
    """Return a link's URL without credentials or fragment; None if such a page must not link there."""
    try:
        url, _ = split_credentials(urljoin(page_url, target).partition("#")[0])
        scheme, page_scheme = urlsplit(url).scheme, urlsplit(page_url).scheme
    except ValueError:
        return None
    # Only a page on this machine may name files on it.
    allowed = ("http", "https", "file") if page_scheme == "file" else ("http", "https")
    return url if scheme in allowed else None


def safe_filename(name: str) -> bool:
    """Whether a name is one plain path component."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set('/\\:*?"<>|')
