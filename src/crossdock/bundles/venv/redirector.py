"""What an environment's ``python.exe`` on Windows runs: the real Python, told which environment it is in.

This file is put into that program; nothing here imports it. CPython's own ``python.exe`` of an environment tells the
real one the same, in the same way.
"""

import os
import subprocess
import sys


def main() -> int:
    """Run the interpreter that runs this, with this program's arguments, and give its exit code."""
    environment = {**os.environ, "__PYVENV_LAUNCHER__": os.path.abspath(sys.argv[0])}  # noqa: PTH100  no time to waste
    # Not sys.executable: that is this program itself where somebody has told the interpreter so already.
    real = getattr(sys, "_base_executable", None) or sys.executable
    process = subprocess.Popen([real, *sys.argv[1:]], env=environment)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # it got that, too, and decides what becomes of it
            continue
        return code - (1 << 32) if code >= 1 << 31 else code


if __name__ == "__main__":
    sys.exit(main())
