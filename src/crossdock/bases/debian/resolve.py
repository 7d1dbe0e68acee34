"""Which packages a base is made of: the closure of what is wanted over what each needs. Pure and deterministic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.bases.debian.packages import satisfies
from crossdock.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crossdock.bases.debian.packages import Dependency, Package, PackageIndex

__all__ = ["LEFT_OUT", "PYTHON_BASE", "resolve"]

PYTHON_BASE: tuple[str, ...] = (
    "base-files",  # /etc/os-release, and the licence texts that copyright files refer to
    "ca-certificates",
    "libc6",
    # manylinux wheels may link to these two without bringing them (PEP 599); the C++ one is most often missed.
    "libgcc-s1",
    "libstdc++6",
    "media-types",  # /etc/mime.types, which the module mimetypes reads
    "netbase",  # /etc/services and /etc/protocols, for socket.getservbyname
    "python3",
    "tzdata",  # for zoneinfo
    "zlib1g",  # in PEP 599's later revisions' list; Python needs it too
)

# Only maintainer scripts or a person at a terminal use these, and no maintainer script ever runs here. Wanting one by
# its name, in the configuration's packages, brings it nevertheless.
LEFT_OUT: frozenset[str] = frozenset(
    {
        "awk",  # base-files: its postinst
        "cdebconf",
        "debconf",  # tzdata, ca-certificates: questions at installation
        "debconf-2.0",
        "dpkg",  # python3-minimal, readline-common: for their maintainer scripts
        "gawk",
        "install-info",  # readline-common: the index of info pages
        "mawk",
        "mime-support",  # the old name of media-types and mailcap
        "openssl",  # ca-certificates: update-ca-certificates; the library is libssl
        "original-awk",
        "perl-base",
        "perl",
        "readline-common",  # libreadline: key bindings and info pages
        "sensible-utils",
        "ucf",  # configuration questions
    }
)

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def resolve(index: PackageIndex, wanted: Iterable[str]) -> list[Package]:
    """Find every package a base with ``wanted`` needs, each in its newest version, sorted by name.

    Follows ``Pre-Depends`` and ``Depends`` (policy 7.2). Of alternatives, one already chosen is taken, else the first
    that exists. What is in `LEFT_OUT` is not followed, unless it is wanted itself.

    Raises:
        ResolutionError: A package does not exist, or not in the version that another one needs.
    """
    chosen: dict[str, Package] = {}
    for name in sorted(set(wanted)):
        package = index.newest(name)
        if package is None:
            raise _not_found(index, name)
        chosen[name] = package
    queue = list(chosen.values())
    # Breadth first from a sorted start: the outcome does not depend on the order in the configuration.
    for package in queue:
        for alternatives in package.depends:
            added = _choose(index, chosen, alternatives, package)
            if added is not None:
                chosen[added.name] = added
                queue.append(added)
    return [chosen[name] for name in sorted(chosen)]


def _choose(
    index: PackageIndex, chosen: dict[str, Package], alternatives: Sequence[Dependency], dependent: Package
) -> Package | None:
    if any(_fulfils(package, item) for item in alternatives for package in chosen.values()):
        return None
    if any(item.name in LEFT_OUT for item in alternatives):
        return None
    for item in alternatives:
        real = index.newest(item.name)
        if real is not None and _fulfils(real, item):
            return real
        providers = [package for package in index.providers(item.name) if _fulfils(package, item)]
        if providers:
            return min(providers, key=lambda package: (_rank(package), package.name))
    raise ResolutionError(
        f"{dependent.name} {dependent.version} needs {' | '.join(map(str, alternatives))}, which the archive lacks",
        why="; ".join(_found(index, item) for item in alternatives),
        hint="the mirror may be in the middle of an update, or lack the suite's updates: try again, or another mirror",
    )


def _fulfils(package: Package, dependency: Dependency) -> bool:
    if package.name == dependency.name:
        return satisfies(package.version, dependency)
    for provided in package.provides:
        if provided.name != dependency.name:
            continue
        # Policy 7.5: a bound is met only by a provision that has a version itself.
        if not dependency.operator or (provided.version and satisfies(provided.version, dependency)):
            return True
    return False


def _rank(package: Package) -> int:
    return _PRIORITIES.index(package.priority) if package.priority in _PRIORITIES else len(_PRIORITIES)


def _found(index: PackageIndex, dependency: Dependency) -> str:
    package = index.newest(dependency.name)
    if package is not None:
        return f"the newest {dependency.name} is {package.version}"
    providers = [provider.name for provider in index.providers(dependency.name)]
    return f"{dependency.name} is provided by {', '.join(providers)}" if providers else f"there is no {dependency.name}"


def _not_found(index: PackageIndex, name: str) -> ResolutionError:
    providers = [package.name for package in index.providers(name)]
    if providers:
        return ResolutionError(
            f"{name} is a virtual package",
            why=f"it is provided by {', '.join(providers)}",
            hint="name one of these in its place",
        )
    similar = index.similar(name)
    return ResolutionError(
        f"there is no package {name} in the archive's component main",
        hint=f"did you mean {', '.join(similar)}?" if similar else "check the name, and that the suite has the package",
    )
