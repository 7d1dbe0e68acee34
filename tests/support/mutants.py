"""Mutants: real artifacts that nothing is wrong with, each changed in one place.

A mutant is a function that changes an open copy of an artifact; a row of the table says what has to be found then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from crossdock.choosing.request import Request
from crossdock.choosing.survey import load_lock
from crossdock.oci.layout_files import open_layout
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.steps.lock_claims import wanted_by_project
from crossdock.steps.meant import meant
from crossdock.steps.rebuilding import rebuild_and_compare
from crossdock.steps.subjects import ImageSubject
from crossdock.steps.verifying import Question, verify_artifact, verify_image
from crossdock.store import Store
from crossdock.targets import parse_python, parse_target
from crossdock.verify.codes import CODES, area_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from tests.support.mutantimages import MutantImage
    from tests.support.treefiles import TreeFiles

    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.finding import Finding
    from crossdock.verify.report import Report
    from crossdock.verify.scan import LayerFacts

__all__ = ["EXIT_CODES", "Asked", "Built", "Bundle", "Image", "Mutant", "Table", "Work", "told"]

#: Takes the artifact that it changes, and all clean ones.
Change = Callable[[Any, Any], object]

EXIT_CODES = {"machines": 91, "abi": 96, "packages": 97, "contents": 98, "unproved": 99}


@dataclass(slots=True)
class Asked:
    """What is asked of an artifact.

    Attributes:
        target: What it is said to be for; empty if it says so itself.
        python: Its Python.
        project: Whose lock it is compared with.
        allow: Exceptions.
    """

    targets: tuple[str, ...] = ()
    python: str = ""
    project: Path | None = None
    allow: tuple[Allowance, ...] = ()

    def question(self) -> Question:
        """Ask the library."""
        pythons = (parse_python(self.python),) if self.python else ()
        wanted = wanted_by_project(load_lock(load_project(self.project), Request())) if self.project else None
        targets = tuple(meant(parse_target(target), pythons) for target in self.targets)
        return Question(targets=targets, pythons=pythons, wanted=wanted, allow=self.allow)

    def options(self) -> list[str]:
        """Ask the command line."""
        found = [part for target in self.targets for part in ("--target", target)]
        found += ["--python", self.python] if self.python else []
        return found + (["--project", str(self.project)] if self.project else [])


class Work(Protocol):
    """An artifact that is open to be changed."""

    asked: Asked

    def save(self, folder: Path) -> Path:
        """Write it; gives its path."""

    def verify(self, folder: Path) -> Report:
        """Write it, and prove it."""


@dataclass(slots=True)
class Bundle:
    """A wheel, an environment, a PEX or a function: files in an archive.

    Attributes:
        name: Its file name.
        files: Its files.
        asked: What is asked of it.
    """

    name: str
    files: TreeFiles
    asked: Asked = field(default_factory=Asked)

    def copy(self) -> Bundle:
        """Copy it."""
        return Bundle(self.name, self.files.copy(), replace(self.asked))

    def retag(self, old: str, new: str) -> None:
        """Give a wheel other tags, in its name and in its WHEEL file."""
        assert old in self.name
        self.name = self.name.replace(old, new)
        *python, platforms = new.split("-") if new.count("-") == 2 else [*self.name.split("-")[-3:-1], new]
        kept = [line for line in self.files.text("*/WHEEL").splitlines() if line and not line.startswith("Tag:")]
        tags = [f"Tag: {'-'.join((*python, platform))}" for platform in platforms.split(".")]
        self.files.write("*/WHEEL", "\n".join([*kept, *tags, ""]).encode())

    def save(self, folder: Path) -> Path:
        """Write it; gives its path."""
        path = folder / self.name
        if self.name.endswith(".tar"):
            path.write_bytes(self.files.to_tar())
        else:
            self.files.to_zip(path)
        return path

    def verify(self, folder: Path) -> Report:
        """Write it, and prove it."""
        return verify_artifact(self.save(folder), self.asked.question())


@dataclass(slots=True)
class Built:
    """A file that the command line built, byte for byte: it is built again, and compared.

    Attributes:
        name: Its file name.
        data: What it holds.
        project: What it was built of.
        command: What built it.
        asked: What is asked of it.
    """

    name: str
    data: bytes
    project: Path
    command: tuple[str, ...]
    asked: Asked

    def save(self, folder: Path) -> Path:
        """Write it; gives its path."""
        path = folder / self.name
        path.write_bytes(self.data)
        return path

    def verify(self, folder: Path) -> Report:
        """Write it, prove it, and build it again."""
        path, services = self.save(folder), Services(store=Store(folder / "cache"))
        report = verify_artifact(path, self.asked.question())
        again = rebuild_and_compare(path, str(path), self.project, "", self.command, services)
        return replace(report, findings=(*report.findings, *again))


@dataclass(slots=True)
class Image:
    """An image layout on disk.

    Attributes:
        layout: Its files.
        facts: What is known of the clean image's layers, which are not read again where they are the same.
        asked: What is asked of it.
    """

    layout: MutantImage
    facts: Mapping[str, LayerFacts]
    asked: Asked = field(default_factory=Asked)

    def save(self, folder: Path) -> Path:  # noqa: ARG002  it is there already
        """Give its path."""
        return self.layout.folder

    def verify(self, folder: Path) -> Report:
        """Prove it."""
        unchanged = self.layout.unchanged
        known = _Known({digest: facts for digest, facts in self.facts.items() if digest in unchanged})
        subject = ImageSubject(layout=open_layout(self.save(folder)), cache=known, checked=unchanged)
        return verify_image(subject, str(self.layout.folder), self.asked.question())


class _Known:
    """What was seen of layers."""

    def __init__(self, facts: Mapping[str, LayerFacts]) -> None:
        self._facts = dict(facts)

    def get(self, digest: str) -> LayerFacts | None:
        return self._facts.get(digest)

    def put(self, digest: str, facts: LayerFacts) -> None:
        self._facts[digest] = facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A row of the table.

    Attributes:
        name: What is wrong, in a few words.
        of: The clean artifact that is changed.
        how: How it is changed.
        code: What has to be found.
        severity: How much it weighs.
        path: Pattern of the file that has to be named; empty for none.
        package: Pattern of the distribution that has to be named; empty for none.
        beside: Codes of errors that belong to the fault as well: ``how`` says why.
        change: Changes it.
    """

    name: str
    of: str
    how: str
    code: str
    severity: str
    path: str
    package: str
    beside: frozenset[str]
    change: Change

    @property
    def exit_code(self) -> int:
        """What ``crossdock verify`` has to end with."""
        areas = {area_of(code) for code in self.beside}
        if self.severity == "error":
            areas.add(area_of(self.code))
        return next((number for area, number in EXIT_CODES.items() if area in areas), 0)

    def names(self, finding: Finding) -> bool:
        """Say whether a finding is the one, on the right file and package."""
        return (
            (finding.code, finding.severity) == (self.code, self.severity)
            and fnmatchcase(finding.path, self.path)
            and fnmatchcase(finding.package or "", self.package)
        )


class Table:
    """The rows of one area, each made by a function that changes an artifact."""

    def __init__(self) -> None:
        self.rows: list[Mutant] = []

    def row(
        self,
        of: str,
        code: str,
        how: str,
        *,
        path: str = "",
        package: str = "",
        severity: str = "",
        beside: Collection[str] = (),
    ) -> Callable[[Change], Change]:
        """Make a row of a function: see `Mutant`."""

        def add(change: Change) -> Change:
            self.rows.append(
                Mutant(
                    name=change.__name__.replace("_", " "),
                    of=of,
                    how=how,
                    code=code,
                    severity=severity or CODES[code].severity,
                    path=path,
                    package=package,
                    beside=frozenset(beside),
                    change=change,
                )
            )
            return change

        return add


def told(report: Report) -> list[Finding]:
    """Give what a report tells of everybody: errors and warnings.

    The launchers in the runtime that pex puts into every PEX are left out: they are there in a clean one.
    """
    return [
        finding
        for finding in report.all_findings
        if finding.severity != "note" and not (finding.code == "pe-launcher" and finding.path.startswith(".bootstrap/"))
    ]
