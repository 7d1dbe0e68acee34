"""Reading pip's requirements files, pinned and with hashes (pip's requirements file format)."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crossdock.errors import LockError, MalformedLockError, UnpinnedRequirementError
from crossdock.locks.fields import Table, load_toml, locked_file, malformed, project_name, sha256_of
from crossdock.locks.files import parse_wheel
from crossdock.locks.markers import parse_marker
from crossdock.locks.model import Dependency, Lock, Package, Source
from crossdock.locks.requirement_lines import Line, read_lines
from crossdock.locks.uv_sources import file_or_url, full_commit, inner_folder, repository_url, url_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["read_requirements"]

_REPOSITORIES = frozenset({"git", "hg", "svn", "bzr"})
#: What a file given by its path ends in; anything else is a folder.
_ARCHIVES = (".whl", ".tar.gz", ".zip")
#: What a shell would do something about; white space aside, at which a requirement is split in any case.
_QUOTING = frozenset("\"'\\")


def read_requirements(path: Path, *, root: Path) -> Lock:
    """Read a requirements file and what it includes.

    Every requirement must be pinned with ``==`` and have SHA-256 hashes; a file given by URL or path, its hash.
    Constraints (``-c``) add nothing, but the pins must agree with them.

    Args:
        path: The file.
        root: Folder that included files must be in.

    Raises:
        MissingLockError: A file cannot be read.
        MalformedLockError: A line cannot be understood, or includes a file outside ``root``.
        UnpinnedRequirementError: A requirement has no exact version, or no SHA-256 hash.
    """
    lines = read_lines(path, root)
    packages: dict[tuple[str, str | None, Source], Package] = {}
    positions: dict[tuple[str, str | None, Source], int] = {}
    roots: list[Dependency] = []
    for line in lines.requirements:
        read = _requirement(line, path.parent)
        if read is None:
            continue
        package, marker, extras = read
        key = (package.name, package.version, package.source)
        if packages.setdefault(key, package) != package:
            raise malformed(line.where, f"{package} is there twice, with different hashes")
        index = positions.setdefault(key, len(positions))
        roots.append(Dependency(name=package.name, index=index, marker=marker, extras=extras))
    _check_constraints(lines.constraints, packages.values())
    return Lock(
        path=path,
        format="requirements.txt",
        packages=tuple(packages.values()),
        roots=tuple(roots),
        index_options=lines.index_options,
    )


_Read = tuple[Package, str | None, tuple[str, ...]]


def _requirement(line: Line, folder: Path) -> _Read | None:
    """Read one requirement; None for the project itself (``.``), which is not fetched. Paths start at ``folder``."""
    body, hashes = _options(line)
    if line.editable and body.partition("+")[0] in _REPOSITORIES:
        body = f"{_egg(line, body)} @ {body}"
    elif line.editable or _is_path(body):
        return _local(line, body, hashes, folder)
    try:
        requirement = Requirement(body)
    except (InvalidRequirement, ValueError, RecursionError) as error:
        if "://" in body:  # which may hold a password
            raise malformed(line.where, "a URL must be given with its name, as in: name @ URL") from None
        raise malformed(line.where, f"{body[:80]!r} is not a requirement: {str(error).splitlines()[0]}") from error
    name = project_name(requirement.name, line.where)
    marker = str(requirement.marker) if requirement.marker else None
    if requirement.url is not None:
        package = _by_url(line, name, requirement.url, hashes)
    else:
        version = _pin(line, requirement)
        digests = _digests(line, name, hashes)
        package = Package(name=name, version=version, source=Source(kind="registry"), hashes=digests)
    return package, marker, tuple(sorted(canonicalize_name(extra) for extra in requirement.extras))


def _options(line: Line) -> tuple[str, list[str]]:
    """Split a requirement from its options; only ``--hash`` is one that a locked wheel can have."""
    words = line.text.split()
    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    hashes = []
    options = iter(_unquoted(words[first:], line))
    for option in options:
        key, equals, value = option.partition("=")
        if key != "--hash":
            raise malformed(line.where, f"the option {key[:40]!r} is not understood for a requirement")
        hashes.append(value if equals else next(options, ""))
    return " ".join(words[:first]), hashes


def _unquoted(words: list[str], line: Line) -> list[str]:
    """Take quotation marks and backslashes away as a shell does; shlex is slow, and nearly no file has any."""
    text = " ".join(words)
    if _QUOTING.isdisjoint(text):
        return words
    try:
        return shlex.split(text)
    except ValueError as error:
        raise malformed(line.where, "a quotation mark is not closed") from error


def _pin(line: Line, requirement: Requirement) -> str:
    specifiers = list(requirement.specifier)
    if len(specifiers) == 1 and specifiers[0].operator in {"==", "==="}:
        try:
            return str(Version(specifiers[0].version))
        except (InvalidVersion, ValueError):
            pass  # a prefix such as 1.* pins nothing
    raise UnpinnedRequirementError(
        f"{line.where}: {requirement.name} is not pinned",
        why="a lock names one exact version, as in name==1.2.3",
        hint="make the file with pip-compile --generate-hashes, or uv export",
    )


def _digests(line: Line, name: str, hashes: list[str]) -> frozenset[str]:
    strong = [value for value in hashes if value.lower().startswith("sha256:")]
    if not strong:
        raise UnpinnedRequirementError(
            f"{line.where}: {name} has no SHA-256 hash",
            why="other hashes are there, but not that one" if hashes else "without a hash any file would be taken",
            hint="make the file with pip-compile --generate-hashes, or uv export",
        )
    return frozenset(sha256_of(value, line.where) for value in strong)


def _is_path(body: str) -> bool:
    first = body.split(";", 1)[0].strip()
    return (
        first == "."
        or first.startswith(("./", "../", "/", "file:"))
        or (first.endswith(_ARCHIVES) and ("@" not in first))
    )


def _local(line: Line, body: str, hashes: list[str], folder: Path) -> _Read | None:
    location, _, condition = body.partition(" ;")
    location = location.strip()
    marker = condition.strip() or None
    if marker is not None:
        parse_marker(marker, line.where)
    if location.rstrip("/") in {".", ""}:
        return None
    last = location.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1]
    if line.editable or not last.endswith(".whl"):
        name = _declared_name(folder / location.partition("#")[0]) or canonicalize_name(last.split("#", 1)[0])
        source = Source(kind="directory", location=location, editable=line.editable)
        return Package(name=name or "unnamed", version=None, source=source), marker, ()
    if "://" in location or location.startswith("file:"):
        raise malformed(line.where, "a URL must be given with its name, as in: name @ URL")
    wheel = parse_wheel(last)
    if wheel is None:
        raise malformed(line.where, f"{last[:80]!r} is not a wheel's file name")
    file = locked_file(line.where, path=location, digest=_only_digest(line, wheel[0], hashes))
    source = Source(kind="path", location=location)
    return Package(name=wheel[0], version=str(wheel[1]), source=source, files=(file,)), marker, ()


def _declared_name(folder: Path) -> str | None:
    """Give the name that a source tree says it has; None if it does not say so where it can be read."""
    try:
        document = load_toml(folder / "pyproject.toml")
        project = document.table("project") or Table({}, where="")
        tool = document.table("tool") or Table({}, where="")
        poetry = tool.table("poetry") or Table({}, where="")
        name = project.text("name") or poetry.text("name")
        return project_name(name, str(folder)) if name else None
    except LockError:
        return None  # what is wrong with it is told when it is built


def _by_url(line: Line, name: str, url: str, hashes: list[str]) -> Package:
    plain, _, fragment = url.partition("#")
    options = dict(url_fields(fragment, line.where))
    if plain.split(":", 1)[0].partition("+")[0] in _REPOSITORIES:
        return Package(name=name, version=None, source=_repository(line, plain, options))
    location, path = file_or_url(plain)
    subdirectory = inner_folder(options.get("subdirectory", ""), line.where)
    if path is not None and not path.endswith(_ARCHIVES):
        if not path.isprintable():
            raise malformed(line.where, "the path has control characters")
        return Package(
            name=name, version=None, source=Source(kind="directory", location=path, subdirectory=subdirectory)
        )
    # pip also takes the hash from the URL's fragment.
    found = [f"sha256:{options['sha256']}"] if "sha256" in options else []
    file = locked_file(line.where, url=location, path=path, digest=_only_digest(line, name, hashes or found))
    wheel = parse_wheel(file.filename)
    source = Source(kind="path" if path else "url", location=path or plain, subdirectory=subdirectory)
    return Package(name=name, version=str(wheel[1]) if wheel else None, source=source, files=(file,))


def _egg(line: Line, url: str) -> str:
    """Give the name in the fragment of an editable repository's URL, where pip has it; empty for none."""
    fragment = url.partition("#")[2].partition(" ")[0]
    return dict(url_fields(fragment, line.where)).get("egg", "")


