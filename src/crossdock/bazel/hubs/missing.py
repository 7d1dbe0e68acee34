"""Why a package of a hub has no wheel for a target, in words that Bazel shows to whoever uses it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.locks.missing import existing_tags, hints, nearest_file

if TYPE_CHECKING:
    from crossdock.bazel.hubs.activity import Activity
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Lock, Misfit, Package, SourceChoice
    from crossdock.projects.project import Project

__all__ = ["build_message", "inactive_message", "misfit_message", "python_message", "setting_message"]

_MOST_MARKERS = 6


def misfit_message(misfit: Misfit, target: HubTarget) -> str:
    """Say that no file of a package fits."""
    lines = [nearest_file(misfit), _tried(target)]
    if misfit.nearest is not None:
        lines += ["the wheels there are:", *(f"  {line}" for line in existing_tags(misfit))]
    return _message(f"{misfit.package} has no wheel for {target.key}", lines, "; ".join(hints([misfit])))


def build_message(choice: SourceChoice, target: HubTarget) -> str:
    """Say that a package would have to be built from source."""
    package = choice.package
    table = f"[tool.crossdock.packages.{package.name}] wheel"
    if package.source.kind == "directory":
        return _message(
            f"{package} is a folder of source code ({package.source.location}) and no wheel",
            ["in Bazel, source code of the repository is a py_library"],
            f"depend on that in its place, or build a wheel and name it in {table}",
        )
    what = "a repository" if package.source.kind == "vcs" else f"a source distribution, {_name(choice)}"
    return _message(
        f"{package} has no wheel for {target.key}",
        [f"there is only {what}, and Bazel's rules build no source distributions", _tried(target)],
        f"build a wheel of it (`crossdock fetch` shows what is built from source) and name it in {table}, or lock a "
        "version that has one",
    )


def python_message(package: Package, lock: Lock, target: HubTarget) -> str:
    """Say that a package does not run on the target's Python."""
    python = target.target.python.full_version
    return _message(
        f"{package} is not for Python {python} of {target.key}",
        [f"{lock.path.name} says that it requires Python {package.requires_python}"],
        "choose another Python for the target, or lock again for it",
    )


def inactive_message(name: str, lock: Lock, activity: Activity, target: HubTarget) -> str:
    """Say that nothing in the lock needs a package for the target."""
    lines = []
    for index, package in enumerate(lock.packages):
        if package.name == name:
            pairs = sorted(activity.false.get(index, ()))
            lines += [f"{package}, for {by or 'the project'}: {marker} is false" for by, marker in pairs]
    more = [f"and {len(lines) - _MOST_MARKERS} more"] if len(lines) > _MOST_MARKERS else []
    by_part = any("extras" in line or "dependency_groups" in line for line in lines)
    return _message(
        f"{name} is not locked for {target.key}",
        [*lines[:_MOST_MARKERS], *more],
        "of extras or groups that exclude each other, name the one that is meant for the hub"
        if by_part
        else "depend on it for other platforms only, by select(), or add it to the project's dependencies without that "
        "marker and lock again",
    )


def setting_message(project: Project, package: Package) -> str | None:
    """Say which of the project's settings for a package cannot be honoured; None if all can."""
    item = project.config.overrides.get(package.name)
    keys = [key for key, value in (("exclude", item.exclude), ("patches", item.patches)) if value] if item else []
    if not keys:
        return None
    return _message(
        f"{package} cannot be taken as it is",
        [f"[tool.crossdock.packages.{package.name}] sets {' and '.join(keys)}, and Bazel's rules change no wheels"],
        f"change the wheel yourself, and name it there as wheel in place of {' and '.join(keys)}",
    )


def _name(choice: SourceChoice) -> str:
    return choice.file.filename if choice.file else str(choice.package)


def _tried(target: HubTarget) -> str:
    tags = target.target.tags
    return f"tried were {len(tags)} tags, from {tags[0]} to {tags[-1]}"


def _message(what: str, why: list[str], hint: str) -> str:
    return "\n".join(
        [what, *(f"  why: {line}" if not n else f"       {line}" for n, line in enumerate(why)), f"  hint: {hint}"]
    )
