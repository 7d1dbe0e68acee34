"""From a plan for one platform to what its image is made of."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from crossdock.lockfile.bases import LockedDebianBase
from crossdock.store.urls import redact, scrub
from crossdock.supply.components import Component, Inventory
from crossdock.supply.notes import WheelNotes, find_notes
from crossdock.supply.purl import debian_purl, generic_purl, image_purl, python_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.lockfile.images import LockedImageBase
    from crossdock.lockfile.interpreters import LockedInterpreter
    from crossdock.locks import Choice, Package
    from crossdock.plan import TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store

__all__ = [
    "base_components",
    "interpreter_components",
    "inventory",
    "package_url",
    "shown_base",
    "wheel_components",
    "wheel_notes",
]

_NOTHING = WheelNotes()
#: Extras of one distribution that are looked into.
_MOST_EXTRAS = 64
#: How the names of base images begin that are read from a file or folder.
_ON_DISK = ("oci:", "oci-archive:", "docker-archive:")


def inventory(
    part: TargetPlan, own: OwnWheel, project: Project, notes: Mapping[str, WheelNotes], *, digest: str = ""
) -> Inventory:
    """List what the image for one platform is made of.

    Args:
        part: What is built; every package is a wheel.
        own: The project's own wheel.
        project: The project.
        notes: What is known of wheels, by SHA-256; of one that is not there, name, version and hash are listed alone.
        digest: ``sha256:…`` of the image's manifest, if there is one.
    """
    components = [
        *wheel_components(part.selection.choices, own, project, notes, part.target.environment),
        *base_components(part.base),
        *interpreter_components(part.interpreter, part.base, part.facts),
    ]
    return Inventory(
        name=project.name,
        version=_own_version(own),
        platform=part.target.platform.oci,
        digest=digest,
        components=_merged(components),
    )


def _merged(components: Iterable[Component]) -> tuple[Component, ...]:
    """Sort components, each once: packages of an interpreter may be packages of the base, and of one system."""
    found: dict[str, Component] = {}
    for item in components:
        other = found.get(item.ref, item)
        depends, contains = {*other.depends, *item.depends}, {*other.contains, *item.contains}
        found[item.ref] = replace(other, depends=tuple(sorted(depends)), contains=tuple(sorted(contains)))
    return tuple(found[ref] for ref in sorted(found))


def wheel_notes(part: TargetPlan, own: OwnWheel, store: Store) -> dict[str, WheelNotes]:
    """Collect the notes of every wheel of a plan that the store knows or holds, by SHA-256.

    Raises:
        WheelError: The store holds a wheel that cannot be read.
    """
    wheels = [(choice.file.filename, choice.file.sha256) for choice in part.selection.choices]
    wheels.append((own.filename, own.sha256))
    found = {sha256: find_notes(store, filename, sha256) for filename, sha256 in wheels}
    return {sha256: notes for sha256, notes in found.items() if notes is not None}


def wheel_components(
    choices: Iterable[Choice],
    own: OwnWheel,
    project: Project,
    notes: Mapping[str, WheelNotes],
    environment: Mapping[str, str],
) -> list[Component]:
    """List the distributions of an image, the project's own among them, and what their wheels contain.

    Args:
        choices: The wheels.
        own: The project's own wheel.
        project: The project.
        notes: What is known of wheels, by SHA-256.
        environment: The target's complete marker environment.
    """
    chosen = list(choices)
    wheels = {
        project.name: _own_component(own, project),
        **{choice.package.name: _wheel_component(choice) for choice in chosen},
    }
    known = {name: notes.get(wheel.sha256, _NOTHING) for name, wheel in wheels.items()}
    edges = _edges(known, environment)
    for choice in chosen:
        for parent in choice.required_by:
            edges.setdefault(parent or project.name, set()).add(choice.package.name)
    components = []
    for name, wheel in wheels.items():
        needed = (edges.get(name) or set()) & wheels.keys() - {name}
        inside = _inside(wheel, known[name])
        components.append(
            replace(
                _described(wheel, known[name]),
                depends=tuple(sorted(wheels[other].ref for other in needed)),
                contains=tuple(sorted(item.ref for item in inside)),
            )
        )
        components += inside
    return components


def _own_component(own: OwnWheel, project: Project) -> Component:
    # Not pkg:pypi: whoever published a package of this name there, it is not this one.
    version = _own_version(own)
    url = generic_purl(project.name, version)
    return Component(
        ref=url,
        kind="application",
        name=project.name,
        version=version,
        purl=url,
        sha256=own.sha256,
        filename=own.filename,
    )


def _own_version(own: OwnWheel) -> str:
    return str(parse_wheel_filename(own.filename)[1])


def _wheel_component(choice: Choice) -> Component:
    package = choice.package
    version = package.version or str(parse_wheel_filename(choice.file.filename)[1])
    url = package_url(package, version)
    return Component(
        ref=url,
        kind="python",
        name=package.name,
        version=version,
        purl=url,
        sha256=choice.file.sha256,
        filename=choice.file.filename,
    )


def package_url(package: Package, version: str) -> str:
    """Give the package URL of an entry of a lock; that of a folder's is of no index."""
    source = package.source
    if source.kind in {"directory", "virtual"}:
        return generic_purl(package.name, version)
    if source.kind != "vcs":
        return python_purl(package.name, version)
    vcs_url = f"git+{redact(source.location.removeprefix('git+'))}@{source.revision}"
    return python_purl(package.name, version, vcs_url=vcs_url)


def _described(component: Component, notes: WheelNotes) -> Component:
    comment = f"not read: {', '.join(notes.unread)} in .dist-info/sboms" if notes.unread else ""
    return replace(
        component,
        license=notes.license,
        summary=notes.summary,
        author=notes.author,
        homepage=notes.homepage,
        comment=comment,
    )


