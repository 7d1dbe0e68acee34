"""What will be built: for each target its Python, its base and every wheel, each with the reason.

``make_plan`` reads the project, its lock and ``crossdock.lock`` and decides; nothing is downloaded but what the
decisions need: an index page for a lock that holds only hashes, a suite's package list for a base not locked yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from crossdock.bases.choose import default_base
from crossdock.bases.locking import BaseLocker
from crossdock.errors import BaseMismatchError, PythonChoiceError, TargetError, UnknownTargetError
from crossdock.locks import Selection, activate, find_lock, read_lock, select
from crossdock.targets import Libc, Platform, Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.bases.debian.locked import LockedDebianBase
    from crossdock.bases.facts import BaseFacts
    from crossdock.locks import IndexOptions, Lock, LockedFile, Package
    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store
    from crossdock.store.config import IndexConfig
    from crossdock.store.progress import Progress

__all__ = [
    "DEFAULT_TARGETS",
    "SCHEMA_VERSION",
    "Plan",
    "Services",
    "TargetPlan",
    "lock_bases",
    "make_plan",
    "plan_json",
]

DEFAULT_TARGETS = ("linux/amd64", "linux/arm64")
#: Version of the JSON that ``plan_json`` gives; it changes when a reader would have to.
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """What is built for one target.

    Attributes:
        target: The platform with the base's libc, and the base's Python.
        base: The base's exact packages.
        facts: What the base brings.
        selection: The wheels, and why each.
    """

    target: Target
    base: LockedDebianBase
    facts: BaseFacts
    selection: Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is built.

    Attributes:
        project: The project.
        base: Its base image, as configured or chosen.
        lock: Path of the lock file.
        index_options: Indexes that the lock itself names.
        targets: One for each target, in the order asked for.
    """

    project: Project
    base: str
    lock: Path
    index_options: IndexOptions
    targets: tuple[TargetPlan, ...]

    def location(self, file: LockedFile) -> str:
        """Give the URL or absolute path a file of the lock is at."""
        return file.url or str((self.lock.parent / (file.path or file.filename)).resolve())


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What planning and building reach out to.

    Attributes:
        store: Where files and records of finished work are kept.
        progress: What draws how far downloads are; None draws nothing.
        jobs: How much is done at once.
        warn: Told what a user should know but need not act on.
    """

    store: Store
    progress: Progress | None = None
    jobs: int = 4
    warn: Callable[[str], None] = lambda _: None


def make_plan(project: Project, targets: Sequence[str], services: Services, *, locked: bool = False) -> Plan:
    """Decide what to build.

    Args:
        project: The project.
        targets: Platforms as users spell them; empty for the project's own, or else the defaults.
        services: The store and what draws progress.
        locked: Refuse to write ``crossdock.lock``; it must cover every target already.

    Raises:
        CrossdockError: One of the many reasons why that cannot be decided; each has its class.
    """
    platforms = _platforms(project, targets)
    locker = _locker(project, services)
    bases = locker.take((platform.arch for platform in platforms), locked=locked)
    lock_path = find_lock(project.root, project.config.lock)
    lock = read_lock(lock_path, project.name)
    targets_and_facts = [_target(project, platform, bases[platform.arch]) for platform in platforms]
    files = _resolve_hashes(project, lock, [target for target, _ in targets_and_facts], services)
    config = project.config
    return Plan(
        project=project,
        base=locker.base,
        lock=lock_path,
        index_options=lock.index_options,
        targets=tuple(
            TargetPlan(
                target=target,
                base=bases[target.platform.arch],
                facts=facts,
                selection=select(lock, target, config.extras, config.groups, candidates=files.__getitem__),
            )
            for target, facts in targets_and_facts
        ),
    )


def lock_bases(project: Project, targets: Sequence[str], services: Services) -> Path:
    """Write ``crossdock.lock`` anew from the archive as it is now, and give its path."""
    locker = _locker(project, services)
    locker.renew(platform.arch for platform in _platforms(project, targets))
    return locker.path


def plan_json(plan: Plan) -> dict[str, Any]:
    """Give the plan as values that the ``json`` module writes; docs/plan.md describes them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "project": {"name": plan.project.name, "version": plan.project.version},
        "base": plan.base,
        "lock": plan.lock.name,
        "targets": [_target_json(part) for part in plan.targets],
    }


def _target_json(part: TargetPlan) -> dict[str, Any]:
    target = part.target
    return {
        "target": str(target.platform),
        "platform": target.platform.oci,
        "libc": str(target.platform.libc),
        "python": target.python.full_version,
        "environment": target.environment,
        "packages": [
            {
                "name": choice.package.name,
                "version": choice.package.version,
                "filename": choice.file.filename,
                "sha256": choice.file.sha256,
                "size": choice.file.size,
                "tag": str(choice.tag),
                "reason": choice.reason,
                "required_by": list(choice.required_by),
                "rejected": [{"filename": item.filename, "reason": item.reason} for item in choice.rejected],
            }
            for choice in part.selection.choices
        ],
        "skipped": [
            {"name": item.package.name, "version": item.package.version, "markers": list(item.markers)}
            for item in part.selection.skipped
        ],
        "base_packages": [
            {"name": item.name, "version": item.version, "sha256": item.sha256} for item in part.base.packages
        ],
    }


