"""poetry.lock: every version of its format as the tools wrote it, and what each part of it means."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.unit.locks.samples import h

from crossdock.errors import (
    LockError,
    MalformedLockError,
    NoWheelError,
    StaleLockError,
    UnpinnedRequirementError,
    UnsupportedLockError,
)
from crossdock.locks import Lock, Source, activate, find_lock, read_lock, select
from crossdock.targets import Target, parse_platform, parse_python

GOLDEN = Path(__file__).parent / "golden"

EVERY = [
    ("poetry-1.1-by-1.1", False),
    ("poetry-1.1-by-1.2", False),
    ("poetry-2.0", True),
    ("poetry-2.1-by-2.1", False),
    ("poetry-2.1-by-2.5", True),
]
MAIN = {"click 8.0.4", "markupsafe 2.0.1"}
NET = {"certifi", "chardet 4.0.0", "idna 2.10", "pysocks 1.7.1", "requests 2.25.1", "urllib3"}


def target(platform: str = "linux/amd64", python: str = "3.10") -> Target:
    return Target(parse_platform(platform), parse_python(python))


def document(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def golden(name: str) -> Lock:
    return read_lock(GOLDEN / name / "poetry.lock", pyproject=document(GOLDEN / name))


def needed(lock: Lock, on: Target, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> set[str]:
    floating = {"certifi", "urllib3"}
    packages = activate(lock, on.environment, extras, groups).packages
    return {package.name if package.name in floating else str(package) for package in packages}


class TestEveryFormat:
    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_roots_follow_the_targets_python_where_versions_are_forked(self, name: str, _: bool) -> None:
        lock = golden(name)

        assert needed(lock, target(python="3.10")) == MAIN | {"iniconfig 1.1.1"}
        assert needed(lock, target(python="3.12")) == MAIN | {"iniconfig 2.3.1"}

    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_an_extra_brings_its_packages_and_their_extras(self, name: str, _: bool) -> None:
        assert needed(golden(name), target(), ("net",)) == MAIN | NET | {"iniconfig 1.1.1"}

    @pytest.mark.parametrize(("name", "has_docs"), EVERY)
    def test_groups_are_left_out_unless_named(self, name: str, has_docs: bool) -> None:
        lock = golden(name)

        assert lock.default_groups == ()
        assert set(lock.groups) == {"dev", "docs"} if has_docs else {"dev"}
        assert needed(lock, target(), (), ("dev",)) == MAIN | {"iniconfig 1.1.1", "six 1.16.0"}

    @pytest.mark.parametrize("name", ["poetry-2.0", "poetry-2.1-by-2.5"])
    def test_a_groups_marker_counts(self, name: str) -> None:
        assert "sniffio 1.3.0" in needed(golden(name), target(python="3.10"), (), ("docs",))
        assert "sniffio 1.3.0" not in needed(golden(name), target(python="3.9"), (), ("docs",))

    def test_a_package_of_an_extra_can_be_a_groups_too(self) -> None:
        assert needed(golden("poetry-2.1-by-2.5"), target(), (), ("docs",)) >= NET - {"pysocks 1.7.1"}

    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_markers_are_the_targets(self, name: str, _: bool) -> None:
        assert "colorama 0.4.6" in needed(golden(name), target("windows/amd64"))

    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_the_projects_python_limits_the_targets(self, name: str, _: bool) -> None:
        lock = golden(name)

        assert (lock.project, lock.requires_python) == ("demo-app", ">=3.9,<4")

    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_files_are_chosen_by_name_and_known_by_hash(self, name: str, _: bool) -> None:
        chosen = {choice.package.name: choice.file for choice in select(golden(name), target()).choices}

        assert chosen["click"].filename == "click-8.0.4-py3-none-any.whl"
        assert chosen["click"].sha256 == "6a7a62563bbfabfda3a38f3023a1db4a35978c0abd76f6c9605ecd6554d6d9b1"
        assert (chosen["click"].url, chosen["click"].path) == (None, None)
        assert chosen["markupsafe"].filename == (
            "MarkupSafe-2.0.1-cp310-cp310-manylinux_2_5_x86_64.manylinux1_x86_64."
            "manylinux_2_12_x86_64.manylinux2010_x86_64.whl"
        )

    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_dependencies_say_who_requires_what(self, name: str, _: bool) -> None:
        found = activate(golden(name), target().environment, ("net",)).active
        by_name = {item.package.name: set(item.required_by) for item in found}

        assert "requests" in by_name["idna"]
        assert "requests" in by_name["pysocks"]

    def test_files_of_another_version_are_told_apart_where_the_lock_keeps_them_together(self) -> None:
        files = {
            package.version: {file.filename for file in package.files}
            for package in golden("poetry-1.1-by-1.2").packages
            if package.name == "iniconfig"
        }

        assert files == {
            "1.1.1": {"iniconfig-1.1.1-py2.py3-none-any.whl", "iniconfig-1.1.1.tar.gz"},
            "2.3.1": {"iniconfig-2.3.1-py3-none-any.whl", "iniconfig-2.3.1.tar.gz"},
        }


class TestStaleness:
    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_a_changed_dependency_is_an_error_that_says_what_to_run(self, name: str, _: bool) -> None:
        path, changed = GOLDEN / name / "poetry.lock", document(GOLDEN / name)
        if "project" in changed:
            changed["project"]["dependencies"][0] = "click==8.1.0"
        else:
            changed["tool"]["poetry"]["dependencies"]["click"] = "8.1.0"

        with pytest.raises(StaleLockError, match=r"poetry\.lock is older than pyproject\.toml[\s\S]*poetry lock"):
            read_lock(path, pyproject=changed)
        assert read_lock(path, pyproject=changed, frozen=True).packages

    @pytest.mark.parametrize(("name", "_"), EVERY)
    def test_what_has_no_effect_on_the_lock_may_change(self, name: str, _: bool) -> None:
        changed = document(GOLDEN / name)
        changed["tool"]["poetry"]["description"] = "another"
        changed["tool"]["black"] = {"line-length": 100}
        changed["build-system"] = {"requires": ["poetry-core"]}

        assert read_lock(GOLDEN / name / "poetry.lock", pyproject=changed).packages

    def test_groups_of_pep_735_count_since_the_version_that_hashes_them(self) -> None:
        for name, stale in (("poetry-2.1-by-2.1", False), ("poetry-2.1-by-2.5", True)):
            changed = document(GOLDEN / name)
            changed.setdefault("dependency-groups", {})["new"] = ["six"]
            if stale:
                with pytest.raises(StaleLockError):
                    read_lock(GOLDEN / name / "poetry.lock", pyproject=changed)
            else:
                assert "new" in read_lock(GOLDEN / name / "poetry.lock", pyproject=changed).groups


class TestPyproject:
    def test_old_formats_cannot_do_without(self) -> None:
        with pytest.raises(UnsupportedLockError, match=r"without its pyproject\.toml[\s\S]*Poetry 2"):
            read_lock(GOLDEN / "poetry-2.0" / "poetry.lock")

    def test_new_ones_can(self) -> None:
        lock = read_lock(GOLDEN / "poetry-2.1-by-2.5" / "poetry.lock")

        assert needed(lock, target(), ("net",)) == MAIN | NET | {"iniconfig 1.1.1"}


HEAD = """
[metadata]
lock-version = "{version}"
python-versions = "{python}"
content-hash = "0"

