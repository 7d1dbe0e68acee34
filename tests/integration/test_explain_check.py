"""The questions one asks of a real lock that uv made: what is there, why, and what changed since."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytestmark = pytest.mark.network

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "plan.schema.json").read_text())
PROJECT = """
[project]
name = "asked"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["uvicorn[standard]", "numpy", "click<8.2", "docopt", "colorama; sys_platform == 'win32'"]
[project.optional-dependencies]
images = ["pillow"]
[dependency-groups]
dev = ["pytest"]
[tool.crossdock]
base = "debian:bookworm"
"""
TARGETS = [
    *("linux/amd64", "linux/arm64", "linux/amd64+musl1.2", "linux/s390x", "linux/ppc64le", "linux/riscv64"),
    *("linux/386", "darwin/arm64", "darwin/amd64", "windows/amd64", "windows/arm64", "linux/arm/v7"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    (folder / "pyproject.toml").write_text(PROJECT)
    subprocess.run(["uv", "lock", "--quiet"], cwd=folder, check=True, env={**os.environ, "UV_NO_CONFIG": "1"})
    return folder


def crossdock(folder: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CROSSDOCK_CACHE": str(cache)}
    command = [sys.executable, "-m", "crossdock", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def json_of(folder: Path, cache: Path, *arguments: str) -> Any:
    done = crossdock(folder, cache, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def every(*platforms: str) -> list[str]:
    return [argument for platform in platforms for argument in ("--target", platform)]


def test_check_tells_of_every_target_what_the_lock_has(project: Path, shared_cache: Path) -> None:
    done = crossdock(project, shared_cache, "check", "--json", "--python", "3.12", *every(*TARGETS))
    values = json.loads(done.stdout)
    names = [item["target"].split("+")[0] for item in values["targets"]]
    rows = {
        item["name"]: dict(zip(names, (answer and answer["status"] for answer in item["answers"]), strict=True))
        for item in values["packages"]
    }
    assert done.returncode == (0 if values["ok"] else 49)
    assert rows["uvloop"]["linux/arm64"] == "wheel"
    assert rows["uvloop"]["windows/amd64"] is None
    assert set(rows["click"].values()) == {"pure"}
    assert set(rows["docopt"].values()) == {"sdist"}
    assert {name for name, status in rows["colorama"].items() if status} == {"windows/amd64", "windows/arm64"}
    for item in values["packages"]:
        for answer in item["answers"]:
            if answer and answer["status"] == "missing":
                assert answer["tags"]


def test_explain_tells_the_ways_and_the_files(project: Path, shared_cache: Path) -> None:
    targets = every("linux/arm64", "windows/amd64")
    values = json_of(project, shared_cache, "explain", "uvloop", "--python", "3.12", *targets)
    linux, windows = (item["entries"][0] for item in values["targets"])
    assert (linux["status"], windows["status"]) == ("wheel", "skipped")
    assert [step["via"] for step in linux["chains"][0]["steps"]] == ["", "extra standard"]
    assert (linux["chains"][0]["holds"], windows["chains"][0]["steps"][-1]["holds"]) == (True, False)
    assert linux["files"][0]["taken"]
    assert all(file["reason"] for file in linux["files"])
    ranks = [file["rank"] for file in linux["files"] if file["rank"] is not None]
    assert ranks == sorted(ranks)

    names = {item["name"]: item for item in json_of(project, shared_cache, "plan")["targets"][1]["packages"]}
    assert names["uvloop"]["tag"].endswith("aarch64")

    done = crossdock(project, shared_cache, "explain", "pillow", "--target", "linux/arm64")
    assert "its extra images is not asked for" in done.stdout
    assert crossdock(project, shared_cache, "explain", "pilow").returncode == 48


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_table_fits(width: int, project: Path, shared_cache: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "CROSSDOCK_CACHE": str(shared_cache), "COLUMNS": str(width), "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "crossdock", "check", "--python", "3.12", *every(*TARGETS)]
    with subprocess.Popen(command, cwd=project, env=environment, stdout=follower) as process:
        os.close(follower)
        text = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # Linux says so at the end
                break
            if not part:
                break
            text += part
        os.close(leader)
    assert process.returncode in {0, 49}
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in text.decode().splitlines()]
    table = [line for line in lines if re.match(r"[a-z0-9-]+( [\d.]*…?| *…)? +[wps?X-]( |$)", line)]
    assert len(table) > 10
    assert max(map(len, table)) <= width
    assert "\x1b[" in text.decode()


def test_a_real_plan_keeps_its_schema_and_tells_what_changed(project: Path, shared_cache: Path, tmp_path: Path) -> None:
    first = crossdock(project, shared_cache, "plan", "--json")
    assert first.returncode == 0, first.stderr
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(first.stdout))
    old = tmp_path / "old.json"
    old.write_text(first.stdout)
    same = crossdock(project, shared_cache, "plan", "--diff", str(old))
    assert (same.returncode, same.stdout) == (0, "nothing changed\n")

    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "pyproject.toml").write_text(PROJECT.replace("click<8.2", "click<8.1").replace('"docopt"', '"attrs"'))
    (changed / "crossdock.lock").write_bytes((project / "crossdock.lock").read_bytes())
    (changed / "uv.lock").write_bytes((project / "uv.lock").read_bytes())
    subprocess.run(["uv", "lock", "--quiet"], cwd=changed, check=True, env={**os.environ, "UV_NO_CONFIG": "1"})
    difference = json_of(changed, shared_cache, "plan", "--diff", str(old))
    told = {(item["kind"], item["name"], len(item["targets"])) for item in difference["changes"]}
    assert told == {("version", "click", 2), ("added", "attrs", 2), ("removed", "docopt", 2)}
