"""Popular wheels are what they claim to be, and the proof says so; those that are not are known, each with evidence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.tags import parse_tag
from packaging.utils import parse_wheel_filename
from tests.support.knownlies import known_lies, look_at
from tests.support.wheelset import listed, wheels

from crossdock.steps.meant import meant
from crossdock.steps.verifying import Question, verify_artifact
from crossdock.targets import parse_python, parse_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.knownlies import Seen

    from crossdock.verify.finding import Finding

pytestmark = pytest.mark.network

_DOCUMENT = Path(__file__).parents[2] / "docs" / "real-wheels.md"
_LINUX = re.compile(r"(manylinux|musllinux).*_(x86_64|aarch64)\.whl")
#: Names of platforms in tags to OCI's.
_MACHINES = {
    "x86_64": ["amd64"],
    "aarch64": ["arm64"],
    "arm64": ["arm64"],
    "amd64": ["amd64"],
    "universal2": ["amd64", "arm64"],
}
_SYSTEMS = {"manylinux": "linux", "musllinux": "linux", "macosx": "darwin", "win": "windows", "linux": "linux"}

#: By uv's names; wheels are installed for each as uv does it.
INSTALLED = {
    "x86_64-manylinux_2_28": "linux/amd64+glibc2.28",
    "aarch64-manylinux_2_28": "linux/arm64+glibc2.28",
    "x86_64-unknown-linux-musl": "linux/amd64+musl1.2",
    "aarch64-unknown-linux-musl": "linux/arm64+musl1.2",
    "aarch64-apple-darwin": "darwin/arm64+macos13.0",
    "x86_64-pc-windows-msvc": "windows/amd64",
    "aarch64-pc-windows-msvc": "windows/arm64",
}
#: Of those that are installed, so that little is written.
_LARGEST_INSTALLED = 1_500_000


@pytest.fixture(scope="module")
def seen() -> Sequence[Seen]:
    return look_at("core")


def test_nothing_is_wrong_but_the_known_lies(seen: Sequence[Seen]) -> None:
    found = {(wheel.wheel, code): sentence for wheel in seen for code, sentence in wheel.faults}
    lies = {(lie.wheel, lie.code) for lie in known_lies("core")}
    false = {key: sentence for key, sentence in found.items() if key not in lies}
    assert not false
    assert not lies - found.keys(), "a known lie is no longer seen"


def test_each_wheel_was_looked_at_for_each_platform_it_claims(seen: Sequence[Seen]) -> None:
    for wheel in seen:
        assert set(wheel.platforms) == _claimed(wheel.wheel), wheel.wheel
        assert all(wheel.files), wheel.wheel
        _, _, _, tags = parse_wheel_filename(wheel.wheel)
        if any(tag.abi != "none" for tag in tags):
            assert all(wheel.natives), wheel.wheel
    assert sum(max(wheel.natives) for wheel in seen) > 2_500


def _claimed(filename: str) -> set[str]:
    """Give the platforms in a wheel's name, without crossdock."""
    claimed = set()
    for tag in parse_tag("-".join(filename.removesuffix(".whl").split("-")[-3:])):
        system, _, rest = tag.platform.partition("_")
        if system == "any":
            claimed.add("any")
        else:
            family = re.sub(r"\d+$", "", system)
            machine = next(name for name in sorted(_MACHINES, key=len, reverse=True) if rest.endswith(name))
            claimed.update(f"{_SYSTEMS[family]}/{each}" for each in _MACHINES[machine])
    return claimed


def test_the_wheels_are_of_many_projects_on_all_platforms() -> None:
    linux: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    others: Counter[str] = Counter()
    for wheel in listed("core"):
        if match := _LINUX.search(wheel.filename):
            linux[wheel.release[0]].add((match[1], match[2]))
        elif "-macosx_" in wheel.filename or "-win" in wheel.filename:
            others["macosx" if "-macosx_" in wheel.filename else "win"] += 1
    assert sum(len(kinds) == 4 for kinds in linux.values()) >= 60
    assert others["macosx"] >= 100
    assert others["win"] >= 100


def test_every_known_lie_is_told_with_its_evidence() -> None:
    lies = known_lies("all")
    assert len({(lie.wheel, lie.code) for lie in lies}) == len(lies)
    for lie in lies:
        assert all((lie.claims, lie.is_, re.search(r"pyelftools|LIEF|pefile|auditwheel|unzip", lie.evidence)))
    documented = _DOCUMENT.read_text()
    assert not [lie.wheel for lie in lies if lie.wheel not in documented]


@pytest.mark.parametrize("platform", INSTALLED)
def test_what_uv_installs_of_them_is_right_for_its_target(platform: str, tmp_path: Path) -> None:
    """What they require is left out, of which the proof tells rightly."""
    target = meant(parse_target(INSTALLED[platform]), [parse_python("3.12")])
    assert target.tags is not None
    lies = {lie.wheel for lie in known_lies("core")}
    chosen: dict[str, Path] = {}
    for path in wheels("core"):
        name, _, _, tags = parse_wheel_filename(path.name)
        if path.name not in lies and path.stat().st_size <= _LARGEST_INSTALLED and tags & target.tags:
            chosen.setdefault(name, path)
    assert len(chosen) >= 35

    where = ["--target", str(tmp_path / "app"), "--python-platform", platform, "--python-version", "3.12"]
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-cache", *where]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [*command, *map(str, chosen.values())],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    report = verify_artifact(tmp_path / "app", Question(targets=(target,)))
    (image,) = report.images
    faults = [item for item in (*image.findings, *report.findings) if item.severity != "note"]
    alone = {item.package for item in faults if item.code == "requirement-missing"}
    assert [item.sentence for item in faults if not _is_of_what_is_left_out(item, alone)] == []
    assert image.natives_by_package.keys() == chosen.keys()
    assert image.natives > len(chosen)


def _is_of_what_is_left_out(finding: Finding, alone: set[str | None]) -> bool:
    """Say whether it is rightly told of such a folder.

    A requirement is missing, or a library that a requirement would bring; with ``--target`` uv leaves the path of the
    interpreter that runs it in scripts, wherever that is.
    """
    from_uv = finding.code == "host-path" and finding.path.startswith("bin/") and finding.severity == "warning"
    return (
        from_uv
        or finding.code == "requirement-missing"
        or (finding.code == "library-missing" and finding.package in alone)
    )
