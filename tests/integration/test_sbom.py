"""`crossdock sbom PROJECT` with real wheels: what would be built, judged by the lock and by others' validators."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command, lock_with_uv, write_files
from tests.unit.supply.test_documents import parse_cyclonedx, parse_spdx

from crossdock.errors import OfflineError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "app"
version = "1.0"
requires-python = ">=3.11"
# cryptography lists the crates in it, and needs cffi.
dependencies = ["cryptography>=46", "idna==3.10"]

[tool.crossdock]
base = "debian:bookworm"
targets = ["linux/amd64", "linux/arm64"]
""",
    "src/app/__init__.py": "NAME = 'app'\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sbom")
    return lock_with_uv(write_files(folder / "project", PROJECT), folder / "locked")


@pytest.fixture(scope="module")
def command(project: Path, shared_cache: Path) -> Command:
    """The command with the downloads of other tests, in a project whose lock is chosen by name."""
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(f'{text}lock = "uv.lock"\n')
    return Command(cache=shared_cache)


def printed(command: Command, project: Path, *options: str) -> str:
    outcome = command.run("sbom", project, "-q", *options)
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout


def test_it_lists_what_the_plan_names_for_the_target_in_both_formats(
    command: Command, project: Path, tmp_path: Path
) -> None:
    spdx = printed(command, project, "--target", "linux/arm64")
    cyclonedx = printed(command, project, "--platform", "linux/arm64", "--format", "cyclonedx")
    parse_spdx(spdx.encode(), tmp_path)
    parse_cyclonedx(cyclonedx.encode())
    plan: Any = json.loads(command.run("plan", project, "--json", "--target", "linux/arm64").stdout)
    (target,) = plan["targets"]
    wanted = {item["sha256"] for item in (*target["packages"], *target["base_packages"])}
    sums = {entry["checksumValue"] for item in json.loads(spdx)["packages"] for entry in item.get("checksums", ())}
    hashes = {entry["content"] for item in json.loads(cyclonedx)["components"] for entry in item.get("hashes", ())}
    assert wanted < sums
    assert wanted < hashes
    # Beside these there is the project's own wheel, and what wheels say of files in them.
    assert len(hashes) == len(wanted) + 1


def test_what_wheels_say_of_themselves_and_contain_is_there(command: Command, project: Path) -> None:
    document = json.loads(printed(command, project, "--target", "linux/amd64", "--format", "cyclonedx"))
    found = {item["name"]: item for item in document["components"]}
    assert found["cryptography"]["licenses"] == [
        {"acknowledgement": "declared", "expression": "Apache-2.0 OR BSD-3-Clause"}
    ]
    inside = {item["purl"].partition("@")[0] for item in found["cryptography"]["components"] if "purl" in item}
    assert "pkg:cargo/asn1" in inside
    needs = {item["ref"]: item["dependsOn"] for item in document["dependencies"]}
    assert needs[found["cryptography"]["bom-ref"]] == [found["cffi"]["bom-ref"]]


def test_it_is_the_same_bytes_from_an_empty_cache_and_no_layer_is_made(
    command: Command, project: Path, tmp_path: Path
) -> None:
    empty = Command(cache=tmp_path / "cache")
    first = printed(empty, project, "--target", "linux/arm64")
    assert first == printed(command, project, "--target", "linux/arm64")
    blobs = (tmp_path / "cache" / "blobs").rglob("*")
    assert not [path for path in blobs if path.is_file() and path.read_bytes()[:2] == b"\x1f\x8b"]


def test_several_targets_and_none_named_is_an_error(command: Command, project: Path) -> None:
    outcome = command.run("sbom", project)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "linux/amd64" in outcome.stderr
    assert "name one with --target" in outcome.stderr


def test_nothing_is_printed_where_a_wheel_cannot_be_had(project: Path, tmp_path: Path) -> None:
    outcome = Command(cache=tmp_path / "cache").run("sbom", project, "--offline", "--target", "linux/arm64")
    assert outcome.code == OfflineError.exit_code
    assert outcome.stdout == ""
