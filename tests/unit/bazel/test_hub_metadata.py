"""Locks that hold hashes alone, or tell no dependencies: the index and the wheels' METADATA are asked for the rest."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.hubs import closure, hub, wheels

from crossdock.bazel.main import main as bazel
from crossdock.cli.main import main
from crossdock.errors import HashMismatchError, OfflineError, StaleHubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AMD, WIN = "linux/amd64+glibc2.28 cp311", "windows/amd64 cp311"
KEEP = re.compile(r"bytes=(?:(\d+)-(\d+)|-(\d+))")


class Index:
    """An index on the local machine, over HTTP; it knows ranges unless it is told not to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ranges = True
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
                else:
                    self.part((outer.folder / name).read_bytes())

            def part(self, body: bytes) -> None:
                match = KEEP.fullmatch(self.headers.get("Range", "")) if outer.ranges else None
                if match is None:
                    self.answer(200, body, "application/zip")
                    return
                first = max(len(body) - int(match[3]), 0) if match[3] else int(match[1])
                last = len(body) - 1 if match[3] else min(int(match[2]), len(body) - 1)
                span = f"bytes {first}-{last}/{len(body)}"
                self.answer(206, body[first : last + 1], "application/zip", span)

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
        return f'<a href="/files/{file.name}#sha256={digest}">{file.name}</a>'

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


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Index]:
    """An index with a web framework, what it needs, and a wheel for two platforms."""
    folder = tmp_path / "files"
    folder.mkdir()
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
    threading.Thread(target=served.http.serve_forever, daemon=True).start()
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", f"{served.url}/simple")
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    yield served
    served.http.shutdown()
    served.http.server_close()


@pytest.fixture
def lock(tmp_path: Path, index: Index) -> Path:
    """A requirements file with hashes of all its wheels."""
    names = {"web": "", "core": "", "fast": "", "winonly": "; sys_platform == 'win32'"}
    path = tmp_path / "requirements.txt"
    lines = []
    for name, marker in names.items():
        hashes = [f"--hash=sha256:{sha256(file)}" for file in sorted(index.folder.glob(f"{name}-*"))]
        lines.append(f"{name}==1.0 {marker} {' '.join(hashes)}\n")
    path.write_text("".join(lines))
    return path


def test_files_are_found_by_hash_and_edges_by_metadata(lock: Path, index: Index) -> None:
    made = hub(lock, AMD, WIN, offline=False)
    assert made["lock"]["graph"] == "metadata"
    web, fast = made["packages"]["web"], made["packages"]["fast"]
    assert {made["files"][sha256]["filename"] for sha256 in fast["wheels"].values()} == {
        "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "fast-1.0-cp311-cp311-win_amd64.whl",
    }
    assert web["deps"] == {AMD: ["=core"], WIN: ["=core", "winonly"]}
    assert web["extras"].keys() == {"quick"}  # what the extra "all" needs is not locked
    # Each wheel is asked, not one for all.
    assert fast["extras"]["speed"] == {AMD: ["core", "fast"], WIN: ["fast", "winonly"]}
    assert closure(made, AMD, ["web[quick]"]) == {"web", "core", "fast"}
    assert set(wheels(made, AMD, made["project"][AMD])) == {"web", "core", "fast"}
    assert "winonly" in made["project"][WIN]


def test_an_extra_that_one_target_has_not_locked_is_none_at_all(lock: Path) -> None:
    # The extra "quick" needs fast, whose entry is now for one of the two only.
    lock.write_text(lock.read_text().replace("fast==1.0 ", "fast==1.0 ; sys_platform == 'win32' "))
    assert hub(lock, WIN, offline=False)["packages"]["web"]["extras"].keys() == {"quick"}
    assert hub(lock, AMD, WIN, offline=False)["packages"]["web"]["extras"] == {}


def test_a_target_without_a_wheel_takes_no_extra_from_the_others(lock: Path) -> None:
    arm = "linux/arm64+glibc2.28 cp311"
    made = hub(lock, AMD, arm, offline=False)
    assert arm in made["packages"]["fast"]["missing"]
    assert made["packages"]["fast"]["extras"]["speed"][AMD] == ["core", "fast"]


def test_no_url_of_an_index_is_written_down(lock: Path) -> None:
    made = hub(lock, AMD, offline=False)
    assert all((file["url"] is None and file["size"] is None) or file["url"] is None for file in made["files"].values())
    assert "127.0.0.1" not in json.dumps(made)


def test_of_a_large_wheel_only_the_end_is_read(lock: Path, index: Index) -> None:
    hub(lock, AMD, offline=False)
    assert 0 < index.read() < 400_000