def _inside(wheel: Component, notes: WheelNotes) -> list[Component]:
    """List what a wheel contains; it is named by its wheel too, as several may contain the same."""
    return [
        Component(
            # The fragment of a package URL is a place within the package (purl, "subpath").
            ref=f"{wheel.ref}#{number}-{item.name}-{item.version}",
            kind="vendored",
            name=item.name,
            version=item.version,
            purl=item.purl,
            sha256=item.sha256,
            license=item.license,
        )
        for number, item in enumerate(notes.vendored, 1)
    ]


def _edges(notes: Mapping[str, WheelNotes], environment: Mapping[str, str]) -> dict[str, set[str]]:
    """Find which distribution needs which, as their own metadata has it; some locks do not say it.

    Which extras are asked for is known only when all else is. Each is looked at once, so hostile metadata costs little.
    """
    requirements = {name: _requirements(item.requires) for name, item in notes.items()}
    edges: dict[str, set[str]] = {name: set() for name in notes}
    extras: dict[str, set[str]] = {name: {""} for name in notes}
    waiting = [(name, "") for name in notes]
    while waiting:
        name, extra = waiting.pop()
        for item in requirements[name]:
            other = canonicalize_name(item.name)
            if other not in notes or not _holds(item, environment, extra):
                continue
            edges[name].add(other)
            for asked in sorted(map(canonicalize_name, item.extras)):
                if asked not in extras[other] and len(extras[other]) < _MOST_EXTRAS:
                    extras[other].add(asked)
                    waiting.append((other, asked))
    return edges


def _requirements(texts: Iterable[str]) -> list[Requirement]:
    found = []
    for text in texts:
        try:
            found.append(Requirement(text))
        except (InvalidRequirement, RecursionError):
            continue  # the lock decided long ago what is installed; this is for showing only
    return found


def _holds(item: Requirement, environment: Mapping[str, str], extra: str) -> bool:
    if item.marker is None:
        return True
    try:
        return item.marker.evaluate({**environment, "extra": extra})
    except (ValueError, KeyError, RecursionError):
        return False


def base_components(base: LockedDebianBase | LockedImageBase) -> list[Component]:
    """List what a base is made of: its packages, or the image that it is as one."""
    if isinstance(base, LockedDebianBase):
        return _debian_components(base)
    if not base.digest:
        return []
    name, where, tag = _repository(base.name)
    url = image_purl(name, base.digest, architecture=base.architecture, tag=tag, repository_url=where)
    return [
        Component(
            ref=url,
            kind="base",
            name=shown_base(base.name),
            version=base.digest,
            purl=url,
            sha256=base.digest.removeprefix("sha256:"),
            comment="its own packages are not listed here",
        )
    ]


def shown_base(name: str) -> str:
    """Show the name of a base without a password, and one that is a file without the folders that lead to it."""
    kind, colon, path = name.partition(":")
    if not name.startswith(_ON_DISK):
        return redact(name) if "://" in name else scrub(name)
    return scrub(kind + colon + re.split(r"[/\\]", path.rstrip("/\\"))[-1])


def _repository(base: str) -> tuple[str, str, str]:
    """Divide the name of a base image: its short name, where it is if that is a registry, and its tag there."""
    from crossdock.errors import ImageReferenceError
    from crossdock.oci.reference import parse_reference

    try:
        reference = None if base.startswith(_ON_DISK) else parse_reference(base)
    except ImageReferenceError:
        reference = None
    if reference is None:
        return re.split(r"[:@]", shown_base(base).partition(":")[2])[0] or "image", "", ""
    name, tag = reference.repository.rpartition("/")[2], "" if reference.digest else reference.tag
    return name, f"{reference.registry}/{reference.repository}", tag


def _debian_components(base: LockedDebianBase) -> list[Component]:
    suite = base.name.partition(":")[2]
    versions = {package.name: package.version for package in base.packages}
    # Scanners look up an operating system by its number, which is that of base-files.
    number = versions.get("base-files", "").partition(".")[0].partition("+")[0]
    packages = []
    for package in base.packages:
        url = debian_purl(package.name, package.version, architecture=package.architecture, suite=suite)
        packages.append(
            Component(
                ref=url,
                kind="debian",
                name=package.name,
                version=package.version,
                purl=url,
                sha256=package.sha256,
                filename=package.filename.rpartition("/")[2],
                supplier="Debian",
            )
        )
    system = Component(
        ref=f"{base.name}/{base.architecture}",
        kind="system",
        name="debian",
        version=number if number.isdigit() else suite,
        supplier="Debian",
        contains=tuple(sorted(item.ref for item in packages)),
    )
    return [system, *packages]


def interpreter_components(
    interpreter: LockedInterpreter | LockedDebianBase | None, base: LockedDebianBase | LockedImageBase, facts: BaseFacts
) -> list[Component]:
    """List the Python that an image runs, unless it is among the base's packages."""
    if isinstance(interpreter, LockedDebianBase):
        return _debian_components(interpreter)
    if interpreter is None:
        return [] if isinstance(base, LockedDebianBase) else _python_of_base(facts)
    url = generic_purl("python", interpreter.python_version)
    return [
        Component(
            ref=url,
            kind="interpreter",
            name="python",
            version=interpreter.python_version,
            purl=url,
            sha256=interpreter.sha256,
            filename=redact(interpreter.name).rpartition("/")[2],
        )
    ]


def _python_of_base(facts: BaseFacts) -> list[Component]:
    if not facts.python_version:
        return []
    url = generic_purl("python", facts.python_version)
    comment = "a part of the base image"
    version = facts.python_version
    return [Component(ref=url, kind="interpreter", name="python", version=version, purl=url, comment=comment)]
