"""Selects a lock's files for targets, in a process of its own: ``bench.selection_child LOCK PLATFORM@PYTHON …``.

With ``--phases`` it also reads the TOML once more, alone, and prints the processor seconds of each part as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(arguments: list[str]) -> None:
    phases = "--phases" in arguments
    lock_path, *names = (argument for argument in arguments if argument != "--phases")
    clock = {"start": time.process_time()}
    from crossdock.locks import read_lock, select
    from crossdock.targets import Target, parse_platform, parse_python

    clock["imports"] = time.process_time()
    lock = read_lock(Path(lock_path))
    clock["read"] = time.process_time()
    count = 0
    for name in names:
        platform, _, python = name.partition("@")
        count += len(select(lock, Target(parse_platform(platform), parse_python(python))).choices)
    clock["select"] = time.process_time()
    if not phases:
        print(count)
        return
    import tomllib

    text = Path(lock_path).read_text(encoding="utf-8")
    before = time.process_time()
    tomllib.loads(text)
    seconds = {
        "start and imports": clock["imports"],
        "reading the lock": clock["read"] - clock["imports"],
        "reading the TOML": time.process_time() - before,
        "selecting": clock["select"] - clock["read"],
    }
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
