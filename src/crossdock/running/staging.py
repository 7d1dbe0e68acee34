"""Sets the scene for an artifact: its files, an interpreter for it, and how that is started on code.

What an artifact lacks to run comes from a base, which is an image, or from this machine's own system: for an artifact
of its platform only, and no more of it than its libraries and the interpreter.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from crossdock.errors import LayoutUnreadableError
from crossdock.running.images import DEFAULT_PATH
from crossdock.running.interpreters import (
    Interpreter,
    find_interpreter,
    host_pythons,
    minor_of_folder,
    numbers_of_user,
)
from crossdock.running.machine import NotRun
from crossdock.running.materialise import scratch_folder, unpack_image, unpack_tar, unpack_zip
from crossdock.running.paths import follow, place_file, place_folder
from crossdock.running.process import stand_in
from crossdock.running.sandbox import Mount, Scene, prepare_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.running.images import Image
    from crossdock.running.limits import RunLimits
    from crossdock.running.machine import Way
    from crossdock.verify.platforms import Platform

__all__ = ["Kind", "Runnable", "Stage", "staged"]

Kind = Literal["image", "pex", "function", "layer", "venv"]

#: Where an artifact is seen that has no place of its own, and where AWS puts functions and layers.
_ARTIFACT: Final = "/mnt/artifact"
_FUNCTION: Final = "/var/task"
_LAYER: Final = "/opt"
_HOME: Final = "/tmp"  # noqa: S108  of the sandbox
# Of this machine's system: libraries, and the loader's list of them.
_SYSTEM: Final = ("usr", "lib", "lib32", "lib64", "libx32", "bin", "sbin")
_LOADER_CACHE: Final = "etc/ld.so.cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runnable:
    """An artifact that code is to be run in.

    Attributes:
        kind: What it is: an ``image``; a ``pex``, as a file or a folder; a ``function`` or a ``layer``, zipped or
            unpacked; a ``venv``, as a folder or in a tar archive.
        platform: Of the machine it is for.
        path: Its file or folder; for an image not needed.
        image: For an image.
        python: The minor version it is for, ``3.11``; empty if that is not known.
        libc: ``glibc`` or ``musl``; empty if that is not known.
        base: An image to run it in, if it has no interpreter of its own.
    """

    kind: Kind
    platform: Platform
    path: Path | None = None
    image: Image | None = None
    python: str = ""
    libc: str = ""
    base: Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """All that is needed to start the artifact's Python.

    Attributes:
        scene: What it sees.
        command: What comes before the arguments that Python takes.
        inside: The folders in which the artifact's own packages are; empty for all there are.
        told: Which interpreter it is, for reports.
    """

    scene: Scene
    command: tuple[str, ...]
    inside: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Root:
    """A root that an artifact without a root of its own runs in."""

    scene: Scene
    interpreter: Interpreter
    told: str
    shared: tuple[str, ...] = field(default=())


@contextmanager
def staged(runnable: Runnable, way: Way, limits: RunLimits, environ: Mapping[str, str]) -> Iterator[Stage | NotRun]:
    """Set the scene, in folders that are gone afterwards.

    Args:
        runnable: What is to be run.
        way: How.
        limits: How much may be unpacked.
        environ: Where this machine's interpreters are looked up.

    Raises:
        CrossdockError: The artifact or its base cannot be unpacked.
    """
    with scratch_folder() as scratch:
        root = _folder(scratch / "root")
        if runnable.image is not None:
            yield _image_stage(runnable.image, way, limits, root, runnable.python)
            return
        if runnable.path is None:
            raise ValueError(f"a {runnable.kind} has a path")
        artifact = _artifact(runnable, runnable.path, scratch / "artifact", limits)
        python = runnable.python
        if not python and runnable.kind == "venv" and artifact.is_dir():
            python = minor_of_folder(artifact, "")
        runnable = replace(runnable, python=python)
        found = _base_root(runnable, way, limits, root) if runnable.base else _host_root(runnable, way, root, environ)
        yield found if isinstance(found, NotRun) else _stage_in(found, runnable, artifact)


def _image_stage(image: Image, way: Way, limits: RunLimits, root: Path, minor: str) -> Stage | NotRun:
    found = _unpacked(image, way, limits, root, minor)
    if isinstance(found, NotRun):
        return found
    folder = place_folder(root, image.folder)
    scene = replace(found.scene, folder=folder or "/")
    return Stage(scene=scene, command=(found.interpreter.path,), told=found.told)


def _unpacked(image: Image, way: Way, limits: RunLimits, root: Path, minor: str) -> _Root | NotRun:
    unpack_image(image, root, limits)
    prepare_root(root, emulator=bool(way.emulator))
    interpreter = find_interpreter(root, image.variables, entrypoint=image.entrypoint, minor=minor)
    if interpreter is None:
        return NotRun(
            why=f"there is no Python in {image.name}",
            hint="an image is run by the interpreter of its entrypoint, or by python3 on its PATH; it has neither",
        )
    user, group = numbers_of_user(root, image.user)
    scene = Scene(root=root, variables={"HOME": _HOME, **image.variables}, user=user, group=group)
    return _Root(scene=scene, interpreter=interpreter, told=interpreter.path)


def _base_root(runnable: Runnable, way: Way, limits: RunLimits, root: Path) -> _Root | NotRun:
    base = runnable.base
    assert base is not None  # noqa: S101  asked by who calls
    if not base.platform.same_machine(runnable.platform):
        return NotRun(
            why=f"the base {base.name} is for {base.platform}, and the artifact for {runnable.platform}",
            hint=f"name a base for {runnable.platform}",
        )
    found = _unpacked(base, way, limits, root, runnable.python)
    if isinstance(found, NotRun):
        return found
    has = found.interpreter.minor
    if runnable.python and has and has != runnable.python:
        return NotRun(
            why=f"the Python of {base.name} is {has}, and the artifact is for {runnable.python}",
            hint=f"name a base with Python {runnable.python}",
        )
    return replace(found, told=f"{found.told} of {base.name}")


def _host_root(runnable: Runnable, way: Way, root: Path, environ: Mapping[str, str]) -> _Root | NotRun:
    """Make a root of this machine's libraries and one of its interpreters, if that suits."""
    hint = f"name an image for {runnable.platform} with the right Python to run it in: --base IMAGE"
    if not way.native:
        return NotRun(why=f"the artifact brings no interpreter for {runnable.platform}", hint=hint)
    for python in host_pythons(environ, runnable.python):
        seen_at = [Path(python.prefix), Path(python.program)]
        if (runnable.libc and runnable.libc != python.libc) or not all(map(_is_reachable, seen_at)):
            continue
        prepare_root(root, emulator=False)
        mounts = _system_mounts(root)
        if not python.prefix.startswith("/usr/") and python.prefix != "/usr":
            mounts.append(_mount(root, Path(python.prefix), python.prefix))
        scene = Scene(root=root, mounts=tuple(mounts), variables={"HOME": _HOME, "PATH": DEFAULT_PATH})
        return _Root(
            scene=scene,
            interpreter=Interpreter(path=python.program, minor=python.minor),
            told=f"{python.program} of this machine",
            shared=tuple(mount.place for mount in mounts),
        )
    kind = " ".join(
        part for part in ("Python", runnable.python, f"with {runnable.libc}" if runnable.libc else "") if part
    )
    return NotRun(why=f"the artifact brings no interpreter, and this machine has no {kind} that can be used", hint=hint)


