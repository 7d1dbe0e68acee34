"""The plan as JSON: what docs/plan.schema.json says, no more and no less, and nothing that is secret."""

from __future__ import annotations

import copy
import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from tests.unit.cli.lockmaker import ARM, LINUX, LockMaker, surveyed, target

from crossdock.choosing.request import Parts
from crossdock.choosing.survey import ProjectLock
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.bases import LockedDebianBase, LockedPackage
from crossdock.locks import Source, complete
from crossdock.plan import Plan, TargetPlan
from crossdock.projects.project import load_project
from crossdock.reports.plan_json import location, plan_json

if TYPE_CHECKING:
    from crossdock.locks import Lock
    from crossdock.targets import Target

ROOT = Path(__file__).resolve().parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
FACTS = BaseFacts(
    libc="glibc",
    libc_version=(2, 36),
    python_version="3.12.1",
    python_path="/usr/bin/python3",
    user="65532:65532",
    home="/",
)
BASE = LockedDebianBase(
    name="debian:bookworm",
    architecture="amd64",
    requested=(),
    packages=(
        LockedPackage(
            name="libc6",
            version="2.36-9",
            architecture="amd64",
            archive="debian",
            filename="pool/main/g/glibc/libc6.deb",
            size=1,
            sha256="ab" * 32,
        ),
    ),
)
MIXED = (
    LockMaker()
    .add("web", needs=[("winonly", "sys_platform == 'win32'"), ("fast", "python_version >= '3.10'")])
    .add("fast", "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_aarch64", "sdist")
    .add("winonly")
    .add("old", "sdist")
    .add("tree", source=Source(kind="vcs", location="https://me:hunter2@git.example/tree?token=t0p", revision="c" * 40))
    .lock("web", "old", "tree")
)


def plan_of(lock: Lock, folder: Path, *targets: Target, settings: str = "") -> Plan:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "app"\nversion = "1"\n{settings}')
    parts = Parts(extras=(), groups=())
    surveys = surveyed(lock, *(targets or (target(LINUX), target(ARM))), parts=parts)
    return Plan(
        base="debian:bookworm",
        project_lock=ProjectLock(project=load_project(folder), lock=lock, parts=parts),
        targets=tuple(
            TargetPlan(target=found.target, base=BASE, facts=FACTS, selection=complete(found)) for found in surveys
        ),
    )


def printed(plan: Plan) -> Any:
    return json.loads(json.dumps(plan_json(plan), allow_nan=False))


def closed(schema: Any) -> Any:
    """The schema as a list of all keys there are: one that it does not know is an error."""
    schema = copy.deepcopy(schema)
    stack = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("properties"), dict):
                item["additionalProperties"] = False
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return schema


class TestSchema:
    def test_is_one(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_a_plan_has_every_key_of_it_and_no_other(self, tmp_path: Path) -> None:
        values = printed(plan_of(MIXED, tmp_path))
        jsonschema.Draft202012Validator(SCHEMA).validate(values)
        jsonschema.Draft202012Validator(closed(SCHEMA)).validate(values)

    def test_a_plan_with_settings_of_packages_too(self, tmp_path: Path) -> None:
        settings = (
            '[tool.crossdock.packages.web]\nexclude = ["tests/*"]\n'
            '[tool.crossdock.packages.old]\nfrom-source = "allow"\nexclude = ["docs/*"]\n'
        )
        values = printed(plan_of(MIXED, tmp_path, settings=settings))
        jsonschema.Draft202012Validator(closed(SCHEMA)).validate(values)
        assert values["targets"][0]["packages"][1]["overrides"]["exclude"] == ["tests/*"]
        assert values["targets"][0]["builds"][0]["overrides"]["from_source"] == "allow"

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("schema_version",), 2),
            (("lock_format",), "setup.py"),
            (("targets", 0, "packages", 0, "sha256"), "ABC"),
            (("targets", 0, "libc"), "2.36"),
            (("targets", 0, "packages", 0, "source", "kind"), "ftp"),
        ],
    )
    def test_it_is_no_empty_promise(self, path: tuple[str | int, ...], value: object, tmp_path: Path) -> None:
        values = item = printed(plan_of(MIXED, tmp_path))
        for key in path[:-1]:
            item = item[key]
        item[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(values)

    def test_the_document_names_every_key(self) -> None:
        text = (ROOT / "docs" / "plan.md").read_text()
        definitions = SCHEMA["$defs"]
        keys = {*SCHEMA["properties"]}.union(
            *(definitions[name]["properties"] for name in ("target", "package", "build"))
        )
        assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


class TestContent:
    def test_why_a_package_is_there(self, tmp_path: Path) -> None:
        first = printed(plan_of(MIXED, tmp_path))["targets"][0]
        fast = next(item for item in first["packages"] if item["name"] == "fast")
        assert fast["because"] == [{"parent": "web", "marker": "python_version >= '3.10'"}]
        assert fast["required_by"] == ["web"]
        assert first["skipped"] == [
            {
                "name": "winonly",
                "version": "1.0",
                "markers": ["sys_platform == 'win32'"],
                "by": [{"parent": "web", "marker": "sys_platform == 'win32'"}],
            }
        ]

    def test_what_is_built_is_told_apart(self, tmp_path: Path) -> None:
        builds = {item["name"]: item for item in printed(plan_of(MIXED, tmp_path))["targets"][0]["builds"]}
        assert builds["old"]["filename"] == "old-1.0.tar.gz"
        assert (builds["tree"]["filename"], builds["tree"]["sha256"]) == (None, None)
        assert builds["tree"]["source"] == {
            "kind": "vcs",
            "location": "https://git.example/tree",
            "revision": "c" * 40,
            "subdirectory": None,
        }

    def test_it_holds_no_secret_and_no_path_of_this_machine(self, tmp_path: Path) -> None:
        text = json.dumps(printed(plan_of(MIXED, tmp_path)))
        assert "hunter2" not in text
        assert "t0p" not in text
        assert str(tmp_path) not in text

    @pytest.mark.parametrize(
        ("written", "shown"),
        [
            ("https://user:pw@index.example/simple?x=1#y", "https://index.example/simple"),
            ("git+ssh://git:pw@git.example/a.git", "git+ssh://git.example/a.git"),
            ("../vendor/a-1.0.whl", "../vendor/a-1.0.whl"),
            ("odd\x1bpath", "odd?path"),
            ("", ""),
        ],
    )
    def test_places(self, written: str, shown: str) -> None:
        assert location(written) == shown

    def test_who_attested_the_files_is_kept_even_where_json_has_no_such_type(self, tmp_path: Path) -> None:
        lock = LockMaker().add("a").lock()
        when = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        identity = {
            "kind": "GitHub",
            "repository": "a/a",
            "since": when,
            "score": float("inf"),
            "more": [1, None, when],
        }
        lock = replace(lock, packages=(replace(lock.packages[0], attestation_identities=(identity,)),))
        (package,) = printed(plan_of(lock, tmp_path, target()))["targets"][0]["packages"]
        assert package["attestation_identities"] == [
            {
                "kind": "GitHub",
                "repository": "a/a",
                "since": "2026-01-02 00:00:00+00:00",
                "score": "inf",
                "more": [1, None, "2026-01-02 00:00:00+00:00"],
            }
        ]
