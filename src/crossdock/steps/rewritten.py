"""Wheels with what a project leaves out or patches: made once for each distinct wheel, and put in the plan's place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossdock.choosing.overriding import read_patches
from crossdock.locks import LockedFile
from crossdock.locks.overrides import override_error
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.locks import Choice
    from crossdock.locks.overrides import Override
    from crossdock.plan import AnyPlan
    from crossdock.services import Services
    from crossdock.store.blobs import Store
    from crossdock.wheels.patch import Patch

__all__ = ["with_rewritten_wheels"]

#: Raised whenever the same wheel and changes give other bytes.
_ACTION = "rewritten-wheel/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What is done to every wheel of one package."""

    override: Override
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What became of one wheel.

    Attributes:
        sha256: The new wheel, in the store; the old one's if nothing is changed in it.
        size: Of the new wheel, in bytes.
        left_out: For each pattern, how many files matched.
        files_left_out: How many files are left out.
    """

    sha256: str
    size: int
    left_out: tuple[int, ...]
    files_left_out: int


def with_rewritten_wheels(plan: AnyPlan, services: Services) -> AnyPlan:
    """Leave files out of wheels and patch them, as the project sets it; the plan then names the new wheels.

    Every wheel of the plan has to be in the store.

    Raises:
        OverrideError: A patch does not apply exactly, or a pattern matches no file of a package's wheels.
        WheelError: A wheel is damaged or not supported.
    """
    changes = {
        name: _Change(override=item, patches=read_patches(plan.project, item))
        for name, item in plan.project.config.overrides.items()
        if item.exclude or item.patches
    }
    wanted = {
        (choice.package.name, choice.file.filename, choice.file.sha256): choice
        for part in plan.targets
        for choice in part.selection.choices
        if choice.package.name in changes
    }
    if not wanted:
        return plan
    with ThreadPoolExecutor(max_workers=services.jobs) as pool:
        futures = {
            key: pool.submit(_rewrite, choice.file, changes[key[0]], services.store) for key, choice in wanted.items()
        }
        try:
            results = {key: future.result() for key, future in futures.items()}
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    for name in dict.fromkeys(key[0] for key in wanted):
        _check_used(changes[name], {key[1]: result for key, result in results.items() if key[0] == name})
    targets = tuple(
        replace(
            part,
            selection=replace(
                part.selection,
                choices=tuple(
                    _changed(choice, changes[key[0]], results[key])
                    if (key := (choice.package.name, choice.file.filename, choice.file.sha256)) in results
                    else choice
                    for choice in part.selection.choices
                ),
            ),
        )
        for part in plan.targets
    )
    return replace(plan, targets=targets)


def _rewrite(file: LockedFile, change: _Change, store: Store) -> _Result:
    """Rewrite one wheel, or take the one that was made of it before."""
    key = action_key(
        _ACTION,
        filename=file.filename,
        wheel=file.sha256,
        exclude=list(change.override.exclude),
        patches=[patch.sha256 for patch in change.patches],
    )
    recorded = _recorded(store, key)
    if recorded is not None:
        return recorded
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.rewrite import rewrite_wheel

    with WheelArchive(store.path(file.sha256), file.filename) as archive, store.writer() as writer:
        rewritten = rewrite_wheel(archive, change.override.exclude, change.patches, writer.write)
        unchanged = not rewritten.files_left_out and not change.patches
        result = _Result(
            sha256=file.sha256 if unchanged else writer.commit(),
            size=archive.size if unchanged else writer.size,
            left_out=rewritten.left_out,
            files_left_out=rewritten.files_left_out,
        )
    store.record(
        key,
        {
            "sha256": result.sha256,
            "size": result.size,
            "left_out": list(result.left_out),
            "files_left_out": result.files_left_out,
        },
    )
    return result


def _recorded(store: Store, key: str) -> _Result | None:
    record = store.action(key)
    if not isinstance(record, dict) or store.find(str(record.get("sha256"))) is None:
        return None
    return _Result(
        sha256=str(record["sha256"]),
        size=int(record["size"]),
        left_out=tuple(int(count) for count in record["left_out"]),
        files_left_out=int(record["files_left_out"]),
    )


def _check_used(change: _Change, results: Mapping[str, _Result]) -> None:
    """Refuse patterns that match nothing in any wheel of their package."""
    for index, glob in enumerate(change.override.exclude):
        if not any(result.left_out[index] for result in results.values()):
            raise override_error(
                change.override,
                f"exclude: {glob!r} matches no file",
                why=f"looked in {', '.join(results)}; METADATA, WHEEL and RECORD always stay",
                hint="patterns are paths in site-packages, with case, and a folder is written FOLDER/**; "
                "`python -m zipfile -l WHEEL` lists a wheel's files",
            )


def _changed(choice: Choice, change: _Change, result: _Result) -> Choice:
    done = []
    if result.files_left_out:
        done.append(f"{result.files_left_out} {'file' if result.files_left_out == 1 else 'files'} left out")
    if change.patches:
        done.append(f"patched by {', '.join(patch.name for patch in change.patches)}")
    if not done:
        return choice
    file = LockedFile(filename=choice.file.filename, sha256=result.sha256, size=result.size)
    return replace(choice, file=file, reason=f"{choice.reason}; {' and '.join(done)}")
