"""What is wrong with the wheels of ``wheelset.txt``, as crossdock sees it and as ``knownlies.toml`` says.

All of them, which takes minutes and gigabytes, are compared by::

    python -m tests.support.knownlies
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tomllib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.wheelset import listed, wheels

from crossdock.steps.verifying import Question, verify_artifact

if TYPE_CHECKING:
    from tests.support.wheelset import Which

    from crossdock.verify.report import Report

__all__ = ["Lie", "Seen", "known_lies", "look_at"]

_LIST = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """A wheel that is not what it claims to be.

    Attributes:
        wheel: Its file name.
        code: Of the finding.
        claims: What it says.
        is_: What it is.
        evidence: How that was seen by other means.
    """

    wheel: str
    code: str
    claims: str
    is_: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the proof of a wheel says.

    Attributes:
        wheel: Its file name.
        faults: Code and sentence of each error and warning.
        platforms: Those it was judged for.
        files: How many files were looked at for each of them.
        natives: Likewise, how many programs.
    """

    wheel: str
    faults: tuple[tuple[str, str], ...]
    platforms: tuple[str, ...]
    files: tuple[int, ...]
    natives: tuple[int, ...]


def known_lies(which: Which = "core") -> list[Lie]:
    """Return the lies about the wheels of a set, in the list's order."""
    names = {wheel.filename for wheel in listed(which)}
    entries = tomllib.loads(_LIST.read_text())["lies"]
    lies = [Lie(is_=entry.pop("is"), **entry) for entry in entries]
    return [lie for lie in lies if lie.wheel in names]


def look_at(which: Which = "core") -> list[Seen]:
    """Prove each wheel of a set by what its own name claims, on all cores."""
    paths = wheels(which)
    # A fresh process inherits no threads and no open files, so it is the same on every system.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        reports = pool.map(verify_artifact, paths, repeat(Question()), chunksize=8)
        return [_seen(path, report) for path, report in zip(paths, reports, strict=True)]


def _seen(path: Path, report: Report) -> Seen:
    findings = [finding for image in report.images for finding in image.findings] + list(report.findings)
    return Seen(
        wheel=path.name,
        faults=tuple((finding.code, finding.sentence) for finding in findings if finding.severity != "note"),
        platforms=tuple(str(image.platform) for image in report.images),
        files=tuple(image.files for image in report.images),
        natives=tuple(image.natives for image in report.images),
    )


def _main() -> int:
    faults = {(seen.wheel, code): sentence for seen in look_at("all") for code, sentence in seen.faults}
    lies = {(lie.wheel, lie.code) for lie in known_lies("all")}
    for key in sorted(faults.keys() - lies):
        print("not known:", *key, "-", faults[key])
    for key in sorted(lies - faults.keys()):
        print("no longer seen:", *key)
    print(f"{len(listed('all'))} wheels, {len(lies)} known lies")
    return 0 if faults.keys() == lies else 1


if __name__ == "__main__":
    sys.exit(_main())