def test_metadata_in_front_is_read_by_its_place(lock: Path, index: Index) -> None:
    old = next(index.folder.glob("fast-*-manylinux*"))
    before = sha256(old)
    wheel(
        index.folder,
        "fast",
        'Requires-Dist: web; extra == "speed"',
        "Provides-Extra: speed",
        tag="cp311-cp311-manylinux_2_17_x86_64",
        filler=2_000_000,
        last=False,
    )
    lock.write_text(lock.read_text().replace(before, sha256(old)))
    made = hub(lock, AMD, offline=False)
    assert made["packages"]["fast"]["extras"]["speed"] == {AMD: ["fast", "web"]}
    assert index.read() < 600_000


def test_a_server_without_ranges_sends_it_whole(lock: Path, index: Index) -> None:
    index.ranges = False
    assert hub(lock, AMD, offline=False)["packages"]["fast"]["extras"]["speed"] == {AMD: ["core", "fast"]}


def test_what_is_not_the_locked_wheel_is_not_read(lock: Path, index: Index) -> None:
    victim = next(index.folder.glob("core-*"))
    index.said[victim.name] = sha256(victim)
    victim.write_bytes(victim.read_bytes()[:-40] + bytes(40))
    with pytest.raises(HashMismatchError, match=r"core-1\.0"):
        hub(lock, AMD, offline=False)


def test_a_file_that_is_gone_is_a_missing_wheel_and_no_failure(lock: Path, index: Index) -> None:
    next(index.folder.glob("core-*")).unlink()
    made = hub(lock, AMD, offline=False)
    assert "there is on the index no file with one of the locked hashes" in made["packages"]["core"]["missing"][AMD]


def test_the_second_time_asks_nobody(lock: Path, index: Index) -> None:
    first = hub(lock, AMD, offline=False)
    index.asked.clear()
    assert hub(lock, AMD, offline=True) == first
    assert index.asked == []


def test_offline_names_what_would_have_to_be_asked(lock: Path) -> None:
    with pytest.raises(OfflineError, match=r"core 1\.0, fast 1\.0"):
        hub(lock, AMD)


def test_a_pylock_without_dependencies_is_read_likewise(tmp_path: Path, index: Index) -> None:
    tables = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "1.0"\nwheels = [{{ url = "{index.url}/files/{file.name}", '
        f'hashes = {{ sha256 = "{sha256(file)}" }} }}]\n'
        for name in ("web", "core")
        for file in index.folder.glob(f"{name}-*")
    )
    path = tmp_path / "pylock.toml"
    path.write_text(f'lock-version = "1.0"\ncreated-by = "hand"\n{tables}')
    with pytest.raises(OfflineError, match="does not say which package needs which"):
        hub(path, AMD)
    made = hub(path, AMD, offline=False)
    assert made["packages"]["web"]["deps"] == {AMD: ["=core"]}
    assert all(file["url"].startswith(index.url) for file in made["files"].values())


def test_a_folder_as_index(lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", "")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(index.folder))
    made = hub(lock, AMD)
    assert made["packages"]["web"]["deps"] == {AMD: ["=core"]}
    assert str(index.folder) not in json.dumps(made)


class TestCurrency:
    def test_a_check_needs_no_index(self, lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
        out = lock.parent / "crossdock.hub.json"
        assert main(["bazel", "lock", str(lock.parent), "--lock", str(lock), "--target", AMD]) == 0
        monkeypatch.setenv("CROSSDOCK_CACHE", str(lock.parent / "another"))
        index.asked.clear()
        assert main(["bazel", "lock", str(lock.parent), "--lock", str(lock), "--check", "--offline"]) == 0
        assert bazel(["hub", "--lock", str(lock), "--check", str(out)]) == 0
        assert index.asked == []

    def test_another_hash_marker_or_target_is_noticed(self, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["bazel", "lock", str(lock.parent), "--lock", str(lock)]
        assert main([*arguments, "--target", AMD]) == 0
        assert main([*arguments, "--check", "--target", AMD, "--target", WIN]) == StaleHubError.exit_code
        text = lock.read_text()
        for old, new in (("win32", "darwin"), ("web==1.0", "web==1.0 ; sys_platform != 'darwin'")):
            lock.write_text(text.replace(old, new))
            assert main([*arguments, "--check"]) == StaleHubError.exit_code
        lock.write_text(f"# only a comment\n{text}")
        assert main([*arguments, "--check"]) == 0
        assert "hint: run `crossdock bazel lock`, and commit what it writes" in capsys.readouterr().err
