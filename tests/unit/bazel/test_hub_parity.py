"""A hub comes to what the command line plans: the same wheels, for locks as many tools write them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from tests.unit.bazel.hubs import hub, wheels

from crossdock.bazel.hubs.inputs import project_for
from crossdock.bazel.hubs.targets import HubTarget, hub_targets
from crossdock.choosing.request import Request
from crossdock.choosing.survey import load_lock, survey_targets
from crossdock.errors import PythonChoiceError, TargetNotLockedError
from crossdock.locks import read_lock
from crossdock.services import Services
from crossdock.store import Store
from crossdock.store.actions import action_key

GOLDEN = Path(__file__).parents[1] / "locks" / "golden"
FOLDERS = sorted(path.name for path in GOLDEN.iterdir())
TARGETS = [
    f"{platform} {python}"
    for python in ("3.10", "3.12")
    for platform in ("linux/amd64+glibc2.28", "linux/arm64+musl1.2", "darwin/arm64+macos14.0", "windows/amd64")
]


class Planner:
    """Gives what `crossdock plan` takes of a lock."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        beside = folder / "pyproject.toml"
        self._project = project_for(lock_in(folder), beside if beside.is_file() else None)
        self._services = Services(store=Store(scratch), offline=True)

    def targets(self, texts: list[str]) -> list[HubTarget]:
        """Give those targets that the lock is for."""
        lock = load_lock(self._project, Request(frozen=True))
        found = []
        for text in texts:
            with contextlib.suppress(TargetNotLockedError, PythonChoiceError):
                (item,) = hub_targets([text], self._project)
                survey_targets(lock, [item.target], self._services)
                found.append(item)
        return found

    def plan(
        self, targets: list[HubTarget], extras: tuple[str, ...], groups: tuple[str, ...]
    ) -> list[dict[str, str | None]]:
        """Give by name the wheel of each package; None for one that is missing or has to be built."""
        request = Request(extras=extras, groups=groups, frozen=True)
        lock = load_lock(self._project, request)
        return [
            {choice.package.name: choice.file.sha256 for choice in found.choices}
            | {misfit.package.name: None for misfit in found.misfits}
            | {build.package.name: None for build in found.builds}
            for found in survey_targets(lock, [item.target for item in targets], self._services)
        ]


def lock_in(folder: Path) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.suffix == ".lock" or path.name.startswith("pylock"))


def say_nothing(folder: Path) -> None:
    """Record for the wheels of a lock that tells no dependencies that they have none: they are not here to be read."""
    for package in read_lock(lock_in(folder), frozen=True).packages if "pylock" in folder.name else ():
        for file in package.files:
            Store.default().record(action_key("wheel-requires/1", wheel=file.sha256), [])


@pytest.mark.parametrize("name", FOLDERS)
def test_the_project_its_extras_and_groups_come_to_what_is_planned(name: str, tmp_path: Path) -> None:
    folder = GOLDEN / name
    planner = Planner(folder, tmp_path / "store")
    targets = planner.targets(TARGETS)
    assert targets
    for text in set(TARGETS) - {item.key.replace("cp3", "3.") for item in targets}:
        with pytest.raises((TargetNotLockedError, PythonChoiceError)):
            hub(lock_in(folder), text, frozen=True)
    say_nothing(folder)
    made = hub(lock_in(folder), *(item.key for item in targets), frozen=True)

    for extras, groups in [
        ((), ()),
        *(((name,), ()) for name in made["extras"]),
        *(((), (name,)) for name in made["groups"]),
    ]:
        for item, planned in zip(targets, planner.plan(targets, extras, groups), strict=True):
            items = list(made["project"][item.key])
            items += [entry for extra in extras for entry in made["extras"][extra][item.key]]
            items += [entry for group in groups for entry in made["groups"][group][item.key]]
            assert planned
            assert wheels(made, item.key, items) == planned, (item.key, extras, groups)
