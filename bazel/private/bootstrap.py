"""Makes ``crossdock.pyz`` from crossdock's source and the wheels it needs, before there is any crossdock to run.

Bazel's repository rules run it on the host's Python; it needs nothing but that Python and crossdock's own source,
whose reader of pip's and uv's configuration it shares. The index it asks is the user's; credentials are printed as
part of the answer to Bazel, which keeps them to itself, and nowhere else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import ssl
import sys
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.bazel.plain_pages import Link

_LINE: Final = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>[0-9.]+)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)", re.ASCII
)
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
#: What is asked for: JSON (PEP 691), or HTML (PEP 503).
_ACCEPT: Final = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
#: The first time a zip can hold; a time of our own would make other bytes each day.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_LARGEST_PAGE: Final = 64 << 20
#: As the command line has it.
_RETRIES: Final = 4
_BACKOFF: Final = 0.3
_FIRST_PYTHON: Final = (3, 11)
#: The zipapp's entry point. Its first lines are understood by every Python 3, so that an old one says what is wrong.
_MAIN: Final = """\
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "error: crossdock needs Python 3.11 or later, this is %d.%d\\n"
        "  hint: register a newer Python toolchain for the machines that run actions; see docs/bazel.md"
        % sys.version_info[:2]
    )

from crossdock.bazel.main import run

