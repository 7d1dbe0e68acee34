"""How code is run on which machine, which interpreter runs it, and what the outcome says of the artifact."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from crossdock.running.import_worker import declared_modules
from crossdock.running.interpreters import Interpreter, find_interpreter, numbers_of_user
from crossdock.running.judging import judge_imports, judge_run
from crossdock.running.limits import DEFAULT_LIMITS
from crossdock.running.machine import Machine, NotRun, Way, choose_way, registered_in
from crossdock.running.process import Done, run_bounded
from crossdock.running.runner import FailedImport, Imports, Ran, _Progress
from crossdock.running.sandbox import Mount, Scene, bubblewrap_command, podman_command
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from pathlib import Path

ARM64 = Platform(os="linux", architecture="arm64", variant="v8")
BWRAP, PODMAN = "/usr/bin/bwrap", "/usr/bin/podman"
BOTH = Machine(os="linux", architecture="amd64", tools={"bubblewrap": BWRAP, "podman": PODMAN}, versions=(0, 8, 0))
QEMU = "/usr/bin/qemu-aarch64-static"
AARCH64 = "7f454c460201010000000000000000000200b700"


def told(machine: Machine, architecture: str = "arm64", os_name: str = "linux") -> str:
    way = choose_way(machine, os_name, architecture)
    return way.told if isinstance(way, Way) else way.why


def machine(**fields: object) -> Machine:
    values = {name: getattr(BOTH, name) for name in BOTH.__slots__}
    return Machine(**{**values, **fields})


def test_the_way_follows_from_what_the_machine_has() -> None:
    registered = machine(registered=frozenset({"arm64"}), emulators={"arm64": QEMU})
    broken = {"bubblewrap": "Permission denied"}
    assert told(BOTH, "amd64") == "on this machine's processor, in bubblewrap"
    assert told(BOTH, "386") == "on this machine's processor, in bubblewrap"
    assert told(registered) == "under QEMU, in bubblewrap"
    assert told(machine(tools={"podman": PODMAN}), "amd64") == "on this machine's processor, in podman"
    assert told(machine(problems=broken), "amd64") == "on this machine's processor, in podman"
    assert told(machine(problems=broken, tools={"bubblewrap": BWRAP}), "amd64") == (
        "bubblewrap does not work here: Permission denied"
    )
    assert told(machine(tools={})) == "neither bubblewrap nor podman is installed"
    assert told(BOTH) == "there is no emulator for linux/arm64 on this amd64 machine"
    assert told(registered, "arm64", "darwin") == "programs for darwin/arm64 cannot be run on linux/amd64"
    assert told(machine(os="darwin"), "amd64") == "programs for linux/amd64 cannot be run on darwin/amd64"


def test_an_emulator_is_named_only_where_the_kernel_knows_none() -> None:
    kernel = choose_way(machine(registered=frozenset({"arm64"}), emulators={"arm64": QEMU}), "linux", "arm64")
    named = choose_way(machine(emulators={"arm64": QEMU}), "linux", "arm64")
    assert isinstance(kernel, Way)
    assert isinstance(named, Way)
    assert (kernel.emulator, named.emulator) == ("", QEMU)


@pytest.mark.parametrize(
    ("entry", "known"),
    [
        (f"enabled\ninterpreter {QEMU}\nflags: F\noffset 0\nmagic {AARCH64}\nmask ff\n", {"arm64"}),
        (f"enabled\ninterpreter {QEMU}\nflags: POCF\noffset 0\nmagic {AARCH64}\n", {"arm64"}),
        (f"enabled\ninterpreter {QEMU}\nflags: \noffset 0\nmagic {AARCH64}\n", set()),
        (f"disabled\ninterpreter {QEMU}\nflags: F\noffset 0\nmagic {AARCH64}\n", set()),
        ("enabled\ninterpreter /usr/bin/python3\nflags: F\noffset 0\nmagic cb0d0d0a\n", set()),
    ],
)
def test_what_the_kernel_hands_to_an_emulator_is_read_from_the_kernel(
    entry: str, known: set[str], tmp_path: Path
) -> None:
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    (tmp_path / "some-name").write_text(entry)
    assert registered_in(tmp_path) == known
    (tmp_path / "status").write_text("disabled\n")
    assert registered_in(tmp_path) == set()
    assert registered_in(tmp_path / "missing") == set()


def test_every_command_line_shuts_the_program_off(tmp_path: Path) -> None:
    scene = Scene(root=tmp_path, mounts=(Mount(source=tmp_path / "x", place="/mnt/artifact"),), variables={"A": "b"})
    way = Way(tool="bubblewrap", program=BWRAP, version=(0, 8, 0), emulator=QEMU, told="")
    line = bubblewrap_command(scene, way, ["/usr/bin/python3", "-c", "x"], DEFAULT_LIMITS)
    for option in ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"):
        assert option in line
    assert {"--bind", "--dev-bind", "--share-net"}.isdisjoint(line)
    assert line[line.index("--") :] == [
        "--",
        "/.crossdock/emulator",
        "-0",
        "/usr/bin/python3",
        "/usr/bin/python3",
        "-c",
        "x",
    ]
    old = bubblewrap_command(
        scene, Way(tool="bubblewrap", program=BWRAP, version=(0, 4), told=""), ["p"], DEFAULT_LIMITS
    )
    assert {"--size", "--disable-userns"}.isdisjoint(old)
    podman = podman_command(scene, Way(tool="podman", program=PODMAN, told=""), ["p"], DEFAULT_LIMITS, name="n")
    assert podman[podman.index("--user") + 1] == "65534:65534"  # never root
    assert podman[podman.index("--network") + 1] == "none"
    assert f"{tmp_path}/x:/mnt/artifact:ro" in podman


def test_the_python_of_the_entrypoint_is_taken_before_that_on_the_path(tmp_path: Path) -> None:
    for name in ("usr/bin/python3.11", "opt/bin/python3.12"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\x7fELF")
        path.chmod(0o755)
    (tmp_path / "usr/bin/python3").symlink_to("python3.11")
    venv = tmp_path / "app/.venv/bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to("/opt/bin/python3.12")
    (venv / "tool").write_text("#!/app/.venv/bin/python\n")
    variables = {"PATH": "/usr/bin"}
    assert find_interpreter(tmp_path, variables) == Interpreter(path="/usr/bin/python3", minor="3.11")
    for entrypoint in (["/app/.venv/bin/tool"], ["/app/.venv/bin/python", "-m", "x"]):
        found = find_interpreter(tmp_path, variables, entrypoint=entrypoint)
        assert found == Interpreter(path="/app/.venv/bin/python", minor="3.12")
    assert find_interpreter(tmp_path, {"PATH": "/opt/bin"}) == Interpreter(path="/opt/bin/python3.12", minor="3.12")
    assert find_interpreter(tmp_path, {"PATH": "/nowhere"}) is None
    (tmp_path / "usr/bin/python3.11").write_text("#!/bin/sh\n")
    assert find_interpreter(tmp_path, variables) is None


def test_users_are_looked_up_as_engines_do(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/\napp:x:1000:1001::/:/\n")
    (tmp_path / "etc/group").write_text("staff:x:50:\n")
    wanted = {"": (0, 0), "app": (1000, 1001), "1000": (1000, 1001), "app:staff": (1000, 50), "7:8": (7, 8)}
    assert {user: numbers_of_user(tmp_path, user) for user in wanted} == wanted
    assert numbers_of_user(tmp_path, "unknown") == (65534, 65534)
    assert numbers_of_user(tmp_path, "99999999999999") == (65534, 0)


@pytest.mark.parametrize(
    ("top_level", "record", "modules"),
    [
        (None, ["pkg/__init__.py", "pkg/sub.py", "one.py", "pkg-1.dist-info/RECORD"], ["one", "pkg"]),
        (
            None,
            ["_private.py", "_p/__init__.py", "_cffi.abi3.so", "x.cpython-311-aarch64-linux-gnu.so"],
            ["_cffi", "x"],
        ),
        (None, ["google/api/__init__.py", "google/rpc.py", "data/file.txt"], ["google.api", "google.rpc"]),
        (None, ["../../bin/tool", "pkg.pth", "__pycache__/a.py", "with-dash/__init__.py"], []),
        ("_private\npkg\n", ["_private.py", "pkg/__init__.py", "other.py"], ["_private", "pkg"]),
        ("gone\npkg\n", ["pkg/__init__.py"], ["pkg"]),
        ("pkg\n", [], ["pkg"]),
        ("import os; os.system('x')\npkg", ["pkg/__init__.py"], ["pkg"]),
    ],
)
def test_modules_are_declared_by_top_level_or_record(
    top_level: str | None, record: list[str], modules: list[str]
) -> None:
    assert declared_modules(top_level, record) == modules


def test_a_program_is_stopped_at_its_limits() -> None:
    environ = {"PATH": os.environ["PATH"]}
    start = time.monotonic()
    slow = run_bounded(["sh", "-c", "echo begun; sleep 60 & sleep 60"], environ, seconds=0.5, output=100)
    assert (slow.timed_out, slow.stdout, slow.code) == (True, b"begun\n", 137)
    assert time.monotonic() - start < 5
    loud = run_bounded(["sh", "-c", "yes | head -c 3000000; exit 7"], environ, seconds=60, output=1000)
    assert (loud.timed_out, loud.code, loud.cut, len(loud.stdout)) == (False, 7, True, 1000)
    with pytest.raises(FileNotFoundError):
        run_bounded(["/nowhere/program"], environ, seconds=1, output=1)


def lines(*values: object) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def test_what_a_worker_lies_about_is_not_believed() -> None:
    progress = _Progress()
    listed = {"modules": [["a 1", "a"], ["b 1", "b"]]}
    stdout = lines(listed, {"start": 7}, {"done": 0}, {"start": 0}, {"done": 0}, [], {"start": 1}) + b"\xff{"
    progress.take(Done(code=132, stdout=stdout, stderr=b"", seconds=1), 60)
    result = progress.imports(seconds=1, how="")
    assert progress.ended
    assert result.failed == (FailedImport(package="b 1", module="b", error="the process was ended by SIGILL"),)
    silent = _Progress()
    silent.take(Done(code=1, stdout=b"", stderr=b"x\nSyntaxError: y\n", seconds=1), 60)
    assert (silent.ended, silent.imports(seconds=1, how="").problem) == (True, "SyntaxError: y")


def test_outcomes_become_findings() -> None:
    def judged(**fields: object) -> list[tuple[str, str]]:
        values = {"exit_code": 0, "stdout": "", "stderr": "", "seconds": 1.0, "how": "", **fields}
        return [(finding.code, finding.found) for finding in judge_run(Ran(**values), ARM64)]  # type: ignore[arg-type]

    assert judged() == []
    assert judged(exit_code=1, stderr="Traceback\nImportError: \x1bx\n") == [
        ("run-failed", "the code fails: ImportError: \\x1bx")
    ]
    assert judged(exit_code=139) == [("run-failed", "the code fails: exit code 139")]
    assert judged(exit_code=137, timed_out=True) == [("run-failed", "the code was stopped after 1 s")]
    (finding,) = judge_run(NotRun(why="no tools", hint="get some"), ARM64)
    assert (finding.code, finding.severity, finding.hint) == ("not-run", "error", "get some")
    empty = Imports(modules=0, packages=0, failed=(), seconds=1, how="")
    assert [finding.found for finding in judge_imports(empty, ARM64)] == ["no distribution in it declares a module"]
