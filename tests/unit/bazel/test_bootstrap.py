"""How Bazel's repository rules make the program that all other rules run."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import subprocess
import sys
import threading
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from tests.support.wheelmaker import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PRIVATE = ROOT / "bazel" / "private"
PASSWORD = "kept-to-itself"


def bootstrap(*arguments: str, environ: dict[str, str], site: bool = True) -> subprocess.CompletedProcess[str]:
    options = ["-I"] if site else ["-I", "-S"]
    command = [sys.executable, *options, str(PRIVATE / "bootstrap.py"), *arguments, "--source", str(ROOT / "src")]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment without any configuration of an index."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PIP_CONFIG_FILE": "/dev/null", "UV_NO_CONFIG": "1", "PATH": "/usr/bin:/bin"}


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "alpha", "1.0", files={"alpha/__init__.py": b"NAME = 'alpha'\n"})
    make_wheel(folder, "beta", "1.0", files={"beta/__init__.py": b"NAME = 'beta'\n"})
    return folder


def requirements(path: Path, wheels: Path) -> Path:
    lines = ["# A comment."]
    for wheel in sorted(wheels.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    path.write_text("\n".join(lines) + "\n")
    return path


def pack(tmp_path: Path, wheels: Path, environ: dict[str, str], out: str) -> subprocess.CompletedProcess[str]:
    listed = requirements(tmp_path / "list.txt", wheels)
    return bootstrap(
        "pack", "--requirements", str(listed), "--wheels", str(wheels), "--out", str(tmp_path / out), environ=environ
    )


class TestPack:
    def test_the_program_runs_and_is_the_same_each_time(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str]
    ) -> None:
        for out in ("one.pyz", "two.pyz"):
            result = pack(tmp_path, wheels, environ, out)
            assert result.returncode == 0, result.stderr
        assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()
        with zipfile.ZipFile(tmp_path / "one.pyz") as archive:
            names = archive.namelist()
            assert names == sorted(names)
            assert {"__main__.py", "alpha/__init__.py", "beta/__init__.py", "crossdock/bazel/main.py"} <= set(names)
            assert not [name for name in names if "__pycache__" in name]
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        run = subprocess.run(
            [sys.executable, "-I", str(tmp_path / "one.pyz"), "nothing"], capture_output=True, text=True, timeout=60
        )
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith("error: there is no command 'nothing'")

    def test_a_wheel_that_is_another_one_is_refused(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str]
    ) -> None:
        listed = requirements(tmp_path / "list.txt", wheels)
        wheel = next(wheels.glob("beta-*.whl"))
        wheel.write_bytes(wheel.read_bytes() + b"\n")
        arguments = ("--requirements", str(listed), "--wheels", str(wheels), "--out", str(tmp_path / "out.pyz"))
        result = bootstrap("pack", *arguments, environ=environ)
        assert result.returncode == 1
        assert "beta 1.0: no wheel has the hash that is known" in result.stderr
        assert not (tmp_path / "out.pyz").exists()

    def test_two_wheels_with_one_file_are_refused(self, tmp_path: Path, wheels: Path, environ: dict[str, str]) -> None:
        make_wheel(wheels, "gamma", "1.0", files={"alpha/__init__.py": b"NAME = 'gamma'\n"})
        result = pack(tmp_path, wheels, environ, "out.pyz")
        assert result.returncode == 1
        assert "holds alpha/__init__.py, as another wheel does" in result.stderr

    def test_the_lists_of_this_repository_are_read(self, tmp_path: Path, environ: dict[str, str]) -> None:
        for name in ("core", "pex", "deflate"):
            arguments = ("--requirements", str(PRIVATE / f"{name}.requirements.txt"), "--wheels", str(tmp_path))
            result = bootstrap("pack", *arguments, "--out", str(tmp_path / "out.pyz"), environ=environ)
            assert "no wheel has the hash that is known" in result.stderr

    def test_they_are_what_the_package_depends_on(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        wanted = [*project["dependencies"], *project["optional-dependencies"]["pex"]]
        listed = dict(
            line.split()[0].split("==")
            for name in ("core", "pex", "deflate")
            for line in (PRIVATE / f"{name}.requirements.txt").read_text().splitlines()
            if not line.startswith("#")
        )
        # It checks signatures of Debian's indexes, which is for `crossdock lock` alone.
        binary = {"pysequoia"}
        for requirement in map(Requirement, wanted):
            if requirement.name not in binary:
                assert requirement.specifier.contains(listed[requirement.name]), requirement


class TestResolve:
    def test_a_folder_in_the_arrangement_of_an_index(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str]
    ) -> None:
        listed = requirements(tmp_path / "list.txt", wheels)
        for wheel in wheels.glob("*.whl"):
            page = tmp_path / "simple" / wheel.name.split("-")[0] / "index.html"
            page.parent.mkdir(parents=True)
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            page.write_text(f'<a href="other-9.whl">o</a><a href="../../wheels/{wheel.name}#sha256={digest}">w</a>')
        environ["PIP_INDEX_URL"] = str(tmp_path / "simple")
        result = bootstrap("resolve", "--requirements", str(listed), environ=environ)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        assert [entry["url"] for entry in found] == [
            wheel.absolute().as_uri() for wheel in sorted(wheels.glob("*.whl"))
        ]
        assert [entry["auth"] for entry in found] == [None, None]

    def test_a_folder_of_files(self, tmp_path: Path, wheels: Path, environ: dict[str, str]) -> None:
        listed = requirements(tmp_path / "list.txt", wheels)
        environ |= {"PIP_FIND_LINKS": str(wheels), "PIP_NO_INDEX": "1"}
        result = bootstrap("resolve", "--requirements", str(listed), environ=environ)
        assert result.returncode == 0, result.stderr
        assert [entry["filename"] for entry in json.loads(result.stdout)] == sorted(
            wheel.name for wheel in wheels.glob("*.whl")
        )

    def test_no_index_is_known(self, tmp_path: Path, wheels: Path, environ: dict[str, str]) -> None:
        listed = requirements(tmp_path / "list.txt", wheels)
        result = bootstrap("resolve", "--requirements", str(listed), environ=environ, site=False)
        assert result.returncode == 1
        assert result.stderr.startswith("error: no package index is known")
        assert "PIP_INDEX_URL or UV_DEFAULT_INDEX" in result.stderr

    def test_an_index_that_asks_for_a_password(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], index: ThreadingHTTPServer
    ) -> None:
        listed = requirements(tmp_path / "list.txt", wheels)
        environ["UV_DEFAULT_INDEX"] = f"http://user:{PASSWORD}@127.0.0.1:{index.server_port}/simple"
        result = bootstrap("resolve", "--requirements", str(listed), environ=environ)
        assert result.returncode == 0, result.stderr
        for entry, wheel in zip(json.loads(result.stdout), sorted(wheels.glob("*.whl")), strict=True):
            assert entry == {
                "auth": {"login": "user", "password": PASSWORD, "type": "basic"},
                "filename": wheel.name,
                "requirement": f"{wheel.name.split('-')[0]}==1.0",
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "url": f"http://127.0.0.1:{index.server_port}/files/{wheel.name}",
            }

    @pytest.mark.parametrize("password", [PASSWORD, f"wrong-{PASSWORD}"])
    def test_no_message_has_the_password(
        self, tmp_path: Path, environ: dict[str, str], index: ThreadingHTTPServer, password: str
    ) -> None:
        listed = tmp_path / "list.txt"
        listed.write_text(f"alpha==2.0 --hash=sha256:{'0' * 64}\n")
        environ["UV_DEFAULT_INDEX"] = f"http://user:{password}@127.0.0.1:{index.server_port}/simple"
        result = bootstrap("resolve", "--requirements", str(listed), environ=environ)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("error: alpha 2.0 was not found")
        assert PASSWORD not in result.stderr

    def test_a_line_of_another_form(self, tmp_path: Path, environ: dict[str, str]) -> None:
        listed = tmp_path / "list.txt"
        listed.write_text("alpha>=1\n")
        result = bootstrap("resolve", "--requirements", str(listed), environ=environ)
        assert result.returncode == 1
        assert "list.txt: 'alpha>=1' is not NAME==VERSION --hash=sha256:…" in result.stderr


JSON = "application/vnd.pypi.simple.v1+json"
#: What servers answer in place of a page: status, media type, body, and bytes that are announced beside it.
ODD_ANSWERS: dict[str, tuple[tuple[int, str, bytes, int], str]] = {
    "no such page": ((404, "text/html", b"", 0), "it answers 404 Not Found"),
    "a web site": ((200, "text/html", b"<h1>Welcome</h1>", 0), "its page names no files: is it a package index"),
    "HTML called JSON": ((200, JSON, b"<a href='alpha-1.0-py3-none-any.whl'>", 0), f"its answer is not {JSON} of"),
    "another JSON": ((200, JSON, b'{"files": 5}', 0), "it has no list of files"),
    "a list": ((200, JSON, b"[]", 0), "it has no list of files"),
    "deep JSON": ((200, JSON, b"[" * 100_000, 0), f"its answer is not {JSON} of"),
    "entries of other types": ((200, JSON, b'{"files": [5, {"filename": 1}, {}]}', 0), "its page names no files"),
    "a URL that is none": ((200, "text/html", b"<a href='http://[x'>", 0), "its answer is not text/html of"),
    "a document": ((200, "application/pdf", b"%PDF", 0), "it answers with 'application/pdf', which no"),
    "too large a page": ((200, "text/html", b"<p>" * (22 << 20), 0), "its page is larger than 64 MiB"),
    "a file of this machine": (
        (200, "text/html", b"<a href='file:///tmp/alpha-1.0-py3-none-any.whl'>", 0),
        "it has no version 1.0",
    ),
    "another file": (
        (200, "text/html", b"<a href='alpha-1.0-py3-none-any.whl#sha256=" + b"0" * 64 + b"'>", 0),
        "no file of it has the hash that is known, or fits this machine: alpha-1.0-py3-none-any.whl",
    ),
}


class OddIndex:
    """An index whose answers are given one after the other; the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, bytes, int]] = []
        self.asked: list[str] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                odd.asked.append(self.path)
                status, kind, body, missing = odd.answers.pop(0) if len(odd.answers) > 1 else odd.answers[0]
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body) + missing))
                self.end_headers()
                with contextlib.suppress(OSError):  # who has read enough goes away
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def odd() -> Iterator[OddIndex]:
    made = OddIndex()
    yield made
    made.stop()


