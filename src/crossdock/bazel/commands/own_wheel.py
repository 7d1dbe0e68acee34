"""``own-wheel``: a project's own wheel, by its own backend, of the files that are given and without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from crossdock.bazel.bundled.inputs import hold, scratch_store
from crossdock.bazel.bundled.unpacking import UnpackingPip
from crossdock.bazel.handed.sourcefiles import SourceFile, add_files, listed_files
from crossdock.errors import BuildRequirementsError, LockfileError, OfflineError, OutputError, RepositoryVersionError
from crossdock.lockfile.file import NAME as LOCK
from crossdock.projects.firstparty import build_own_wheel
from crossdock.projects.project import load_project
from crossdock.sdists.hooks import hook_environment
from crossdock.services import Services
from crossdock.store.files import digest_of, reported, write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store

__all__ = ["add_arguments", "run"]

#: What takes a version from version control, where pyproject.toml leaves it to the backend.
_VERSIONERS: Final = frozenset(
    {
        *("setuptools-scm", "setuptools-git-versioning", "hatch-vcs", "flit-scm", "versioningit", "versioneer", "pbr"),
        *("uv-dynamic-versioning", "hatch-regex-commit", "vcs-versioning", "dunamai", "miniver", "setuptools-gitver"),
    }
)
#: What replaces a version that is written in pyproject.toml.
_REPLACERS: Final = frozenset({"poetry-dynamic-versioning"})
#: What takes the list of a package's files from git, also where the version is written.
_LISTERS: Final = frozenset({"setuptools-scm", "setuptools-git", "setuptools-git-versioning", "pbr"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--pyproject", required=True, metavar="FILE")
    add_files(parser)
    parser.add_argument("--lock", metavar="FILE")
    parser.add_argument("--build-wheel", "--build-wheels", dest="wheels", action="append", default=[], metavar="PATH")
    parser.add_argument("--out", required=True, metavar="DIR")


def run(options: argparse.Namespace) -> int:
    """Build the wheel."""
    out = Path(options.out)
    with scratch_store() as store:
        root = store.root.parent / "project"
        _copy(options, root)
        project = load_project(root)
        _check_version(project)
        for path in _wheels(options.wheels):
            hold(store, path, digest_of(path).removeprefix("sha256:"))
        if _requires(project) & _LISTERS:
            _make_repository(root)
        services = Services(store=store, offline=True)
        try:
            wheel = build_own_wheel(project, services, locked=True, pip=UnpackingPip())
        except LockfileError as error:
            raise _not_pinned(error, project, root / LOCK) from None
        except OfflineError as error:
            raise _not_given(error, _wheels(options.wheels)) from None
        with reported(out, option="--out"):
            _write(wheel, store, out)
    return 0


def _copy(options: argparse.Namespace, root: Path) -> None:
    """Put the files where the project has them: what is no regular file here, as in a sandbox, is one there."""
    files = {item.path: item for item in listed_files(options)}
    files["pyproject.toml"] = SourceFile(path="pyproject.toml", source=Path(options.pyproject))
    if options.lock:
        files[LOCK] = SourceFile(path=LOCK, source=Path(options.lock))
    for dest, item in files.items():
        place = root / dest
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(item.read())
        place.chmod(item.mode)


def _wheels(given: Iterable[str]) -> Iterable[Path]:
    for text in given:
        path = Path(text)
        yield from sorted(path.glob("*.whl")) if path.is_dir() else [path]


def _not_pinned(error: LockfileError, project: Project, lock: Path) -> LockfileError:
    """Say in the words of the rule which file is to pin what the build runs on; a damaged one says so itself."""
    reason, unpinned, _ = error.why.partition(", and with --locked")
    if not unpinned:
        return error
    return LockfileError(
        f"{LOCK} does not say what the build of {project.name} runs on",
        why=reason if lock.exists() else f"py_project has no `lock`, and none is among its srcs; {reason}",
        hint=f'run `crossdock lock` in the project\'s folder, and give py_project lock = "{LOCK}"',
    )


def _not_given(error: OfflineError, given: Iterable[Path]) -> BuildRequirementsError:
    """Say what is missing: no action looks for it anywhere, and wheels of another Python or machine do not count."""
    others = [path.name for path in given if not _fits(path.name)]
    python = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    return BuildRequirementsError(
        "What the project's build backend runs on is not all among build_deps",
        why=f"{error.why} is wanted for {python}, which runs the build"
        + (f"; {', '.join(others)} cannot be used by it" if others else ""),
        hint="add it to build_deps, whose wheels are those for the machine that builds and "
        "//bazel/config:python_version; where that is another Python than the toolchain's, make them one",
    )


def _fits(filename: str) -> bool:
    try:
        return not frozenset(sys_tags()).isdisjoint(parse_wheel_filename(filename)[3])
    except InvalidWheelFilename:
        return False


def _requires(project: Project) -> frozenset[str]:
    """Name what the project's backend asks for."""
    system = project.document.get("build-system")
    texts = system.get("requires", []) if isinstance(system, dict) else []
    found = set()
    for text in texts if isinstance(texts, list) else []:
        try:
            found.add(str(canonicalize_name(Requirement(str(text)).name)))
        except InvalidRequirement:
            continue  # which the build tells of
    return frozenset(found)


def _check_version(project: Project) -> None:
    """Refuse a version that is not in the files.

    Raises:
        RepositoryVersionError: It comes from version control.
    """
    requires = _requires(project)
    culprits = requires & _REPLACERS | (requires & _VERSIONERS if project.version is None else frozenset())
    if project.version is None and _is_scm_of_pdm(project):
        culprits |= {"pdm-backend"}
    if culprits:
        raise RepositoryVersionError(
            f"The version of {project.name} comes from version control, by {', '.join(sorted(culprits))}",
            why="an action of Bazel sees the files that are its inputs, and no repository: it would be another version",
            hint='write version = "…" in [project], or build the wheel elsewhere and depend on that',
        )


def _is_scm_of_pdm(project: Project) -> bool:
    value: Any = project.document
    for key in ("tool", "pdm", "version"):
        value = value.get(key) if isinstance(value, dict) else None
    return isinstance(value, dict) and value.get("source") == "scm"


def _make_repository(root: Path) -> None:
    """Make a repository in which all files are tracked, for backends that ask git which files there are.

    Nobody's settings count, and the commit is the same whenever it is made, as some backends write it down.

    Raises:
        RepositoryVersionError: There is no git, or it fails.
    """
    who = ("-c", "user.name=crossdock", "-c", "user.email=crossdock@example.org", "-c", "commit.gpgsign=false")
    environ = {
        **hook_environment(os.environ, home=root),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_DATE": "@0 +0000",
        "GIT_COMMITTER_DATE": "@0 +0000",
    }
    init = ("init", "--quiet", "--template=", "--initial-branch=main")
    for command in (init, ("add", "--all", "--force"), (*who, "commit", "--quiet", "--message", "all")):
        try:
            subprocess.run(["git", "-C", str(root), *command], env=environ, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            told = (
                error.stderr.decode(errors="replace").strip()
                if isinstance(error, subprocess.CalledProcessError)
                else ""
            )
            raise RepositoryVersionError(
                "The project's build backend asks git which files there are, and git cannot tell",
                why=told or str(error),
                hint="remove setuptools-scm and the like from [build-system] requires, and list package data there",
            ) from None


def _write(wheel: OwnWheel, store: Store, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise OutputError(f"{out} already holds something", hint="name an empty or new folder with --out")
    write_whole(out / wheel.filename, store.path(wheel.sha256), f"sha256:{wheel.sha256}")
