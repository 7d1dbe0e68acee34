"""Run benchmarks and print what they measured."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import to_text

if TYPE_CHECKING:
    from bench.measure import Result

NAMES = (
    "wheels_to_layers",
    "noop",
    "targets",
    "proof",
    "memory",
    "selection",
    "push",
    "pex",
    "boot",
    "functions",
    "bazel",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog="Nothing is asserted: docs/performance.md tells what is measured and which figures are the goals.\n"
        "The first run downloads into ~/.cache/crossdock-bench, or CROSSDOCK_BENCH_CACHE; later ones need no network.",
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"what to run (default: all): {', '.join(NAMES)}")
    parser.add_argument("--repeat", type=int, default=7, metavar="N", help="rounds to measure (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement to a file, too")
    options = parser.parse_args()
    if unknown := set(options.name) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    if options.repeat < 1:
        parser.error("--repeat has to be at least 1")
    results = []
    for name in options.name or NAMES:
        print(f"running {name} …", file=sys.stderr)
        result: Result = import_module(f"bench.{name}").run(options.repeat)
        print(to_text(result), flush=True)
        results.append(result)
    if options.json:
        options.json.write_text(
            json.dumps({"machine": _machine(), "results": [asdict(one) for one in results]}, indent=2)
        )


def _machine() -> dict[str, str | int | None]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


if __name__ == "__main__":
    main()
