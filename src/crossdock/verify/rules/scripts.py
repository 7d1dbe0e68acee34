"""The rules for what starts an application: scripts, environments and entrypoints, and the interpreters they name."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from crossdock.verify.finding import Finding
from crossdock.verify.rules.places import (
    environments,
    is_host_path,
    is_windows_path,
    on_path,
    real_file,
    scripts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.verify.claim import Case
    from crossdock.verify.rules.places import Environment, Script

__all__ = ["judge_foreign_scripts", "judge_interpreters", "judge_versions_of_python"]

_PYTHON: Final = re.compile(r"(?:python|pypy)\d*(?:\.\d+)?t?")
_VERSION: Final = re.compile(r"(?:python|pypy)(\d+\.\d+)t?$")
_OF_FOLDER: Final = re.compile(r"(?:^|/)lib(?:64)?/(?:python|pypy)(\d+\.\d+)t?/(?:site|dist)-packages$")
_AGAIN: Final = "make the environment again on what it will run on, or build it for that with crossdock"


def judge_foreign_scripts(case: Case) -> Iterator[Finding]:
    """Refuse scripts and environments that name their Python the way another system does."""
    windows = case.claim.platform.os == "windows"
    told: set[str] = set()
    for environment in environments(case.tree):
        home = environment.settings.get("home", "")
        if home and (home.startswith("/") if windows else is_windows_path(home)):
            told.add(environment.root)
            yield Finding(
                code="script-foreign",
                severity="error",
                path=environment.config,
                package=case.tree.package_of(environment.config),
                found=f"says that its Python is in {home}",
                wanted=f"the target {case.claim.platform} has no such paths",
                hint=_AGAIN,
            )
    if windows:
        return
    for script in scripts(case):
        if is_windows_path(script.interpreter) and not (script.environment and script.environment.root in told):
            yield Finding(
                code="script-foreign",
                severity="error",
                path=script.path,
                package=case.tree.package_of(script.path),
                found=f"is a script for {script.interpreter}",
                wanted=f"the target {case.claim.platform} has no such paths",
                hint=_AGAIN,
            )


def judge_interpreters(case: Case) -> Iterator[Finding]:
    """Refuse environments, scripts and entrypoints whose interpreter is not there.

    In an image all of it has to be; an environment or a folder comes to a machine that brings its own Python, so there
    only links that lead nowhere within the artifact are refused. Paths of the machine that built it have a rule of
    their own.
    """
    if not case.tree.whole or case.claim.subject not in {"image", "bundle"}:
        return
    broken: set[str] = set()
    for environment in environments(case.tree):
        finding = _judge_link(case, environment)
        if finding is not None:
            broken.add(environment.join("bin"))
            yield finding
    if case.claim.subject != "image":
        return
    missing: dict[str, list[Script]] = defaultdict(list)
    for script in scripts(case):
        if _is_missing(case, script, broken):
            missing[script.interpreter].append(script)
    for interpreter, them in missing.items():
        more = f", as do {len(them) - 1} more scripts" if len(them) > 1 else ""
        yield Finding(
            code="interpreter-missing",
            severity="error",
            path=them[0].path,
            package=case.tree.package_of(them[0].path),
            found=f"is run by {interpreter}{more}",
            wanted="the image has no such program" + (" on its PATH" if them[0].searched else ""),
            hint=_AGAIN,
            others=tuple(script.path for script in them[1:]),
        )
    yield from _judge_entrypoint(case, broken, frozenset(missing))


def _judge_link(case: Case, environment: Environment) -> Finding | None:
    """Judge the links to its Python that an environment has."""
    folder = environment.join("bin")
    for name in sorted(case.tree.names_in(folder)):
        path = posixpath.join(folder, name)
        seen = case.tree.entries.get(path)
        if not _PYTHON.fullmatch(name) or seen is None or seen.kind != "symlink":
            continue
        end = _end_of_links(case, path)
        outside = end.startswith("/") and case.claim.subject != "image"
        if real_file(case.tree, path) is None and not outside and not is_host_path(case, end):
            return Finding(
                code="interpreter-missing",
                severity="error",
                path=path,
                package=case.tree.package_of(path),
                found=f"leads to {seen.link}",
                wanted="there is no such program",
                hint=_AGAIN,
            )
    return None


def _end_of_links(case: Case, path: str) -> str:
    """Follow a link as far as its links go; an absolute path stays one."""
    for _ in range(8):
        seen = case.tree.entries.get(path.lstrip("/"))
        if seen is None or seen.kind != "symlink":
            break
        if seen.link.startswith("/") and case.claim.subject != "image":
            return seen.link
        path = posixpath.normpath(
            posixpath.join("/" if path.startswith("/") else "", posixpath.dirname(path), seen.link)
        )
    return path


def _is_missing(case: Case, script: Script, broken: set[str]) -> bool:
    interpreter = script.interpreter
    if interpreter.startswith("/"):
        return (
            posixpath.dirname(interpreter).lstrip("/") not in broken
            and not is_host_path(case, _end_of_links(case, interpreter))
            and real_file(case.tree, interpreter) is None
        )
    if not script.searched or is_windows_path(interpreter) or case.claim.config is None:
        return False
    # A link that leads nowhere is told of where it is.
    names = (posixpath.join(folder, interpreter) in case.tree.entries for folder in broken)
    return on_path(case, interpreter) is None and not any(names)


def _judge_entrypoint(case: Case, broken: set[str], told: frozenset[str]) -> Iterator[Finding]:
    config = case.claim.config
    if config is None or not config.entrypoint or not config.entrypoint[0] or on_path(case, config.entrypoint[0]):
        return
    program = config.entrypoint[0]
    if program in told or posixpath.dirname(program).lstrip("/") in broken:
        return
    if "/" in program and is_host_path(case, _end_of_links(case, program)):
        return
    if "/" not in program and any(posixpath.join(folder, program) in case.tree.entries for folder in broken):
        return
    yield Finding(
        code="interpreter-missing",
        severity="error",
        path=program.lstrip("/"),
        found=f"the image starts {program}",
        wanted="there is no such program" + ("" if "/" in program else " on its PATH"),
        hint="name a program that is there as the entrypoint, or install what brings it",
    )


def judge_versions_of_python(case: Case) -> Iterator[Finding]:
    """Refuse packages that lie where another version of Python looks than the one that will run them."""
    tree = case.tree
    if not tree.whole or case.claim.subject not in {"image", "bundle"}:
        return
    told: set[str] = set()
    for environment in environments(tree):
        finding = _judge_environment(case, environment)
        if finding is not None:
            told.add(environment.root)
            yield finding
    if case.claim.subject != "image":
        return
    seen: set[tuple[str, str]] = set()
    for script in scripts(case):
        if script.environment and script.environment.root in told:
            continue
        owner = tree.owners.get(script.path)
        wanted = _version_of_site(owner.site) if owner else ""
        actual = _version_behind(case, script)
        if wanted and actual and actual != wanted and (script.interpreter, wanted) not in seen:
            seen.add((script.interpreter, wanted))
            yield Finding(
                code="interpreter-version",
                severity="error",
                path=script.path,
                package=tree.package_of(script.path),
                found=f"is run by {script.interpreter}, which is Python {actual}",
                wanted=f"its package is installed for Python {wanted}",
                hint=_AGAIN,
            )


def _judge_environment(case: Case, environment: Environment) -> Finding | None:
    tree = case.tree
    places = {item.site for item in tree.installed if environment.holds(item.site)}
    installed = {version for site in places if (version := _version_of_site(site))}
    if not installed:
        return None
    actual = ""
    if case.claim.subject == "image":
        real = real_file(tree, environment.join("bin", "python"))
        actual = _version_of(real) if real else ""
    targets = {target.python.short for target in case.claim.targets}
    named = " and ".join(sorted(installed))
    if actual and actual not in installed:
        path, found = environment.join("bin", "python"), f"is Python {actual}"
    elif environment.version and environment.version not in installed:
        path, found = environment.config, f"says Python {environment.version}"
    elif targets and targets.isdisjoint(installed):
        path, found = environment.config, f"is that of an environment for Python {named}"
        return _version(case, path, found, f"the target has Python {' or '.join(sorted(targets))}")
    else:
        return None
    return _version(case, path, found, f"the packages of the environment are installed for Python {named}")


def _version(case: Case, path: str, found: str, wanted: str) -> Finding:
    return Finding(
        code="interpreter-version",
        severity="error",
        path=path,
        package=case.tree.package_of(path),
        found=found,
        wanted=wanted,
        hint=_AGAIN,
    )


def _version_of_site(site: str) -> str:
    match = _OF_FOLDER.search(site)
    return match[1] if match else ""


def _version_of(path: str) -> str:
    match = _VERSION.search(path)
    return match[1] if match else ""


def _version_behind(case: Case, script: Script) -> str:
    found = on_path(case, script.interpreter) if script.searched else real_file(case.tree, script.interpreter)
    return _version_of(found) if found else ""
