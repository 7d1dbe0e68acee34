"""An artifact, judged by all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crossdock.verify.claim import Case
from crossdock.verify.codes import area_of
from crossdock.verify.finding import Finding
from crossdock.verify.rules.abi import judge_libc, judge_macos, judge_versions
from crossdock.verify.rules.hygiene import judge_host_paths, judge_permissions, judge_secrets
from crossdock.verify.rules.libraries import judge_folders, judge_libraries, judge_memory
from crossdock.verify.rules.machines import MACHINES, judge_machines
from crossdock.verify.rules.packages import judge_lock, judge_metadata, judge_requirements, judge_twice
from crossdock.verify.rules.record import judge_record
from crossdock.verify.rules.scripts import judge_foreign_scripts, judge_interpreters, judge_versions_of_python
from crossdock.verify.rules.suffixes import judge_suffixes
from crossdock.verify.rules.tags import judge_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from crossdock.verify.claim import Claim
    from crossdock.verify.tree import Tree

__all__ = ["judge", "without_consequences"]

#: What is asked once it is known which programs are for the machine, in this order.
_RULES: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    judge_libc,
    judge_versions,
    judge_macos,
    judge_suffixes,
    judge_libraries,
    judge_folders,
    judge_memory,
    judge_tags,
    judge_lock,
    judge_twice,
    judge_requirements,
    judge_metadata,
    judge_record,
    judge_foreign_scripts,
    judge_interpreters,
    judge_versions_of_python,
    judge_host_paths,
    judge_permissions,
    judge_secrets,
)
#: What else is wrong with a file that another was put in the place of.
_TELLING: Final = frozenset({"machines", "abi", "unproved"})


def judge(tree: Tree, claim: Claim) -> list[Finding]:
    """Judge an artifact by what it claims to be.

    Args:
        tree: The artifact.
        claim: What it is said to be.

    Returns:
        What is wrong, each fault once; empty if all is well.
    """
    if tree.files == 0:
        return [_nothing_read(claim, tree.layers)]
    if (finding := _unsupported(claim)) is not None:
        return [finding]
    refused = list(judge_machines(Case(tree, claim)))
    case = Case(tree, claim, refused=frozenset(finding.path for finding in refused if finding.severity == "error"))
    found = [finding for rule in _RULES for finding in rule(case)]
    return list(dict.fromkeys([*refused, *found]))


def without_consequences(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out what only follows from another fault, which refuses the artifact as well: one fault is one finding.

    That RECORD says otherwise of a program that was put in the place of another is no second fault. Asked once it is
    known what is allowed: an exception for the one is none for the other.
    """
    blamed = {
        finding.path
        for finding in findings
        if finding.path and finding.severity == "error" and area_of(finding.code) in _TELLING
    }
    return [finding for finding in findings if finding.code != "record-hash" or finding.path not in blamed]


def _unsupported(claim: Claim) -> Finding | None:
    """Refuse what there are no rules for: images are for Linux, as other systems' hold more than Python packages."""
    machines = {"linux": MACHINES["linux"]} if claim.subject == "image" else MACHINES
    platform = claim.platform
    if platform.architecture in machines.get(platform.os, {}):
        return None
    known = "; ".join(f"{name} on {', '.join(names)}" for name, names in machines.items())
    return Finding(
        code="platform-unsupported",
        severity="error",
        found=f"the {'image' if claim.subject == 'image' else 'artifact'} is for {platform}",
        wanted=f"only {known} can be proved",
    )


def _nothing_read(claim: Claim, parts: int) -> Finding:
    noun = "layers" if claim.subject == "image" else "parts"
    return Finding(
        code="nothing-read",
        severity="error",
        found=f"no file was looked at in {parts} {noun if parts != 1 else noun[:-1]}",
        wanted="a proof that looked at nothing proves nothing",
        hint=f"check that the {noun} belong to this {'image' if claim.subject == 'image' else 'artifact'} "
        "and are not empty",
    )
