"""Memory does not grow with the size of a wheel."""

from __future__ import annotations

import random
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest
from tests.support.rawzip import RawMember, deflated, write_zip
from tests.support.wheelmaker import wheel_files

if TYPE_CHECKING:
    from pathlib import Path

NAME = "demo-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"

# Prints the growth of the process's peak memory in KiB, and how much was written. The kernel's own high-water mark
# of this program alone is read where it is to be had: getrusage's is inherited from the process that started it.
PROGRAM = """
import resource, sys
from pathlib import Path
from crossdock.layers.wheels import write_wheels
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.scheme import posix_venv

class Count:
    size = 0
    def write(self, data):
        self.size += len(data)

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)

before, sink = peak(), Count()
with WheelArchive(Path(sys.argv[1]), Path(sys.argv[1]).name) as archive:
    write_wheels([archive], posix_venv("app/.venv", "3.11"), sink)
print(peak() - before, sink.size)
"""


def large_member(name: str, *, stored: bool) -> RawMember:
    """A member of some 290 MB compressed: one piece over and over, which keeps making it cheap."""
    raw = random.Random(4).randbytes(1 << 20) + bytes(1 << 17)
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = raw if stored else deflater.compress(raw) + deflater.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before
    count = 280
    crc = 0
    for _ in range(count):
        crc = zlib.crc32(raw, crc)
    stream = (*[piece] * count, *([] if stored else [b"\3\0"]))
    return RawMember(name=name.encode(), stream=stream, crc=crc, size=len(raw) * count, method=0 if stored else 8)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("demo/model.bin", False),
        ("demo/model.bin", True),
        ("demo-1.0.data/scripts/program", False),
    ],
)
def test_a_large_member_is_never_held_whole(tmp_path: Path, name: str, stored: bool) -> None:
    """RECORD says nothing of it, so that it has to be hashed too."""
    files = wheel_files("demo", "1.0", {}, tag="cp311-cp311-manylinux_2_17_aarch64")
    members = [deflated(path, content) for path, content in files.items()]
    wheel = tmp_path / NAME
    wheel.write_bytes(write_zip([large_member(name, stored=stored), *members]))
    size = wheel.stat().st_size
    assert size > 280 << 20
    done = subprocess.run([sys.executable, "-c", PROGRAM, wheel], capture_output=True, text=True)
    wheel.unlink()
    assert done.returncode == 0, done.stderr
    growth, written = map(int, done.stdout.split())
    assert written > 280 << 20
    assert growth < 40 << 10
