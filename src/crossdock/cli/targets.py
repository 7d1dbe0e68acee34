"""``crossdock targets`` and ``crossdock target show``: which targets there are, and what one of them means."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from crossdock.targets import complete_platform, parse_python, parse_target
from crossdock.targets.platform import ARCHITECTURES, MACHINES
from crossdock.targets.python import FIRST_PYTHON, LAST_PYTHON, PYPY_RELEASES
from crossdock.targets.runtimes import runtimes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crossdock.targets import Target
    from crossdock.targets.runtimes import Fact, Runtime

__all__ = ["target", "targets"]

#: Lines that are prose are not set wider than this, however wide the terminal is.
_WIDEST = 120
_NARROWEST = 40
#: A Python to fill in where the target leaves it open and none is asked for.
_USUAL_PYTHON = "3.12"

_FAMILIES = {
    "linux": ("Linux with glibc or musl", "floor +glibc2.28 or +musl1.2 (default +glibc2.17)"),
    "darwin": ("macOS", "floor +macos13.0 (default +macos11.0)"),
    "windows": ("Windows", "no floor"),
}


def targets(options: argparse.Namespace) -> int:
    """List families, Pythons and runtimes."""
    print(json.dumps(_list_json(), indent=2) if options.json else _list_text(_width()))
    return 0


def target(options: argparse.Namespace) -> int:
    """Show a target."""
    spec = parse_target(options.target)
    asked = parse_python(options.python) if options.python else None
    if asked is None and spec.python is None:
        asked = parse_python(_USUAL_PYTHON)
    shown = spec.target(asked, libc_policy=options.libc_policy)
    if options.complete_platform:
        print(json.dumps(complete_platform(shown), indent=2))
    elif options.json:
        print(json.dumps(_show_json(shown), indent=2))
    else:
        print(_show_text(shown))
    return 0


def _width() -> int:
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((100, 24)).columns))


def _pythons() -> dict[str, tuple[str, ...]]:
    """Every Python by its spelling, in three kinds."""
    minors = range(FIRST_PYTHON[1], LAST_PYTHON[1] + 1)
    return {
        "CPython": tuple(f"3.{minor}" for minor in minors),
        "CPython, free-threaded": tuple(f"3.{minor}t" for minor in minors if minor >= 13),
        "PyPy": tuple(f"pypy{major}.{minor}" for major, minor in PYPY_RELEASES),
    }


def _list_json() -> dict[str, Any]:
    return {
        "platforms": [f"{os}/{arch}" for os, machines in MACHINES.items() for arch in machines],
        "variants": {name: list(arch.variants) for name, arch in ARCHITECTURES.items() if arch.variants},
        "pythons": [name for names in _pythons().values() for name in names],
        "runtimes": [_runtime_json(runtime) for runtime in runtimes().values()],
    }


def _runtime_json(runtime: Runtime) -> dict[str, Any]:
    def fact(item: Fact | None) -> dict[str, str] | None:
        return {"value": item.value, "source": item.source} if item else None

    return {
        "name": runtime.name,
        "family": runtime.family,
        "aliases": list(runtime.aliases),
        "targets": [f"{runtime.name}/{arch}" for arch in runtime.archs],
        "os": fact(runtime.os),
        "architectures": {"value": list(runtime.archs), "source": runtime.architectures.source},
        "libc": fact(runtime.libc),
        "python": fact(runtime.python),
        "note": runtime.note,
    }


def _list_text(width: int) -> str:
    lines = ["Platforms: OS/ARCH[/VARIANT][+FLOOR]"]
    for os, (name, floor) in _FAMILIES.items():
        lines += _wrapped(f"  {os}: ", f"{' '.join(MACHINES[os])}; {name}, {floor}", width)
    lines += ["", "Pythons"]
    for kind, names in _pythons().items():
        lines += _wrapped(f"  {kind}: ", " ".join(names), width)
    lines += ["", "Runtimes: NAME/ARCH"]
    rows = [
        (item.name, item.libc.value, item.python.value if item.python else "-", " ".join(item.archs))
        for item in runtimes().values()
    ]
    lines += _table(("NAME", "LIBC", "PYTHON", "ARCH"), rows, width)
    lines += ["", *_wrapped("", "A Python of - is yours to choose. --json prints the source of every fact.", width)]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Set a table whose last column is wrapped; where even that is too wide, each row takes two lines."""
    columns = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head) - 1)]
    lines: list[str] = []
    for row in (head, *rows):
        start = "  " + "".join(cell.ljust(size + 2) for cell, size in zip(row, columns, strict=False))
        if len(start) + 8 <= width:
            lines += _wrapped(start, row[-1], width)
        else:
            lines += [f"  {row[0]}", *_wrapped("    " + "  ".join(row[1:-1]) + "  ", row[-1], width)]
    return lines


def _wrapped(start: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _show_json(shown: Target) -> dict[str, Any]:
    platform, python = shown.platform, shown.python
    return {
        "target": str(shown),
        "name": shown.name,
        "platform": {
            "spelling": platform.spelling,
            "oci": platform.oci,
            "floor": platform.floor,
            "bits": platform.bits,
        },
        "python": {
            "spelling": python.spelling,
            "implementation": python.implementation,
            "version": python.full_version,
            "implementation_version": python.implementation_version,
            "abi": python.abi,
            "free_threaded": python.free_threaded,
        },
        "libc_policy": shown.libc_policy,
        "environment": shown.environment,
        "tags": [str(tag) for tag in shown.tags],
    }


def _show_text(shown: Target) -> str:
    platform, python = shown.platform, shown.python
    facts = {
        "target": shown.name or platform.spelling,
        "platform": str(platform),
        "floor": platform.floor or "none",
        "python": f"{python} (ABI {python.abi})",
        "libc policy": shown.libc_policy,
    }
    size = max(map(len, facts))
    lines = [f"{key.ljust(size)}  {value}" for key, value in facts.items()]
    size = max(map(len, shown.environment))
    lines += ["", "markers"]
    lines += [f"  {key.ljust(size)}  {value or '(not known)'}" for key, value in shown.environment.items()]
    lines += ["", f"{len(shown.tags)} wheel tags, best first", *(f"  {tag}" for tag in shown.tags)]
    return "\n".join(lines)
