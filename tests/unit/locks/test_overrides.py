"""What a project sets for packages, applied to locks; and that a setting which applies to nothing is an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossdock.errors import OverrideError
from crossdock.locks import Choice, Dependency, Lock, LockedFile, Package, Source, activate, choose
from crossdock.locks.overrides import ExtraDependency, Override, override
from crossdock.targets import parse_python, parse_target

AMD64 = parse_target("linux/amd64").target(parse_python("3.11"))
WINDOWS = {**AMD64.environment, "sys_platform": "win32"}
U = "https://index.example/files/"


def h(number: int) -> str:
    return f"{number:064x}"


def wheel(name: str, number: int, **where: Any) -> LockedFile:
    return LockedFile(filename=name, sha256=h(number), **where)


def edge(name: str, index: int, **rest: Any) -> Dependency:
    return Dependency(name=name, index=index, **rest)


REGISTRY = Source(kind="registry", location="https://index.example/simple")
SDIST = LockedFile(filename="tool-2.0.tar.gz", sha256=h(9), url=f"{U}tool-2.0.tar.gz")
GRAPH = Lock(
    path=Path("/project/uv.lock"),
    format="uv.lock",
    project="app",
    packages=(
        Package(
            name="tool",
            version="2.0",
            source=REGISTRY,
            files=(wheel("tool-2.0-py3-none-any.whl", 1, url=f"{U}tool-2.0-py3-none-any.whl"), SDIST),
            dependencies=(edge("needed", 1), edge("unneeded", 2)),
            extras={"fast": (edge("speed", 3),)},
        ),
        Package(name="needed", version="1.0", source=REGISTRY, files=(wheel("needed-1.0-py3-none-any.whl", 2, url=U),)),
        Package(
            name="unneeded", version="1.0", source=REGISTRY, files=(wheel("unneeded-1.0-py3-none-any.whl", 3, url=U),)
        ),
        Package(name="speed", version="1.0", source=REGISTRY, files=(wheel("speed-1.0-py3-none-any.whl", 4, url=U),)),
        Package(name="num", version="1.0", source=REGISTRY),
        Package(name="num", version="2.0", source=REGISTRY),
        Package(name="tree", version=None, source=Source(kind="directory", location="libs/tree")),
        Package(name="ghost", version="1.0", source=Source(kind="virtual", location="ghost")),
    ),
    roots=(edge("tool", 0, extras=("fast",)),),
)
FLAT = Lock(
    path=Path("/project/requirements.txt"),
    format="requirements.txt",
    packages=(
        Package(name="tool", version="2.0", source=Source(kind="registry"), hashes=frozenset({h(1)})),
        Package(name="winonly", version="1.0", source=Source(kind="registry"), hashes=frozenset({h(2)})),
    ),
    roots=(edge("tool", 0), edge("winonly", 1, marker="sys_platform == 'win32'")),
)


def apply(lock: Lock, name: str = "tool", *, url: str = "", **settings: Any) -> Lock:
    return override(lock, {name: Override(name=name, **settings)}, indexes={name: url})


def names(lock: Lock, environment: dict[str, str] | None = None) -> list[str]:
    return [package.name for package in activate(lock, environment or dict(AMD64.environment)).packages]


def refused(lock: Lock, name: str = "tool", **settings: Any) -> str:
    with pytest.raises(OverrideError) as caught:
        apply(lock, name, **settings)
    text = str(caught.value)
    assert text.startswith(f"[tool.crossdock.packages.{name}] ")
    return text


def test_nothing_set_changes_nothing() -> None:
    assert override(GRAPH, {}) == GRAPH


def test_the_rest_of_the_lock_stays_as_it_is() -> None:
    result = apply(GRAPH, from_source="never")
    assert result.packages[1:] == GRAPH.packages[1:]
    assert replace(result, packages=()) == replace(GRAPH, packages=())


class TestNames:
    def test_a_package_that_is_not_locked_is_an_error_with_the_name_that_is_close(self) -> None:
        text = refused(GRAPH, "tol", exclude=("x",))
        assert "applies to nothing in uv.lock" in text
        assert "did you mean 'tool'?" in text

    def test_the_project_is_no_package_of_its_lock(self) -> None:
        assert "that is the project itself" in refused(GRAPH, "app", exclude=("x",))

    @pytest.mark.parametrize("setting", [{"exclude": ("x",)}, {"patches": ("x",)}, {"from_source": "allow"}])
    def test_of_a_virtual_package_nothing_can_be_changed(self, setting: dict[str, Any]) -> None:
        assert "of which nothing is installed" in refused(GRAPH, "ghost", **setting)


class TestWheels:
    LOCAL = wheel("tool-2.0-py3-none-any.whl", 70, path="/wheels/tool-2.0-py3-none-any.whl")
    AMD = wheel("tool-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", 71, path="/wheels/amd.whl")

    def test_local_wheels_replace_all_files_of_the_lock(self) -> None:
        package = self.replaced()
        assert package.files == (self.LOCAL,)
        assert package.source == Source(kind="path", location=self.LOCAL.path or "")
        assert package.dependencies == GRAPH.packages[0].dependencies

    def replaced(self, lock: Lock = GRAPH, *files: LockedFile) -> Package:
        files = files or (self.LOCAL,)
        item = Override(name="tool", wheels=tuple(file.filename for file in files))
        return override(lock, {"tool": item}, wheels={"tool": files}).packages[0]

    def test_hashes_of_a_lock_without_file_names_no_longer_count(self) -> None:
        assert self.replaced(FLAT).hashes == frozenset()

    def test_the_target_chooses_among_several(self) -> None:
        package = self.replaced(GRAPH, self.LOCAL, self.AMD)
        choice = choose(package, package.files, AMD64)
        assert isinstance(choice, Choice)
        assert choice.file == self.AMD

    def test_a_local_version_label_may_be_added(self) -> None:
        assert self.replaced(GRAPH, wheel("tool-2.0+ours.1-py3-none-any.whl", 1)).version == "2.0+ours.1"

    def test_a_source_tree_is_replaced_whatever_the_version(self) -> None:
        file = wheel("tree-7-py3-none-any.whl", 1, path="/tree.whl")
        item = Override(name="tree", wheels=("tree.whl",))
        package = override(GRAPH, {"tree": item}, wheels={"tree": [file]}).packages[6]
        assert (package.version, package.source.kind, package.files) == ("7", "path", (file,))

    def test_of_several_locked_versions_the_one_of_the_wheel_is_replaced(self) -> None:
        file = wheel("num-2.0-py3-none-any.whl", 1)
        item = Override(name="num", wheels=("num.whl",))
        result = override(GRAPH, {"num": item}, wheels={"num": [file]})
        assert [package.files for package in result.packages if package.name == "num"] == [(), (file,)]

    @pytest.mark.parametrize(
        ("filenames", "words"),
        [
            (["tool.whl"], "is not named as a wheel"),
            (["tool-2.0.tar.gz"], "is not named as a wheel"),
            (["other-2.0-py3-none-any.whl"], "is a wheel of other"),
            (["tool-2.1-py3-none-any.whl"], "is of another version"),
            (["tool-2.0-py3-none-any.whl", "tool-2.0-py3-none-any.whl"], "is there twice"),
            (["tool-2.0-py3-none-any.whl", "tool-2.0+x-py3-none-any.whl"], "of several versions: 2.0 and 2.0+x"),
        ],
    )
    def test_what_does_not_replace_the_locked_package_is_refused(self, filenames: list[str], words: str) -> None:
        files = [wheel(name, number) for number, name in enumerate(filenames)]
        item = Override(name="tool", wheels=tuple(filenames))
        with pytest.raises(OverrideError) as caught:
            override(GRAPH, {"tool": item}, wheels={"tool": files})
        assert words in str(caught.value)


class TestIndex:
    URL = "https://inner.example/simple"

    def test_it_is_where_files_known_by_hash_are_looked_for(self) -> None:
        assert apply(FLAT, index="inner", url=self.URL).packages[0].source.location == self.URL

    def test_it_is_where_files_known_by_name_are_looked_for(self) -> None:
        package = replace(GRAPH.packages[0], files=(wheel("tool-2.0-py3-none-any.whl", 1),))
        lock = replace(GRAPH, packages=(package, *GRAPH.packages[1:]))
        assert apply(lock, index="inner", url=self.URL).packages[0].source.location == self.URL

    def test_it_applies_to_nothing_where_every_file_has_its_url(self) -> None:
        text = refused(GRAPH, index="inner", url=self.URL)
        assert "says of every file of tool where it is" in text
        assert self.URL not in text

    def test_it_applies_to_nothing_beside_a_local_wheel(self) -> None:
        item = Override(name="tool", index="inner", wheels=("x.whl",))
        with pytest.raises(OverrideError, match="index applies to nothing"):
            override(FLAT, {"tool": item}, wheels={"tool": [TestWheels.LOCAL]}, indexes={"tool": self.URL})


class TestFromSource:
    @pytest.mark.parametrize("setting", ["auto", "allow", "never"])
    @pytest.mark.parametrize("lock", [GRAPH, FLAT], ids=["graph", "flat"])
    def test_it_is_set_where_there_is_or_may_be_a_source_distribution(self, lock: Lock, setting: str) -> None:
        assert apply(lock, from_source=setting).packages[0].from_source == setting

    @pytest.mark.parametrize(
        ("name", "words"), [("needed", "no source distribution"), ("tree", "which is always built")]
    )
    def test_it_applies_to_nothing_elsewhere(self, name: str, words: str) -> None:
        assert words in refused(GRAPH, name, from_source="allow")

    def test_it_applies_to_nothing_beside_a_local_wheel(self) -> None:
        item = Override(name="tool", from_source="allow", wheels=("x.whl",))
        with pytest.raises(OverrideError, match="from-source applies to nothing"):
            override(GRAPH, {"tool": item}, wheels={"tool": [TestWheels.LOCAL]})


class TestIgnoredDependencies:
    def test_what_only_it_needs_is_no_longer_installed(self) -> None:
        assert names(GRAPH) == ["needed", "speed", "tool", "unneeded"]
        assert names(apply(GRAPH, ignore_dependencies=("unneeded",))) == ["needed", "speed", "tool"]

    def test_edges_of_its_extras_count_too(self) -> None:
        assert names(apply(GRAPH, ignore_dependencies=("speed",))) == ["needed", "tool", "unneeded"]

    def test_one_that_is_no_edge_is_an_error_that_lists_them(self) -> None:
        text = refused(GRAPH, ignore_dependencies=("num",))
        assert "ignore-dependencies names num" in text
        assert "it depends on needed, speed, unneeded" in text

    def test_flat_formats_have_no_edges(self) -> None:
        assert "uv.lock, poetry.lock and pdm.lock do" in refused(FLAT, ignore_dependencies=("winonly",))


class TestExtraDependencies:
    def test_it_is_installed_with_its_package(self) -> None:
        result = apply(GRAPH, dependencies=(ExtraDependency(name="num", version="2.0"),))
        assert "num" in names(result)
        assert result.packages[0].dependencies[-1] == Dependency(name="num", index=5)

    def test_its_marker_decides(self) -> None:
        wanted = ExtraDependency(name="num", version="1", marker="sys_platform == 'win32'")
        result = apply(GRAPH, dependencies=(wanted,))
        assert "num" not in names(result)
        assert "num" in names(result, WINDOWS)

    def test_its_extras_are_asked_for(self) -> None:
        lock = replace(GRAPH, roots=(edge("needed", 1),))
        result = apply(lock, "needed", dependencies=(ExtraDependency(name="tool", extras=("fast",)),))
        assert names(result) == ["needed", "speed", "tool", "unneeded"]

    def test_in_flat_formats_it_overrules_the_marker_of_the_lock(self) -> None:
        assert names(FLAT) == ["tool"]
        assert names(apply(FLAT, dependencies=(ExtraDependency(name="winonly"),))) == ["tool", "winonly"]

    def test_in_flat_formats_it_is_there_where_its_package_is(self) -> None:
        lock = replace(
            FLAT,
            packages=(*FLAT.packages, Package(name="third", version="1.0", source=REGISTRY, hashes=frozenset({h(3)}))),
            roots=(*FLAT.roots, edge("third", 2, marker="python_version < '3'")),
        )
        chain = {
            "winonly": Override(name="winonly", dependencies=(ExtraDependency(name="third"),)),
            "third": Override(name="third", dependencies=(ExtraDependency(name="winonly"),)),
        }
        result = override(lock, chain)
        assert names(result) == ["tool"]
        assert names(result, WINDOWS) == ["third", "tool", "winonly"]

    @pytest.mark.parametrize(
        ("wanted", "words"),
        [
            (ExtraDependency(name="absent"), "it has no package of that name"),
            (ExtraDependency(name="num", version="3.0"), "it has num 1.0 and num 2.0"),
            (ExtraDependency(name="num"), "may be num 1.0 or num 2.0"),
            (ExtraDependency(name="tool"), "is the package itself"),
            (ExtraDependency(name="needed"), "depends on it anyway"),
            (ExtraDependency(name="needed", marker="sys_platform == 'win32'"), "depends on it anyway"),
            (ExtraDependency(name="speed", extras=("more",)), "speed 1.0 has no extra 'more'"),
        ],
        ids=str,
    )
    def test_what_adds_nothing_or_cannot_be_is_refused(self, wanted: ExtraDependency, words: str) -> None:
        assert words in refused(GRAPH, dependencies=(wanted,))

    def test_in_flat_formats_what_is_always_installed_adds_nothing(self) -> None:
        text = refused(FLAT, "winonly", dependencies=(ExtraDependency(name="tool"),))
        assert "installs it for every target anyway" in text