def _system_mounts(root: Path) -> list[Mount]:
    mounts = []
    for name in _SYSTEM:
        source = Path("/", name)
        if source.is_symlink():
            (root / name).symlink_to(os.readlink(source))  # noqa: PTH115
        elif source.is_dir():
            mounts.append(_mount(root, source, f"/{name}"))
    cache = Path("/", _LOADER_CACHE)
    if cache.is_file() and (place := place_file(root, f"/{_LOADER_CACHE}")):
        mounts.append(Mount(source=cache, place=place))
    return mounts


def _mount(root: Path, source: Path, place: str) -> Mount:
    found = place_folder(root, place) if source.is_dir() else place_file(root, place)
    if found is None:
        raise LayoutUnreadableError(
            "the artifact cannot be run", why=f"{place} of the root it is to run in is no folder"
        )
    return Mount(source=source, place=found)


def _stage_in(root: _Root, runnable: Runnable, artifact: Path) -> Stage:
    """Put an artifact into a root, and say how Python is started on it."""
    place = {"function": _FUNCTION, "layer": _LAYER}.get(runnable.kind, _ARTIFACT)
    mount = _mount(root.scene.root, artifact, place)
    place = mount.place
    variables = dict(root.scene.variables)
    command: tuple[str, ...] = (root.interpreter.path,)
    inside: tuple[str, ...] = (place,)
    folder = place
    if runnable.kind == "pex":
        variables |= {"PEX_ROOT": f"{_HOME}/pex", "PEX_INTERPRETER": "1"}
        command, inside, folder = (*command, place), (place, f"{_HOME}/pex"), _HOME
    elif runnable.kind == "venv":
        own = _own_interpreter(root, artifact)
        if own:
            command = (f"{place}/{own}",)
        else:
            minor = minor_of_folder(artifact, "") or root.interpreter.minor
            variables["PYTHONPATH"] = f"{place}/lib/python{minor}/site-packages"
    else:
        variables["PYTHONPATH"] = ":".join(_import_folders(runnable.kind, place, artifact, root.interpreter.minor))
    scene = replace(root.scene, mounts=(*root.scene.mounts, mount), variables=variables, folder=folder)
    return Stage(scene=scene, command=command, inside=inside, told=root.told)


