"""Hostile locks of every format: reading and selecting end with a value or an error of our own, and in time."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.locks.samples import PYLOCK, REQUIREMENTS, UV

from crossdock.errors import CrossdockError
from crossdock.locks import Lock, read_lock, select
from crossdock.targets import Target, parse_platform, parse_python

GOLDEN = Path(__file__).parent / "golden"
TARGETS = [
    Target(parse_platform("linux/arm64"), parse_python("3.11")),
    Target(parse_platform("windows/amd64"), parse_python("3.9")),
]
FOLDERS = (
    "poetry-1.1-by-1.1",
    "poetry-2.0",
    "poetry-2.1-by-2.5",
    "pdm-4.4",
    "pdm-4.5.1",
    "pdm-4.5.1-graph",
    "pdm-4.5.1-targets",
)
DOCUMENTS = ("uv.lock", "pylock.toml", *FOLDERS)

#: A person reads it; numbers may have up to 4,300 digits.
_LONGEST_MESSAGE = 6000
#: Seconds are much; a lock of this size is read in milliseconds, and the machine may be busy.
FUZZ = settings(
    max_examples=120,
    deadline=dt.timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@cache
def loaded(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Give a lock's file name, its content without most of its files, and the pyproject.toml beside it."""
    if name not in FOLDERS:
        return name, tomllib.loads(UV if name == "uv.lock" else PYLOCK), {}
    (path,) = (GOLDEN / name).glob("*.lock")
    lock = tomllib.loads(path.read_text())
    for package in lock["package"]:
        package["files"] = package.get("files", [])[:3]
    for files in lock["metadata"].get("files", {}).values():
        del files[3:]
    return path.name, lock, tomllib.loads((GOLDEN / name / "pyproject.toml").read_text())


def nested(kind: type, depth: int) -> object:
    value: object = "x"
    for _ in range(depth):
        value = [value] if kind is list else {"version": value}
    return value


ODD_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "\x00",
            "\x1b[31m",
            "\u202e",
            "..",
            "../..",
            "/etc/passwd",
            "*",
            "^",
            "^1",
            "~0.0.0",
            ">=1,<2 || >3",
            "||" * 50,
            "1" * 4999,
            "a" * 7_000,
            ">=" + "9" * 300,
            "1!2.3.post4.dev5+local",
            "1.*.*.*",
            "python_version < '3'",
            "extra == 'x'",
            "'x' in extras and 'y' not in dependency_groups",
            "python_full_version >= '" + "9" * 5000 + "'",
            "platform_release > '1'",
            "os_name == 'nt' and " * 300 + "os_name == 'nt'",
            "(" * 200 + "os_name == 'nt'" + ")" * 200,
            "sha256:" + "0" * 64,
            "sha256:" + "g" * 64,
            "md5:" + "0" * 32,
            "https://user:pass@[::1/x.whl",
            "https://files.example/a-1-py3-none-any.whl",
            "file:///${PROJECT_ROOT}/..",
            "a" + "-py2.py3" * 40 + "-none-any.whl",
            "a-1-" + ".".join(f"cp3{i}" for i in range(60)) + "-" + ".".join(["abi3"] * 60) + "-any.whl",
            "demo-app[net]",
            "click[a,b,c]",
            "2.1",
            "4.5.0",
        ]
    ),
)
ODD_VALUES = st.one_of(
    ODD_TEXTS,
    st.sampled_from(
        [
            0,
            -1,
            10**4000,
            -(10**30),
            1.5,
            float("nan"),
            float("inf"),
            True,
            False,
            [],
            {},
            [[]],
            [{}],
            {"": ""},
            [1, "a", {}],
            dt.date(1979, 5, 27),
            dt.datetime(1979, 5, 27, tzinfo=dt.UTC),
            nested(list, 60),
            nested(dict, 60),
        ]
    ),
    st.lists(ODD_TEXTS, max_size=3),
    st.dictionaries(ODD_TEXTS.filter(lambda key: len(key) < 300), ODD_TEXTS, max_size=3),
)


