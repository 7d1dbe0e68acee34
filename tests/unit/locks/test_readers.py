"""What each format says, and what is refused with its place named."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.locks.samples import PYLOCK, REQUIREMENTS, UV, U, h

from crossdock.errors import (
    AmbiguousLockError,
    CrossdockError,
    LockError,
    MalformedLockError,
    MissingLockError,
    UnpinnedRequirementError,
    UnsupportedLockError,
)
from crossdock.locks import IndexOptions, Lock, Source, find_lock, read_lock, select
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789" * 4
TARGET = Target(parse_platform("linux/arm64"), parse_python("3.11"))
SAMPLES = {"uv.lock": UV, "pylock.toml": PYLOCK, "requirements.txt": REQUIREMENTS}


def read(folder: Path, name: str, text: str, project: str | None = None) -> Lock:
    (folder / name).write_text(text)
    return read_lock(folder / name, project)


class TestDiscovery:
    @pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "pylock.prod.toml", "requirements.txt"])
    def test_the_only_one_is_found(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        (tmp_path / "pylock.a.b.toml").touch()  # not a name of PEP 751

        assert find_lock(tmp_path) == tmp_path / name

    def test_two_are_an_error_that_names_both_and_the_setting(self, tmp_path: Path) -> None:
        (tmp_path / "uv.lock").touch()
        (tmp_path / "requirements.txt").touch()

        with pytest.raises(AmbiguousLockError, match=r"uv\.lock and requirements\.txt[\s\S]*\[tool\.crossdock\] lock"):
            find_lock(tmp_path)
        assert find_lock(tmp_path, "uv.lock") == tmp_path / "uv.lock"

    def test_none_says_how_to_make_one(self, tmp_path: Path) -> None:
        with pytest.raises(MissingLockError, match="uv lock"):
            find_lock(tmp_path)
        (tmp_path / "pixi.lock").touch()
        with pytest.raises(MissingLockError, match=r"pixi\.lock cannot be read yet"):
            find_lock(tmp_path)

    def test_a_configured_one_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(MissingLockError, match=r"\[tool\.crossdock\] lock names 'x\.txt'"):
            find_lock(tmp_path, "x.txt")

    def test_a_folder_a_foreign_name_and_binary_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "uv.lock").mkdir()
        (tmp_path / "requirements.txt").write_bytes(b"\xff\xfe")
        with pytest.raises(MissingLockError):
            read_lock(tmp_path / "uv.lock")
        with pytest.raises(UnsupportedLockError):
            read_lock(tmp_path / "pixi.lock")
        with pytest.raises(MalformedLockError, match="UTF-8"):
            read_lock(tmp_path / "requirements.txt")


class TestUv:
    def test_the_project_is_no_package(self, tmp_path: Path) -> None:
        lock = read(tmp_path, "uv.lock", UV)

        assert lock.project == "my-app"
        assert "my-app" not in {package.name for package in lock.packages}
        assert lock.requires_python == ">=3.11"
        assert set(lock.optional) == {"old", "new", "all", "extra-one"}
        assert set(lock.groups) == {"dev"}

    def test_files_are_read_whole(self, tmp_path: Path) -> None:
        server = read(tmp_path, "uv.lock", UV).packages[0]

        assert (server.files[0].filename, server.files[0].size, server.files[0].sha256) == (
            "server-3.1-py3-none-any.whl",
            10,
            h(1),
        )
        assert server.source.location == "https://index.example/simple"

    @pytest.mark.parametrize(
        ("old", "new", "error", "message"),
        [
            ("version = 1\n", "version = 2\n", UnsupportedLockError, "lock version 2"),
            ("version = 1\n", "", MalformedLockError, "'version' is missing"),
            ("version = 1\n", "version = true\n", MalformedLockError, "'version' is not an integer"),
            ("revision = 3", "revision = 999", None, ""),
            (f"sha256:{h(1)}", "md5:" + "0" * 32, UnpinnedRequirementError, "package server: no SHA-256"),
            (f"sha256:{h(1)}", "sha256:12", MalformedLockError, "package server"),
            (f', hash = "sha256:{h(1)}"', "", UnpinnedRequirementError, "has no hash"),
            ("server-3.1-py3", "..%2F..%2Fserver-3.1-py3", MalformedLockError, "plain file name"),
            ("server-3.1-py3-none-any.whl", "..", MalformedLockError, "plain file name"),
            (f"{U}/server", "file:///etc/server", MalformedLockError, "not an http or https"),
            ("size = 10", "size = -1", MalformedLockError, "negative"),
            ('name = "server", extra', 'name = "nobody", extra', MalformedLockError, "no entry"),
            ('name = "num", version = "1.0", ', 'name = "num", ', MalformedLockError, "2 entries"),
            ("sys_platform == 'win32'", "sys_platform ==", MalformedLockError, "marker"),
            ('{ editable = "." }', '{ editable = "sub" }', UnsupportedLockError, "no project at its root"),
            ('{ editable = "." }', "{ }", MalformedLockError, "package my-app"),
            ('name = "server"\n', "name = 'x y'\n", MalformedLockError, "is not a name"),
            (">=3.11", "newest", MalformedLockError, "requires-python"),
            ("version = 1\n", "version = [[[\n", MalformedLockError, r"line \d+"),
            ("version = 1\n", "version = " + "[" * 100_000, MalformedLockError, "nested too deeply"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, old: str, new: str, error: type[LockError] | None, message: str
    ) -> None:
        assert old in UV
        with pytest.raises(error, match=message) if error else contextlib.nullcontext():
            read(tmp_path, "uv.lock", UV.replace(old, new, 1))

    def test_one_file_name_with_two_hashes_is_refused(self, tmp_path: Path) -> None:
        wheel = f'{{ url = "{U}/server-3.1-py3-none-any.whl", hash = "sha256:{h(77)}" }}, '

        with pytest.raises(MalformedLockError, match="two different hashes"):
            read(tmp_path, "uv.lock", UV.replace("wheels = [", "wheels = [" + wheel, 1))

    def test_another_project_and_a_member_are_told_apart(self, tmp_path: Path) -> None:
        member = '[[package]]\nname = "member"\nversion = "1"\nsource = { editable = "member" }\n'
        manifest = '[manifest]\nmembers = ["member", "my-app"]\n'

        with pytest.raises(UnsupportedLockError, match="locks the project my-app, not other"):
            read(tmp_path, "uv.lock", UV + member, "other")
        with pytest.raises(UnsupportedLockError, match="locks the project my-app, not member"):
            read(tmp_path, "uv.lock", UV + member, "member")
        with pytest.raises(UnsupportedLockError, match=r"no workspace member other\n.*its members are member, my-app"):
            read(tmp_path, "uv.lock", UV + member + manifest, "other")
        assert read(tmp_path, "uv.lock", UV + member + manifest, "Member").project == "member"


class TestPylock:
    def test_reads_packages_and_leaves_the_project_out(self, tmp_path: Path) -> None:
        lock = read(tmp_path, "pylock.toml", PYLOCK)

        assert [package.name for package in lock.packages] == ["base", "pics", "devtool", "tree"]
        assert lock.default_groups == ("dev",)
        assert set(lock.groups) == {"dev", "docs"}
        assert lock.packages[2].source.kind == "url"

    @pytest.mark.parametrize(
        ("old", "new", "error", "message"),
        [
            ('lock-version = "1.0"', 'lock-version = "2.0"', UnsupportedLockError, "2.0"),
            ('created-by = "hand"', "", MalformedLockError, "created-by"),
            ("sha256 =", "md5 =", UnpinnedRequirementError, "package base: no SHA-256"),
            ("base-1.0-py3", "other-1.0-py3", MalformedLockError, "other-1.0"),
            ("https://", "ftp://", MalformedLockError, "package base"),
            ("size = 5", "size = 'x'", MalformedLockError, "size"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, old: str, new: str, error: type[LockError], message: str
    ) -> None:
        assert old in PYLOCK
        with pytest.raises(error, match=message):
            read(tmp_path, "pylock.toml", PYLOCK.replace(old, new, 1))


class TestRequirements:
    def test_reads_pins_hashes_markers_urls_and_paths(self, tmp_path: Path) -> None:
        lock = read(tmp_path, "requirements.txt", REQUIREMENTS)

        assert [str(package) for package in lock.packages] == [
            "base 1.0",
            "winonly 2.0",
            "server 3.1",
            "direct 1.0",
            "local 1.0",
        ]
        assert lock.packages[0].hashes == {h(1), h(2)}
        assert lock.roots[1].marker == 'sys_platform == "win32"'
        assert lock.roots[2].extras == ("fast",)
        assert lock.packages[3].files[0].url == f"{U}/direct-1.0-py3-none-any.whl"
        assert lock.packages[4].files[0].path == "./wheels/local-1.0-py3-none-any.whl"
        assert lock.index_options.index_url == "https://user:secret@index.example/simple"

    def test_links_into_one_folder_are_as_that_folder_itself(self, tmp_path: Path) -> None:
        real, linked = tmp_path / "real" / "app" / "locks", tmp_path / "linked" / "app" / "locks"
        for folder in (real, linked):
            folder.mkdir(parents=True)
        for name, text in {"locks/a.txt": "-r ../b.txt\n-r c.txt\n", "b.txt": "", "locks/c.txt": ""}.items():
            (real.parent / name).write_text(text)
            (linked.parent / name).symlink_to(real.parent / name)
        root = linked.parent
        assert read_lock(linked / "a.txt", root=root).packages == ()
        (root / "b.txt").unlink()
        (root / "b.txt").symlink_to(tmp_path / "outside.txt")
        (tmp_path / "outside.txt").write_text("")
        with pytest.raises(MalformedLockError, match="outside"):
            read_lock(linked / "a.txt", root=root)

    def test_follows_includes_and_collects_index_options(self, tmp_path: Path) -> None:
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "a.txt").write_text(
            "--extra-index-url=https://b.example/s\n-f https://c.example\n"
            f"-r ../requirements.txt\nb==2 --hash=sha256:{h(2)}"
        )
        lock = read(tmp_path, "requirements.txt", f"-r more/a.txt\n--no-index\na==1 --hash=sha256:{h(1)}\n")

        assert {package.name for package in lock.packages} == {"a", "b"}
        assert lock.index_options == IndexOptions(
            extra_index_urls=("https://b.example/s",), find_links=("https://c.example",), no_index=True
        )

    @pytest.mark.parametrize(
        ("line", "name", "source"),
        [
            (
                f"a @ git+ssh://git@git.example/x/a.git@{COMMIT}#subdirectory=b/c&egg=a",
                "a",
                Source(kind="vcs", location="ssh://git@git.example/x/a.git", revision=COMMIT, subdirectory="b/c"),
            ),
            (
                f"-e git+https://git.example/a@{COMMIT}#egg=b ; python_version > '3'",
                "b",
                Source(kind="vcs", location="https://git.example/a", revision=COMMIT),
            ),
            ("a @ hg+https://hg.example/a@12", "a", Source(kind="vcs", location="hg+https://hg.example/a@12")),
            ("a @ file:///some/where", "a", Source(kind="directory", location="/some/where")),
            (
                f"a @ file:///some%20where/a-1.0.tar.gz --hash=sha256:{h(1)}",
                "a",
                Source(kind="path", location="/some where/a-1.0.tar.gz"),
            ),
            (
                f"a @ {U}/a-1.0.zip#subdirectory=b&sha256={h(1)}",
                "a",
                Source(kind="url", location=f"{U}/a-1.0.zip", subdirectory="b"),
            ),
        ],
    )
    def test_a_direct_reference_is_where_its_url_says(
        self, tmp_path: Path, line: str, name: str, source: Source
    ) -> None:
        (package,) = read(tmp_path, "requirements.txt", line).packages

        assert (package.name, package.source) == (name, source)
        assert [file.sha256 for file in package.files] == ([] if source.kind in {"vcs", "directory"} else [h(1)])

    @pytest.mark.parametrize("option", ["-e ", "-e", "--editable ", "--editable="])
    def test_an_editable_project_has_its_marker(self, tmp_path: Path, option: str) -> None:
        lock = read(tmp_path, "requirements.txt", f"{option}'./my libs/a' ; sys_platform == 'win32'\n")

        assert lock.packages[0].source == Source(kind="directory", location="./my libs/a", editable=True)
        assert [root.marker for root in lock.roots] == ["sys_platform == 'win32'"]

    def test_constraints_must_agree(self, tmp_path: Path) -> None:
        text = f"-c c.txt\na==1 --hash=sha256:{h(1)}\n"
        (tmp_path / "c.txt").write_text("A<2\nunrelated<1\n")
        assert read(tmp_path, "requirements.txt", text).packages[0].name == "a"

        (tmp_path / "c.txt").write_text("\na>=2\n")
        with pytest.raises(MalformedLockError, match=r"c\.txt:2: the constraint a>=2 forbids a 1"):
            read(tmp_path, "requirements.txt", text)

    @pytest.mark.parametrize(
        ("line", "error", "message"),
        [
            (f"a>=1 --hash=sha256:{h(1)}", UnpinnedRequirementError, ":2: a is not pinned"),
            (f"a==1.* --hash=sha256:{h(1)}", UnpinnedRequirementError, ":2: a is not pinned"),
            (f"a --hash=sha256:{h(1)}", UnpinnedRequirementError, ":2: a is not pinned"),
            ("a==1", UnpinnedRequirementError, ":2: a has no SHA-256"),
            ("a==1 --hash=md5:" + "0" * 32, UnpinnedRequirementError, ":2: a has no SHA-256"),
            ("a==1 --hash=sha256:zz", MalformedLockError, ":2"),
            ("a==1 --hash", UnpinnedRequirementError, ":2"),
            ("!!!", MalformedLockError, ":2: .*not a requirement|:2"),
            (f"a==1 --build-it --hash=sha256:{h(1)}", MalformedLockError, "--build-it"),
            ("--frobnicate", MalformedLockError, ":2"),
            ("--index-url", MalformedLockError, "takes one value"),
            ("--no-binary :all:", UnsupportedLockError, ":2"),
            ("-r ../outside.txt", MalformedLockError, "outside"),
            ("-r /etc/passwd", MalformedLockError, "outside"),
            ("-r absent.txt", MissingLockError, "absent.txt"),
            (f"a @ file://secret/x.whl --hash=sha256:{h(1)}", MalformedLockError, ":2"),
            ("a @ file:///x.whl", UnpinnedRequirementError, ":2: a has no SHA-256"),
            ("a @ git+https://u:secret@git.example/a@main", UnpinnedRequirementError, ":2: .*full commit"),
            ("a @ git+https://u:secret@git.example/a", UnpinnedRequirementError, ":2: .*full commit"),
            (f"a @ git+ext::secret@{COMMIT}", MalformedLockError, ":2"),
            (f"a @ git+https://git.example/a@{COMMIT}#subdirectory=../secret", MalformedLockError, "leads out"),
            (f"git+https://u:secret@git.example/a@{COMMIT}", MalformedLockError, "with its name"),
            (f"-e git+https://u:secret@git.example/a@{COMMIT}", MalformedLockError, "with its name"),
            (f"a @ https://index.example/a-1.0.zip#{'x=1&' * 40}", MalformedLockError, "too many fields"),
            ("a @ file:///x%1by", MalformedLockError, "control characters"),
            ("a @ https://u:secret@index.example/ a b", MalformedLockError, "with its name"),
            (f"a @ https://u:secret@index.example/%2e%2e%2fx --hash=sha256:{h(1)}", MalformedLockError, ":2"),
            ('a==1 --hash="', MalformedLockError, ":2"),
        ],
    )
    def test_what_is_wrong_is_named_by_line(
        self, tmp_path: Path, line: str, error: type[LockError], message: str
    ) -> None:
        with pytest.raises(error, match=message) as caught:
            read(tmp_path, "requirements.txt", f"# first\n{line}\n")
        assert "secret" not in str(caught.value)


def survives(folder: Path, name: str, text: str) -> None:
    """Reading and selecting end with a value or with an error of our own."""
    (folder / name).write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(CrossdockError):
        lock = read_lock(folder / name)
        select(lock, TARGET, sorted(lock.optional)[:1], candidates=lambda _: ())


FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.parametrize("name", SAMPLES)
class TestHostileText:
    @FUZZ
    @given(text=st.text(max_size=200))
    def test_random_text_never_gives_a_traceback(self, tmp_path: Path, name: str, text: str) -> None:
        survives(tmp_path, name, text)

    @FUZZ
    @given(
        edits=st.lists(
            st.tuples(
                st.floats(0, 0.999),
                st.integers(0, 12),
                st.one_of(
                    st.text(max_size=6),
                    st.sampled_from(
                        ["{", "[[", "]", '"', "'", "\\\n", "= 1", "= []", "= {}", "-r x", "\x00", "..", "/"]
                    ),
                ),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_a_damaged_lock_never_gives_a_traceback(
        self, tmp_path: Path, name: str, edits: list[tuple[float, int, str]]
    ) -> None:
        text = SAMPLES[name]
        for place, length, replacement in edits:
            start = int(place * len(text))
            text = text[:start] + replacement + text[start + length :]
        survives(tmp_path, name, text)

    @FUZZ
    @given(data=st.data())
    def test_a_value_of_another_type_never_gives_a_traceback(
        self, tmp_path: Path, name: str, data: st.DataObject
    ) -> None:
        lines = SAMPLES[name].split("\n")
        keyed = [i for i, line in enumerate(lines) if "=" in line]
        number = data.draw(st.sampled_from(keyed))
        key = lines[number].split("=", 1)[0]
        value = data.draw(st.sampled_from(["1", "true", "''", "[]", "{}", "[1]", "[{}]", "1979-05-27", "nan", "-1"]))
        lines[number] = f"{key}= {value}"
        survives(tmp_path, name, "\n".join(lines))
