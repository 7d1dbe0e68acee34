"""What a user asks for on the command line, where that goes beyond the project's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from crossdock.errors import UnknownExtraError

if TYPE_CHECKING:
    from crossdock.locks import Lock
    from crossdock.projects.config import Config

__all__ = ["Parts", "Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which parts of a project's dependencies count.

    Attributes:
        extras: Extras of the project.
        groups: Dependency groups.
        include_project: Whether what the project itself needs counts.
    """

    extras: tuple[str, ...]
    groups: tuple[str, ...]
    include_project: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Targets, and parts of the project; what is empty leaves it to the project's settings.

    Attributes:
        targets: As users spell them.
        pythons: Versions of Python, each of which is combined with each target that names none itself;
            to one that names a series, the exact version of it counts.
        extras: Extras beside those of the settings.
        all_extras: Every extra the lock knows.
        groups: Dependency groups beside the default ones.
        all_groups: Every group the lock knows.
        no_groups: Groups to leave out, whatever else names them.
        only_groups: These groups and nothing else, not even the project.
        no_default_groups: Leave out the settings' and the lock's default groups.
        libc_policy: Which of several fitting wheels is best: the one for the newest or for the lowest C library.
        frozen: Take the lock even if pyproject.toml was changed after it.
        locked: Refuse to change ``crossdock.lock``.
    """

    targets: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    all_extras: bool = False
    groups: tuple[str, ...] = ()
    all_groups: bool = False
    no_groups: tuple[str, ...] = ()
    only_groups: tuple[str, ...] = ()
    no_default_groups: bool = False
    libc_policy: Literal["newest", "lowest"] = "newest"
    frozen: bool = False
    locked: bool = False

    def parts(self, config: Config, lock: Lock) -> Parts:
        """Decide which parts of the project count.

        The rules are those users know from uv, but for one: without being asked, nothing that only developers need goes
        into an artifact. A group that is left out is left out whoever else names it.

        Raises:
            UnknownExtraError: A group to leave out is not there, so that another may have been meant.
        """
        left_out = {canonicalize_name(group) for group in self.no_groups}
        for group in sorted(left_out - lock.groups.keys() - {"dev"}):  # which --no-dev names without knowing
            raise UnknownExtraError(
                f"{lock.path} has no dependency group {group[:100]!r} to leave out",
                why=f"it has {', '.join(sorted(lock.groups)) or 'none'}",
                hint="correct the name, or remove the option",
            )
        extras = dict.fromkeys((*config.extras, *self.extras, *(sorted(lock.optional) if self.all_extras else ())))
        if self.only_groups:
            groups = self.only_groups
        else:
            default = lock.default_groups if config.groups is None else config.groups
            groups = (
                *(() if self.no_default_groups else default),
                *self.groups,
                *(sorted(lock.groups) if self.all_groups else ()),
            )
        return Parts(
            extras=() if self.only_groups else tuple(extras),
            groups=tuple(group for group in dict.fromkeys(groups) if canonicalize_name(group) not in left_out),
            include_project=not self.only_groups,
        )