def _import_folders(kind: Kind, place: str, artifact: Path, minor: str) -> list[str]:
    # As AWS sets it for layers ("Packaging your layer content"), and Azure for functions.
    if kind == "layer":
        return [f"{place}/python", f"{place}/python/lib/python{minor}/site-packages"]
    azure = ".python_packages/lib/site-packages"
    return [place, *([f"{place}/{azure}"] if (artifact / azure).is_dir() else [])]


def _own_interpreter(root: _Root, artifact: Path) -> str:
    """Give which of an environment's interpreters leads to a program that is there in the root; empty for none."""
    for name in ("bin/python", "bin/python3"):
        link = artifact / name
        target = os.readlink(link) if link.is_symlink() else ""  # noqa: PTH115
        if not target.startswith("/"):
            continue
        if any(target.startswith(f"{place}/") for place in root.shared):
            found = Path(target)
            if found.is_file() and os.path.realpath(found) == os.path.realpath(root.interpreter.path):
                return name
        else:
            place = follow(root.scene.root, target)
            if place is not None and place.is_file():
                return name
    return ""


def _artifact(runnable: Runnable, path: Path, scratch: Path, limits: RunLimits) -> Path:
    """Give the file or folder of an artifact as it is mounted: in place if it can be."""
    path = path.resolve()
    is_file = path.is_file()
    if not is_file and not path.is_dir():
        raise LayoutUnreadableError(f"{path} cannot be run", why="nothing is there")
    if is_file and runnable.kind in {"function", "layer"}:
        unpack_zip(path, _folder(scratch), limits)
    elif is_file and runnable.kind == "venv":
        unpack_tar(path, _folder(scratch), limits)
    elif _is_reachable(path):
        return path
    else:
        _copy(path, scratch)
    return scratch


def _copy(path: Path, place: Path) -> None:
    if path.is_file():
        shutil.copyfile(path, place)
        place.chmod(0o755)
    else:
        shutil.copytree(path, place, symlinks=True, ignore=_special_files)
        place.chmod(0o755)


def _special_files(folder: str, names: list[str]) -> list[str]:
    modes = {name: Path(folder, name).lstat().st_mode for name in names}
    return [
        name for name, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
    ]


def _folder(path: Path) -> Path:
    path.mkdir()
    if (owner := stand_in()) is not None:
        os.chown(path, owner, owner)
    path.chmod(0o755)
    return path


def _is_reachable(path: Path) -> bool:
    """Tell whether whoever runs an artifact's code can read something where it is."""
    if stand_in() is None:
        return True
    return bool(path.stat().st_mode & stat.S_IROTH) and all(
        above.stat().st_mode & stat.S_IXOTH for above in path.parents
    )