def page_of(wheels: Path) -> bytes:
    links = [
        f"<a href='/files/{wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}'>w</a>"
        for wheel in wheels.glob("*.whl")
    ]
    return "".join(links).encode()


class TestOddIndexes:
    @pytest.mark.parametrize("case", ODD_ANSWERS)
    def test_what_it_answers_is_told(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], odd: OddIndex, case: str
    ) -> None:
        answer, told = ODD_ANSWERS[case]
        odd.answers = [answer]
        environ["UV_DEFAULT_INDEX"] = odd.url
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert (result.returncode, result.stdout) == (1, "")
        what, why, hint, *_ = result.stderr.splitlines()
        assert what == "error: alpha 1.0 was not found"
        assert why.startswith(f"  why: {odd.url}/: ")
        assert told in why
        assert hint.startswith("  hint: ")
        assert odd.asked == ["/simple/alpha/"]

    def test_it_is_asked_again_where_that_may_help(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], odd: OddIndex
    ) -> None:
        whole = (200, "text/html", page_of(wheels), 0)
        odd.answers = [(503, "text/html", b"", 0), (*whole[:3], 100), whole]
        environ["UV_DEFAULT_INDEX"] = odd.url
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert result.returncode == 0, result.stderr
        assert [entry["filename"] for entry in json.loads(result.stdout)] == sorted(
            wheel.name for wheel in wheels.glob("*.whl")
        )
        assert odd.asked == ["/simple/alpha/"] * 3 + ["/simple/beta/"]

    def test_the_next_one_is_asked_and_the_silent_one_no_more(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], odd: OddIndex, index: ThreadingHTTPServer
    ) -> None:
        odd.answers = [(500, "text/html", b"", 0)]
        environ["PIP_INDEX_URL"] = odd.url
        environ["PIP_EXTRA_INDEX_URL"] = f"http://user:{PASSWORD}@127.0.0.1:{index.server_port}/simple"
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert result.returncode == 0, result.stderr
        assert len(json.loads(result.stdout)) == 2
        assert odd.asked == ["/simple/alpha/"] * 5

    def test_one_that_answers_after_all_is_asked_for_the_others(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], odd: OddIndex, index: ThreadingHTTPServer
    ) -> None:
        odd.answers = [(503, "text/html", b"", 0), (404, "text/html", b"", 0)]
        environ["PIP_INDEX_URL"] = odd.url
        environ["PIP_EXTRA_INDEX_URL"] = f"http://user:{PASSWORD}@127.0.0.1:{index.server_port}/simple"
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert result.returncode == 0, result.stderr
        assert odd.asked == ["/simple/alpha/"] * 2 + ["/simple/beta/"]

    def test_a_page_of_links_is_read_as_it_is_named(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], odd: OddIndex
    ) -> None:
        odd.answers = [(200, "text/html", page_of(wheels), 0)]
        environ |= {"PIP_FIND_LINKS": f"{odd.url}/", "PIP_NO_INDEX": "1"}
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert result.returncode == 0, result.stderr
        assert odd.asked == ["/simple/"] * 2

    def test_what_has_not_the_name_of_a_wheel_fits_no_machine(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], odd: OddIndex
    ) -> None:
        odd.answers = [(200, "text/html", b"<a href='alpha-1.0-none.whl'>a</a>", 0)]
        environ["UV_DEFAULT_INDEX"] = odd.url
        listed = requirements(tmp_path / "list.txt", wheels)
        result = bootstrap("resolve", "--requirements", str(listed), "--host", str(wheels), environ=environ)
        assert (result.returncode, result.stdout) == (1, "")
        assert "or fits this machine: alpha-1.0-none.whl" in result.stderr

    @pytest.mark.parametrize("variable", ["PIP_CERT", "SSL_CERT_FILE"])
    def test_a_bundle_of_certificates_that_is_not_there(
        self, tmp_path: Path, wheels: Path, environ: dict[str, str], variable: str
    ) -> None:
        environ |= {"UV_DEFAULT_INDEX": "https://index.example/simple", variable: str(tmp_path / "none.pem")}
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert result.returncode == 1
        assert result.stderr.startswith(f"error: cannot use the CA bundle {tmp_path / 'none.pem'}")
        assert "No such file" in result.stderr

    def test_a_folder_that_is_not_there(self, tmp_path: Path, wheels: Path, environ: dict[str, str]) -> None:
        environ["PIP_INDEX_URL"] = str(tmp_path / "none")
        result = bootstrap(
            "resolve", "--requirements", str(requirements(tmp_path / "list.txt", wheels)), environ=environ
        )
        assert (result.returncode, "there is no such folder" in result.stderr) == (1, True)


