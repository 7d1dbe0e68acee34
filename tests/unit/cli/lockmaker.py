"""Locks made by hand, in few words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.choosing.request import Parts
from crossdock.locks import Dependency, Lock, LockedFile, Package, Source, Survey, survey
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.locks.model import LockFormat

#: A dependency: name, or name and marker, or name, marker and extras.
Need = str | tuple[str, str | None] | tuple[str, str | None, tuple[str, ...]]

LINUX = "linux/amd64+glibc2.36"
ARM = "linux/arm64+glibc2.36"
WINDOWS = "windows/amd64"
NOTHING = Parts(extras=(), groups=())


def target(platform: str = LINUX, python: str = "3.12") -> Target:
    return Target(parse_platform(platform), parse_python(python))


class LockMaker:
    """Collects packages; what they need is given by name and resolved at the end."""

    def __init__(self, lock_format: LockFormat = "uv.lock") -> None:
        self._format: LockFormat = lock_format
        self._packages: list[tuple[Package, Sequence[Need], Mapping[str, Sequence[Need]]]] = []

    def add(
        self,
        name: str,
        *files: str,
        needs: Sequence[Need] = (),
        extras: Mapping[str, Sequence[Need]] | None = None,
        version: str = "1.0",
        source: Source | None = None,
    ) -> LockMaker:
        """Add a package; a file is ``py3-none-any``, ``sdist``, or the tags of a wheel."""
        names = [
            f"{name}-{version}.tar.gz" if tags == "sdist" else f"{name.replace('-', '_')}-{version}-{tags}.whl"
            for tags in (files or (() if source else ("py3-none-any",)))
        ]
        package = Package(
            name=name,
            version=version,
            source=source or Source(kind="registry", location="https://index.example/simple"),
            files=tuple(
                LockedFile(filename=file, sha256=f"{hash_of:064x}", size=10, url=f"https://index.example/{file}")
                for hash_of, file in enumerate(names, 100 * len(self._packages))
            ),
        )
        self._packages.append((package, needs, extras or {}))
        return self

    def lock(
        self,
        *roots: Need,
        optional: Mapping[str, Sequence[Need]] | None = None,
        groups: Mapping[str, Sequence[Need]] | None = None,
    ) -> Lock:
        """Give the lock; without roots its packages are the roots."""
        places = {package.name: place for place, (package, _, _) in enumerate(self._packages)}

        def edges(needs: Sequence[Need]) -> tuple[Dependency, ...]:
            full = [(need, None, ()) if isinstance(need, str) else (*need, ())[:3] for need in needs]
            return tuple(
                Dependency(name=name, index=places.get(name), marker=marker, extras=extras)
                for name, marker, extras in full
            )

        packages = [
            Package(
                name=package.name,
                version=package.version,
                source=package.source,
                files=package.files,
                dependencies=edges(needs),
                extras={name: edges(more) for name, more in extras.items()},
            )
            for package, needs, extras in self._packages
        ]
        return Lock(
            path=Path(self._format),
            format=self._format,
            packages=tuple(packages),
            roots=edges(roots or tuple(places)),
            project="app",
            optional={name: edges(needs) for name, needs in (optional or {}).items()},
            groups={name: edges(needs) for name, needs in (groups or {}).items()},
        )


def surveyed(lock: Lock, *targets: Target, parts: Parts = NOTHING) -> list[Survey]:
    return [
        survey(lock, one, parts.extras, parts.groups, include_project=parts.include_project)
        for one in targets or (target(),)
    ]