run()
"""


class BootstrapError(Exception):
    """Something a user can put right."""


class Requirement(NamedTuple):
    """A distribution, and the files that may be taken for it."""

    name: str
    version: str
    hashes: frozenset[str]


def main(arguments: list[str]) -> int:
    """Run ``resolve`` or ``pack``."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    resolve = commands.add_parser("resolve", help="say where the wheels are, as JSON")
    resolve.add_argument("--host", type=Path, metavar="PYZ", help="take what this machine can run; needs crossdock.pyz")
    pack = commands.add_parser("pack", help="write the zipapp")
    pack.add_argument("--wheels", type=Path, required=True)
    pack.add_argument("--out", type=Path, required=True)
    for command in (resolve, pack):
        command.add_argument("--requirements", type=Path, required=True)
        command.add_argument("--source", type=Path, required=True, help="the folder that holds the package crossdock")
    options = parser.parse_args(arguments)
    if sys.version_info < _FIRST_PYTHON:
        print("error: Python 3.11 or later is needed", file=sys.stderr)
        return 1
    sys.path.insert(0, str(options.source))
    sys.dont_write_bytecode = True
    from crossdock.errors import CrossdockError

    try:
        requirements = list(read_requirements(options.requirements))
        if options.command == "pack":
            write_zipapp(options.source, requirements, options.wheels, options.out)
        else:
            print(json.dumps(Index().find(requirements, options.host), sort_keys=True))
    except (BootstrapError, CrossdockError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def read_requirements(path: Path) -> Iterator[Requirement]:
    """Read lines of the form ``NAME==VERSION --hash=sha256:…``.

    Raises:
        BootstrapError: A line has another form.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise BootstrapError(f"{path.name}: {line[:80]!r} is not NAME==VERSION --hash=sha256:…")
        yield Requirement(match["name"], match["version"], frozenset(_HASH.findall(match["hashes"])))


class Index:
    """The user's package index."""

    def __init__(self) -> None:
        import os

        from crossdock.store.config import load_index_config
        from crossdock.store.connections import Connections, tls_context
        from crossdock.store.credentials import Credentials

        config = load_index_config()
        self._pages = frozenset(config.find_links)
        self._urls = [*(_simple(url) for url in _indexes(config)), *config.find_links]
        self._credentials = Credentials(os.environ, self._urls)
        self._timeout = Connections(os.environ).read_timeout
        context = tls_context(os.environ, config.ca_bundle)
        self._opener = build_opener(_SameOrigin(), HTTPSHandler(context=context))
        #: What is wrong with places that do not answer: they are not asked again.
        self._silent: dict[str, str] = {}

    def find(self, requirements: Iterable[Requirement], host: Path | None) -> list[dict[str, Any]]:
        """Say where the wheels are: for each its name, SHA-256, URL, and ``auth`` as Bazel's downloader takes it.

        Args:
            requirements: Which ones.
            host: ``crossdock.pyz``, if only files that this machine can run count.

        Raises:
            BootstrapError: No index has one of them.
        """
        fits = _fitting(host) if host else lambda _: True
        return [self._answer(requirement, fits) for requirement in requirements]

    def _answer(self, requirement: Requirement, fits: Any) -> dict[str, Any]:  # noqa: ANN401 - a function
        from crossdock.errors import IndexPageError

        troubles = []
        for place in self._urls:
            try:
                links = self._links(place, requirement.name)
            except (BootstrapError, IndexPageError, OSError, ValueError) as error:
                troubles.append(f"{_shown(place)}: {_shown(str(error))}")
                continue
            for link in links:
                wanted = link.sha256 in requirement.hashes if link.sha256 else _is_wheel_of(link, requirement)
                if wanted and fits(link.filename):
                    return self._entry(requirement, link)
            troubles.append(f"{_shown(place)}: {_unfit(links, requirement)}")
        raise BootstrapError(
            f"{requirement.name} {requirement.version} was not found\n"
            + "".join(f"  why: {trouble}\n" for trouble in troubles)
            + "  hint: crossdock's Bazel rules need it at repository time; let the package index that pip or uv is "
            "configured with have it,\n  or use a release archive of crossdock, which brings crossdock.pyz"
        )

    def _entry(self, requirement: Requirement, link: Link) -> dict[str, Any]:
        from crossdock.store.urls import split_credentials

        bare, own = split_credentials(link.url)
        header = self._header(bare)
        auth = None
        if own or header:
            import base64

            pair = own or tuple(base64.b64decode(str(header).removeprefix("Basic ")).decode().split(":", 1))
            auth = {"type": "basic", "login": pair[0], "password": pair[1]}
        hashes = [link.sha256] if link.sha256 else sorted(requirement.hashes)
        return {
            "requirement": f"{requirement.name}=={requirement.version}",
            "filename": link.filename,
            "sha256": hashes[0],
            "url": bare,
            "auth": auth,
        }

    def _header(self, url: str) -> str | None:
        if urlsplit(url).scheme not in ("http", "https"):
            return None
        from crossdock.store.parallel import Cancellation

        return self._credentials.header_for(url, Cancellation())

    def _links(self, place: str, name: str) -> list[Link]:
        """Give the files a place has of a distribution: a folder, an index's page, or a page of links."""
        from crossdock.bazel.plain_pages import Link, read_page
        from crossdock.store.pages import safe_filename
        from crossdock.store.parallel import Cancellation
        from crossdock.store.retries import retrying
        from crossdock.store.urls import local_path, split_credentials

        folder = local_path(place)
        if folder is not None:
            page = folder / name / "index.html"
            if page.is_file():
                return read_page(page.read_bytes(), "text/html", page.absolute().as_uri())
            if not folder.is_dir():
                raise BootstrapError("there is no such folder")
            return [Link(path.name, path.absolute().as_uri(), "") for path in sorted(folder.glob("*.whl"))]
        if place in self._silent:
            raise BootstrapError(self._silent[place])
        url, _ = split_credentials(place)
        url = url if place in self._pages else urljoin(url, f"{name}/")
        header = self._header(url)
        fields = {"Accept": _ACCEPT, "User-Agent": "crossdock", **({"Authorization": header} if header else {})}

        def page_of() -> list[Link]:
            return self._page(place, Request(url, headers=fields))  # noqa: S310 - pip's and uv's settings have web URLs

        found = retrying(page_of, retries=_RETRIES, backoff=_BACKOFF, cancellation=Cancellation())
        return [
            link for link in found if safe_filename(link.filename) and urlsplit(link.url).scheme in ("http", "https")
        ]

    def _page(self, place: str, request: Request) -> list[Link]:
        """Read a page once.

        Raises:
            BootstrapError: There is none.
            IndexPageError: It is none of a package index.
            TransientError: It cannot be read now.
        """
        from crossdock.bazel.plain_pages import read_page
        from crossdock.store.http_errors import TRANSIENT
        from crossdock.store.retries import TransientError, parse_retry_after

        self._silent.pop(place, None)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                body = answer.read(_LARGEST_PAGE + 1)
                left, kind, url = answer.length, answer.headers.get_content_type(), answer.geturl()
        except HTTPError as error:
            with error:
                failure = BootstrapError(f"it answers {error.code} {error.reason}")
                if error.code not in TRANSIENT:
                    raise failure from None
                wait = parse_retry_after(error.headers.get("Retry-After"))
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            failure, wait = BootstrapError(f"it cannot be read: {reason or type(reason).__name__}"), None
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise failure from None
        else:
            if len(body) > _LARGEST_PAGE:
                raise BootstrapError(f"its page is larger than {_LARGEST_PAGE >> 20} MiB")
            if not left:
                return read_page(body, kind, url)
            failure, wait = BootstrapError(f"its page ends {left} bytes early"), None
        self._silent[place] = str(failure)
        raise TransientError(failure, retry_after=wait)  # type: ignore[arg-type] # it is raised as it is


class _SameOrigin(HTTPRedirectHandler):
    """Follows redirects, but takes no credentials to another place, and never from TLS to none."""

    def redirect_request(self, req: Request, *rest: Any) -> Request | None:  # noqa: ANN401 - as the parent's
        from crossdock.store.urls import origin

        new = super().redirect_request(req, *rest)
        if new is not None and origin(new.full_url) != origin(req.full_url):
            new.remove_header("Authorization")
            if urlsplit(req.full_url).scheme == "https" and urlsplit(new.full_url).scheme != "https":
                raise ValueError("it redirects from https to another scheme")
        return new


def _unfit(links: Iterable[Link], requirement: Requirement) -> str:
    """Say why none of the files is taken."""
    start = f"{requirement.name.replace('-', '_')}-{requirement.version}-"
    others = [link.filename for link in links if link.filename.lower().startswith(start)]
    if not others:
        return f"it has no version {requirement.version}"
    return f"no file of it has the hash that is known, or fits this machine: {', '.join(sorted(others)[:5])}"


def _indexes(config: Any) -> list[str]:  # noqa: ANN401 - crossdock is importable only once its source was named
    """Return the configured indexes; where none is, the one that pip knows.

    Raises:
        BootstrapError: None is configured, and there is no pip.
    """
    if config.index_url is not None:
        return [url for url in (config.index_url, *config.extra_index_urls) if url]
    try:
        from pip._internal.models.index import PyPI  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        if config.extra_index_urls or config.find_links:
            return list(config.extra_index_urls)
        raise BootstrapError(
            "no package index is known\n"
            f"  why: neither pip nor uv is configured with one, and {sys.executable} has no pip to ask\n"
            "  hint: set PIP_INDEX_URL or UV_DEFAULT_INDEX for Bazel (--repo_env=PIP_INDEX_URL=…), or index-url in "
            "pip.conf or uv.toml, or use a Python that has pip (CROSSDOCK_PYTHON)"
        ) from None
    return [PyPI.simple_url, *config.extra_index_urls]


def _simple(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"


def _shown(text: str) -> str:
    from crossdock.store.urls import redact, scrub

    return redact(text) if "://" in text and " " not in text else scrub(text)


def _is_wheel_of(link: Link, requirement: Requirement) -> bool:
    """Whether a file without a hash can be a requirement's one wheel; Bazel compares the hash once it has the file."""
    stem, _, suffix = link.filename.rpartition(".")
    name, _, rest = stem.partition("-")
    same = re.sub(r"[-_.]+", "-", name).lower() == requirement.name and rest.startswith(f"{requirement.version}-")
    return suffix == "whl" and same and len(requirement.hashes) == 1


def _fitting(pyz: Path) -> Any:  # noqa: ANN401 - a function
    """Return what says whether this machine can run a wheel, by its tags (PEP 425)."""
    sys.path.insert(0, str(pyz))
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    known = set(sys_tags())

    def fits(filename: str) -> bool:
        try:
            return not known.isdisjoint(parse_wheel_filename(filename)[3])
        except InvalidWheelFilename:
            return False

    return fits


def write_zipapp(source: Path, requirements: Iterable[Requirement], wheels: Path, out: Path) -> None:
    """Write the zipapp: the same bytes for the same source and wheels, on every machine.

    Args:
        source: The folder that holds the package.
        requirements: The wheels that belong to it.
        wheels: The folder they are in.
        out: The file.

    Raises:
        BootstrapError: A wheel is missing or not the one that is known, or two have a file in common.
    """
    entries = {"__main__.py": _MAIN.encode()}
    for path in sorted((source / "crossdock").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            entries[path.relative_to(source).as_posix()] = path.read_bytes()
    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(wheels.glob("*.whl"))}
    for requirement in requirements:
        wheel = next((found[digest] for digest in sorted(requirement.hashes) if digest in found), None)
        if wheel is None:
            raise BootstrapError(f"{requirement.name} {requirement.version}: no wheel has the hash that is known")
        for name, content in _contents(wheel):
            if entries.setdefault(name, content) != content:
                raise BootstrapError(f"{wheel.name} holds {name}, as another wheel does")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, entries[name])


def _contents(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if not info.is_dir() and ".data/" not in info.filename:
                yield info.filename, archive.read(info)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