@pytest.fixture
def index(wheels: Path) -> Iterator[ThreadingHTTPServer]:
    """An index that speaks JSON (PEP 691), to a user with a password alone."""
    known = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != known:
                self.send_error(401)
                return
            name = self.path.strip("/").split("/")[-1]
            body = json.dumps({"files": [_json_file(wheel) for wheel in wheels.glob(f"{name}-*.whl")]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _json_file(wheel: Path) -> dict[str, Any]:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return {"filename": wheel.name, "hashes": {"sha256": digest}, "url": f"/files/{wheel.name}"}


class TestCompile:
    def compiled(self, source: Path, out: Path, environ: dict[str, str] | None = None) -> None:
        options = ["-I", "-B", "-X", "utf8", "-S"]  # as compiled_core.bzl has it
        command = [sys.executable, *options, str(PRIVATE / "compile_core.py"), str(source), str(out)]
        subprocess.run(command, env=environ or {}, check=True, timeout=60)

    def test_no_variable_counts(self, tmp_path: Path) -> None:
        source = tmp_path / "source.pyz"
        with zipfile.ZipFile(source, "w") as archive:
            for path in sorted((ROOT / "src" / "crossdock" / "store").glob("*.py")):
                archive.write(path, path.name)
            archive.writestr(
                "asserting.py", 'def check(name):\n    """Text."""\n    assert name in {"a", "b", "c"}, __debug__\n'
            )
        other = tmp_path / "other" / "zipfile.py"
        other.parent.mkdir()
        other.write_text("raise SystemExit('this is not the zipfile that was meant')\n")
        self.compiled(source, tmp_path / "one.pyz")
        variables = {"PYTHONOPTIMIZE": "2", "PYTHONPATH": str(other.parent), "PYTHONHASHSEED": "7", "LC_ALL": "POSIX"}
        self.compiled(source, tmp_path / "two.pyz", variables)
        assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()

    def test_bytecode_is_used_and_the_same_each_time(self, tmp_path: Path) -> None:
        source = tmp_path / "source.pyz"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("__main__.py", "import module\nprint(module.__file__, module.NAMES == {'a', 'b'})\n")
            archive.writestr("module.py", "NAMES = {'a', 'b'}\ndef is_in(name):\n    return name in {'x', 'y', 'z'}\n")
        self.compiled(source, tmp_path / "one.pyz")
        self.compiled(source, tmp_path / "two.pyz")
        assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()
        run = subprocess.run([sys.executable, "-I", str(tmp_path / "one.pyz")], capture_output=True, text=True)
        assert run.stdout.split() == [str(tmp_path / "one.pyz" / "module.pyc"), "True"]

    def test_another_python_reads_the_source(self, tmp_path: Path) -> None:
        source = tmp_path / "source.pyz"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("__main__.py", "print('run from', __file__.rpartition('.')[2])\n")
        self.compiled(source, tmp_path / "compiled.pyz")
        with zipfile.ZipFile(tmp_path / "compiled.pyz") as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(tmp_path / "other.pyz", "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, b"\0\0\r\n" + content[4:] if name.endswith(".pyc") else content)
        run = subprocess.run([sys.executable, "-I", str(tmp_path / "other.pyz")], capture_output=True, text=True)
        assert run.stdout == "run from py\n"
