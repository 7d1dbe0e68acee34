"""pdm.lock: every version of its format and every strategy as pdm wrote it, and what each part of it means."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.locks.samples import h

from crossdock.errors import (
    AmbiguousLockError,
    LockError,
    MalformedLockError,
    StaleLockError,
    TargetNotLockedError,
    UnknownExtraError,
    UnpinnedRequirementError,
    UnsupportedLockError,
)
from crossdock.locks import Lock, Source, activate, find_lock, read_lock, select
from crossdock.targets import Target, parse_platform, parse_python

GOLDEN = Path(__file__).parent / "golden"

FLAT = ["pdm-4.5.0", "pdm-4.5.1", "pdm-4.5.1-static"]
GRAPH = ["pdm-4.3", "pdm-4.4", "pdm-4.5.1-graph"]
MAIN = {"click 8.0.4", "markupsafe 2.0.1", "exceptiongroup 1.2.0"}
NET = {"certifi", "chardet 4.0.0", "idna 2.10", "pysocks 1.7.1", "requests 2.25.1", "urllib3"}


def target(platform: str = "linux/amd64", python: str = "3.10") -> Target:
    return Target(parse_platform(platform), parse_python(python))


def document(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def golden(name: str) -> Lock:
    return read_lock(GOLDEN / name / "pdm.lock", pyproject=document(GOLDEN / name))


def needed(lock: Lock, on: Target, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> set[str]:
    floating = {"certifi", "urllib3"}
    packages = activate(lock, on.environment, extras, groups).packages
    return {package.name if package.name in floating else str(package) for package in packages}


class TestEveryFormat:
    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_roots_markers_extras_and_groups(self, name: str) -> None:
        lock = golden(name)

        assert needed(lock, target()) == MAIN
        assert needed(lock, target(python="3.12")) == MAIN - {"exceptiongroup 1.2.0"}
        assert needed(lock, target("windows/amd64")) == MAIN | {"colorama 0.4.6"}
        assert needed(lock, target(), ("net",)) == MAIN | NET
        assert needed(lock, target(), (), ("dev",)) == MAIN | {"six 1.16.0", "iniconfig 1.1.1"}

    @pytest.mark.parametrize("name", ["pdm-4.3", "pdm-4.4", "pdm-4.5.1", "pdm-4.5.1-static", "pdm-4.5.1-graph"])
    def test_an_extra_may_include_another(self, name: str) -> None:
        assert needed(golden(name), target(), ("all",)) == MAIN | NET

    @pytest.mark.parametrize("name", ["pdm-4.5.1", "pdm-4.5.1-static", "pdm-4.5.1-graph"])
    def test_a_group_may_include_another(self, name: str) -> None:
        assert needed(golden(name), target(), (), ("more",)) == MAIN | {"sniffio 1.3.0", "tomli 2.0.1"}

    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_extras_are_told_from_groups(self, name: str) -> None:
        lock = golden(name)

        assert "net" in lock.optional
        assert "dev" in lock.groups
        assert not set(lock.optional) & set(lock.groups)
        assert lock.default_groups == ()

    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_the_projects_python_limits_the_targets(self, name: str) -> None:
        lock = golden(name)

        assert (lock.project, lock.requires_python, lock.environments) == ("demo-app", ">=3.9", ())

    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_files_are_chosen_by_name_and_known_by_hash(self, name: str) -> None:
        chosen = {choice.package.name: choice.file for choice in select(golden(name), target()).choices}

        assert chosen["click"].filename == "click-8.0.4-py3-none-any.whl"
        assert chosen["click"].sha256 == "6a7a62563bbfabfda3a38f3023a1db4a35978c0abd76f6c9605ecd6554d6d9b1"
        static = name in {"pdm-4.4", "pdm-4.5.1-static"}
        assert (chosen["click"].url or "").startswith("https://index.example/") == static

    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_dependencies_say_who_requires_what(self, name: str) -> None:
        found = activate(golden(name), target().environment, ("net",)).active
        by_name = {item.package.name: set(item.required_by) for item in found}

        assert "requests" in by_name["idna"]
        assert "requests" in by_name["pysocks"]


class TestTargets:
    def test_a_lock_for_some_targets_is_refused_for_others(self) -> None:
        lock = golden("pdm-4.5.1-targets")

        assert needed(lock, target(python="3.12")) == MAIN - {"exceptiongroup 1.2.0"}
        assert needed(lock, target("windows/amd64", "3.12")) >= {"colorama 0.4.6"}
        assert needed(lock, target("macos/arm64", "3.10")) == MAIN
        for other in (target(python="3.10"), target("linux/arm64", "3.12"), target("macos/arm64", "3.12")):
            with pytest.raises(TargetNotLockedError, match="is not for"):
                needed(lock, other)

    def test_what_was_not_locked_is_not_offered(self) -> None:
        lock = golden("pdm-4.5.1-targets")

        assert needed(lock, target(python="3.12"), ("net",)) >= NET
        with pytest.raises(UnknownExtraError, match="all"):
            needed(lock, target(python="3.12"), ("all",))

    @pytest.mark.parametrize(
        ("spelled", "fits"),
        [
            ("linux", "linux/amd64"),
            ("manylinux_2_28_aarch64", "linux/arm64"),
            ("alpine", "linux/amd64"),
            ("windows", "windows/amd64"),
            ("windows_arm64", "windows/arm64"),
            ("macos", "macos/arm64"),
            ("macos_12_0_x86_64", "macos/amd64"),
        ],
    )
    def test_pdms_names_of_platforms(self, tmp_path: Path, spelled: str, fits: str) -> None:
        lock = read(tmp_path, entry("a", 1), f'[[metadata.targets]]\nrequires_python = ">=3.9"\nplatform = "{spelled}"')

        for platform in ("linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64", "macos/arm64", "macos/amd64"):
            if platform == fits:
                assert needed(lock, target(platform)) == {"a 1"}
            else:
                with pytest.raises(TargetNotLockedError):
                    needed(lock, target(platform))

    def test_the_implementation_counts(self, tmp_path: Path) -> None:
        lock = read(tmp_path, entry("a", 1), '[[metadata.targets]]\nrequires_python = ">=3.9"\nimplementation = "pypy"')
        with pytest.raises(TargetNotLockedError):
            needed(lock, target())


class TestStaleness:
    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_a_changed_dependency_is_an_error_that_says_what_to_run(self, name: str) -> None:
        path, changed = GOLDEN / name / "pdm.lock", document(GOLDEN / name)
        changed["project"]["dependencies"].append("six")

        with pytest.raises(StaleLockError, match=r"pdm\.lock is older than pyproject\.toml[\s\S]*pdm lock"):
            read_lock(path, pyproject=changed)
        assert read_lock(path, pyproject=changed, frozen=True).packages

    @pytest.mark.parametrize("name", FLAT + GRAPH)
    def test_what_has_no_effect_on_the_lock_may_change(self, name: str) -> None:
        changed = document(GOLDEN / name)
        changed["project"]["version"] = "9"
        changed["tool"]["pdm"]["scripts"] = {"x": "y"}

        assert read_lock(GOLDEN / name / "pdm.lock", pyproject=changed).packages


class TestPyproject:
    @pytest.mark.parametrize("name", GRAPH)
    def test_locks_to_be_resolved_cannot_do_without(self, name: str) -> None:
        with pytest.raises(UnsupportedLockError, match=r"without its pyproject\.toml[\s\S]*inherit_metadata"):
            read_lock(GOLDEN / name / "pdm.lock")
        with pytest.raises(UnsupportedLockError, match=r"has no \[project\]"):
            read_lock(GOLDEN / name / "pdm.lock", pyproject={})

    @pytest.mark.parametrize("name", FLAT)
    def test_others_can_and_then_take_a_name_for_either_kind(self, name: str) -> None:
        lock = read_lock(GOLDEN / name / "pdm.lock")

        assert needed(lock, target(), ("net",)) == needed(lock, target(), (), ("net",)) == MAIN | NET

    def test_excluded_packages_are_not_needed(self) -> None:
        project = document(GOLDEN / "pdm-4.5.1-graph")
        project["tool"]["pdm"]["resolution"] = {"excludes": ["MarkupSafe"]}
        lock = read_lock(GOLDEN / "pdm-4.5.1-graph" / "pdm.lock", pyproject=project, frozen=True)

        assert needed(lock, target()) == MAIN - {"markupsafe 2.0.1"}


HEAD = """
[metadata]
groups = ["default"]
strategy = ["inherit_metadata"]
lock_version = "{version}"
{more}
"""


def entry(name: str, number: int, more: str = "", files: str | None = None) -> str:
    wheel = f'[{{file = "{name}-1-py3-none-any.whl", hash = "sha256:{h(number)}"}}]'
    return f"""