def _platforms(project: Project, targets: Sequence[str]) -> list[Platform]:
    """Parse targets; one named twice, in whatever spelling, is built once.

    An index can hold one image for a platform, so two targets that differ in their C library alone do not go together.
    """
    platforms = list(
        dict.fromkeys(parse_platform(text) for text in targets or project.config.targets or DEFAULT_TARGETS)
    )
    seen: dict[str, Platform] = {}
    for platform in platforms:
        other = seen.setdefault(str(platform), platform)
        if other is not platform:
            raise TargetError(
                f"Two targets are {platform}: one with {other.libc}, one with {platform.libc}",
                why="an image index can hold one image for each platform",
                hint="name one of them, or build two images",
            )
    return platforms


def _wanted_python(project: Project) -> tuple[int, int] | None:
    if project.config.python:
        return parse_python(project.config.python).version
    if not project.python_file:
        return None
    try:
        return parse_python(project.python_file).version
    except UnknownTargetError as error:
        raise PythonChoiceError(
            f"{project.root / '.python-version'} says {project.python_file!r}",
            why=error.why,
            hint='write a version such as 3.11 there, or set [tool.crossdock] python = "3.11"',
        ) from None


def _base(project: Project) -> str:
    return project.config.base or default_base(_wanted_python(project), project.requires_python)


def _locker(project: Project, services: Services) -> BaseLocker:
    return BaseLocker(
        path=project.root / "crossdock.lock",
        base=_base(project),
        packages=project.config.packages,
        config=debian_config(project),
        store=services.store,
        progress=services.progress,
        warn=services.warn,
    )


def debian_config(project: Project) -> DebianConfig:
    """Give the project's settings for Debian archives."""
    from crossdock.bases.debian.config import DebianConfig

    config = project.config
    keyring = project.root / config.keyring if config.keyring else None
    return DebianConfig(
        mirror=config.mirror,
        security_mirror=config.security_mirror,
        keyring=keyring,
        check_valid_until=config.check_valid_until,
    )


def _target(project: Project, platform: Platform, base: LockedDebianBase) -> tuple[Target, BaseFacts]:
    """Complete a platform with what its base has, refusing a Python the project does not accept."""
    from crossdock.bases.debian.base import facts as read_facts

    facts = read_facts(base)
    python = parse_python(facts.python_version)
    wanted = _wanted_python(project)
    if wanted and wanted != python.version:
        raise PythonChoiceError(
            f"{base.name} has Python {python.short}, not {wanted[0]}.{wanted[1]}",
            why="python in [tool.crossdock], or .python-version, asks for another",
            hint="change that, or name another base",
        )
    if not project.requires_python.contains(python.full_version, prereleases=True):
        raise PythonChoiceError(
            f"{project.name} does not run on the Python {python.full_version} of {base.name}",
            why=f"requires-python is {str(project.requires_python)!r}",
            hint="name another base",
        )
    return Target(platform.with_libc(_floor(platform, base, facts)), python), facts


def _floor(platform: Platform, base: LockedDebianBase, facts: BaseFacts) -> Libc:
    """Decide the oldest C library that wheels may count on: the base's, or an older one the user named."""
    has = Libc(facts.libc, facts.libc_version)
    asked = platform.libc
    if asked is None or (asked.kind == has.kind and not platform.libc_named):
        return has
    if asked.kind != has.kind or asked > has:
        raise BaseMismatchError(
            f"The target {platform} asks for {asked}, but {base.name} has {has}",
            why="a wheel that needs the one cannot be loaded with the other",
            hint="leave the C library out of the target, or name another base",
        )
    return asked


def index_config(project: Project, options: IndexOptions) -> IndexConfig:
    """Give the package indexes of the user's configuration; what the lock itself names goes first, as in pip."""
    from crossdock.store.config import load_index_config

    config = load_index_config(project.root)
    return replace(
        config,
        index_url="" if options.no_index else options.index_url or config.index_url,
        extra_index_urls=() if options.no_index else (*options.extra_index_urls, *config.extra_index_urls),
        find_links=(*options.find_links, *config.find_links),
    )


def _resolve_hashes(
    project: Project, lock: Lock, targets: Sequence[Target], services: Services
) -> dict[Package, tuple[LockedFile, ...]]:
    """Ask the index which files have the hashes of packages that come without file names."""
    packages = {
        package
        for target in targets
        for package in activate(
            lock, target.environment, project.config.extras, project.config.groups, target=str(target)
        ).packages
        if package.hashes
    }
    if not packages:
        return {}
    from crossdock.locks import LockedFile
    from crossdock.store.index import HashQuery, find_many

    ordered = sorted(packages, key=lambda package: (package.name, package.version or ""))
    queries = [
        HashQuery(name=package.name, version=package.version or "", sha256s=tuple(sorted(package.hashes)))
        for package in ordered
    ]
    found = find_many(services.store, None, index_config(project, lock.index_options), queries)
    return {
        package: tuple(
            LockedFile(filename=file.filename, sha256=file.sha256 or "", size=file.size, url=file.url) for file in files
        )
        for package, files in zip(ordered, found, strict=True)
    }