def _repository(line: Line, url: str, options: Mapping[str, str]) -> Source:
    """Read the URL of a repository, as pip has it: ``git+https://HOST/PATH@COMMIT``."""
    kind, _, location = url.partition("+")
    if kind != "git":
        # Kept apart by its prefix, so that nobody takes it for a git repository.
        return Source(kind="vcs", location=url)
    head, slash, tail = location.rpartition("/")
    tail, _, commit = tail.partition("@")
    return Source(
        kind="vcs",
        location=repository_url(f"{head}{slash}{tail}", line.where),
        revision=full_commit(commit, line.where),
        subdirectory=inner_folder(options.get("subdirectory", ""), line.where),
    )


def _only_digest(line: Line, name: str, hashes: list[str]) -> str:
    digests = _digests(line, name, hashes)
    if len(digests) != 1:
        raise malformed(line.where, f"{name} is one file and has {len(digests)} hashes")
    return f"sha256:{next(iter(digests))}"


def _check_constraints(lines: Iterable[Line], packages: Iterable[Package]) -> None:
    by_name: dict[str, list[Package]] = {}
    for package in packages:
        by_name.setdefault(package.name, []).append(package)
    for line in lines:
        body, _ = _options(line)
        try:
            constraint = Requirement(body)
        except (InvalidRequirement, ValueError, RecursionError) as error:
            raise malformed(line.where, f"{body[:80]!r} is not a constraint") from error
        if constraint.marker is not None:
            continue  # holds only on some targets; a lock made with it agrees by construction
        for package in by_name.get(canonicalize_name(constraint.name), ()):
            if package.version and not constraint.specifier.contains(package.version, prereleases=True):
                raise MalformedLockError(
                    f"{line.where}: the constraint {constraint.name}{constraint.specifier} forbids {package}",
                    why="the requirements pin a version that their own constraints exclude",
                    hint="make the requirements again under these constraints",
                )