[[package]]
name = "{name}"
version = "1"
groups = ["default"]
files = {files or wheel}
{more}
"""


def read(folder: Path, packages: str, more: str = "", *, version: str = "4.5.0") -> Lock:
    (folder / "pdm.lock").write_text(HEAD.format(version=version, more=more) + packages)
    return read_lock(folder / "pdm.lock")


class TestSources:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (
                'git = "https://git.example/a.git"\nref = "main"\nrevision = "abc"\nsubdirectory = "sub"',
                Source(kind="vcs", location="https://git.example/a.git", revision="abc", subdirectory="sub"),
            ),
            ('path = "./libs/a"', Source(kind="directory", location="./libs/a")),
            ('path = "./libs/a"\neditable = true', Source(kind="directory", location="./libs/a", editable=True)),
            ('path = "./a-1-py3-none-any.whl"', Source(kind="path", location="./a-1-py3-none-any.whl")),
            (
                'url = "file:///${PROJECT_ROOT}/a-1-py3-none-any.whl"',
                Source(kind="path", location="./a-1-py3-none-any.whl"),
            ),
            (
                'url = "https://files.example/a-1-py3-none-any.whl#sha256=00"',
                Source(kind="url", location="https://files.example/a-1-py3-none-any.whl"),
            ),
        ],
    )
    def test_each_kind_is_read(self, tmp_path: Path, source: str, expected: Source) -> None:
        (package,) = read(tmp_path, entry("a", 1, source)).packages

        assert package.source == expected
        if expected.kind in {"url", "path"}:
            assert expected.location in {package.files[0].url, package.files[0].path}

    def test_a_set_of_extras_is_resolved_as_one(self, tmp_path: Path) -> None:
        packages = entry("a", 1) + entry("a", 1, 'extras = ["x", "Y"]\ndependencies = ["b", "a==1"]') + entry("b", 2)
        packages += entry("c", 3, 'dependencies = ["a[y,x]"]')
        lock = read(tmp_path, packages)

        found = {item.package.name: item for item in activate(lock, target().environment).active}
        assert found["a"].extras == ("x,y",)
        assert "a" in found["b"].required_by


class TestRefusals:
    @pytest.mark.parametrize("version", ["4.2", "5.0", "3.1", "4", "x"])
    def test_another_version_of_the_format(self, tmp_path: Path, version: str) -> None:
        with pytest.raises(UnsupportedLockError, match="is of lock version"):
            read(tmp_path, entry("a", 1), version=version)

    @pytest.mark.parametrize(
        ("packages", "error", "message"),
        [
            (entry("a", 1, files=f'[{{file = "a-1.tar.gz", hash = "md5:{"0" * 32}"}}]'), None, "no SHA-256"),
            (entry("a", 1, files=f'[{{file = "../a.whl", hash = "sha256:{h(1)}"}}]'), MalformedLockError, "plain"),
            (entry("../a", 1), MalformedLockError, "not a name"),
            (entry("a", 1, 'dependencies = ["!!"]'), MalformedLockError, "not a requirement"),
            (entry("a", 1, 'marker = "what"'), MalformedLockError, "marker"),
            (entry("a", 1, 'requires_python = "three"'), MalformedLockError, "constraint"),
            ('[[metadata.targets]]\nplatform = "a b"\n' + entry("a", 1), MalformedLockError, "platform"),
            ('[[metadata.targets]]\nimplementation = "x"\n' + entry("a", 1), MalformedLockError, "implementation"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, packages: str, error: type[LockError] | None, message: str
    ) -> None:
        with pytest.raises(error or UnpinnedRequirementError, match=message):
            read(tmp_path, packages)


def test_the_lock_is_found_and_another_beside_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pdm.lock").touch()
    assert find_lock(tmp_path) == tmp_path / "pdm.lock"

    (tmp_path / "poetry.lock").touch()
    with pytest.raises(AmbiguousLockError, match=r"poetry\.lock and pdm\.lock"):
        find_lock(tmp_path)
