"""The distributions of an artifact: those of the lock and no others, whole, with all that they require."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.seentree import SITE, VENV, dist, found, make_case, target

from crossdock.verify.rules.packages import judge_lock, judge_metadata, judge_requirements, judge_twice

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = "usr/local/lib/python3.12/site-packages"
CONFIG = {f"{VENV}/pyvenv.cfg": "home = /usr/local/bin\nversion = 3.12.1\n"}
ENVIRONMENT = {**CONFIG, **dist("alpha", "1.0"), **dist("beta", "2.0")}
LOCK = {"alpha": "1.0", "beta": "2.0"}


def without(files: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {path: content for path, content in files.items() if part not in path}


@pytest.mark.parametrize(
    ("files", "lock", "expected"),
    [
        (ENVIRONMENT, LOCK, []),
        (without(ENVIRONMENT, "beta"), LOCK, [("package-missing", "error", "")]),
        ({}, LOCK, [("package-missing", "error", "")] * 2),
        (ENVIRONMENT, {"alpha": "1.0"}, [("package-unknown", "error", f"{SITE}/beta-2.0.dist-info")]),
        (ENVIRONMENT, {**LOCK, "beta": "2.1"}, [("package-version", "error", f"{SITE}/beta-2.0.dist-info")]),
        (ENVIRONMENT, {**LOCK, "beta": "2"}, []),
        ({**CONFIG, **dist("alpha", "1.0+cpu")}, {"alpha": "1.0"}, []),
        (
            {**CONFIG, **dist("alpha", "1.0+cpu")},
            {"alpha": "1.0+cu1"},
            [("package-version", "error", f"{SITE}/alpha-1.0+cpu.dist-info")],
        ),
        (dist("Some_Name", "1"), {"some-name": "1"}, []),
        # What every environment has is told, not held against it.
        ({**ENVIRONMENT, **dist("pip", "24")}, LOCK, [("package-unknown", "note", f"{SITE}/pip-24.dist-info")]),
        ({**ENVIRONMENT, **dist("pip", "24")}, {**LOCK, "pip": "24"}, []),
        # A base's own Python beside the environment may hold what it likes, even of the same name.
        ({**ENVIRONMENT, **dist("pip", "24", site=BASE), **dist("other", "1", site=BASE)}, LOCK, []),
        ({**ENVIRONMENT, **dist("alpha", "0.1", site=BASE)}, LOCK, []),
        # A system's packages are not compared, nor what a package carries in itself.
        (
            {**ENVIRONMENT, "usr/lib/python3/dist-packages/six-1.egg-info/PKG-INFO": "Name: six\nVersion: 1\n"},
            LOCK,
            [],
        ),
    ],
)
def test_the_lock(files: Mapping[str, Any], lock: dict[str, str], expected: list[tuple[str, str, str]]) -> None:
    assert found(judge_lock, make_case(dict(files), lock=lock)) == expected


def test_the_lock_is_compared_where_there_is_no_environment() -> None:
    files = {**dist("alpha", "1.0", site=BASE), **dist("beta", "1.0", site=BASE), **dist("pip", "24", site=BASE)}
    assert found(judge_lock, make_case(files, lock={"alpha": "1.0", "beta": "2.0"})) == [
        ("package-version", "error", f"{BASE}/beta-1.0.dist-info"),
        ("package-unknown", "note", f"{BASE}/pip-24.dist-info"),
    ]


def test_a_package_installed_from_a_folder_is_told_only() -> None:
    files = {**ENVIRONMENT, f"{SITE}/beta-2.0.dist-info/direct_url.json": '{"url": "file:///app", "dir_info": {}}'}
    assert found(judge_lock, make_case(files, lock={"alpha": "1.0"})) == [
        ("package-unknown", "note", f"{SITE}/beta-2.0.dist-info")
    ]


def test_what_a_package_carries_in_itself_is_its_own_affair() -> None:
    carried = dist("six", "1.0", site=f"{SITE}/beta/inside", requires=["nothing-there"])
    paths = {path.removeprefix(f"{SITE}/"): content for path, content in carried.items()}
    files = {**CONFIG, **dist("alpha", "1.0"), **dist("beta", "2.0", {"beta/__init__.py": "", **paths})}
    case = make_case(files, lock=LOCK, targets=(target(),))
    assert [finding for rule in (judge_lock, judge_requirements, judge_twice) for finding in rule(case)] == []


@pytest.mark.parametrize("subject", ["wheel", "layer"])
def test_a_part_is_not_compared_with_the_lock(subject: str) -> None:
    case = make_case(dist("alpha", requires=["missing"]), lock=LOCK, subject=subject, targets=(target(),))
    assert found(judge_lock, case) == found(judge_requirements, case) == []


def test_two_versions_in_one_folder() -> None:
    files = {**dist("alpha", "1.0"), **dist("alpha", "1.1")}
    assert found(judge_twice, make_case(files)) == [("package-twice", "error", f"{SITE}/alpha-1.1.dist-info")]
    assert found(judge_twice, make_case({**dist("alpha", "1.0"), **dist("alpha", "1.1", site=BASE)})) == []


def test_the_wheels_of_a_pex_are_one_folder_of_packages() -> None:
    def wheel(name: str, version: str, tag: str, **more: Any) -> dict[str, Any]:
        return dist(name, version, site=f".deps/{name}-{version}-{tag}.whl", tag=tag, **more)

    one, other = "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_aarch64"
    files = {**wheel("alpha", "1.0", one, requires=["beta"]), **wheel("beta", "1.0", "py3-none-any")}
    case = make_case(files, subject="bundle", targets=(target(),))
    assert found(judge_requirements, case) == found(judge_twice, case) == []
    # For another target there may be another version.
    for_both = {**files, **wheel("alpha", "1.1", other)}
    assert found(judge_twice, make_case(for_both, subject="bundle", targets=(target(),))) == []
    twice = {**files, **wheel("alpha", "1.1", one)}
    assert [code for code, *_ in found(judge_twice, make_case(twice, subject="bundle", targets=(target(),)))] == [
        "package-twice"
    ]


@pytest.mark.parametrize(
    ("requires", "sentence"),
    [
        (["beta"], ""),
        (["beta>=2,<3", "Beta (>=1)"], ""),
        (["beta>=3"], "requires beta>=3, but there is beta 2.0"),
        (["gamma"], "requires gamma, but there is no gamma"),
        (["gamma; sys_platform == 'win32'", "gamma; python_version < '3.12'"], ""),
        (["gamma; sys_platform == 'linux'"], "requires gamma, but there is no gamma"),
        (["gamma; platform_machine == 'x86_64'"], "requires gamma, but there is no gamma"),
        (["gamma; extra == 'more'"], ""),
        (["gamma @ https://index.example/gamma.zip"], "requires gamma, but there is no gamma"),
        (["beta @ https://index.example/beta.zip"], ""),
        (["this is ! no requirement"], ""),
    ],
)
def test_requirements(requires: list[str], sentence: str) -> None:
    files = {**CONFIG, **dist("alpha", "1.0", requires=requires), **dist("beta", "2.0")}
    findings = list(judge_requirements(make_case(files, targets=(target(),))))
    assert [finding.sentence for finding in findings] == (
        [f"alpha 1.0: {SITE}/alpha-1.0.dist-info {sentence}"] if sentence else []
    )


def test_extras_that_others_ask_for_are_followed() -> None:
    extras = ["gamma; extra == 'more'", "beta[most]; extra == 'more'"]
    files = {
        **dist("alpha", requires=["beta[more]"]),
        **dist("beta", requires=[*extras, "delta>=1; extra == 'most'"]),
        **dist("gamma"),
        **dist("delta", "0.1"),
    }
    case = make_case(files, targets=(target(),))
    assert [finding.found for finding in judge_requirements(case)] == ["requires delta>=1"]


def test_a_prerelease_that_is_there_counts() -> None:
    case = make_case({**dist("alpha", requires=["beta>=1"]), **dist("beta", "2.0b1")}, targets=(target(),))
    assert found(judge_requirements, case) == []


def test_without_a_target_only_what_always_counts_is_missed() -> None:
    files = dist("alpha", requires=["gamma; sys_platform == 'linux'", "delta"])
    assert [finding.found for finding in judge_requirements(make_case(files))] == ["requires delta"]


def test_of_several_possible_targets_all_must_miss_it() -> None:
    files = dist("alpha", requires=["gamma; python_version < '3.12'", "delta; python_version > '3'"])
    case = make_case(files, targets=(target(python="3.11"), target(python="3.12")))
    assert [finding.found for finding in judge_requirements(case)] == ["requires delta"]


def test_what_somebody_does_without_is_not_missed() -> None:
    case = make_case(dist("alpha", requires=["gamma"]), targets=(target(),), waived=frozenset({"gamma"}))
    assert found(judge_requirements, case) == []


@pytest.mark.parametrize(("see", "expected"), [("false", ["requires beta"]), ("true", [])])
def test_an_environment_sees_the_systems_packages_if_it_says_so(see: str, expected: list[str]) -> None:
    config = {f"{VENV}/pyvenv.cfg": f"home = /usr/local/bin\ninclude-system-site-packages = {see}\n"}
    files = {**config, **dist("alpha", requires=["beta"]), **dist("beta", site=BASE)}
    assert [finding.found for finding in judge_requirements(make_case(files, targets=(target(),)))] == expected


def test_nothing_is_asked_of_a_systems_packages() -> None:
    site = "usr/lib/python3/dist-packages"
    files = dist("alpha", site=site, requires=["gamma"])
    case = make_case(without(files, "/RECORD"), targets=(target(),))
    assert found(judge_requirements, case) == found(judge_metadata, case) == []


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_a_distribution_without_its_metadata(name: str) -> None:
    files = without(ENVIRONMENT, f"beta-2.0.dist-info/{name}")
    case = make_case(files, lock=LOCK, targets=(target(),))
    [finding] = [item for rule in (judge_metadata, judge_lock, judge_requirements) for item in rule(case)]
    assert finding.sentence.startswith(f"beta 2.0: {SITE}/beta-2.0.dist-info has no {name}, but ")
    assert finding.code == "metadata-missing"


def test_of_a_summary_nothing_is_said() -> None:
    from dataclasses import replace

    from tests.support.seentree import contents

    part = replace(contents(without(ENVIRONMENT, "beta-2.0.dist-info/RECORD")), whole=False)
    case = make_case(part, lock={"gamma": "1"}, targets=(target(),))
    assert [found(rule, case) for rule in (judge_lock, judge_metadata, judge_requirements)] == [[], [], []]
