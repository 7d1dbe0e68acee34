"""The rules for the distributions of an artifact: those the lock names, and those they need themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from crossdock.verify.finding import Finding
from crossdock.verify.rules.places import environments, is_systems
from crossdock.verify.wheels import fitting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.targets import Target
    from crossdock.verify.claim import Case
    from crossdock.verify.distributions import Distribution

__all__ = ["judge_lock", "judge_metadata", "judge_requirements", "judge_twice"]

#: What every Python or environment brings with it: told, but not held against an artifact.
_SEEDS: Final = frozenset({"pip", "setuptools", "wheel"})
_PEX: Final = re.compile(r"(?P<root>(?:.*/)?\.deps)/(?P<wheel>[^/]+\.whl)")
_NO_SYSTEM: Final = ""


def judge_lock(case: Case) -> Iterator[Finding]:
    """Compare the distributions with those of the lock: all of them, no others, in the same versions.

    Only folders of packages that hold some of the lock are compared: those of a base's own Python may hold what they
    like beside an environment that the application has for itself.
    """
    lock = case.claim.lock
    if lock is None or case.claim.subject in {"wheel", "layer"} or not case.tree.whole:
        return
    here = _present(case)
    compared = _compared(case, here, lock)
    found: dict[str, list[Distribution]] = defaultdict(list)
    for distribution in compared:
        found[distribution.name].append(distribution)
    for name in sorted(lock.keys() - found.keys()):
        yield Finding(
            code="package-missing",
            severity="error",
            package=f"{name} {lock[name]}",
            found="is not there",
            wanted="the lock has it",
            hint="build again from the lock, or make a new lock if it is not needed",
        )
    for name, distributions in sorted(found.items()):
        for distribution in distributions:
            if name not in lock:
                yield _unknown(case, distribution)
            elif not _same(lock[name], distribution.version) and len(distributions) == 1:
                yield Finding(
                    code="package-version",
                    severity="error",
                    path=distribution.folder,
                    package=distribution.label,
                    found="is there",
                    wanted=f"the lock has {lock[name]}",
                    hint="build again from the lock",
                )


def _unknown(case: Case, distribution: Distribution) -> Finding:
    local = '"file:' in case.tree.texts.get(f"{distribution.folder}/direct_url.json", "").replace(" ", "")
    mild = distribution.name in _SEEDS or local
    return Finding(
        code="package-unknown",
        severity="note" if mild else "error",
        path=distribution.folder,
        package=distribution.label,
        found="was installed from a folder or file" if local else "is there",
        wanted="the lock does not know it",
        hint="" if mild else "leave it out, or make a new lock if it is needed",
    )


def judge_twice(case: Case) -> Iterator[Finding]:
    """Refuse a distribution that is in one folder of packages in two versions: nobody knows which files are whose."""
    places: dict[tuple[str, str], dict[str, Distribution]] = defaultdict(dict)
    for distribution in _present(case):
        place = _PEX.fullmatch(distribution.site)
        places[place["root"] if place else distribution.site, distribution.name][distribution.version] = distribution
    for (_, name), versions in sorted(places.items()):
        if len(versions) > 1:
            first, *others = sorted(versions.values(), key=lambda distribution: distribution.folder)
            yield Finding(
                code="package-twice",
                severity="error",
                path=others[-1].folder,
                package=others[-1].label,
                found="is there",
                wanted=f"{name} {first.version} is there as well, in {first.folder}",
                hint="install into an empty folder: the older one was not removed before",
            )


def judge_requirements(case: Case) -> Iterator[Finding]:
    """Refuse distributions whose requirements are not met among the others.

    Markers are evaluated under the targets of the claim: what only some of them need is not missed. Where no target is
    known, only requirements without a marker are judged. Nothing is asked of a wheel, which never has what it requires
    in itself, of one layer of an image, nor of what system packages brought.
    """
    if case.claim.subject in {"wheel", "layer"} or not case.tree.whole:
        return
    groups: dict[str, list[Distribution]] = defaultdict(list)
    roots = _environments(case)
    # A wheel that the target does not take is told of as such: that is no second fault of those that require it.
    for distribution in case.tree.installed:
        groups[_group(distribution.site, roots)].append(distribution)
    present = {distribution.folder for distribution in _present(case)}
    for group, distributions in sorted(groups.items()):
        others = groups[_NO_SYSTEM] if _sees_system(case, group) else []
        asking = [distribution for distribution in distributions if distribution.folder in present]
        yield from _judge_group(case, asking, [*distributions, *others])


def _judge_group(case: Case, asking: Sequence[Distribution], visible: Sequence[Distribution]) -> Iterator[Finding]:
    versions: dict[str, list[str]] = defaultdict(list)
    for distribution in visible:
        versions[distribution.name].append(distribution.version)
    asked = [item for item in asking if _is_wheel_made(item) and not is_systems(case.tree, item)]
    needed = _needed(asked, case.claim.targets)
    for distribution, requirement in needed:
        name = canonicalize_name(requirement.name)
        if name in case.claim.waived or any(_meets(requirement, version) for version in versions[name]):
            continue
        if _is_told_by_lock(case, name, requirement):
            continue
        there = ", ".join(sorted(set(versions[name])))
        # What the lock has, or leaves out, was decided there, as by uv's override-dependencies.
        decided = distribution.name in (case.claim.lock or {})
        yield Finding(
            code="requirement-missing",
            severity="warning" if decided else "error",
            path=distribution.folder,
            package=distribution.label,
            found=f"requires {_spelled(requirement)}",
            wanted=f"there is {name} {there}" if there else f"there is no {name}",
            hint="add it to the project's dependencies and make a new lock, or install what the lock has",
        )


def _is_told_by_lock(case: Case, name: str, requirement: Requirement) -> bool:
    """Say whether it would be met by what the lock has, which is nowhere: that it is not is told of already."""
    locked = (case.claim.lock or {}).get(name)
    if locked is None or not _meets(requirement, locked):
        return False
    return not any(item.name == name and _same(locked, item.version) for item in case.tree.installed)


def _needed(asked: Sequence[Distribution], targets: Sequence[Target]) -> list[tuple[Distribution, Requirement]]:
    """Give the requirements that count under every target, extras that others ask for included."""
    if not targets:
        return [(item, need) for item in asked for need in _requirements(item) if need.marker is None]
    each = [_needed_under(asked, target.environment) for target in targets]
    return [value for key, value in each[0].items() if all(key in other for other in each[1:])]


def _needed_under(
    asked: Sequence[Distribution], environment: Mapping[str, str]
) -> dict[tuple[str, str], tuple[Distribution, Requirement]]:
    by_name: dict[str, list[Distribution]] = defaultdict(list)
    for item in asked:
        by_name[item.name].append(item)
    needed: dict[tuple[str, str], tuple[Distribution, Requirement]] = {}
    todo = [(item, "") for item in reversed(asked)]
    done = {(item.folder, extra) for item, extra in todo}
    while todo:
        item, extra = todo.pop()
        for need in _requirements(item):
            if need.marker is not None and not need.marker.evaluate({**environment, "extra": extra}):
                continue
            needed.setdefault((item.folder, str(need)), (item, need))
            for wanted in need.extras:
                for other in by_name[canonicalize_name(need.name)]:
                    if (other.folder, wanted) not in done:
                        done.add((other.folder, wanted))
                        todo.append((other, wanted))
    return needed


def _requirements(distribution: Distribution) -> Iterator[Requirement]:
    for text in distribution.requires:
        requirement = _requirement(text)
        if requirement is not None:
            yield requirement


@lru_cache(maxsize=4096)
def _requirement(text: str) -> Requirement | None:
    # What cannot be read is older than the rules for writing it; no installer takes it either.
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _meets(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True  # of a version that cannot be compared nothing is claimed


def _spelled(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def judge_metadata(case: Case) -> Iterator[Finding]:
    """Refuse distributions without METADATA, WHEEL or RECORD, or with empty ones: no tool can tell what they are.

    Asked only of those that an installer of wheels has put there; what a system's packages brought has other records.
    """
    if not case.tree.whole:
        return
    yield from _judge_name(case)
    for distribution in _present(case):
        folder = distribution.folder
        if not folder.endswith(".dist-info") or not _is_wheel_made(distribution) or is_systems(case.tree, distribution):
            continue
        there = case.tree.names_in(folder) - _saying_nothing(case, distribution)
        lacking = [name for name in ("METADATA", "WHEEL", "RECORD") if name not in there]
        if lacking:
            yield Finding(
                code="metadata-missing",
                severity="error",
                path=folder,
                package=distribution.label,
                found=f"has no {' and no '.join(lacking)}",
                wanted="importlib.metadata, installers and scanners go by them",
                hint="install the wheel again, and leave its .dist-info folder as it is",
            )


def _judge_name(case: Case) -> Iterator[Finding]:
    """Refuse a wheel that holds no distribution of the name and version in its file name: installers do as well."""
    try:
        name, version, _, _ = parse_wheel_filename(case.claim.wheel)
    except InvalidWheelFilename:
        return  # what is no wheel has no such name, and whether a name is one is asked elsewhere
    own = [item for item in case.tree.distributions if "/" not in item.folder]
    if not any(item.name == name and _same(str(version), item.version) for item in own):
        there = ", ".join(item.label for item in own[:3])
        yield Finding(
            code="metadata-missing",
            severity="error",
            package=f"{name} {version}",
            found="has no .dist-info folder of its own",
            wanted=f"the wheel's file name says that it is that, and it holds {there or 'none'}",
            hint="a wheel that was renamed may not be what its name says: take it from its publisher",
        )


def _saying_nothing(case: Case, distribution: Distribution) -> set[str]:
    """Give the files that are there and do not say what they have to: a RECORD always lists itself, for one."""
    found = {"RECORD"} if distribution.record == () else set()
    metadata = case.tree.texts.get(f"{distribution.folder}/METADATA")
    if metadata is not None and not all(re.search(rf"(?im)^{name}:\s*\S", metadata) for name in ("Name", "Version")):
        found.add("METADATA")
    return found


def _present(case: Case) -> list[Distribution]:
    """Give the distributions that count: in a PEX for several targets, those that one of the targets takes."""
    tags = [frozenset(target.tags) for target in case.claim.targets]
    result = []
    for distribution in case.tree.installed:
        place = _PEX.fullmatch(distribution.site)
        if not place or not tags or any(fitting(place["wheel"], each) for each in tags):
            result.append(distribution)
    return result


def _compared(case: Case, here: Sequence[Distribution], lock: Mapping[str, str]) -> list[Distribution]:
    """Leave out what is in folders of packages that hold nothing of the lock."""
    roots = _environments(case)
    groups: dict[str, list[Distribution]] = defaultdict(list)
    for item in here:
        if not is_systems(case.tree, item):
            groups[_group(item.site, roots) or item.site].append(item)
    known = [item for item in here if item.name in lock]
    held = [item for item in known if _same(lock[item.name], item.version)] or known
    # What every Python brings tells nothing of where the application is, unless that is all there is.
    telling = [item for item in held if item.name not in _SEEDS] or held
    places = {item.folder for item in telling}
    return [item for items in groups.values() if any(each.folder in places for each in items) for item in items]


def _is_wheel_made(distribution: Distribution) -> bool:
    return distribution.record is not None or distribution.tags is not None


def _environments(case: Case) -> tuple[str, ...]:
    """Give the roots of virtual environments, longest first."""
    return tuple(sorted((item.root for item in environments(case.tree)), key=len, reverse=True))


def _group(site: str, environments: Sequence[str]) -> str:
    """Name what is looked through together for packages: an environment, a PEX, or all the rest."""
    if place := _PEX.fullmatch(site):
        return place["root"]
    for root in environments:
        if not root or site.startswith(f"{root}/"):
            return f"{root}/pyvenv.cfg"
    return _NO_SYSTEM


def _sees_system(case: Case, group: str) -> bool:
    config = case.tree.texts.get(group.lstrip("/"), "") if group.endswith("pyvenv.cfg") else ""
    return re.search(r"(?im)^\s*include-system-site-packages\s*=\s*true\s*$", config) is not None


def _same(locked: str, there: str) -> bool:
    """Compare versions; one that the lock names without a local label may have any (PEP 440)."""
    try:
        wanted, version = Version(locked), Version(there)
    except InvalidVersion:
        return locked == there
    return wanted == version or (wanted.local is None and wanted.public == version.public)
