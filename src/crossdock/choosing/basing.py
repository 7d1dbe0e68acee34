"""What each target runs on: its base and its Python, as ``crossdock.lock`` has them or as they are locked now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from crossdock.bases.locking import BaseLocker
from crossdock.bases.sources import open_source
from crossdock.errors import LockfileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.bases.interpreter.setting import StandaloneArchive
    from crossdock.bases.locking import LockedBase
    from crossdock.bases.spec import BaseSpec
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.lockfile.file import Lockfile
    from crossdock.lockfile.images import LockedLayer
    from crossdock.lockfile.interpreters import LockedInterpreter
    from crossdock.oci.content import ImageSource
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.targets import Platform, TargetSpec

__all__ = ["BaseInput", "Bases", "ChosenBase", "debian_config"]

#: What has to be here for a layer of a base, or of an interpreter, to be made.
BaseInput: TypeAlias = "LockedDebianBase | LockedInterpreter | LockedLayer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBase:
    """What one target runs on.

    Attributes:
        base: The base's exact packages, or its layers.
        interpreter: A Python that is laid over it, or None.
        facts: What the base brings, with that Python.
    """

    base: LockedBase
    interpreter: LockedInterpreter | LockedDebianBase | None
    facts: BaseFacts

    @property
    def inputs(self) -> list[BaseInput]:
        """What its layers are made of."""
        from crossdock.lockfile.images import LockedImageBase

        base: list[BaseInput] = list(self.base.layers) if isinstance(self.base, LockedImageBase) else [self.base]
        return [*base, *([] if self.interpreter is None else [self.interpreter])]


class Bases:
    """The bases of a project and the interpreters over them.

    Args:
        project: Its settings say what they are.
        base: Its base, as configured or chosen.
        services: The store, registries and progress.
    """

    def __init__(self, project: Project, base: str, services: Services) -> None:
        self.path: Path = project.root / "crossdock.lock"
        self._project = project
        self._services = services
        self._suite = _suite_of(project)
        self.name = base
        self._archives: Mapping[str, StandaloneArchive] = _archives_of(project)

    def take(self, wanted: Sequence[TargetSpec], *, locked: bool) -> list[ChosenBase]:
        """Give what each target runs on, locking what the file does not cover yet.

        Raises:
            LockfileError: The file cannot be read, or would have to change and may not.
            BaseError: A base cannot be locked.
            BaseImageError: A base image, or an interpreter, cannot be used.
            RegistryError: The base's registry cannot be read.
        """
        platforms = [spec.platform for spec in wanted]
        bases = self._locker().take(platforms, locked=locked)
        if over := self._over():
            packages = over.take(platforms, locked=locked)
            return [self._chosen(bases[item], packages[item]) for item in platforms]
        interpreters = self._take_archives(wanted, [bases[item] for item in platforms], locked=locked)
        return [
            self._chosen(bases[item], interpreter) for item, interpreter in zip(platforms, interpreters, strict=True)
        ]

    def find(self, spec: TargetSpec) -> ChosenBase | None:
        """Give what a target runs on as it is locked, if it is.

        Raises:
            LockfileError: The file cannot be read.
            BaseImageError: The interpreter cannot be used over this base.
        """
        base = self._locker().find(spec.platform)
        if base is None:
            return None
        if over := self._over():
            packages = over.find(spec.platform)
            return None if packages is None else self._chosen(base, packages)
        (archive,) = self._archives_for([spec])
        interpreter = None if archive is None else _locked(self._read(), archive, spec.platform.arch)
        return None if archive is not None and interpreter is None else self._chosen(base, interpreter)

    def renew(self, wanted: Sequence[TargetSpec]) -> None:
        """Lock everything anew as it is now, whatever the file says.

        Raises:
            BaseError: A base cannot be locked.
            BaseImageError: A base image, or an interpreter, cannot be used.
            RegistryError: The base's registry cannot be read.
        """
        platforms = [spec.platform for spec in wanted]
        self._locker().renew(platforms)
        if over := self._over():
            over.renew(platforms)
        self.take(wanted, locked=False)

    def _locker(self) -> BaseLocker:
        keep = (f"debian:{self._suite}",) if self._suite else ()
        return self._locker_of(self.name, keep)

    def _over(self) -> BaseLocker | None:
        """Give what locks Debian's packages that are laid over another base."""
        over = f"debian:{self._suite}"
        return self._locker_of(over, (self.name,)) if self._suite and self.name != over else None

    def _locker_of(self, base: str, keep: tuple[str, ...]) -> BaseLocker:
        services = self._services
        return BaseLocker(
            path=self.path,
            base=base,
            packages=self._project.config.packages,
            config=debian_config(self._project),
            store=services.store,
            http=services.http() if services.offline else None,
            progress=services.progress,
            warn=services.warn,
            open_source=self._open,
            keep=keep,
            jobs=services.jobs,
        )

    def _open(self, spec: BaseSpec) -> ImageSource:
        return open_source(spec, self._project.root, self._services.repository)

    def _chosen(self, base: LockedBase, interpreter: LockedInterpreter | LockedBase | None) -> ChosenBase:
        from crossdock.bases.interpreter.debian import debian_over_facts
        from crossdock.bases.interpreter.standalone import interpreter_facts
        from crossdock.lockfile.bases import LockedDebianBase
        from crossdock.lockfile.interpreters import LockedInterpreter

        facts = _facts(base)
        if isinstance(interpreter, LockedDebianBase):
            facts = debian_over_facts(facts, interpreter, base_name=base.name)
            return ChosenBase(base=base, interpreter=interpreter, facts=facts)
        if isinstance(interpreter, LockedInterpreter):
            facts = interpreter_facts(facts, interpreter, base_name=base.name)
            return ChosenBase(base=base, interpreter=interpreter, facts=facts)
        return ChosenBase(base=base, interpreter=None, facts=facts)

    def _archives_for(self, wanted: Sequence[TargetSpec]) -> list[StandaloneArchive | None]:
        from crossdock.bases.interpreter.setting import archives_by_target
        from crossdock.choosing.targeting import project_specs

        if not self._archives:
            return [None for _ in wanted]
        return archives_by_target(self._archives, wanted, project_specs(self._project), self._project.root)

    def _take_archives(
        self, wanted: Sequence[TargetSpec], bases: Sequence[LockedBase], *, locked: bool
    ) -> list[LockedInterpreter | None]:
        archives = self._archives_for(wanted)
        lockfile = self._read()
        found = [
            None if archive is None else _locked(lockfile, archive, spec.platform.arch)
            for archive, spec in zip(archives, wanted, strict=True)
        ]
        missing = [
            (number, archive)
            for number, archive in enumerate(archives)
            if archive is not None and found[number] is None
        ]
        if missing and locked:
            raise LockfileError(
                f"{self.path} does not cover the interpreter {missing[0][1].location}",
                why="with --locked it may not be changed",
                hint="run `crossdock lock` and commit the file",
            )
        for number, archive in missing:
            found[number] = self._lock_archive(archive, wanted[number].platform, bases[number])
        if missing or (not locked and len(lockfile.interpreters) > len(self._archives)):
            self._write([item for item in found if item is not None])
        return found

    def _lock_archive(self, archive: StandaloneArchive, platform: Platform, base: LockedBase) -> LockedInterpreter:
        from crossdock.bases.interpreter.standalone import lock_interpreter

        return lock_interpreter(
            archive,
            platform.arch,
            root=self._project.root,
            store=self._services.store,
            libc=_facts(base).libc,
            http=self._services.http(),
            progress=self._services.progress,
        )

    def _write(self, interpreters: Sequence[LockedInterpreter]) -> None:
        """Put interpreters into the file as it is by now; those the settings no longer name go."""
        from crossdock.lockfile.file import update_lockfile

        named = {(archive.location, archive.sha256) for archive in self._archives.values()}

        def with_those(lockfile: Lockfile) -> Lockfile:
            kept = tuple(item for item in lockfile.interpreters if (item.name, item.sha256) in named)
            lockfile = replace(lockfile, interpreters=kept)
            for interpreter in interpreters:
                lockfile = lockfile.with_interpreter(interpreter)
            return lockfile

        update_lockfile(self.path, with_those)

    def _read(self) -> Lockfile:
        from crossdock.lockfile.file import read_if_any

        return read_if_any(self.path)


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


def _facts(base: LockedBase) -> BaseFacts:
    from crossdock.bases.debian.base import facts
    from crossdock.lockfile.images import LockedImageBase

    return base.facts if isinstance(base, LockedImageBase) else facts(base)


def _locked(lockfile: Lockfile, archive: StandaloneArchive, architecture: str) -> LockedInterpreter | None:
    found = lockfile.find_interpreter(archive.location, architecture)
    return found if found is not None and found.sha256 == archive.sha256 else None


def _suite_of(project: Project) -> str:
    from crossdock.bases.interpreter.setting import DebianPython

    setting = project.config.interpreter
    return setting.suite if isinstance(setting, DebianPython) else ""


def _archives_of(project: Project) -> Mapping[str, StandaloneArchive]:
    from crossdock.bases.interpreter.setting import DebianPython

    setting = project.config.interpreter
    return {} if setting is None or isinstance(setting, DebianPython) else setting
