"""All rows, what has none and why, and the page of documentation that shows them.

``python -m tests.integration.mutants.page`` writes docs/proof.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.mutants import abi, contents, machines, packages, unproved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.mutants import Mutant

__all__ = ["AREAS", "PAGE", "REASONS", "ROOT", "ROWS", "page"]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "proof.md"

AREAS = {
    "Machines and systems": machines.ROWS,
    "What programs ask of a system": abi.ROWS,
    "Distributions": packages.ROWS,
    "Contents": contents.ROWS,
    "What cannot be proved": unproved.ROWS,
}
ROWS: tuple[Mutant, ...] = tuple(row for rows in AREAS.values() for row in rows)

_REDERIVED = "tests/unit/steps/test_rederive.py"

#: Codes without a mutant: why, and the file of tests that brings each about instead.
REASONS: Mapping[str, tuple[str, str]] = {
    "run-failed": ("code has to be run in the artifact", "tests/e2e/test_verify_run.py"),
    "not-run": ("an emulator, or bubblewrap and podman, have to be missing", "tests/e2e/test_verify_run.py"),
    **dict.fromkeys(
        ("layer-rederived", "layer-annotation", "layer-unplanned", "nothing-rederived"),
        ("layers have to be made again (`--deep`)", _REDERIVED),
    ),
}

_HEAD = """\
# Proof by mutants

<!-- Written by `python -m tests.integration.mutants.page`, and compared with the tests by them: do not edit. -->

A proof is worth what it finds. So each fault that `crossdock verify` knows ([verify.md](verify.md) lists them) is made
on purpose: an artifact that nothing is wrong with is changed in one place, and that has to be found, on the right file,
and nothing else. All start from the real thing: images, environments, PEX files and functions that the command line
builds of [the example](../examples/hello_fastapi), and wheels as their projects published them. Before a change, each
is proved clean, without an error and without a warning (but for the launchers for Windows in the runtime that every PEX
has from pex). Where a digest, a RECORD or a header depends on what was changed, it is made right again, so that nothing
but the one fault is left.

`tests/integration/mutants` holds {count} mutants. The exit code is that of `crossdock verify`: 0 where a finding only
warns or is but a note.
"""

_COLUMNS = """\
| artifact | change | finding | exit code |
|---|---|---|---|
"""


def page() -> str:
    """Give the page as it should be."""
    parts = [_HEAD.replace("{count}", str(len(ROWS)))]
    for title, rows in AREAS.items():
        parts.append(f"## {title}\n\n{_COLUMNS}{''.join(map(_line, rows))}")
    reasons = "".join(f"| `{code}` | {why} | `{where}` |\n" for code, (why, where) in REASONS.items())
    parts.append(f"## Findings without a mutant\n\n| finding | why | brought about by |\n|---|---|---|\n{reasons}")
    return "\n".join(parts)


def _line(row: Mutant) -> str:
    codes = " and ".join(f"`{code}`" for code in (row.code, *sorted(row.beside)))
    weight = "" if row.severity == "error" else f" ({row.severity})"
    how = row.how.replace("\\", "\\\\").replace("|", "\\|")
    return f"| {row.of} | {how} | {codes}{weight} | {row.exit_code} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
