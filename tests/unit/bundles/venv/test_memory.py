"""Memory does not grow with the size of a file, in whatever form an environment is written."""

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

NAME = "demo-1.0-cp312-cp312-manylinux_2_17_aarch64.whl"
PIECES = 72

# Prints the growth of the process's peak memory in KiB: see tests/unit/layers/test_memory.py.
PROGRAM = """
import resource, sys
from pathlib import Path
import zstandard
from crossdock.bundles.venv.layout import environment
from crossdock.bundles.venv.tree import plan_tree
from crossdock.bundles.venv.write import write_folder, write_tar
from crossdock.targets import Target, parse_platform, parse_python

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)

wheel, form, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
layout = environment(Target(parse_platform("linux/arm64"), parse_python("3.12")), prompt="demo")
before = peak()
tree = plan_tree(layout, [(wheel.name, wheel)])
if form == "folder":
    out.mkdir()
    write_folder(tree, out, jobs=4)
else:
    with out.open("w+b") as file:
        write_tar(tree, file, form)
print(peak() - before)
"""


def large_member(name: str) -> RawMember:
    """A member of some 72 MB compressed: one piece over and over, which keeps making it cheap."""
    raw = random.Random(4).randbytes(1 << 20) + bytes(1 << 17)
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = deflater.compress(raw) + deflater.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before
    crc = 0
    for _ in range(PIECES):
        crc = zlib.crc32(raw, crc)
    stream = (*[piece] * PIECES, b"\3\0")
    return RawMember(name=name.encode(), stream=stream, crc=crc, size=len(raw) * PIECES, method=8)


@pytest.mark.parametrize("form", ["folder", "tar", "tar+gzip", "tar+zstd"])
def test_a_large_file_is_never_held_whole(form: str, tmp_path: Path) -> None:
    files = wheel_files("demo", "1.0", {}, tag="cp312-cp312-manylinux_2_17_aarch64")
    wheel = tmp_path / NAME
    members = [deflated(path, content) for path, content in files.items()]
    wheel.write_bytes(write_zip([large_member("demo/model.bin"), *members]))
    assert wheel.stat().st_size > PIECES << 20
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, wheel, form, tmp_path / "out"], capture_output=True, text=True
    )
    wheel.unlink()
    assert done.returncode == 0, done.stderr
    # zstd's own tables and window are some 45 MB, whatever is compressed.
    assert int(done.stdout) < (64 if form == "tar+zstd" else 40) << 10
