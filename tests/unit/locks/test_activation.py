"""Why each package is needed or not, and what is said when that cannot be decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crossdock.errors import UndecidedMarkerError, UnknownExtraError, UnsupportedLockError
from crossdock.locks import Dependency, Lock, Package, Source, activate
from crossdock.targets import Target, parse_platform, parse_python

TARGET = Target(parse_platform("linux/arm64"), parse_python("3.11"))
LINUX, WINDOWS = "sys_platform == 'linux'", "sys_platform == 'win32'"


def package(name: str, *dependencies: Dependency) -> Package:
    return Package(name=name, version="1.0", source=Source(kind="registry"), dependencies=dependencies)


def edge(name: str, index: int, marker: str | None = None) -> Dependency:
    return Dependency(name=name, index=index, marker=marker)


def lock(*packages: Package, roots: tuple[Dependency, ...], form: str = "uv.lock") -> Lock:
    return Lock(path=Path(form), format=form, packages=packages, roots=roots)  # type: ignore[arg-type]


class TestReasons:
    LOCK = lock(
        package("a", edge("b", 1, LINUX), edge("c", 2, WINDOWS)),
        package("b", edge("a", 0)),
        package("c"),
        roots=(edge("a", 0), edge("b", 1, "python_version >= '3.8'"), edge("c", 2, "os_name == 'nt'")),
    )

    def test_every_edge_that_held_is_told_with_its_marker(self) -> None:
        active = {item.package.name: item for item in activate(self.LOCK, TARGET.environment).active}

        assert active["a"].because == (("", ""), ("b", ""))
        assert active["b"].because == (("", "python_version >= '3.8'"), ("a", LINUX))
        assert active["b"].required_by == ("", "a")

    def test_every_edge_that_did_not_hold_is_told_with_its_marker(self) -> None:
        (skipped,) = activate(self.LOCK, TARGET.environment).skipped

        assert skipped.package.name == "c"
        assert skipped.by == (("", "os_name == 'nt'"), ("a", WINDOWS))
        assert skipped.markers == ("os_name == 'nt'", WINDOWS)

    def test_what_is_needed_elsewhere_is_not_skipped(self) -> None:
        both = lock(package("a"), roots=(edge("a", 0, WINDOWS), edge("a", 0, LINUX)))
        activation = activate(both, TARGET.environment)

        assert activation.skipped == ()
        assert activation.active[0].because == (("", LINUX),)


class TestUndecided:
    def test_the_message_names_package_marker_target_and_setting(self) -> None:
        marker = "platform_release >= '5.10'"
        unsure = lock(package("a", edge("b", 1, marker)), package("b"), roots=(edge("a", 0),))

        with pytest.raises(UndecidedMarkerError) as caught:
            activate(unsure, TARGET.environment, target=str(TARGET))

        text = str(caught.value)
        assert "dependency b of a" in text
        assert marker in text
        assert "linux/arm64" in text
        assert 'pyproject.toml: [tool.crossdock.markers] platform_release = "..."' in text

    def test_with_the_value_it_is_decided(self) -> None:
        unsure = lock(package("a"), roots=(edge("a", 0, "platform_release >= '5.10'"),))

        found = activate(unsure, {**TARGET.environment, "platform_release": "6.1"})

        assert [p.name for p in found.packages] == ["a"]

    @pytest.mark.parametrize(
        "marker",
        [
            "platform_release == 'a' and platform_version == 'b'",
            "platform_release > '5' and platform_release < '6'",
            "platform_release == platform_version",
            "platform_release != ''",
            "(platform_version == 'b' or 'platform_release' == os_name) and sys_platform == 'linux'",
        ],
    )
    def test_unknown_values_are_neither_alike_nor_taken_from_the_marker(self, marker: str) -> None:
        with pytest.raises(UndecidedMarkerError):
            activate(lock(package("a"), roots=(edge("a", 0, marker),)), TARGET.environment)

    @pytest.mark.parametrize(
        ("marker", "holds"),
        [
            ("platform_release == 'a' and sys_platform == 'win32'", False),
            ("'platform_release' in platform_version and 'x' == os_name or sys_platform == 'linux'", True),
            ("os_name == 'platform_release' or os_name != \"or platform_release == 'a'\"", True),
        ],
    )
    def test_what_does_not_hang_on_them_is_decided(self, marker: str, holds: bool) -> None:
        found = activate(lock(package("a"), roots=(edge("a", 0, marker),)), TARGET.environment)

        assert bool(found.packages) is holds

    def test_a_python_that_is_not_known_is_said_to_be_so(self) -> None:
        unknown = {**TARGET.environment, "python_full_version": ""}
        entry = replace(package("a"), requires_python=">=3.9")
        for strict in (
            replace(lock(package("a"), roots=()), requires_python=">=3.9"),
            lock(entry, roots=(edge("a", 0),), form="pylock.toml"),
        ):
            with pytest.raises(UndecidedMarkerError, match=r"requires Python >=3\.9") as caught:
                activate(strict, unknown, target="there.json")
            assert "python_full_version" in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "nö", "x" * 300])
def test_what_is_no_name_is_no_extra_and_no_group_and_the_lock_is_not_blamed(name: str) -> None:
    for extras, groups in (([name], []), ([], [name])):
        with pytest.raises(UnknownExtraError):
            activate(lock(roots=()), TARGET.environment, extras, groups)


class TestFlatFormats:
    @pytest.mark.parametrize("form", ["pylock.toml", "requirements.txt"])
    def test_they_cannot_give_groups_alone(self, form: str) -> None:
        with pytest.raises(UnsupportedLockError, match=r"uv export --only-group"):
            activate(lock(package("a"), roots=(edge("a", 0),), form=form), TARGET.environment, include_project=False)

    @pytest.mark.parametrize("form", ["pylock.toml", "requirements.txt"])
    def test_extras_of_an_export_without_any_say_what_to_do(self, form: str) -> None:
        flat = lock(package("a"), roots=(edge("a", 0),), form=form)

        with pytest.raises(UnknownExtraError, match=r"export it with --extra NAME or --all-extras"):
            activate(flat, TARGET.environment, ["x"])
        with pytest.raises(UnknownExtraError, match=r"export it with --group NAME or --all-groups"):
            activate(flat, TARGET.environment, groups=["x"])
