"""uv.lock: members of a workspace, conflicts, forks and sources, and locks in each revision of the format."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.locks.samples import U, h

from crossdock.errors import (
    ConflictingPackagesError,
    CrossdockError,
    MalformedLockError,
    StaleLockError,
    UnpinnedRequirementError,
    UnsupportedLockError,
)
from crossdock.locks import Lock, Source, activate, read_lock
from crossdock.locks.uv import read_uv_lock
from crossdock.targets import Target, parse_platform, parse_python

GOLDEN = Path(__file__).parent / "golden"
LINUX_311 = Target(parse_platform("linux/amd64"), parse_python("3.11"))
WINDOWS_313 = Target(parse_platform("windows/amd64"), parse_python("3.13"))

FROZEN = {"member": "0.2.0", "six": "1.17.0", "zipp": "4.1.2"}


def active(lock: Lock, target: Target, *extras: str, groups: tuple[str, ...] = ()) -> dict[str, str | None]:
    return {p.name: p.version for p in activate(lock, target.environment, extras, groups).packages}


def read(folder: Path, text: str, project: str | None = None) -> Lock:
    (folder / "uv.lock").write_text('version = 1\nrequires-python = ">=3.11"\n' + text)
    return read_uv_lock(folder / "uv.lock", project)


def package(name: str, rest: str = "", version: str = "1.0", source: str = "") -> str:
    """Write a package of an index, or one of another source."""
    wheels = f'wheels = [{{ url = "{U}/{name}-{version}-py3-none-any.whl", hash = "sha256:{h(1)}" }}]\n'
    source, wheels = (source, "") if source else ('registry = "https://index.example/simple"', wheels)
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ {source} }}\n{wheels}{rest}\n'


class TestGolden:
    @pytest.mark.parametrize("folder", sorted(GOLDEN.glob("uv-*")), ids=lambda folder: folder.name)
    def test_each_revision_gives_the_same(self, folder: Path) -> None:
        pyproject = tomllib.loads((folder / "pyproject.toml").read_text())
        revision = tomllib.loads((folder / "uv.lock").read_text()).get("revision", 0)
        assert folder.name.endswith(f"-revision-{revision}")

        lock = read_lock(folder / "uv.lock", "golden", pyproject=pyproject)

        assert active(lock, LINUX_311) == {**FROZEN, "typing-extensions": "4.11.0"}
        assert active(lock, WINDOWS_313) == {**FROZEN, "typing-extensions": "4.12.2", "colorama": "0.4.6"}
        assert active(lock, LINUX_311, "old")["idna"] == "3.6"
        assert active(lock, LINUX_311, "every")["idna"] == "3.6"
        assert active(lock, LINUX_311, groups=("dev",))["iniconfig"] == "2.3.1"
        assert active(read_lock(folder / "uv.lock", "Member"), LINUX_311, "fast") == {"zipp": "4.1.2"}

    @pytest.mark.parametrize(
        "folder", sorted(set(GOLDEN.glob("uv-*")) - set(GOLDEN.glob("uv-0.4*"))), ids=lambda folder: folder.name
    )
    def test_conflicts_of_each_revision(self, folder: Path) -> None:
        lock = read_lock(folder / "uv.lock", "golden")

        assert active(lock, LINUX_311, "new")["idna"] == "3.7"
        # The group asks for the extra "new" and conflicts with it: uv leaves that edge away, whatever one thinks of it.
        assert "idna" not in active(lock, LINUX_311, groups=("ci",))
        assert active(lock, LINUX_311, groups=("test",)) == {
            **FROZEN,
            "typing-extensions": "4.11.0",
            "pluggy": "1.7.0",
        }
        with pytest.raises(ConflictingPackagesError, match="in conflict: the extra new and the extra old"):
            active(lock, LINUX_311, "old", "new")
        with pytest.raises(ConflictingPackagesError, match="in conflict: the extra every and the extra old"):
            active(lock, LINUX_311, "old", "every")

    @pytest.mark.parametrize("folder", sorted(GOLDEN.glob("uv-*")), ids=lambda folder: folder.name)
    def test_an_edit_after_any_revision_is_told(self, folder: Path) -> None:
        text = (folder / "pyproject.toml").read_text().replace("six >=1,<2", "six >=1,<3")

        with pytest.raises(StaleLockError, match="six<2,>=1 became six<3,>=1"):
            read_lock(folder / "uv.lock", "golden", pyproject=tomllib.loads(text))


WORKSPACE = (
    """
[manifest]
members = ["app", "lib"]
[manifest.dependency-groups]
lint = [{ name = "tool" }]
dev = [{ name = "tool" }, { name = "fork", marker = "sys_platform == 'linux'" }]

