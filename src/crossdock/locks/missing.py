"""What to say of packages that have no file for a target: the nearest wheel, what differs, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crossdock.locks.choice import Misfit

__all__ = ["existing_tags", "hints", "nearest_file"]

#: So that a package with hundreds of wheels still gives a message one can read.
_MAX_GROUPS, _MAX_PLATFORMS = 12, 8


def nearest_file(misfit: Misfit) -> str:
    """Say in one line which wheel is nearest and what keeps it from fitting, or that there is none."""
    if misfit.nearest is not None:
        return f"nearest is {misfit.nearest.filename}, which {misfit.nearest.reason}"
    if misfit.has_sdist:
        return "there is only a source distribution"
    if misfit.package.hashes:
        return "there is on the index no file with one of the locked hashes"
    return "there is no file at all"


def existing_tags(misfit: Misfit) -> Iterable[str]:
    """Give the tags of the wheels that exist, one line for each interpreter and ABI."""
    groups = list(misfit.tags.items())
    for key, platforms in groups[:_MAX_GROUPS]:
        more = f" and {len(platforms) - _MAX_PLATFORMS} more" if len(platforms) > _MAX_PLATFORMS else ""
        yield f"{key}: {', '.join(platforms[:_MAX_PLATFORMS])}{more}"
    if len(groups) > _MAX_GROUPS:
        yield f"and {len(groups) - _MAX_GROUPS} more kinds"


def hints(misfits: Sequence[Misfit]) -> list[str]:
    """Say what can be done about missing wheels, each thing once."""
    found = ["choose a newer version that has such a wheel, or another Python or libc floor for the target"]
    with_source = [misfit.package for misfit in misfits if misfit.has_sdist]
    if any(package.from_source == "never" for package in with_source):
        found.append('a source distribution exists, but [tool.crossdock.packages] says from-source = "never"')
    name = next((package.name for package in with_source if package.from_source != "never"), None)
    if name is not None:
        found.append(
            "a source distribution exists, but a project with wheels for platforms has code to compile: build a wheel "
            f'for the target and name it in [tool.crossdock.packages.{name}], or set from-source = "allow" there if '
            "it can be built without that code"
        )
    return found
