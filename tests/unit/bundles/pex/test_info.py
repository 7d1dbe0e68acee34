"""PEX-INFO and what a PEX boots by, made of what pex wrote for one that holds nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from crossdock.bundles.pex.boot import BootTexts, boot_files
from crossdock.bundles.pex.info import EntryPoint, PexOptions, pex_info
from crossdock.bundles.pex.requirements import Requirements
from crossdock.errors import PexRuntimeError

EMPTY = {"pex_hash": "a" * 40, "bootstrap_hash": "b" * 40, "code_hash": "c" * 40, "venv": False, "entry_point": None}
CODE = f"# code\nboot(pex_hash='{'a' * 40}')\n"
TEXTS = BootTexts(info=EMPTY, code=CODE, main=f"#!/usr/bin/env python3\n\n{CODE}")
NEW = "f" * 40


def info(options: PexOptions | None = None, entry: EntryPoint | None = None) -> dict[str, Any]:
    made = pex_info(
        EMPTY,
        options or PexOptions(),
        entry or EntryPoint(target="app:main"),
        ["CPython==3.11.*"],
        [],
        Requirements(roots=("b==1", "a==1")),
    )
    found: dict[str, Any] = json.loads(made.content)
    assert found["pex_hash"] == made.pex_hash
    return found


def test_the_hash_is_that_of_all_the_rest() -> None:
    found = info()
    rest = {name: value for name, value in found.items() if name != "pex_hash"}
    dumped = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    assert found["pex_hash"] == hashlib.sha1(dumped.encode()).hexdigest() != EMPTY["pex_hash"]
    assert found["code_hash"] == EMPTY["code_hash"]
    assert found["requirements"] == ["a==1", "b==1"]


def test_options_change_what_is_said_and_the_hash() -> None:
    options = PexOptions(
        inherit_path="fallback",
        inject_env={"A": "ü"},
        inject_args=("--x",),
        venv="prepend",
        strip_pex_env=False,
        emit_warnings=False,
        runtime_pex_root="/var/pex",
        pre_install_wheels=False,
    )
    found = info(options, EntryPoint(target="app", arguments=("first",)))
    assert (found["inherit_path"], found["inject_env"]) == ("fallback", {"A": "ü"})
    assert found["inject_args"] == ["first", "--x"]
    assert (found["venv"], found["venv_bin_path"], found["includes_tools"]) == (True, "prepend", True)
    assert (found["strip_pex_env"], found["emit_warnings"], found["deps_are_wheel_files"]) == (False, False, True)
    assert (found["pex_root"], found["entry_point"]) == ("/var/pex", "app")
    assert found["pex_hash"] != info()["pex_hash"]


def test_where_nothing_is_set_pex_decides_on_the_machine() -> None:
    assert "pex_root" not in info()
    assert "script" not in info()
    assert info(entry=EntryPoint(script="raw"))["script"] == "raw"


def test_a_file_begins_with_its_shebang() -> None:
    made = boot_files(TEXTS, NEW, "#!/bin/p", folder=False)
    assert made.prefix == b"#!/bin/p\n"
    assert made.main == f"#!/bin/p\n\n{CODE}".replace("a" * 40, NEW).encode()
    assert made.hook == CODE.replace("a" * 40, NEW).encode()


def test_by_sh_a_file_begins_with_the_header_and_a_folder_has_it_in_main() -> None:
    texts = replace(TEXTS, header=f'#!/bin/sh\nINSTALLED_PEX="{"d" * 40}"\n', header_hash="d" * 40)
    header = f'#!/bin/sh\nINSTALLED_PEX="{NEW}"\n'.encode()
    as_file = boot_files(texts, NEW, "#!/bin/p", folder=False)
    assert as_file.prefix == header
    assert as_file.main.startswith(b"#!/bin/p\n\n# code")
    as_folder = boot_files(texts, NEW, "#!/bin/p", folder=True)
    assert as_folder.main == header + b"\n" + as_folder.hook


@pytest.mark.parametrize(
    "texts",
    [
        replace(TEXTS, info={}),
        replace(TEXTS, info={"pex_hash": "e" * 40}),
        replace(TEXTS, main="#!/bin/x\nsomething else"),
        replace(TEXTS, main=CODE),
        replace(TEXTS, header="#!/bin/sh\n", header_hash="d" * 40),
    ],
)
def test_what_another_release_wrote_is_refused(texts: BootTexts) -> None:
    with pytest.raises(PexRuntimeError, match="cannot be used"):
        boot_files(texts, NEW, "#!/bin/p", folder=False)


def test_texts_are_kept_as_they_are() -> None:
    assert BootTexts.from_json(json.loads(json.dumps(TEXTS.to_json()))) == TEXTS
    for damaged in (None, {}, {"info": "{"}, {**TEXTS.to_json(), "info": 1}):
        with pytest.raises(ValueError, match=r"."):
            BootTexts.from_json(damaged)
