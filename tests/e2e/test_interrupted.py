"""A build may be killed, interrupted or doubled at any moment: the next one gives the same bytes.

What is there at any time is whole: a blob of the cache has the content its name says, and an ``index.json`` refers only
to blobs that are there.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e import layouts
from tests.e2e.builds import Command, Outcome, Tiny, link_cache
from tests.e2e.engines import require
from tests.e2e.probes import PYPROJECT
from tests.support.wheelmaker import make_wheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.engine, pytest.mark.network]

# Longer than anything here takes; a test that waits so long has failed.
PATIENCE_SECONDS = 60
INTERRUPTED = 130
# Files of an output get their names one by one: counted from the first, or from the last back, which is the index.json
# that makes it an image.
MOMENTS = {"the first file": 1, "the second": 2, "the fifth": 5, "the last but one": -2, "the last": -1}


@pytest.fixture(scope="module")
def renames(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many files get their names when the image is written into no folder yet."""
    require("strace")
    folder = tmp_path_factory.mktemp("renames")
    prefix = ("strace", "-f", "-qq", "-o", str(folder / "trace"), "-e", "trace=rename")
    command = Command(cache=link_cache(tiny.built, folder / "cache"), prefix=prefix)
    command.run("image", tiny.copy(folder / "project"), "--output", folder / "out")
    return (folder / "trace").read_text().count(f'"{folder}/out/') // 2


@pytest.fixture
def project(tiny: Tiny, tmp_path: Path) -> Path:
    return tiny.copy(tmp_path / "project")


@pytest.fixture
def cold(tiny: Tiny, tmp_path: Path) -> Command:
    """The command, with a cache from which each layer has still to be made."""
    return Command(cache=tiny.cache_without_layers(tmp_path / "cache"))


@pytest.fixture
def warm(tiny: Tiny, tmp_path: Path) -> Command:
    """The command, with a cache that has it all."""
    return Command(cache=link_cache(tiny.built, tmp_path / "cache"))


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a build and all its children, as a machine that goes down would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def names_image(output: Path) -> bool:
    """Whether there is an image in a layout, as its index.json has it."""
    index = output / "index.json"
    return index.exists() and json.loads(index.read_bytes())["manifests"] != []


def assert_whole(cache: Path, output: Path) -> None:
    """Check that nothing with a final name is partial."""
    for path in (cache / "blobs").glob("sha256/*/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    if names_image(output):
        index = layouts.read_index(output)
        for image in index.images.values():
            for layer in image.manifest["layers"]:
                layouts.read_blob(output, layer)


def assert_same_again(command: Command, project: Path, output: Path, digest: str) -> None:
    """Check that the same command now gives the right image, and leaves nothing of the run before in it."""
    assert command.run("image", project, "--output", output).digest == digest
    assert_whole(command.cache, output)
    index = layouts.read_index(output)
    assert index.digest == digest
    named = {index.digest} | {image.digest for image in index.images.values()}
    for image in index.images.values():
        named |= {image.manifest["config"]["digest"], *image.layer_digests}
    assert {f"sha256:{path.name}" for path in (output / "blobs" / "sha256").iterdir()} == named
    assert {path.name for path in output.iterdir()} == {"blobs", "index.json", "oci-layout"}
    assert command.run("verify", output).code == 0


def at_rename(command: Command, what: str) -> Command:
    """Have something happen at a rename, which is how whole files get their names."""
    require("strace")
    options = ("-f", "-qq", "-o", os.devnull, "-e", "trace=rename", "-e", f"inject=rename:{what}")
    return replace(command, prefix=("strace", *options))


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)


# kill -9


