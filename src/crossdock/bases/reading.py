"""Reads what a base image brings from its config and its layers: C library, Python, user, operating system."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock.bases import imageconfig
from crossdock.bases.libc import find_libc
from crossdock.bases.pythons import find_python
from crossdock.bases.rootview import DEFAULT_LIMITS, read_root
from crossdock.bases.tree import shown
from crossdock.errors import BaseMismatchError
from crossdock.lockfile.basefacts import ENVIRONMENT, BaseFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.bases.rootview import Layer, RootLimits, RootView
    from crossdock.bases.tree import Place

__all__ = ["BaseReading", "read_base"]

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseReading:
    """The facts of a base, and where they were found.

    Attributes:
        facts: What it brings.
        sources: For ``libc``, ``python_path``, ``python_version`` and ``os_release`` the file that says it, with the
            number of its layer: ``/usr/lib/libc.so.6 (layer 1)``; what was not found is not there.
        notes: What stood in the way of finding a Python, or may stand in the way of running it, in words.
    """

    facts: BaseFacts
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_base(
    config: Mapping[str, Any],
    layers: Iterable[Layer],
    *,
    architecture: str,
    name: str = "the base",
    limits: RootLimits = DEFAULT_LIMITS,
) -> BaseReading:
    """Read a base in one pass over its layers.

    A base without Python, or with one that is not CPython or cannot be understood, has no Python: that is no error
    here, since an interpreter may be put on top.

    Args:
        config: The image's config (OCI image-spec, "Image Configuration"), parsed.
        layers: Media type and opener of each layer, the lowest first; each is read to its end.
        architecture: OCI's name of what the base must be for.
        name: What to call it in messages.
        limits: When to give up.

    Raises:
        BaseMismatchError: It is not for Linux, or for another architecture, or holds programs for another one.
        LayerUnreadableError: A layer is damaged, unsafe, or too large.
        LayerUnsupportedError: A layer is of an unknown kind.
    """
    _check_platform(config, architecture, name)
    settings = config.get("config")
    settings = settings if isinstance(settings, dict) else {}
    env = imageconfig.environment(settings)
    root = read_root(layers, name=name, limits=limits)
    search = find_python(root, architecture, path=env.get("PATH", imageconfig.DEFAULT_PATH), name=name)
    python = search.found
    libc = find_libc(root, architecture, python=python.place if python else None, name=name)
    passwd = root.text("/etc/passwd") or b""
    user = imageconfig.user_of(settings, passwd)
    if python and user != settings.get("User") and (private := _private_part(root, python.place.path)):
        search.notes.append(f"{user}, in root's place, may not run it: {shown(private)} is for its owner alone")
    release = _os_release(root)
    facts = BaseFacts(
        libc=libc.kind if libc else None,
        libc_version=libc.version if libc else (0, 0),
        python_version=python.version if python else "",
        python_path=python.place.path if python else "",
        user=user,
        home=imageconfig.home_of(user, passwd),
        env=env,
        labels=imageconfig.labels(settings),
        stop_signal=imageconfig.stop_signal(settings),
        os_release=imageconfig.os_release(release.node.text or b"") if release else {},
        has_environment=root.resolve(ENVIRONMENT) is not None,
    )
    sources = {
        "libc": libc.place if libc else None,
        "python_path": python.place if python else None,
        "python_version": python.source if python else None,
        "os_release": release,
    }
    return BaseReading(
        facts=facts,
        sources={fact: f"{shown(one.path)} (layer {one.node.layer + 1})" for fact, one in sources.items() if one},
        notes=tuple(search.notes),
    )


def _check_platform(config: Mapping[str, Any], architecture: str, name: str) -> None:
    for field_name, wanted in (("os", "linux"), ("architecture", architecture)):
        value = config.get(field_name, wanted)
        if value != wanted:
            raise BaseMismatchError(
                f"{name} is not for linux/{architecture}",
                why=f"its config says {field_name} {str(value)[:80]!r}",
                hint="use a base that was made for the target's platform",
            )


def _private_part(root: RootView, path: str) -> str:
    """Give the first folder on a path, or the file, that only its owner and group may enter or run; empty for none."""
    parts = path.split("/")
    for count in range(2, len(parts) + 1):
        place = root.resolve("/".join(parts[:count]))
        if place is not None and not place.node.mode & 0o001:
            return place.path
    return ""


def _os_release(root: RootView) -> Place | None:
    for path in _OS_RELEASE:
        place = root.resolve(path)
        if place is not None and place.node.text is not None:
            return place
    return None
