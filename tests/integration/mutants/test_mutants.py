"""Every fault that the proof knows, made in a real artifact: it is found, on the right file, and nothing else is.

See ``docs/proof.md``, which is written by ``page`` and compared here.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.mutants.artifacts import BUNDLES, IMAGES, WHEELS
from tests.integration.mutants.page import PAGE, REASONS, ROOT, ROWS, page
from tests.support.mutants import told

from crossdock.verify.codes import CODES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.mutants.artifacts import CleanArtifacts
    from tests.support.mutants import Mutant

#: Of each area and each kind of artifact one goes through the command line as well.
BY_COMMAND = (
    "elf for arm64",
    "layers of the other image",
    "function with a foreign module",
    "index without a platform",
    "elf on macos",
    "glibc above the base",
    "tags of an older linux",
    "library that windows lacks",
    "distribution of the lock left out",
    "changed module in a pex",
    "private key",
    "link to no interpreter",
    "layer cut short",
    "elf cut short",
)


def _named(name: str) -> Mutant:
    (row,) = (row for row in ROWS if row.name == name)
    return row


def test_every_finding_has_a_mutant_or_a_reason() -> None:
    coded = {row.code for row in ROWS}
    assert coded | REASONS.keys() == CODES.keys()
    assert not coded & REASONS.keys()
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []


@pytest.mark.parametrize("code", REASONS)
def test_what_has_no_mutant_is_brought_about_elsewhere(code: str) -> None:
    _, where = REASONS[code]
    assert f'"{code}"' in (ROOT / where).read_text(encoding="utf-8")


def test_the_documentation_shows_this_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it again: python -m tests.integration.mutants.page"


def test_findings_weigh_in_the_table_as_in_the_catalogue() -> None:
    for code in {row.code for row in ROWS}:
        assert CODES[code].severity in {row.severity for row in ROWS if row.code == code}


@pytest.mark.network
@pytest.mark.parametrize("name", [*WHEELS, *BUNDLES, *IMAGES])
def test_nothing_is_wrong_with_the_clean_artifacts(name: str, clean: CleanArtifacts, tmp_path: Path) -> None:
    report = clean.open(name, tmp_path).verify(tmp_path)
    assert (told(report), report.exit_code) == ([], 0)
    assert all(image.natives for image in report.images)


@pytest.mark.network
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}-{row.name}".replace(" ", "-"))
def test_a_mutant_is_found_and_nothing_else(row: Mutant, clean: CleanArtifacts, tmp_path: Path) -> None:
    work = clean.open(row.of, tmp_path)
    row.change(work, clean)
    before = clean.asked(row.of, replace(work.asked, allow=()))
    assert told(before) == []
    assert not any(map(row.names, before.all_findings))

    report = work.verify(tmp_path)

    expected = {row.code, *row.beside} if row.severity != "note" else set(row.beside)
    assert {finding.code for finding in told(report)} == expected, [finding.sentence for finding in told(report)]
    assert any(map(row.names, report.all_findings)), [finding.to_json() for finding in told(report)]
    assert {item.severity for item in told(report) if item.code == row.code} <= {row.severity}
    assert report.exit_code == row.exit_code


@pytest.mark.network
@pytest.mark.parametrize("name", BY_COMMAND)
def test_the_command_line_says_the_same(name: str, clean: CleanArtifacts, tmp_path: Path) -> None:
    row = _named(name)
    work = clean.open(row.of, tmp_path)
    row.change(work, clean)

    done = clean.command.run("verify", work.save(tmp_path), *work.asked.options(), "--json")

    assert done.code == row.exit_code, done.stderr
    shown = json.loads(done.stdout)
    findings = [*shown["findings"], *(item for image in shown["images"] for item in image["findings"])]
    assert {item["code"] for item in findings if item["severity"] != "note"} == {row.code}
