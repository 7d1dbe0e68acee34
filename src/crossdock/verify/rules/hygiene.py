"""The rules for what has no place in an artifact: paths of the building machine, loose permissions, secrets."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from crossdock.verify.finding import Finding
from crossdock.verify.rules.places import environments, host_paths, is_host_path, scripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.verify.claim import Case
    from crossdock.verify.finding import Severity
    from crossdock.verify.rules.places import Environment, Script

__all__ = ["judge_host_paths", "judge_permissions", "judge_secrets"]

#: Findings of one kind; what is beyond is told in one more.
_MOST: Final = 20
_SET_ID: Final = 0o6000
_ANYBODYS: Final = 0o002
#: What uv leaves in an environment for other users' processes to wait for; nobody reads it.
_LOCK: Final = ".lock"
#: What a PEX unpacks gets its permissions then.
_IN_WHEEL: Final = re.compile(r"(?:^|/)\.deps/[^/]+\.whl/")
#: Folders whose keys are there for others to see.
_SHOWN: Final = re.compile(
    r"(?:^|/)(?:tests?|testing|test_?data|self_?tests?|fixtures?|examples?|samples?|docs?|demos?)/|(?:^|/)test_[^/]*$",
    re.IGNORECASE,
)
_KEY: Final = "a private key"
_ELSEWHERE: Final = "it leads nowhere on the machine the artifact is for"
_REMEDY: Final = "install from wheels, not in place, and build where the artifact will run or with crossdock"


def judge_host_paths(case: Case) -> Iterator[Finding]:
    """Find paths of the machine an artifact was built on, in what is used to find Python and packages.

    Homes, temporary folders and the folders of build services count; what is there in an image itself does not. An
    ordinary environment that is judged as a folder names its own place and its Python by nature: it works there only,
    of which a note tells. Of scripts in a folder of packages alone a warning tells. In an image, in a wheel, and in an
    environment that says it can be moved, it is an error.
    """
    told: set[str] = set()
    for environment in environments(case.tree):
        link = _link(case, environment)
        if link is not None:
            told.add(environment.root)
            yield link
    for finding, root in _of_scripts(case, told):
        if root is not None:
            told.add(root)
        yield finding
    for environment in environments(case.tree):
        if environment.root not in told:
            yield from _of_environment(case, environment)
    for path, text in case.tree.texts.items():
        if path.endswith((".pth", ".egg-link")) and case.is_application(path):
            yield from _of_text(case, path, text, "error")
        elif path.endswith("/direct_url.json") and '"file:' in text.replace(" ", ""):
            # It tells where the package came from; nothing is looked for there.
            yield from _of_text(case, path, unquote(text), "note")


def _link(case: Case, environment: Environment) -> Finding | None:
    """Judge the link to its Python that an environment in an image has."""
    if case.claim.subject not in {"image", "layer"}:
        return None
    for name in sorted(case.tree.names_in(environment.join("bin"))):
        path = environment.join("bin", name)
        seen = case.tree.entries.get(path)
        if name.startswith(("python", "pypy")) and seen and seen.kind == "symlink" and is_host_path(case, seen.link):
            return _finding(case, path, seen.link, "error", verb="leads to")
    return None


def _of_scripts(case: Case, told: set[str]) -> Iterator[tuple[Finding, str | None]]:
    """Give what is wrong with scripts, each with the folder of the environment it is in."""
    named: dict[str, list[Script]] = defaultdict(list)
    for script in scripts(case):
        environment = script.environment
        if environment is not None and environment.root in told and _own(script, environment):
            continue
        if is_host_path(case, script.interpreter):
            named[script.interpreter].append(script)
    for interpreter, them in named.items():
        more = f", as do {len(them) - 1} more scripts" if len(them) > 1 else ""
        environment = them[0].environment
        severity = _weight(case, environment)
        finding = _finding(case, them[0].path, f"{interpreter}{more}", severity, verb="is run by")
        yield (
            replace(finding, others=tuple(script.path for script in them[1:])),
            environment.root if environment else None,
        )


def _own(script: Script, environment: Environment) -> bool:
    """Say whether a script is run by the link in its own environment."""
    return posixpath.dirname(script.interpreter).lstrip("/") == environment.join("bin")


def _weight(case: Case, environment: Environment | None) -> Severity:
    """Say how much it weighs that a script is run by a Python of the building machine."""
    if case.claim.subject != "bundle":
        return "error"
    if environment is None:
        return "warning"  # what is imported from there works, only its scripts do not
    return "error" if environment.settings.get("relocatable", "").lower() == "true" else "note"


def _of_environment(case: Case, environment: Environment) -> Iterator[Finding]:
    home = environment.settings.get("home", "")
    if case.claim.subject in {"image", "layer"} and is_host_path(case, home):
        yield _finding(case, environment.config, home, "error")
        return
    for value in environment.settings.values():
        for named in host_paths(case, value):
            yield _finding(case, environment.config, named, "note")
            return


def _of_text(case: Case, path: str, text: str, severity: Severity) -> Iterator[Finding]:
    for named in host_paths(case, text):
        yield _finding(case, path, named, severity)
        return


def _finding(case: Case, path: str, named: str, severity: Severity, verb: str = "names") -> Finding:
    return Finding(
        code="host-path",
        severity=severity,
        path=path,
        package=case.tree.package_of(path),
        found=f"{verb} {named[:300]}",
        wanted="that is a path of the machine it was built on" if severity == "note" else _ELSEWHERE,
        hint="" if severity == "note" else _REMEDY,
    )


def judge_permissions(case: Case) -> Iterator[Finding]:
    """Refuse files of the application that take on others' rights, or that anybody may change.

    Wheels are not asked: installers set permissions themselves. Nor is what has none, such as files from Windows.
    """
    if case.claim.subject == "wheel":
        return
    set_id: list[Finding] = []
    writable: list[Finding] = []
    for seen in case.tree.entries.values():
        if seen.mode < 0 or seen.kind not in {"file", "hardlink"} or not seen.mode & (_SET_ID | _ANYBODYS):
            continue
        if not case.is_application(seen.path) or (not seen.size and seen.path.endswith(_LOCK)):
            continue
        if not seen.mode & _SET_ID and _IN_WHEEL.search(seen.path):
            continue
        (set_id if seen.mode & _SET_ID else writable).append(
            Finding(
                code="set-id" if seen.mode & _SET_ID else "world-writable",
                severity="error",
                path=seen.path,
                package=case.tree.package_of(seen.path),
                found=f"has the mode {seen.mode & 0o7777:04o}",
                wanted="it runs with the rights of whoever owns it, whoever starts it"
                if seen.mode & _SET_ID
                else "any user of the machine may change what it does",
                hint=f"chmod {'ug-s' if seen.mode & _SET_ID else 'o-w'} it before it is packed",
            )
        )
    yield from _limited(set_id)
    yield from _limited(writable)


def judge_secrets(case: Case) -> Iterator[Finding]:
    """Refuse files that hold what looks like a secret; of keys among tests and examples only a note tells.

    Of a private key that an installed distribution lists as its own a warning tells: it came with a wheel, where all
    who can get that can read it.
    """
    findings: dict[Severity, list[Finding]] = {"error": [], "warning": [], "note": []}
    for path, kind in case.tree.secrets.items():
        if not case.is_application(path):
            continue
        severity: Severity = "error"
        wanted, hint = "whoever gets the artifact can read it", "take it out, and replace it: it is no secret any more"
        if _SHOWN.search(path):
            severity, wanted, hint = "note", "it looks like one for tests or examples", ""
        elif case.claim.subject != "wheel" and kind == _KEY and path in case.tree.owners:
            severity, wanted = "warning", "it came with the package: whoever gets that can read it"
            hint = "do not trust what it signs; if the package is your own, take it out and replace it"
        findings[severity].append(
            Finding(
                code="secret",
                severity=severity,
                path=path,
                package=case.tree.package_of(path),
                found=f"holds {kind}",
                wanted=wanted,
                hint=hint,
            )
        )
    for each in findings.values():
        yield from _limited(each)


def _limited(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Give the first findings, and one for all others, which no exception for a path allows."""
    yield from findings[:_MOST]
    if rest := findings[_MOST:]:
        yield Finding(
            code=rest[0].code,
            severity=rest[0].severity,
            found=f"there are {len(rest):,} more such files",
            wanted=rest[0].wanted,
            hint=rest[0].hint,
        )