@pytest.mark.parametrize("attempt", range(4))
def test_killed_at_a_random_moment(attempt: int, tiny: Tiny, cold: Command, project: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    delay = random.uniform(attempt, attempt + 1) * 0.6
    print(f"killed after {delay:.3f} s")
    process = cold.popen("image", project, "--output", output)
    time.sleep(delay)
    kill(process)
    assert_whole(cold.cache, output)

    assert_same_again(cold, project, output, tiny.digest)


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_killed_while_a_layer_is_written(
    share: float, tiny: Tiny, cold: Command, project: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    largest = max(path.stat().st_size for path in (tiny.layout / "blobs" / "sha256").iterdir())
    process = cold.popen("image", project, "--output", output)
    wait_until(lambda: _largest(cold.cache / "tmp") > share * largest, process)
    kill(process)

    assert list((cold.cache / "tmp").iterdir()) != []
    assert not output.exists()
    assert_whole(cold.cache, output)
    assert_same_again(cold, project, output, tiny.digest)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_before_a_file_of_the_output_gets_its_name(
    moment: str, renames: int, tiny: Tiny, warm: Command, project: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    number = MOMENTS[moment] if MOMENTS[moment] > 0 else renames + 1 + MOMENTS[moment]

    killed = at_rename(warm, f"signal=SIGKILL:when={number}").run("image", project, "--output", output)

    assert (killed.code, killed.stdout) == (-signal.SIGKILL, "")
    named = [path for path in output.rglob("*") if path.is_file() and not path.name.endswith(".partial")]
    assert len(named) == number - 1
    assert not names_image(output)
    assert_whole(warm.cache, output)
    assert_same_again(warm, project, output, tiny.digest)


@pytest.mark.parametrize("number", [1, 6])
def test_killed_while_another_image_is_replaced(
    number: int, tiny: Tiny, warm: Command, project: Path, tmp_path: Path
) -> None:
    """Until the last moment the old image is there, whole."""
    output = tmp_path / "out"
    old = replace(warm, env={"SOURCE_DATE_EPOCH": "1700000000"}).run("image", project, "--output", output).digest

    killed = at_rename(warm, f"signal=SIGKILL:when={number}").run("image", project, "--output", output)

    assert killed.code == -signal.SIGKILL
    assert_whole(warm.cache, output)
    assert layouts.read_index(output).digest == old != tiny.digest
    assert_same_again(warm, project, output, tiny.digest)


def test_killed_while_a_tar_file_is_written(tiny: Tiny, warm: Command, project: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.tar"

    killed = at_rename(warm, "signal=SIGKILL:when=1").run("image", project, "--output", output)

    assert killed.code == -signal.SIGKILL
    assert not output.exists()
    assert warm.run("image", project, "--output", output).digest == tiny.digest
    assert warm.run("verify", output).code == 0


# Downloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalling:
    """A server of one large wheel, and a project that is locked to it."""

    project: Path
    wheel: Path
    go_on: threading.Event
    requests: list[str]


@pytest.fixture
def stalling(tiny: Tiny, tmp_path: Path) -> Iterator[Stalling]:
    """Sends half of the wheel, and the rest not before it is told to go on."""
    folder = tmp_path / "served"
    folder.mkdir()
    wheel = make_wheel(folder, "probe", "1.0", {"probe/data.bin": random.Random(1).randbytes(3 << 20)})
    go_on, requests = threading.Event(), list[str]()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            content = wheel.read_bytes() if self.path.endswith(".whl") else f'<a href="{wheel.name}">x</a>'.encode()
            if self.path.endswith(".whl"):
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
            else:
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                content = f'<!DOCTYPE html><a href="/{wheel.name}#sha256={digest}">{wheel.name}</a>'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            half = len(content) // 2 if self.path.endswith(".whl") else 0
            with contextlib.suppress(OSError):
                self.wfile.write(content[:half])
                self.wfile.flush()
                if half:
                    go_on.wait(PATIENCE_SECONDS)
                self.wfile.write(content[half:])

        def log_message(self, *_: object) -> None:
            pass

    project = tiny.copy(tmp_path / "stalling")
    (project / "pyproject.toml").write_text(PYPROJECT.replace("victim", "tiny"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines = [
            "--no-index",
            f"--find-links http://127.0.0.1:{server.server_port}/",
            f"probe==1.0 --hash=sha256:{digest}",
        ]
        (project / "requirements.txt").write_text("\n".join(lines) + "\n")
        try:
            yield Stalling(project=project, wheel=wheel, go_on=go_on, requests=requests)
        finally:
            go_on.set()
            server.shutdown()
            thread.join()


def test_stopped_in_the_middle_of_a_download(stalling: Stalling, warm: Command, tmp_path: Path) -> None:
    """By Ctrl-C, then by kill -9; the third run is left alone."""
    output = tmp_path / "out"
    # The project's own wheel comes first, which is made only once.
    for number in (signal.SIGINT, signal.SIGKILL):
        process = warm.popen("image", stalling.project, "--output", output)
        wait_until(lambda: _largest(warm.cache / "tmp") > 1 << 20, process)
        began = time.monotonic()
        os.killpg(process.pid, number)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

        assert stdout == ""
        assert time.monotonic() - began < 3
        assert process.returncode == (INTERRUPTED if number == signal.SIGINT else -signal.SIGKILL)
        assert "Traceback" not in stderr
        if number == signal.SIGINT:
            assert list((warm.cache / "tmp").iterdir()) == []
        assert not output.exists()
        assert_whole(warm.cache, output)

    stalling.go_on.set()
    digest = warm.run("image", stalling.project, "--output", output).digest
    assert_same_again(warm, stalling.project, output, digest)
    assert (warm.cache / "blobs" / "sha256" / (name := _sha256(stalling.wheel))[:2] / name).is_file()


# Ctrl-C


def test_ctrl_c_while_a_layer_is_written(tiny: Tiny, cold: Command, project: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = cold.popen("image", project, "--output", output)
    wait_until(lambda: _largest(cold.cache / "tmp") > 1 << 20, process)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, stdout, stderr) == (INTERRUPTED, "", "interrupted\n")
    assert time.monotonic() - began < 3
    assert list((cold.cache / "tmp").iterdir()) == []
    assert not output.exists()
    assert_whole(cold.cache, output)
    assert_same_again(cold, project, output, tiny.digest)


@pytest.mark.parametrize("attempt", range(2))
def test_ctrl_c_at_a_random_moment(attempt: int, tiny: Tiny, cold: Command, project: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = cold.popen("image", project, "--output", output)
    # Not before Python's own start-up is over: until then, Ctrl-C ends it as it ends any Python program.
    wait_until(lambda: _cpu_seconds(process.pid) > 0.15, process)
    time.sleep(delay := random.uniform(attempt, attempt + 1) * 0.5)
    print(f"interrupted after {delay:.3f} s")
    began = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert time.monotonic() - began < 3
    assert process.returncode in (0, INTERRUPTED), stderr
    assert stdout == "" or tiny.digest in stdout
    assert "Traceback" not in stderr
    assert list((cold.cache / "tmp").glob("*")) == []
    assert_whole(cold.cache, output)
    assert_same_again(cold, project, output, tiny.digest)


def test_ctrl_c_while_the_output_is_written(tiny: Tiny, warm: Command, project: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"

    outcome = at_rename(warm, "signal=SIGINT:when=5").run("image", project, "--output", output)

    assert (outcome.code, outcome.stdout, outcome.stderr) == (INTERRUPTED, "", "interrupted\n")
    assert not names_image(output)
    assert [path for path in output.rglob("*.partial") if path.is_file()] == []
    assert_same_again(warm, project, output, tiny.digest)


# Several at once


def _together(commands: list[Command], project: Path, outputs: list[Path]) -> list[Outcome]:
    started = [
        command.popen("image", project, "--output", output) for command, output in zip(commands, outputs, strict=True)
    ]
    outcomes = []
    for process in started:
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        outcomes.append(Outcome(code=process.returncode, stdout=stdout, stderr=stderr))
    return outcomes


def test_two_builds_share_a_cache(tiny: Tiny, cold: Command, project: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "first", tmp_path / "second"]

    outcomes = _together([cold, cold], project, outputs)

    assert [outcome.digest for outcome in outcomes] == [tiny.digest, tiny.digest]
    for output in outputs:
        assert layouts.read_index(output).digest == tiny.digest
        assert_whole(cold.cache, output)
    assert list((cold.cache / "tmp").iterdir()) == []


def test_many_builds_share_an_output(tiny: Tiny, warm: Command, project: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"

    outcomes = _together([warm] * 4, project, [output] * 4)

    assert [outcome.digest for outcome in outcomes] == [tiny.digest] * 4
    assert_same_again(warm, project, output, tiny.digest)


def test_a_slow_build_is_not_disturbed_by_a_fast_one(tiny: Tiny, warm: Command, project: Path, tmp_path: Path) -> None:
    """The fast one has time to finish, and to clean up, while the slow one is about to name its third blob."""
    output = tmp_path / "out"
    slow = at_rename(warm, "delay_enter=2s:when=3")
    with slow.popen("image", project, "--output", output) as process:
        wait_until(lambda: len(list(output.glob("blobs/sha256/*"))) > 2, process)
        fast = warm.run("image", project, "--output", output)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)

    assert Outcome(code=process.returncode, stdout=stdout, stderr=stderr).digest == tiny.digest
    assert fast.digest == tiny.digest
    assert_same_again(warm, project, output, tiny.digest)


def test_an_index_never_refers_to_a_blob_that_is_not_there(
    tiny: Tiny, warm: Command, project: Path, tmp_path: Path
) -> None:
    """Watched all the time, while two images take turns in one folder."""
    output = tmp_path / "out"
    other = replace(warm, env={"SOURCE_DATE_EPOCH": "1700000000"})
    warm.run("image", project, "--output", output)
    looks = 0
    for command in (other, warm, other, warm):
        process = command.popen("image", project, "--output", output)
        while process.poll() is None:
            _look(output)
            looks += 1
        process.communicate()

    assert process.returncode == 0
    assert looks > 50
    assert layouts.read_index(output).digest == tiny.digest


def _look(output: Path) -> None:
    before = (output / "index.json").read_bytes()
    digest = json.loads(before)["manifests"][0]["digest"].removeprefix("sha256:")
    found = (output / "blobs" / "sha256" / digest).exists()
    # Between the two looks the image may have been replaced, and its blobs removed.
    assert found or (output / "index.json").read_bytes() != before


def _cpu_seconds(process: int) -> float:
    """How long a process has been computing (proc(5), "stat": utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _largest(folder: Path) -> int:
    sizes = [0]
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