"""
    + package(
        "app",
        'dependencies = [{ name = "lib", extra = ["fast"] }]\n[package.dev-dependencies]\ndev = [{ name = "speed" }]\n'
        'own = [{ name = "app", extra = ["x"] }]\n[package.optional-dependencies]\nx = [{ name = "speed" }]\n',
        source='editable = "apps/app"',
    )
    + package(
        "lib",
        '[package.optional-dependencies]\nfast = [{ name = "speed" }]\nx = [{ name = "tool" }]\n',
        source='virtual = "libs/lib"',
    )
    + package("speed")
    + package("tool")
    + package("fork", "resolution-markers = [\"python_full_version < '3.12'\"]\n")
    + package("fork", "resolution-markers = [\"python_full_version >= '3.12'\"]\n", version="2.0")
)


class TestWorkspace:
    def test_any_member_can_be_the_root(self, tmp_path: Path) -> None:
        app, lib = (read(tmp_path, WORKSPACE, name) for name in ("App", "lib"))

        assert (app.project, lib.project) == ("app", "lib")
        assert active(app, LINUX_311) == {"lib": "1.0", "speed": "1.0"}
        assert active(lib, LINUX_311) == {}
        assert active(lib, LINUX_311, "x") == {"tool": "1.0"}
        sources = {p.name: p.source for p in (*app.packages, *lib.packages) if p.source.kind != "registry"}
        assert sources == {
            "lib": Source(kind="virtual", location="libs/lib"),
            "app": Source(kind="directory", location="apps/app", editable=True),
        }

    def test_groups_of_the_root_folder_are_every_members(self, tmp_path: Path) -> None:
        app, lib = (read(tmp_path, WORKSPACE, name) for name in ("app", "lib"))

        assert active(lib, LINUX_311, groups=("lint",)) == {"tool": "1.0"}
        assert active(lib, LINUX_311, groups=("dev",)) == {"tool": "1.0", "fork": "1.0"}
        assert active(lib, WINDOWS_313, groups=("dev",)) == {"tool": "1.0"}
        linux_313 = Target(parse_platform("linux/amd64"), parse_python("3.13"))
        assert active(app, linux_313, groups=("dev",)) == {"tool": "1.0", "fork": "2.0", "lib": "1.0", "speed": "1.0"}

    def test_extras_and_groups_that_add_nothing_can_be_asked_for(self, tmp_path: Path) -> None:
        metadata = (
            '[package.optional-dependencies]\nfull = [{ name = "tool" }]\n[package.metadata]\n'
            'provides-extras = ["bare", "full"]\n[package.metadata.requires-dev]\ndev = []\n'
        )
        text = '[manifest]\nmembers = ["app", "lib"]\n' + package("app", metadata, source='editable = "app"')
        text += package("lib", source='editable = "lib"') + package("tool")
        app, whole = read(tmp_path, text, "app"), read(tmp_path, text)

        assert active(app, LINUX_311, "bare", groups=("dev",)) == {}
        assert active(app, LINUX_311, "bare", "full") == {"tool": "1.0"}
        assert active(whole, LINUX_311, "bare", groups=("dev",)) == {"app": "1.0", "lib": "1.0"}

    def test_groups_alone_leave_the_project_out_unless_they_name_it(self, tmp_path: Path) -> None:
        app = read(tmp_path, WORKSPACE, "app")

        lint = activate(app, LINUX_311.environment, groups=["lint"], include_project=False)
        own = activate(app, LINUX_311.environment, groups=["own"], include_project=False)

        assert ([p.name for p in lint.packages], lint.project) == (["tool"], False)
        assert ([p.name for p in own.packages], own.project) == (["lib", "speed"], True)

    def test_without_a_name_and_a_project_at_the_top_all_members_count(self, tmp_path: Path) -> None:
        lock = read(tmp_path, WORKSPACE)

        assert lock.project is None
        assert active(lock, LINUX_311) == {"app": "1.0", "lib": "1.0", "speed": "1.0"}
        assert set(active(lock, LINUX_311, "x")) == {"app", "lib", "speed", "tool"}
        assert set(lock.groups) == {"dev", "lint", "own"}

    def test_the_project_at_the_top_is_meant_without_a_name(self, tmp_path: Path) -> None:
        assert read(tmp_path, WORKSPACE.replace("apps/app", ".")).project == "app"

    def test_what_is_no_member_is_refused_and_the_members_named(self, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedLockError, match=r"no workspace member speed\n.*its members are app, lib"):
            read(tmp_path, WORKSPACE, "speed")

    def test_two_entries_for_a_member_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(MalformedLockError, match="the member app has two entries"):
            read(tmp_path, WORKSPACE + package("app", source='editable = "b"'))


CONFLICTS = (
    """
