"""pylock.toml (PEP 751): everything an entry may say, and locks as real tools wrote them."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path

import pytest
from packaging.pylock import PackageWheel, Pylock
from tests.unit.locks.samples import U, h

from crossdock.errors import (
    ConflictingPackagesError,
    CrossdockError,
    MalformedLockError,
    TargetNotLockedError,
    UnpinnedRequirementError,
    UnsupportedLockError,
)
from crossdock.locks import Lock, Source, activate, read_lock, select
from crossdock.targets import Target, parse_platform, parse_python

GOLDEN = Path(__file__).parent / "golden"
TARGETS = [
    Target(parse_platform(platform), parse_python(python))
    for platform in ("linux/amd64", "linux/arm64+musl", "macos/arm64", "windows/amd64")
    for python in ("3.11", "3.13")
]
LINUX = TARGETS[0]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = f"type = 'git', commit-id = '{COMMIT}'"


def wheel(name: str, version: str = "1.0") -> str:
    return f'[[{{ url = "{U}/{name}-{version}-py3-none-any.whl", hashes = {{ sha256 = "{h(1)}" }} }}]]'[1:-1]


def package(name: str, rest: str = "", version: str = "1.0") -> str:
    text = f'[[packages]]\nname = "{name}"\n'
    files = "" if rest.startswith(("vcs", "directory", "archive")) else f"wheels = {wheel(name, version)}\n"
    return text + f'version = "{version}"\n' + files + rest + "\n"


def read(folder: Path, *packages: str, head: str = "", version: str = "1.0", project: str | None = None) -> Lock:
    path = folder / "pylock.toml"
    path.write_text(f'lock-version = "{version}"\ncreated-by = "hand"\n{head}\n' + "".join(packages))
    return read_lock(path, project)


def names(lock: Lock, *extras: str, groups: list[str] | None = None) -> list[str]:
    return [p.name for p in activate(lock, LINUX.environment, extras, groups).packages]


class TestGolden:
    @pytest.mark.parametrize("target", TARGETS, ids=str)
    @pytest.mark.parametrize("folder", sorted(GOLDEN.glob("pylock-*")), ids=lambda folder: folder.name)
    def test_real_tools_locks_give_what_packaging_gives(self, folder: Path, target: Target) -> None:
        path = folder / "pylock.toml"
        packages = Pylock.from_dict(tomllib.loads(path.read_text())).select(
            environment=target.environment,  # type: ignore[arg-type]
            tags=target.tags,
        )
        expected = {p.name: file.filename for p, file in packages if isinstance(file, PackageWheel)}

        lock = read_lock(path, "member")

        assert {c.package.name: c.file.filename for c in select(lock, target).choices} == expected
        assert len(expected) >= 4


class TestVersions:
    def test_a_newer_minor_version_is_read_without_a_word(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            assert names(read(tmp_path, package("a"), version="1.7")) == ["a"]
        assert caplog.records == []
        assert capfd.readouterr() == ("", "")
        assert not logging.getLogger("packaging.pylock").disabled

    @pytest.mark.parametrize("version", ["2.0", "0.9"])
    def test_another_major_version_is_refused(self, tmp_path: Path, version: str) -> None:
        with pytest.raises(UnsupportedLockError, match=version):
            read(tmp_path, package("a"), version=version)


class TestSelection:
    def test_extras_groups_and_default_groups(self, tmp_path: Path) -> None:
        lock = read(
            tmp_path,
            package("always"),
            package("net", "marker = \"'Net_Work' in extras\""),
            package("docs", "marker = \"'docs' in dependency_groups\""),
            package("dev", "marker = \"'dev' in dependency_groups or 'net-work' in extras\""),
            head='extras = ["net-work"]\ndependency-groups = ["dev", "docs"]\ndefault-groups = ["dev"]',
        )

        assert names(lock) == ["always", "dev"]
        assert names(lock, groups=[]) == ["always"]
        assert names(lock, "Net.Work", groups=["docs"]) == ["always", "dev", "docs", "net"]

    def test_one_name_under_disjoint_markers(self, tmp_path: Path) -> None:
        entries = (
            package("a", "marker = \"sys_platform == 'linux'\""),
            package("a", "marker = \"sys_platform != 'linux'\"", version="2.0"),
        )

        assert activate(read(tmp_path, *entries), LINUX.environment).packages[0].version == "1.0"
        with pytest.raises(ConflictingPackagesError, match=r"a is needed twice .*: 1\.0 .* and 2\.0"):
            names(read(tmp_path, entries[0], entries[1].replace("!=", "==")))

    def test_pythons_and_environments_are_kept(self, tmp_path: Path) -> None:
        with pytest.raises(TargetNotLockedError, match=r"a 1\.0 is not for Python 3\.11"):
            names(read(tmp_path, package("a", 'requires-python = ">=3.12"')))
        with pytest.raises(TargetNotLockedError, match=r"a 1\.0 is not for Python 3\.11"):
            names(read(tmp_path, package("a", f'requires-python = ">={"9" * 5000}"')))
        with pytest.raises(TargetNotLockedError, match="made for sys_platform"):
            names(read(tmp_path, package("a"), head="environments = [\"sys_platform == 'win32'\"]"))


class TestRequiredBy:
    def test_dependencies_tell_who_requires_a_package_and_are_not_followed(self, tmp_path: Path) -> None:
        off = "marker = \"sys_platform == 'win32'\""
        lock = read(
            tmp_path,
            package("a", 'dependencies = [{ name = "b" }, { name = "off" }, { name = "nobody" }, { version = "1" }]'),
            package("b", 'dependencies = [{ name = "a" }]\nmarker = "sys_platform == \'linux\'"'),
            package("off", off),
            package("c", 'dependencies = [{ name = "b" }]'),
        )
        active = {item.package.name: item for item in activate(lock, LINUX.environment).active}

        assert {name: item.required_by for name, item in active.items()} == {"a": ("b",), "b": ("a", "c"), "c": ("",)}
        assert active["b"].because == (("a", 'sys_platform == "linux"'), ("c", 'sys_platform == "linux"'))

    def test_an_entry_is_found_by_the_keys_that_are_given(self, tmp_path: Path) -> None:
        lock = read(
            tmp_path,
            package("a", 'dependencies = [{ name = "b", version = "2.0" }, { name = "c", vcs = { type = "git" } }]'),
            package("b", "marker = \"sys_platform == 'linux'\""),
            package("b", "marker = \"sys_platform != 'linux'\"", version="2.0"),
            package("c", f'vcs = {{ type = "git", url = "https://git.example/c", commit-id = "{COMMIT}" }}'),
        )

        assert [(d.name, d.index) for d in lock.packages[0].dependencies] == [("b", 2), ("c", 3)]


class TestSources:
    @pytest.mark.parametrize(
        ("rest", "expected"),
        [
            (
                f"vcs = {{ {GIT}, url = 'https://git.example/a', requested-revision = 'x', subdirectory = 'x/y' }}",
                Source(kind="vcs", location="https://git.example/a", revision=COMMIT, subdirectory="x/y"),
            ),
            (
                f'vcs = {{ type = "git", path = "../repo", commit-id = "{COMMIT}" }}',
                Source(kind="vcs", location="../repo", revision=COMMIT),
            ),
            (
                'vcs = { type = "hg", url = "https://hg.example/a", commit-id = "12" }',
                Source(kind="vcs", location="hg+https://hg.example/a", revision="12"),
            ),
            (
                'directory = { path = "libs", editable = true, subdirectory = "a" }',
                Source(kind="directory", location="libs", editable=True, subdirectory="a"),
            ),
            (
                f'archive = {{ url = "{U}/a.zip#x=y", subdirectory = "x", hashes = {{ sha256 = "{h(1)}" }} }}',
                Source(kind="url", location=f"{U}/a.zip", subdirectory="x"),
            ),
            (
                f'archive = {{ path = "files/a.zip", size = 7, hashes = {{ sha256 = "{h(1)}" }} }}',
                Source(kind="path", location="files/a.zip"),
            ),
            (
                f'archive = {{ url = "file:///srv/a%20b/a.zip", hashes = {{ sha256 = "{h(1)}" }} }}',
                Source(kind="path", location="/srv/a b/a.zip"),
            ),
        ],
    )
    def test_every_kind(self, tmp_path: Path, rest: str, expected: Source) -> None:
        (found,) = read(tmp_path, package("a", rest)).packages

        assert found.source == expected
        assert [(f.filename, f.size) for f in found.files] == (
            [("a.zip", 7 if "size" in rest else None)] if "archive" in rest else []
        )

    @pytest.mark.parametrize(
        ("rest", "error"),
        [
            (
                'vcs = { type = "git", url = "https://u:secret@g.example/a", commit-id = "main" }',
                UnpinnedRequirementError,
            ),
            (f'vcs = {{ type = "git", url = "ext::secret", commit-id = "{COMMIT}" }}', MalformedLockError),
            (
                f'vcs = {{ type = "git", url = "https://secret/", subdirectory = "../..", commit-id = "{COMMIT}" }}',
                MalformedLockError,
            ),
            ('directory = { path = "secret", subdirectory = "/etc" }', MalformedLockError),
            ('directory = { path = "secret\\u0007" }', MalformedLockError),
            ('archive = { url = "https://secret/a.zip", hashes = { md5 = "00" } }', UnpinnedRequirementError),
        ],
    )
    def test_what_is_not_safe_or_not_pinned_is_refused(
        self, tmp_path: Path, rest: str, error: type[CrossdockError]
    ) -> None:
        with pytest.raises(error) as caught:
            read(tmp_path, package("a", rest))
        assert "secret" not in str(caught.value)
        assert "package a" in str(caught.value)

    def test_index_attestations_and_tool_tables(self, tmp_path: Path) -> None:
        identity = '{ kind = "GitHub", repository = "o/r", workflow = "release.yml" }'
        lock = read(
            tmp_path,
            package(
                "a",
                f'index = "https://index.example/simple"\nattestation-identities = [{identity}]\n'
                "[packages.tool.some]\nkey = 1\n",
            ),
            "[tool.other]\nkey = 1\n",
        )

        assert lock.packages[0].source.location == "https://index.example/simple"
        assert [dict(item) for item in lock.packages[0].attestation_identities] == [
            {"kind": "GitHub", "repository": "o/r", "workflow": "release.yml"}
        ]

    def test_the_project_itself_is_left_out_wherever_its_folder_is(self, tmp_path: Path) -> None:
        folder = '[[packages]]\nname = "app"\ndirectory = { path = "packages/app", editable = true }\n'

        assert names(read(tmp_path, folder, package("a")), groups=[]) == ["a", "app"]
        assert names(read(tmp_path, folder, package("a"), project="App")) == ["a"]
