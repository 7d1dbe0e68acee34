"""An index on the local machine, with wheels whose METADATA is read."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.support.wheelmaker import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Index", "serving", "sha256", "wheel"]

KEEP = re.compile(r"bytes=(?:(\d+)-(\d+)|-(\d+))")


class Index:
    """An index on the local machine, over HTTP; it knows ranges unless it is told not to.

    Attributes:
        ranges: Whether it knows ranges.
        span: What it says of a part, if not the truth: a template with ``first``, ``last`` and ``whole``.
        more: What it sends after a part.
        metadata: Whether it has METADATA beside wheels, and says so.
        attribute: By which attribute.
        asked: Paths that were asked for, and how much was sent.
        said: Hashes it says, by name of a file, if not the truth.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ranges = True
        self.span = "bytes {first}-{last}/{whole}"
        self.more = b""
        self.metadata = False
        self.attribute = "data-core-metadata"
        self.asked: list[tuple[str, int]] = []
        self.said: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.strip("/").rsplit("/", 1)[-1]
                if self.path.startswith("/simple/"):
                    files = [path for path in sorted(outer.folder.glob("*.whl")) if path.name.startswith(f"{name}-")]
                    body = "".join(outer.link(file) for file in files).encode()
                    self.answer(200, body, "text/html")
                elif name.endswith(".metadata"):
                    self.answer(200, outer.about(outer.folder / name.removesuffix(".metadata")), "text/plain")
                else:
                    self.part((outer.folder / name).read_bytes())

            def part(self, body: bytes) -> None:
                match = KEEP.fullmatch(self.headers.get("Range", "")) if outer.ranges else None
                if match is None:
                    self.answer(200, body, "application/zip")
                    return
                first = max(len(body) - int(match[3]), 0) if match[3] else int(match[1])
                last = len(body) - 1 if match[3] else min(int(match[2]), len(body) - 1)
                span = outer.span.format(first=first, last=last, whole=len(body))
                self.answer(206, body[first : last + 1] + outer.more, "application/zip", span)

            def answer(self, status: int, body: bytes, kind: str, span: str = "") -> None:
                outer.asked.append((self.path, len(body)))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if span:
                    self.send_header("Content-Range", span)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def link(self, file: Path) -> str:
        """Write a link of a page, with the hash that is said to be the file's."""
        digest = self.said.get(file.name) or sha256(file)
        more = ""
        if self.metadata:
            beside = self.said.get(f"{file.name}.metadata") or hashlib.sha256(self.about(file)).hexdigest()
            more = f' {self.attribute}="sha256={beside}"'
        return f'<a href="/files/{file.name}#sha256={digest}"{more}>{file.name}</a>'

    @staticmethod
    def about(file: Path) -> bytes:
        """Give the METADATA of a wheel."""
        with zipfile.ZipFile(file) as archive:
            return archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))

    def read(self) -> int:
        """Count the bytes of wheels that were read."""
        return sum(size for path, size in self.asked if path.startswith("/files/"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel(folder: Path, name: str, *lines: str, tag: str = "py3-none-any", filler: int = 0, last: bool = True) -> Path:
    """Write a wheel with lines of METADATA; its bulk comes before that, or behind it."""
    about = "".join(f"{line}\n" for line in lines)
    metadata = {f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{about}"}
    bulk = {f"{name}/bulk": b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(filler // 32))}
    return make_wheel(folder, name, "1.0", {**bulk, **metadata}, tag=tag, level=0, reverse=not last)


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    """Serve a web framework, what it needs, and a wheel for two platforms."""
    wheel(
        folder,
        "web",
        "Requires-Dist: core>=1",
        'Requires-Dist: winonly; sys_platform == "win32"',
        'Requires-Dist: fast[speed]; extra == "quick"',
        'Requires-Dist: unlocked; extra == "all"',
        "Requires-Dist: not-locked; python_version < '3'",
        "Requires-Dist: = nonsense",
        "Provides-Extra: quick",
        "Provides-Extra: all",
        "Provides-Extra: no name",
    )
    wheel(folder, "core", "Requires-Dist: web")
    wheel(folder, "winonly")
    wheel(
        folder,
        "fast",
        'Requires-Dist: core; extra == "speed"',
        "Provides-Extra: speed",
        tag="cp311-cp311-manylinux_2_17_x86_64",
        filler=2_000_000,
    )
    wheel(
        folder, "fast", 'Requires-Dist: winonly; extra == "speed"', "Provides-Extra: speed", tag="cp311-cp311-win_amd64"
    )
    served = Index(folder)
    threading.Thread(target=served.http.serve_forever, args=[0.02], daemon=True).start()
    yield served
    served.http.shutdown()
    served.http.server_close()
