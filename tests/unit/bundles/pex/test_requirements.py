"""What a PEX has to find in itself: every wheel, and no dependency that the lock settled otherwise."""

from __future__ import annotations

from packaging.markers import Marker

from crossdock.bundles.pex.requirements import Needs, Package, requirements_of
from crossdock.targets import Target, parse_platform, parse_python


def needs(*packages: tuple[str, str, list[str]], platform: str = "linux/amd64", python: str = "3.11") -> Needs:
    return Needs(
        environment=Target(parse_platform(platform), parse_python(python)).environment,
        packages=tuple(Package(name=name, version=version, requires=tuple(asked)) for name, version, asked in packages),
    )


def test_every_wheel_is_a_requirement() -> None:
    found = requirements_of([needs(("b", "2.0", []), ("a", "1.0+cpu", ["b>=1"]))])
    assert (found.roots, found.excluded, found.overridden) == (("a==1.0+cpu", "b==2.0"), (), ())


def test_what_the_lock_overrode_is_overridden() -> None:
    found = requirements_of([needs(("a", "1.0", ["b<2"]), ("b", "2.0", []))])
    assert found.overridden == ("b==2.0",)


def test_what_the_lock_left_out_is_excluded() -> None:
    found = requirements_of([needs(("a", "1.0", ["Missing_One>=1"]))])
    assert found.excluded == ("missing-one",)


def test_a_dependency_counts_where_its_marker_and_its_extra_do() -> None:
    asked = ["gone; sys_platform == 'win32'", "nope; extra == 'x'", "c[fast]"]
    fast = ["speed; extra == 'fast'", "slow; extra == 'other'"]
    found = requirements_of([needs(("a", "1.0", asked), ("c", "1.0", fast))])
    assert found.excluded == ("speed",)


def test_a_prerelease_that_was_locked_is_what_is_wanted() -> None:
    found = requirements_of([needs(("a", "1.0", ["b>=2"]), ("b", "2.1rc1", []))])
    assert found.overridden == ()


def test_unreadable_requirements_are_left_to_pex() -> None:
    found = requirements_of([needs(("a", "1.0", ["not a requirement!", "b; extra in os_name and (("]))])
    assert found.excluded == ()


def test_a_requirement_of_some_targets_says_of_which() -> None:
    linux = needs(("a", "1.0", []), ("uvloop", "1.0", []))
    windows = needs(("a", "1.0", []), ("colorama", "2.0", []), platform="windows/amd64")
    found = requirements_of([linux, windows])
    assert found.roots[0] == "a==1.0"
    texts = dict(root.split("; ") for root in found.roots[1:])
    assert set(texts) == {"uvloop==1.0", "colorama==2.0"}
    assert Marker(texts["uvloop==1.0"]).evaluate({**linux.environment, "extra": ""})
    assert not Marker(texts["uvloop==1.0"]).evaluate({**windows.environment, "extra": ""})
    assert Marker(texts["colorama==2.0"]).evaluate({**windows.environment, "extra": ""})


def test_versions_of_several_pythons() -> None:
    found = requirements_of([needs(("a", "1.0", [])), needs(("a", "2.0", []), python="3.12")])
    assert found.roots == ('a==1.0; python_version == "3.11"', 'a==2.0; python_version == "3.12"')


def test_what_markers_cannot_tell_is_no_requirement_of_its_own() -> None:
    glibc = needs(("a", "1.0", ["b"]), ("b", "1.0", []))
    musl = needs(("a", "1.0", []), platform="linux/amd64+musl")
    assert requirements_of([glibc, musl]).roots == ("a==1.0",)


def test_what_is_left_out_for_one_target_only_stays_for_the_other() -> None:
    linux = needs(("b", "1.0", []), ("a", "1.0", ["b"]))
    windows = needs(("a", "1.0", ["b"]), platform="windows/amd64")
    found = requirements_of([linux, windows])
    assert found.excluded == ()
    (instead,) = found.overridden
    text, marker = instead.split("; ")
    assert text == "b=a==1.0"
    assert Marker(marker).evaluate({**windows.environment, "extra": ""})
    assert not Marker(marker).evaluate({**linux.environment, "extra": ""})
