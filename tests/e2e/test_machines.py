"""The machines themselves: the Python of another architecture runs, and sees nothing of this machine."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.e2e.engines import MACHINES
from tests.e2e.machines import HOME, PYTHONS, Machines, machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine

_PROBE = """\
import json, os, platform, socket, sys
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
    network = "reached"
except OSError as error:
    network = error.strerror
names = sorted(name for name in os.environ if name not in {"PWD", "LC_CTYPE"})
print(json.dumps([platform.machine(), "%d.%d" % sys.version_info[:2], network, names, os.listdir("/proc/self/fd")[:3]]))
"""


@pytest.mark.parametrize("suite", PYTHONS)
@pytest.mark.parametrize("architecture", MACHINES)
def test_python_runs_on_a_machine_of_its_own(architecture: str, suite: str) -> None:
    outcome = machine(architecture, suite).run(["python3", "-c", _PROBE])

    kernel_name, version, network, names, descriptors = json.loads(outcome.output)
    assert (kernel_name, version) == (MACHINES[architecture], PYTHONS[suite])
    assert network == "Network is unreachable"
    assert names == ["HOME", "LC_ALL", "PATH"]
    assert descriptors == ["0", "1", "2"]


@pytest.mark.parametrize("architecture", MACHINES)
def test_what_is_mounted_is_seen_and_only_what_may_be_changed_is(
    architecture: str, machines: Machines, tmp_path: Path
) -> None:
    for name in ("read", "write", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "read" / "word").write_text("hello")
    script = 'cat /work/word; cat; echo new > /out/file; echo kept > ~/file; echo x > /tmp/x; echo "$WORD"; > /work/no'

    outcome = machines[architecture].run(
        ["sh", "-c", script],
        mounts={tmp_path / "read": "/work"},
        writable={tmp_path / "write": "/out"},
        home=tmp_path / "home",
        env={"WORD": "said"},
        input=" world\n",
    )

    assert outcome.code == 2
    assert outcome.stdout == "hello world\nsaid\n"
    assert "Read-only file system" in outcome.stderr
    assert (tmp_path / "write" / "file").read_text() == "new\n"
    assert (tmp_path / "home" / "file").read_text() == "kept\n"


def test_without_a_home_of_the_test_each_run_has_an_empty_one(machines: Machines) -> None:
    for _ in range(2):
        assert machines["arm64"].run(["sh", "-c", "pwd; ls -A; touch left"]).output == f"{HOME}\n"


def test_a_program_that_does_not_end_is_ended(machines: Machines) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        machines["arm64"].run(["sleep", "60"], timeout=1)


def test_the_root_is_as_it_was(machines: Machines) -> None:
    outcome = machines["arm64"].run(["sh", "-c", "rm -f /usr/bin/env; touch /etc/new; test -e /usr/bin/env"])

    assert outcome.code == 0
    assert not (machines["arm64"].root / "etc" / "new").exists()
