"""docs/verify.md tells every finding that there is, as it is, and every option of the command."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from crossdock.cli.parser import make_parser
from crossdock.errors import (
    AbiRefusedError,
    ArtifactRefusedError,
    ContentsRefusedError,
    PackagesRefusedError,
    UnprovedError,
)
from crossdock.verify.codes import AREAS, CODES

PAGE = (Path(__file__).parents[3] / "docs" / "verify.md").read_text(encoding="utf-8")
EXIT_CODES = {
    "machines": ArtifactRefusedError.exit_code,
    "abi": AbiRefusedError.exit_code,
    "packages": PackagesRefusedError.exit_code,
    "contents": ContentsRefusedError.exit_code,
    "unproved": UnprovedError.exit_code,
}


def test_the_areas_are_in_the_order_of_their_weight() -> None:
    told = [int(code) for code in re.findall(r"^### .+: exit code (\d+)$", PAGE, re.MULTILINE)]
    assert told == [EXIT_CODES[area] for area in AREAS]


@pytest.mark.parametrize("area", AREAS)
def test_every_code_of_an_area_is_told(area: str) -> None:
    part = re.split(r"^### .+: exit code (\d+)$", PAGE, flags=re.MULTILINE)
    table = part[part.index(str(EXIT_CODES[area])) + 1]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(code.code, code.severity, code.summary) for code in CODES.values() if code.area == area]


def test_every_option_of_its_own_is_told() -> None:
    parser = make_parser()
    (commands,) = (item for item in parser._actions if isinstance(item, argparse._SubParsersAction))
    own = {
        option
        for action in commands.choices["verify"]._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    shared = {"--help", "--offline", "--files", "--quiet", "--package"}
    shared |= {
        "--all-extras",
        "--all-groups",
        "--no-group",
        "--no-dev",
        "--no-default-groups",
        "--libc-policy",
        "--frozen",
    }
    assert {option for option in own - shared if f"`{option}" not in PAGE} == set()