def mutated(document: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """Change one to four places of a document: drop, replace, rename, repeat or move a value."""
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 4))):
        parent: Any = document
        key: Any = data.draw(st.sampled_from(sorted(parent))) if parent else None
        while key is not None and isinstance(parent[key], dict | list) and parent[key] and data.draw(st.integers(0, 5)):
            parent = parent[key]
            key = data.draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
        if key is None:
            continue
        change = data.draw(st.sampled_from(["drop", "replace", "replace", "replace", "rename", "repeat"]))
        if change == "drop":
            del parent[key]
        elif change == "replace":
            parent[key] = copy.deepcopy(data.draw(ODD_VALUES))
        elif isinstance(parent, list):
            parent.insert(0, copy.deepcopy(parent[key]))
        elif change == "rename":
            parent[data.draw(ODD_TEXTS)] = parent.pop(key)
        else:
            parent[data.draw(st.sampled_from(sorted(parent)))] = copy.deepcopy(parent[key])
    return document


def use(lock: Lock) -> None:
    for target in TARGETS:
        for extras, groups in (((), None), (sorted(lock.optional), sorted(lock.groups))):
            with contextlib.suppress(CrossdockError):
                select(lock, target, extras, groups, candidates=lambda _: ())


def survives(path: Path, pyproject: dict[str, Any] | None, *, frozen: bool) -> None:
    said = ""
    try:
        use(read_lock(path, pyproject=pyproject, frozen=frozen))
    except CrossdockError as error:
        said = str(error)
    assert len(said) < _LONGEST_MESSAGE
    assert all(char.isprintable() or char == "\n" for char in said), "control characters reach the terminal"


@pytest.mark.parametrize("name", DOCUMENTS)
@FUZZ
@given(data=st.data())
def test_a_lock_with_odd_values(tmp_path: Path, name: str, data: st.DataObject) -> None:
    file_name, document, pyproject = loaded(name)
    with contextlib.suppress(ValueError):  # an integer too long to be written
        (tmp_path / file_name).write_text(tomli_w.dumps(mutated(document, data)))
        survives(tmp_path / file_name, pyproject, frozen=data.draw(st.booleans()))


@pytest.mark.parametrize("name", FOLDERS)
@FUZZ
@given(data=st.data())
def test_a_pyproject_with_odd_values(tmp_path: Path, name: str, data: st.DataObject) -> None:
    file_name, document, pyproject = loaded(name)
    (tmp_path / file_name).write_text(tomli_w.dumps(document))

    survives(tmp_path / file_name, mutated(pyproject, data), frozen=data.draw(st.booleans()))


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "requirements.txt", "poetry.lock", "pdm.lock"])
@FUZZ
@given(text=st.text(max_size=300))
def test_random_text(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", errors="replace")

    survives(tmp_path / name, {}, frozen=False)


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "requirements.txt", "poetry.lock", "pdm.lock"])
@FUZZ
@given(noise=st.binary(max_size=300))
def test_random_bytes(tmp_path: Path, name: str, noise: bytes) -> None:
    (tmp_path / name).write_bytes(noise)

    survives(tmp_path / name, {}, frozen=False)


@FUZZ
@given(data=st.data())
def test_requirements_with_odd_words(tmp_path: Path, data: st.DataObject) -> None:
    lines = REQUIREMENTS.split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        words = lines[number := data.draw(st.integers(0, len(lines) - 1))].split(" ")
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(
            st.one_of(
                ODD_TEXTS, st.sampled_from(["-r requirements.txt", "-c requirements.txt", "--hash", "\\", "-e", ";"])
            )
        )
        lines[number] = " ".join(words)
    (tmp_path / "requirements.txt").write_text("\n".join(lines), encoding="utf-8", errors="replace")

    survives(tmp_path / "requirements.txt", None, frozen=False)


@pytest.mark.parametrize("brackets", ["[", "{a="])
@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "poetry.lock", "pdm.lock"])
def test_nesting_without_end(tmp_path: Path, name: str, brackets: str) -> None:
    (tmp_path / name).write_text("a = " + brackets * 100_000)

    survives(tmp_path / name, {}, frozen=False)
