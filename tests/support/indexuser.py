"""Two real indexes, one of which wants a password, and a user's machine that has none of that configured yet."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.realindex import index_tools, running_index
from tests.support.testca import Authority, make_authority
from tests.support.wheelmaker import make_wheel

from crossdock.store import HttpClient, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "PASSWORD",
    "SECRETS",
    "USER",
    "USERINFO",
    "WRONG",
    "Machine",
    "Place",
    "client",
    "running_place",
    "with_user",
]

USER = "reader"
PASSWORD = "se:cret/9@x%"
USERINFO = f"{USER}:se%3Acret%2F9%40x%25"
WRONG = "not-the-pass-word"
SECRETS = tuple(
    text.encode()
    for text in (
        PASSWORD,
        WRONG,
        "se%3Acret%2F9%40x%25",
        b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
        b64encode(f"{USER}:{WRONG}".encode()).decode(),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the tests have in common.

    Attributes:
        tools: The folder of the index's and the keyring's programs.
        private: The URL of the index that wants a password.
        public: The URL of another one, which wants none.
        authority: Who vouches for 127.0.0.1.
        files: The index's files by project.
    """

    tools: Path
    private: str
    public: str
    authority: Authority
    files: dict[str, Path]

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name].read_bytes()).hexdigest()

    def size(self, name: str) -> int:
        return self.files[name].stat().st_size


@contextmanager
def running_place(folder: Path, tools_folder: Path) -> Iterator[Place]:
    """Run both indexes over files made in a folder; their programs are kept in the other."""
    tools = index_tools(tools_folder)
    noise = random.Random(1).randbytes
    sizes = {"small": 3_000, "medium": 700_000, "large": 9_000_000}
    (folder / "private").mkdir()
    (folder / "public").mkdir()
    files = {
        name: make_wheel(folder / "private", name, "1.0", {f"{name}/data.bin": noise(size)})
        for name, size in sizes.items()
    }
    files["open"] = make_wheel(folder / "public", "open", "1.0", {"open.py": "print('open')\n"})
    with (
        running_index(tools, folder / "private", account=f"{USER}:{PASSWORD}") as private,
        running_index(tools, folder / "public") as public,
    ):
        authority = make_authority(folder)
        yield Place(tools=tools, private=private, public=public, authority=authority, files=files)


def with_user(url: str, userinfo: str = USERINFO) -> str:
    return url.replace("://", f"://{userinfo}@") + "/simple/"


def client(place: Place, *urls: str, **environ: str) -> HttpClient:
    environ = {"HOME": "/nonexistent", "SSL_CERT_FILE": str(place.authority.ca)} | environ
    return HttpClient(environ=environ, trusted_urls=urls, backoff=0.02)


# What a user's program does: its own process, with nothing but the environment and files to say where things are.
PROGRAM = """
import sys
from pathlib import Path
from crossdock.errors import CrossdockError
from crossdock.store import FileRequest, HttpClient, Store, fetch, find_by_hashes, load_index_config
cache, project, name, sha256 = sys.argv[1:]
try:
    store, config = Store(Path(cache)), load_index_config(Path(project))
    http = HttpClient.for_config(config)
    found = find_by_hashes(store, http, config, name, "1.0", [sha256])
    print(*(file.url for file in found))
    fetch(store, [FileRequest(name=f.filename, url=f.url, sha256=f.sha256) for f in found], http=http)
except CrossdockError as error:
    print(error, config, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A user's machine that has nothing configured yet.

    Attributes:
        folder: Where its home, its project and its cache are.
        place: The indexes it can reach.
    """

    folder: Path
    place: Place

    def run(self, name: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Find a file and fetch it."""
        cache, project = str(self.folder / "cache"), str(self.folder / "project")
        return self.start("-c", PROGRAM, cache, project, name, self.place.sha256(name), **environ)

    def start(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python; whatever comes of that, no secret may be left anywhere."""
        base = {
            "CROSSDOCK_CACHE": str(self.folder / "cache"),
            "HOME": str(self.folder / "home"),
            "XDG_CONFIG_DIRS": str(self.folder / "none"),
            "PIP_CONFIG_FILE": str(self.folder / "pip.conf"),
            "PATH": os.environ["PATH"],
            "SSL_CERT_FILE": str(self.place.authority.ca),
        }
        (self.folder / "pip.conf").touch()
        command = [sys.executable, *arguments]
        environ = {key: value for key, value in (base | environ).items() if value}
        done = subprocess.run(command, env=environ, cwd=self.folder, capture_output=True, text=True, timeout=60)
        written = [path.read_bytes() for path in (self.folder / "cache").rglob("*") if path.is_file()]
        for output in (done.stdout.encode(), done.stderr.encode(), *written):
            assert not any(secret in output for secret in SECRETS)
        assert "Traceback" not in done.stderr
        return done

    def gets(self, name: str, **environ: str) -> None:
        """Fetch a file that can be had."""
        done = self.run(name, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert Store(self.folder / "cache").find(self.place.sha256(name))

    def fails(self, name: str, code: int, **environ: str) -> str:
        """Fetch a file that cannot be had; gives what the user is told."""
        done = self.run(name, **environ)
        assert done.returncode == code, done.stderr
        assert "hint:" in done.stderr
        assert not list((self.folder / "cache").rglob("blobs/*/*/*"))
        return done.stderr

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path
