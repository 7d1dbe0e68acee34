"""The command lines of the tools that shut a program off from the machine it runs on.

What runs sees its own files, which it cannot change, folders in memory that it can write to, and nothing else: no
network, none of this machine's files, processes or variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.running.paths import place_file, place_folder
from crossdock.running.process import STAND_IN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.running.limits import RunLimits
    from crossdock.running.machine import Way

__all__ = ["EMULATOR", "Mount", "Scene", "bubblewrap_command", "podman_command", "prepare_root"]

#: Where an emulator that has to be named is seen.
EMULATOR: Final = "/.crossdock/emulator"
_SYSTEM_FOLDERS: Final = ("/dev", "/proc", "/tmp", "/run")  # noqa: S108  folders of the sandbox
_NAME: Final = "crossdock-run"
_SIZE_SINCE: Final = (0, 7)
_NO_USERNS_SINCE: Final = (0, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or folder of this machine that is seen inside, and cannot be changed there."""

    source: Path
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a program sees.

    Attributes:
        root: The folder that is its root; made ready by `prepare_root`.
        mounts: What else it sees; their places are folders, or files, of the root.
        variables: Its environment.
        folder: Where it is started.
        user: Its number there.
        group: Its group's number there.
    """

    root: Path
    mounts: tuple[Mount, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: int = 0
    group: int = 0


def prepare_root(root: Path, *, emulator: bool) -> None:
    """Make sure that a folder has what is mounted upon: real folders, whatever an artifact has in their place.

    Args:
        root: Files that are unpacked, and nobody else's.
        emulator: Whether there will be one.
    """
    for name in (*_SYSTEM_FOLDERS, "/.crossdock"):
        place = root / name.lstrip("/")
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            place.unlink()
        place_folder(root, name)
    if emulator:
        place_file(root, EMULATOR)


def bubblewrap_command(scene: Scene, way: Way, command: Sequence[str], limits: RunLimits) -> list[str]:
    """Give the command line of bubblewrap; it is to be started by a user who is not root, without any variables."""
    size = ["--size", str(limits.scratch)] if way.version >= _SIZE_SINCE else []
    mounts = [part for mount in _mounts(scene, way) for part in ("--ro-bind", str(mount.source), mount.place)]
    return [
        way.program,
        # The namespace of users is asked for once more: --unshare-all goes without where it cannot be had.
        *("--unshare-all", "--unshare-user", *(["--disable-userns"] if way.version >= _NO_USERNS_SINCE else [])),
        *("--cap-drop", "ALL", "--die-with-parent", "--new-session", "--hostname", _NAME),
        *("--uid", str(scene.user), "--gid", str(scene.group)),
        *("--ro-bind", str(scene.root), "/", "--dev", "/dev", "--proc", "/proc"),
        *(*size, "--tmpfs", "/tmp", *size, "--tmpfs", "/run"),  # noqa: S108
        *mounts,
        *(part for name, value in scene.variables.items() for part in ("--setenv", name, value)),
        *("--chdir", scene.folder, "--", *_emulated(way, command)),
    ]


def podman_command(scene: Scene, way: Way, command: Sequence[str], limits: RunLimits, *, name: str) -> list[str]:
    """Give the command line of podman for a container that is gone afterwards.

    Args:
        scene: What the program sees.
        way: How it is run.
        command: The program and its arguments.
        limits: How long it may run.
        name: What to call the container.
    """
    volumes = [f"{mount.source}:{mount.place}:ro" for mount in _mounts(scene, way)]
    # Without a user namespace root in there is root out here.
    user, group = (number or STAND_IN for number in (scene.user, scene.group))
    return [
        *(way.program, "run", "--rm", "--name", name, "--hostname", _NAME, "--timeout", str(int(limits.seconds) + 1)),
        *("--network", "none", "--http-proxy=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
        *("--read-only", "--read-only-tmpfs=false"),
        *("--tmpfs", f"/tmp:rw,mode=1777,size={limits.scratch}"),  # noqa: S108
        *("--tmpfs", f"/run:rw,mode=1777,size={limits.scratch}"),
        *("--user", f"{user}:{group}", "--workdir", scene.folder),
        *(part for volume in volumes for part in ("--volume", volume)),
        *(part for key, value in scene.variables.items() for part in ("--env", f"{key}={value}")),
        *("--rootfs", str(scene.root), *_emulated(way, command)),
    ]


def _mounts(scene: Scene, way: Way) -> list[Mount]:
    emulator = [Mount(source=Path(way.emulator), place=EMULATOR)] if way.emulator else []
    return [*scene.mounts, *emulator]


def _emulated(way: Way, command: Sequence[str]) -> list[str]:
    # Python finds its environment by the name it is started by.
    return [EMULATOR, "-0", command[0], *command] if way.emulator else list(command)