conflicts = [[{ package = "app", extra = "a" }, { package = "lib", extra = "slow" }, { package = "app", group = "g" }]]
"""
    + package(
        "app",
        'dependencies = [{ name = "lib" }, { name = "n", version = "1.0", marker = "'
        'extra == \'extra-3-lib-slow\'" }, { name = "n", version = "2.0", marker = "extra != \'extra-3-lib-slow\'" },'
        ' { name = "only", marker = "extra == \'group-3-app-g\'" }]\n'
        '[package.optional-dependencies]\na = [{ name = "n", version = "2.0" }]\n'
        's = [{ name = "lib", extra = ["slow"], marker = "extra == \'extra-3-lib-slow\'" }]\n'
        '[package.dev-dependencies]\ng = [{ name = "n", version = "2.0" }]\n',
        source='editable = "."',
    )
    + package("lib", '[package.optional-dependencies]\nslow = [{ name = "speed" }]\n')
    + package("n")
    + package("n", version="2.0")
    + package("speed")
    + package("only")
)


class TestConflicts:
    def test_an_extra_of_a_dependency_counts_wherever_it_is_asked_for(self, tmp_path: Path) -> None:
        lock = read(tmp_path, CONFLICTS)

        assert active(lock, LINUX_311) == {"lib": "1.0", "n": "2.0"}
        assert active(lock, LINUX_311, "s") == {"lib": "1.0", "n": "1.0", "speed": "1.0"}

    def test_groups_count_too(self, tmp_path: Path) -> None:
        assert "only" in active(read(tmp_path, CONFLICTS), LINUX_311, groups=("g",))

    @pytest.mark.parametrize(("extras", "groups"), [(("a", "s"), ()), (("a",), ("g",)), (("s", "a"), ("g",))])
    def test_two_of_a_set_are_refused(self, tmp_path: Path, extras: tuple[str, ...], groups: tuple[str, ...]) -> None:
        with pytest.raises(ConflictingPackagesError, match=r"in conflict: (the group g|the extra a) and"):
            active(read(tmp_path, CONFLICTS), LINUX_311, *extras, groups=groups)

    def test_the_markers_say_in_plain_words_whose_extra_it_is(self, tmp_path: Path) -> None:
        skipped = activate(read(tmp_path, CONFLICTS), LINUX_311.environment).skipped

        assert [(item.package.name, item.by) for item in skipped] == [
            ("n", (("", "'lib[slow]' in extras"),)),
            ("only", (("", "'g' in dependency_groups"),)),
        ]

    @pytest.mark.parametrize(
        "conflicts",
        [
            "conflicts = 1",
            "conflicts = [1]",
            "conflicts = [[1]]",
            "conflicts = [[{}]]",
            "conflicts = [[{package = 1}]]",
        ],
    )
    def test_damaged_conflicts_are_refused(self, tmp_path: Path, conflicts: str) -> None:
        with pytest.raises(MalformedLockError):
            read(tmp_path, conflicts + "\n" + package("app", source='editable = "."'))


COMMIT = "0123456789" * 4


class TestSources:
    def one(self, folder: Path, source: str, rest: str = "") -> Lock:
        root = package("app", 'dependencies = [{ name = "p" }]', source='virtual = "."')
        return read(folder, root + package("p", rest, source=source))

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (
                f'git = "https://git.example/a/b?rev=main#{COMMIT}"',
                Source(kind="vcs", location="https://git.example/a/b", revision=COMMIT),
            ),
            (
                f'git = "ssh://git@git.example/a/b?subdirectory=x%2Fy&tag=v1&token=1#{COMMIT}"',
                Source(kind="vcs", location="ssh://git@git.example/a/b?token=1", revision=COMMIT, subdirectory="x/y"),
            ),
            ('directory = "../lib"', Source(kind="directory", location="../lib")),
            ('editable = "lib"', Source(kind="directory", location="lib", editable=True)),
            ('virtual = "lib"', Source(kind="virtual", location="lib")),
        ],
    )
    def test_trees(self, tmp_path: Path, source: str, expected: Source) -> None:
        (found,) = self.one(tmp_path, source).packages

        assert (found.source, found.files) == (expected, ())

    @pytest.mark.parametrize(
        ("source", "file", "path", "url"),
        [
            (f'url = "{U}/p-1.0.zip", subdirectory = "in"', 'sdist = { hash = "H" }', None, f"{U}/p-1.0.zip"),
            (f'url = "{U}/p-1.0.zip#egg=p"', 'sdist = { hash = "H" }', None, f"{U}/p-1.0.zip"),
            (
                f'url = "{U}/p-1.0-py3-none-any.whl"',
                f'wheels = [{{ url = "{U}/p-1.0-py3-none-any.whl#x", hash = "H" }}]',
                None,
                f"{U}/p-1.0-py3-none-any.whl",
            ),
            ('path = "../p-1.0.tar.gz"', 'sdist = { hash = "H" }', "../p-1.0.tar.gz", None),
            (
                'registry = "../flat"',
                'wheels = [{ path = "sub/p-1.0-py3-none-any.whl", hash = "H" }]',
                "../flat/sub/p-1.0-py3-none-any.whl",
                None,
            ),
        ],
    )
    def test_files(self, tmp_path: Path, source: str, file: str, path: str | None, url: str | None) -> None:
        (found,) = self.one(tmp_path, source, file.replace("H", f"sha256:{h(9)}")).packages

        assert [(f.path, f.url, f.sha256) for f in found.files] == [(path, url, h(9))]
        assert found.source.subdirectory == ("in" if "subdirectory" in source else "")

    @pytest.mark.parametrize(
        ("source", "rest", "error", "message"),
        [
            ('git = "https://u:secret@git.example/a?rev=main#main"', "", UnpinnedRequirementError, "no full commit"),
            ('git = "https://u:secret@git.example/a"', "", UnpinnedRequirementError, "no full commit"),
            (f'git = "ext::sh -c secret#{COMMIT}"', "", MalformedLockError, "URL of a repository"),
            (f'git = "--upload-pack=secret#{COMMIT}"', "", MalformedLockError, "URL of a repository"),
            (f'git = "https://[secret#{COMMIT}"', "", MalformedLockError, "URL of a repository"),
            (f'git = "https://h/secret?subdirectory=../x#{COMMIT}"', "", MalformedLockError, "leads out"),
            (f'url = "{U}/p.zip", subdirectory = "/etc"', "", MalformedLockError, "leads out"),
            (f'url = "{U}/p.zip", subdirectory = "a\\\\..\\\\.."', "", MalformedLockError, "leads out"),
            ('directory = "a\\u0007"', "", MalformedLockError, "control characters"),
            (
                'registry = "flat"',
                'wheels = [{ path = "p-1.0-py3-none-any.whl" }]',
                UnpinnedRequirementError,
                "flat/p-1",
            ),
            ('git = "x", path = "y"', "", MalformedLockError, "'source' is none of"),
        ],
    )
    def test_what_is_not_safe_or_not_pinned_is_refused(
        self, tmp_path: Path, source: str, rest: str, error: type[CrossdockError], message: str
    ) -> None:
        with pytest.raises(error, match=message) as caught:
            self.one(tmp_path, source, rest)
        assert "secret" not in str(caught.value)


class TestHostile:
    LOCK = (GOLDEN / "uv-0.13.9-revision-5" / "uv.lock").read_text()
    PROJECT = (GOLDEN / "uv-0.13.9-revision-5" / "pyproject.toml").read_text()
    VALUES = st.sampled_from(
        ["1", "true", "''", "[]", "{}", "[1]", "[{}]", "[[]]", "nan", "'a'", "'>=3'", f"'>={'9' * 5000}'", "['x>=1']"]
    )

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data(), in_lock=st.booleans())
    def test_a_damaged_lock_or_project_never_gives_a_traceback(
        self, tmp_path: Path, data: st.DataObject, in_lock: bool
    ) -> None:
        lines = (self.LOCK if in_lock else self.PROJECT).split("\n")
        number = data.draw(st.sampled_from([i for i, line in enumerate(lines) if "=" in line]))
        old = lines[number]
        lines[number] = data.draw(
            st.one_of(
                self.VALUES.map(lambda value: f"{old.split('=', 1)[0]}= {value}"),
                self.VALUES.map(lambda value: re.sub(r'"[^"]*"', lambda _: value, old, count=2)),
            )
        )
        text = "\n".join(lines)
        (tmp_path / "uv.lock").write_text(text if in_lock else self.LOCK)
        try:
            pyproject = tomllib.loads(self.PROJECT if in_lock else text)
        except tomllib.TOMLDecodeError:
            return
        for project in ("golden", "member", None):
            with contextlib.suppress(CrossdockError):
                lock = read_uv_lock(tmp_path / "uv.lock", project, pyproject=pyproject)
                activate(lock, LINUX_311.environment, sorted(lock.optional)[:1], sorted(lock.groups)[:1])
