"""``own-wheel``: a project's own wheel, by its own backend, of the files that are given and without a network."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.bazel.bundled.inputs import GivenFile, add_files, given_files, hold, scratch_store
from crossdock.bazel.bundled.unpacking import UnpackingPip
from crossdock.errors import OutputError, RepositoryVersionError
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
    parser.add_argument("--metadata", required=True, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Build the wheel, and tell what it is."""
    out, metadata = Path(options.out), Path(options.metadata)
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
        wheel = build_own_wheel(project, services, locked=True, pip=UnpackingPip())
        with reported(out, option="--out"):
            _write(wheel, store, out)
        with reported(metadata, option="--metadata"):
            write_whole(metadata, _told(project, wheel).encode())
    return 0


def _copy(options: argparse.Namespace, root: Path) -> None:
    """Put the files where the project has them: what is no regular file here, as in a sandbox, is one there."""
    files = {item.dest: item for item in given_files(options)}
    files["pyproject.toml"] = GivenFile(dest="pyproject.toml", source=Path(options.pyproject))
    if options.lock:
        files[LOCK] = GivenFile(dest=LOCK, source=Path(options.lock))
    for dest, item in files.items():
        place, content = root / dest, item.read()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        # Where nobody says it, not the mode there but the content does: Bazel's outputs may all be executed.
        runs = content.startswith(b"#!") if item.executable is None else item.executable
        place.chmod(0o755 if runs else 0o644)


def _wheels(given: Iterable[str]) -> Iterable[Path]:
    for text in given:
        path = Path(text)
        yield from sorted(path.glob("*.whl")) if path.is_dir() else [path]


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


def _told(project: Project, wheel: OwnWheel) -> str:
    config = project.config
    values = {
        **wheel.to_json(),
        "tags": sorted(map(str, wheel.tags)),
        "project": {
            "name": project.name,
            "version": project.version,
            "description": project.description,
            "license": project.license,
            "requires_python": str(project.requires_python),
            "urls": dict(project.urls),
        },
        "config": {
            "entrypoint": list(config.entrypoint) if isinstance(config.entrypoint, tuple) else config.entrypoint,
            "env": dict(config.env),
            "labels": dict(config.labels),
            "ports": list(config.ports),
            "user": config.user,
            "layers": config.layers,
            "compression": config.compression,
            "waived": sorted(config.waived),
        },
    }
    return json.dumps(values, indent=2, sort_keys=True) + "\n"
