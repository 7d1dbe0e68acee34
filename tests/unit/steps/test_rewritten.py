"""Wheels changed in a plan: each once, the plan names the new ones, and a pattern that helps nowhere is an error."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.choosing.request import Parts
from crossdock.choosing.survey import ProjectLock
from crossdock.errors import OverrideError
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.locks import Dependency, Lock, LockedFile, Package, Source, select
from crossdock.plan import Plan, TargetPlan
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.steps.rewritten import with_rewritten_wheels
from crossdock.store.blobs import Store
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.locks import Choice

PLATFORMS = {"linux/amd64": "manylinux_2_17_x86_64", "linux/arm64": "manylinux_2_17_aarch64"}
PATCH = "--- a/demo/x.py\n+++ b/demo/x.py\n@@ -1 +1 @@\n-x\n+y\n"


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(store=Store(tmp_path / "store"))


def make_plan(folder: Path, services: Services, settings: str) -> Plan:
    """Plan a project with ``demo``, one wheel for each target, and ``pure``, one for both; all are in the store."""
    (folder / "fix.patch").write_text(PATCH, newline="")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "app"\n{settings}')
    wheels = [make_wheel(folder, "pure", "1.0", {"pure.py": "x\n"})]
    for platform, tag in PLATFORMS.items():
        files = {"demo/x.py": "x\n", f"demo/{platform.partition('/')[2]}.txt": "x\n"}
        wheels.append(make_wheel(folder, "demo", "1.0", files, tag=f"cp311-cp311-{tag}"))
    files_of: dict[str, list[LockedFile]] = {"demo": [], "pure": []}
    for path in wheels:
        sha256 = services.store.add_file(path)
        files_of[path.name.partition("-")[0]].append(LockedFile(filename=path.name, sha256=sha256))
    lock = Lock(
        path=folder / "uv.lock",
        format="uv.lock",
        packages=tuple(
            Package(name=name, version="1.0", source=Source(kind="registry"), files=tuple(files))
            for name, files in files_of.items()
        ),
        roots=(Dependency(name="demo", index=0), Dependency(name="pure", index=1)),
    )
    base = LockedDebianBase(name="debian:bookworm", architecture="amd64", requested=(), packages=())
    facts = BaseFacts(
        libc="glibc",
        libc_version=(2, 36),
        python_version="3.11.2",
        python_path="/usr/bin/python3.11",
        user="65532:65532",
        home="/home/nonroot",
    )
    targets = [Target(parse_platform(platform), parse_python("3.11")) for platform in PLATFORMS]
    return Plan(
        base=base.name,
        project_lock=ProjectLock(project=load_project(folder), lock=lock, parts=Parts(extras=(), groups=())),
        targets=tuple(
            TargetPlan(target=target, base=base, facts=facts, selection=select(lock, target)) for target in targets
        ),
    )


def choices(plan: Plan, name: str) -> list[Choice]:
    return [choice for part in plan.targets for choice in part.selection.choices if choice.package.name == name]


def names(choice: Choice, services: Services) -> set[str]:
    with zipfile.ZipFile(services.store.path(choice.file.sha256)) as archive:
        return {name for name in archive.namelist() if ".dist-info" not in name}


def blobs(services: Services) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in services.store.root.glob("blobs/sha256/*/*")}


def test_without_settings_the_plan_is_the_plan(tmp_path: Path, services: Services) -> None:
    plan = make_plan(tmp_path, services, "")
    assert with_rewritten_wheels(plan, services) is plan


def test_the_plan_names_the_new_wheels_and_why(tmp_path: Path, services: Services) -> None:
    settings = '[tool.crossdock.packages.pure]\nexclude = ["pure.py"]'
    plan = make_plan(tmp_path, services, settings)
    new = with_rewritten_wheels(plan, services)
    (before, _), (first, second) = choices(plan, "pure"), choices(new, "pure")
    assert first.file == second.file
    assert first.file.sha256 != before.file.sha256
    assert first.file.filename == before.file.filename
    assert first.file.size == services.store.size(first.file.sha256)
    assert first.reason == before.reason + "; 1 file left out"
    assert names(first, services) == set()
    assert choices(new, "demo") == choices(plan, "demo")


def test_patches_and_patterns_are_told(tmp_path: Path, services: Services) -> None:
    settings = '[tool.crossdock.packages.demo]\nexclude = ["demo/*.txt"]\npatches = ["fix.patch"]'
    new = with_rewritten_wheels(make_plan(tmp_path, services, settings), services)
    assert all(choice.reason.endswith("; 1 file left out and patched by fix.patch") for choice in choices(new, "demo"))


def test_a_pattern_may_match_in_the_wheel_of_one_target_alone(tmp_path: Path, services: Services) -> None:
    plan = make_plan(tmp_path, services, '[tool.crossdock.packages.demo]\nexclude = ["demo/arm64.txt"]')
    amd64, arm64 = choices(with_rewritten_wheels(plan, services), "demo")
    assert amd64 == choices(plan, "demo")[0]
    assert names(arm64, services) == {"demo/x.py"}


def test_a_pattern_that_matches_in_no_wheel_is_an_error(tmp_path: Path, services: Services) -> None:
    plan = make_plan(tmp_path, services, '[tool.crossdock.packages.demo]\nexclude = ["demo/*.txt", "demo/riscv64.txt"]')
    with pytest.raises(OverrideError) as caught:
        with_rewritten_wheels(plan, services)
    assert "[tool.crossdock.packages.demo] exclude: 'demo/riscv64.txt' matches no file" in str(caught.value)
    assert "demo-1.0-cp311-cp311-manylinux_2_17_aarch64.whl" in caught.value.why


def test_the_work_is_done_once(tmp_path: Path, services: Services) -> None:
    plan = make_plan(tmp_path, services, '[tool.crossdock.packages.demo]\nexclude = ["demo/*.txt"]')
    first = with_rewritten_wheels(plan, services)
    before = blobs(services)
    # Without the old wheels nothing could be made anew.
    for choice in choices(plan, "demo"):
        services.store.discard(choice.file.sha256)
    assert with_rewritten_wheels(plan, services) == first
    assert blobs(services).items() <= before.items()


def test_a_patch_that_does_not_apply_leaves_nothing_behind(tmp_path: Path, services: Services) -> None:
    plan = make_plan(tmp_path, services, '[tool.crossdock.packages.pure]\npatches = ["fix.patch"]')
    before = blobs(services)
    with pytest.raises(OverrideError, match="does not apply to pure-1"):
        with_rewritten_wheels(plan, services)
    assert blobs(services) == before
    assert list(services.store.root.glob("tmp/*")) == []