[metadata.files]
"""


def entry(name: str, version: str, number: int, more: str = "", files: str | None = None) -> str:
    wheel = f'[{{file = "{name}-{version}-py3-none-any.whl", hash = "sha256:{h(number)}"}}]'
    return f"""
[[package]]
name = "{name}"
version = "{version}"
optional = false
python-versions = "*"
files = {files or wheel}
groups = ["main"]
{more}
"""


def read(folder: Path, packages: str, dependencies: str = "", *, version: str = "2.0", python: str = ">=3.9") -> Lock:
    (folder / "poetry.lock").write_text(packages + HEAD.format(version=version, python=python))
    project = tomllib.loads(f'[tool.poetry]\nname = "app"\n[tool.poetry.dependencies]\npython = "*"\n{dependencies}')
    return read_lock(folder / "poetry.lock", pyproject=project, frozen=True)


class TestSources:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (
                'type = "legacy"\nurl = "https://index.example/simple"\nreference = "own"',
                Source(kind="registry", location="https://index.example/simple"),
            ),
            (
                'type = "git"\nurl = "https://git.example/a.git"\nresolved_reference = "0123abc"\nsubdirectory = "sub"',
                Source(
                    kind="vcs",
                    location="https://git.example/a.git",
                    revision="0123abc",
                    subdirectory="sub",
                ),
            ),
            ('type = "directory"\nurl = "libs/a"', Source(kind="directory", location="libs/a")),
            (
                'type = "url"\nurl = "https://files.example/a-1-py3-none-any.whl"',
                Source(kind="url", location="https://files.example/a-1-py3-none-any.whl"),
            ),
            (
                'type = "file"\nurl = "wheels/a-1-py3-none-any.whl"',
                Source(kind="path", location="wheels/a-1-py3-none-any.whl"),
            ),
        ],
    )
    def test_each_kind_is_read(self, tmp_path: Path, source: str, expected: Source) -> None:
        (package,) = read(tmp_path, entry("a", "1", 1, f"[package.source]\n{source}"), 'a = "*"').packages

        assert package.source == expected
        if expected.kind in {"url", "path"}:
            assert expected.location in {package.files[0].url, package.files[0].path}
        assert bool(package.files) == (expected.kind not in {"vcs", "directory"})

    def test_a_directory_can_be_editable(self, tmp_path: Path) -> None:
        more = 'develop = true\n[package.source]\ntype = "directory"\nurl = "libs/a"'

        assert read(tmp_path, entry("a", "1", 1, more), 'a = "*"').packages[0].source.editable

    def test_an_index_named_for_a_dependency_tells_versions_apart(self, tmp_path: Path) -> None:
        own = '[package.source]\ntype = "legacy"\nurl = "https://cpu.example/simple"\nreference = "cpu"'
        packages = entry("a", "1.0", 1) + entry("a", "1.0+cpu", 2, own)
        lock = read(
            tmp_path,
            packages,
            'a = [{version = "1.0", source = "cpu", platform = "linux"}, {version = "1.0", platform = "win32"}]',
        )

        assert needed(lock, target()) == {"a 1.0+cpu"}


class TestGraph:
    def test_the_newest_version_for_the_targets_python_is_meant(self, tmp_path: Path) -> None:
        packages = entry("a", "1", 1, '[package.dependencies]\nb = ">=1"') + entry("b", "1.0", 2)
        packages += entry("b", "2.0", 3).replace('python-versions = "*"', 'python-versions = ">=3.11"')
        lock = read(tmp_path, packages, 'a = "*"')

        assert needed(lock, target(python="3.10")) == {"a 1", "b 1.0"}
        assert needed(lock, target(python="3.11")) == {"a 1", "b 2.0"}

    def test_a_version_that_the_project_rules_out_is_not_taken(self, tmp_path: Path) -> None:
        packages = entry("a", "1", 1, '[package.dependencies]\nb = ">=1"') + entry("b", "1.0", 2) + entry("b", "2.0", 3)
        lock = read(
            tmp_path,
            packages,
            'a = "*"\nb = [{version = "^1.0", platform = "linux"}, {version = "^2.0", platform = "win32"}]',
        )

        assert needed(lock, target()) == {"a 1", "b 1.0"}
        assert needed(lock, target("windows/amd64")) == {"a 1", "b 2.0"}

    def test_what_should_never_be_needed_is_an_error_when_it_is(self, tmp_path: Path) -> None:
        lock = read(
            tmp_path,
            entry("a", "1", 1, '[package.dependencies]\nb = {version = "*", markers = "os_name == \'nt\'"}'),
            'a = "*"',
        )

        assert needed(lock, target()) == {"a 1"}
        with pytest.raises(NoWheelError, match="b"):
            select(lock, target("windows/amd64"))

    def test_a_union_of_pythons_is_kept(self, tmp_path: Path) -> None:
        lock = read(tmp_path, entry("a", "1", 1), 'a = "*"', python=">=3.9,<3.10 || >=3.12")

        assert needed(lock, target(python="3.9")) == needed(lock, target(python="3.12")) == {"a 1"}
        with pytest.raises(Exception, match="is not for"):
            needed(lock, target(python="3.11"))

    def test_hashes_without_names_are_kept_as_such(self, tmp_path: Path) -> None:
        text = entry("a", "1", 1).replace("files = ", "unused = ") + HEAD.format(version="1.0", python="*")
        text = text.replace("[metadata.files]", f'[metadata.hashes]\nA = ["{h(7)}"]')
        (tmp_path / "poetry.lock").write_text(text)
        project = {"tool": {"poetry": {"dependencies": {"a": "*"}}}}

        (package,) = read_lock(tmp_path / "poetry.lock", pyproject=project, frozen=True).packages

        assert (package.files, package.hashes) == ((), frozenset({h(7)}))


class TestRefusals:
    @pytest.mark.parametrize("version", ["3.0", "0.9", "x", "2.1-next"])
    def test_another_version_of_the_format(self, tmp_path: Path, version: str) -> None:
        with pytest.raises(UnsupportedLockError, match="is of lock version"):
            read(tmp_path, entry("a", "1", 1), version=version)

    @pytest.mark.parametrize(
        ("packages", "error", "message"),
        [
            (entry("a", "1", 1, files=f'[{{file = "a-1.tar.gz", hash = "md5:{"0" * 32}"}}]'), None, "no SHA-256"),
            (entry("a", "1", 1, files='[{file = "a-1.tar.gz"}]'), None, "has no hash"),
            (entry("a", "1", 1, files=f'[{{file = "../a.whl", hash = "sha256:{h(1)}"}}]'), MalformedLockError, "plain"),
            (entry("../a", "1", 1), MalformedLockError, "not a name"),
            (entry("a", "one", 1), MalformedLockError, "not a version"),
            (entry("a", "1", 1, '[package.dependencies]\nb = "^^1"'), MalformedLockError, "constraint"),
            (entry("a", "1", 1, "[package.dependencies]\nb = 1"), MalformedLockError, "not a table"),
            (
                entry("a", "1", 1, '[package.dependencies]\nb = {version = "*", markers = "what"}'),
                MalformedLockError,
                "marker",
            ),
            (entry("a", "1", 1, '[package.source]\ntype = "odd"\nurl = "x"'), MalformedLockError, "none of legacy"),
            ("package = 1\n", MalformedLockError, "not an array"),
            ("".join(entry("a", f"1.{i}", i) for i in range(20)), MalformedLockError, "20 entries are called a"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, packages: str, error: type[LockError] | None, message: str
    ) -> None:
        with pytest.raises(error or UnpinnedRequirementError, match=message):
            read(tmp_path, packages, 'a = "*"')

    def test_a_password_in_a_url_stays_out_of_messages(self, tmp_path: Path) -> None:
        source = '[package.source]\ntype = "url"\nurl = "ftp://user:secret@files.example/a-1-py3-none-any.whl"'
        with pytest.raises(MalformedLockError) as caught:
            read(tmp_path, entry("a", "1", 1, source), 'a = "*"')
        assert "secret" not in str(caught.value)


def test_the_lock_is_found(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").touch()

    assert find_lock(tmp_path) == tmp_path / "poetry.lock"
