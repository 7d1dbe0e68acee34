"""Provenance names every input by its digest, and neither a secret nor the machine that built."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.supply.sample import DEBIAN, IMAGE, Sample, make_sample, sha256

from crossdock.lockfile.interpreters import LockedInterpreter
from crossdock.locks import LockedFile, Package, Source, SourceChoice
from crossdock.supply.provenance import Material, Subject, file_materials, materials, parameters, statement

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.plan import Plan

SUBJECTS = [Subject("app", "sha256:" + "1" * 64), Subject("app linux/arm64", "sha256:" + "2" * 64)]


def made(sample: Sample, plan: Plan | None = None) -> Any:
    plan = plan or sample.plan
    files = file_materials([sample.folder / "pyproject.toml", sample.folder / "uv.lock"], sample.folder)
    return json.loads(statement(SUBJECTS, parameters(plan), [*files, *materials(plan, sample.own)]))


def inputs(document: Any) -> dict[str, dict[str, str]]:
    listed = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert len({item["name"] for item in listed}) == len(listed)
    return {item["name"]: item["digest"] for item in listed}


def with_builds(plan: Plan, *builds: SourceChoice) -> Plan:
    (part,) = plan.targets
    return replace(plan, targets=(replace(part, selection=replace(part.selection, builds=builds)),))


def test_it_is_a_statement_of_in_toto_with_provenance_of_slsa(sample: Sample) -> None:
    document = made(sample)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    assert document["subject"] == [
        {"name": "app", "digest": {"sha256": "1" * 64}},
        {"name": "app linux/arm64", "digest": {"sha256": "2" * 64}},
    ]
    predicate = document["predicate"]
    assert predicate["buildDefinition"]["buildType"] == "urn:crossdock:build:image:1"
    assert set(predicate["runDetails"]) == {"builder"}
    assert predicate["runDetails"]["builder"]["id"] == "urn:crossdock:builder:unspecified"


def test_every_input_is_listed_by_its_digest(sample: Sample) -> None:
    found = inputs(made(sample))
    assert found == {
        "pyproject.toml": {"sha256": sha256((sample.folder / "pyproject.toml").read_bytes())},
        "uv.lock": {"sha256": sha256(b"version = 1\n")},
        "sources of app": {"crossdockSources": "ab" * 32},
        **{choice.file.filename: {"sha256": choice.file.sha256} for choice in sample.part.selection.choices},
        **{item.filename.rpartition("/")[2]: {"sha256": item.sha256} for item in DEBIAN.packages},
    }


def test_what_was_built_from_source_is_an_input_as_source(sample: Sample) -> None:
    archive = LockedFile(filename="old-1.tar.gz", sha256="88" * 32)
    old = SourceChoice(
        package=Package(name="old", version="1", source=Source(kind="registry"), files=(archive,)),
        file=archive,
        reason="no wheel",
    )
    tree = SourceChoice(
        package=Package(
            name="tree",
            version=None,
            source=Source(kind="vcs", location="https://me:hunter2@git.example/tree?token=t0p", revision="c" * 40),
        ),
        file=None,
        reason="a repository",
    )
    document = made(sample, with_builds(sample.plan, old, tree))
    found = inputs(document)
    assert found["old-1.tar.gz"] == {"sha256": "88" * 32}
    assert found["tree"] == {"gitCommit": "c" * 40}
    text = json.dumps(document)
    assert f"git+https://git.example/tree@{'c' * 40}" in text
    assert "hunter2" not in text
    assert "t0p" not in text


def test_a_base_image_is_listed_with_its_layers(tmp_path: Path) -> None:
    found = inputs(made(make_sample(tmp_path, base=IMAGE)))
    assert found["python:3.12-slim"] == {"sha256": "c" * 64}
    assert found["layer of python:3.12-slim"] == {"sha256": "e" * 64}


def test_an_interpreter_is_an_input_without_secrets(sample: Sample) -> None:
    archive = LockedInterpreter(
        name="https://user:s3cret@files.example/cpython-3.12.8-install_only.tar.gz?token=t0p",
        architecture="arm64",
        sha256="99" * 32,
        size=1,
        python_version="3.12.8",
        python_path="/opt/python/bin/python3.12",
        libc="glibc",
        libc_version=(2, 17),
    )
    for interpreter, name, digest in (
        (archive, "cpython-3.12.8-install_only.tar.gz", "99" * 32),
        (replace(DEBIAN, packages=DEBIAN.packages[1:]), "libssl3_3.0.16-1~deb12u1_arm64.deb", "bb" * 32),
    ):
        plan = replace(sample.plan, targets=(replace(sample.part, base=IMAGE, interpreter=interpreter),))
        document = made(sample, plan)
        assert inputs(document)[name] == {"sha256": digest}
        assert "s3cret" not in json.dumps(document)
        assert "t0p" not in json.dumps(document)


def test_it_says_what_was_asked_for(sample: Sample) -> None:
    external = made(sample)["predicate"]["buildDefinition"]["externalParameters"]
    (target,) = external.pop("targets")
    assert external == {
        "project": {"name": "app", "version": "1.0"},
        "base": "debian:bookworm",
        "lock": "uv.lock",
        "extras": ["x"],
        "groups": [],
    }
    assert target["platform"] == dict(sample.part.target.platform.oci)
    assert target["environment"]["platform_machine"] == "aarch64"


def test_the_same_build_gives_the_same_bytes_without_a_trace_of_the_machine(sample: Sample, tmp_path: Path) -> None:
    one, two = (json.dumps(made(item), sort_keys=True) for item in (sample, make_sample(tmp_path)))
    assert one == two
    assert str(sample.folder) not in one


def test_an_input_of_two_targets_is_listed_once() -> None:
    item = Material(name="a.whl", digest={"sha256": "0" * 64})
    document = json.loads(statement(SUBJECTS, {}, [item, replace(item)], builder="https://ci.example/1"))
    assert len(document["predicate"]["buildDefinition"]["resolvedDependencies"]) == 1
    assert document["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/1"


def test_by_products_are_apart_from_inputs() -> None:
    item = Material(name="app-1.0-py3-none-any.whl", digest={"sha256": "5" * 64})
    document = json.loads(statement(SUBJECTS, {}, [], byproducts=[item]))
    assert document["predicate"]["runDetails"]["byproducts"] == [item.to_json()]


@pytest.mark.parametrize("name", ["sub/pyproject.toml", "uv.lock"])
def test_files_are_named_as_in_the_project(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    (found,) = file_materials([path, tmp_path / "absent"], tmp_path)
    assert found == Material(name=name, digest={"sha256": sha256(b"x")})
    (outside,) = file_materials([path], tmp_path / "elsewhere")
    assert outside.name == path.name
