"""The rules for what installed distributions say of their files.

Implements the checking side of "Recording installed projects" and of "The RECORD file" of the binary distribution
format (packaging.python.org).
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from crossdock.verify.finding import Finding
from crossdock.verify.rules.places import is_systems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.verify.claim import Case
    from crossdock.verify.contents import FileSeen
    from crossdock.verify.distributions import Distribution, Recorded
    from crossdock.verify.finding import Severity
    from crossdock.verify.tree import Tree

__all__ = ["judge_record"]

#: Findings of one kind for one distribution; what is beyond is told in one more.
_MOST: Final = 20
#: Hashes that prove something, though only SHA-256 is compared.
_STRONG: Final = frozenset({"sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})
#: What an installer need not have put there, or another part of the proof asks for.
_EXEMPT: Final = re.compile(
    r"\.py[co]$|(?:^|/)__pycache__/|\.dist-info/(?:RECORD(?:\.jws|\.p7s)?|METADATA|WHEEL|INSTALLER|REQUESTED)$"
)
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
#: These are what Python imports: without one of them something does not work.
_IMPORTED: Final = re.compile(r"\.(?:py|so|pyd|dylib|dll)$|\.so\.\d")
#: People make artifacts smaller by leaving these out.
_SPARED: Final = re.compile(
    r"(?:^|/)(?:tests?|testing|testsuite|docs?|examples?|samples?|benchmarks?)(?:/|$)|/test_[^/]*$"
)


def judge_record(case: Case) -> Iterator[Finding]:
    """Compare the files with what each distribution's RECORD says of them.

    A file that is not there is an error in a wheel, which has to be whole. Elsewhere it is one if Python would import
    it: tests, documents and data are often left out on purpose, of which a warning tells. What a system's own packages
    have put there is not asked.
    """
    tree = case.tree
    yield from _unread(tree)
    if not tree.whole:
        return
    distributions = [item for item in tree.installed if not is_systems(tree, item)]
    contested = _contested(distributions)
    for distribution in distributions:
        if distribution.record is None:
            yield from _unread_record(tree, distribution)
        else:
            yield from _Check(case, distribution, contested).findings()
    yield from _conflicts(tree, contested)


class _Check:
    """One distribution's RECORD and the tree."""

    def __init__(self, case: Case, distribution: Distribution, contested: Mapping[str, object]) -> None:
        self._case = case
        self._tree = case.tree
        self._distribution = distribution
        self._contested = contested
        self._missing: list[str] = []
        self._weak: list[Recorded] = []
        self._changed: list[Finding] = []
        self._folders: dict[str, bool] = {}

    def findings(self) -> Iterator[Finding]:
        for line in self._distribution.record or ():
            self._line(line)
        yield from _limited(self._changed, self._distribution)
        yield from _limited(list(self._absent()), self._distribution)
        if self._weak:
            yield Finding(
                code="record-unread",
                severity="error",
                path=f"{self._distribution.folder}/RECORD",
                package=self._distribution.label,
                found=f"has {self._weak[0].algorithm[:40]!r} hashes ({len(self._weak)})",
                wanted="sha256 or better is what proves that files are unchanged",
                hint="take a wheel that was built with current tools",
            )

    def _line(self, line: Recorded) -> None:
        seen = self._tree.entries.get(line.path)
        if seen is None or not seen.sha256:
            # The file behind a link, or behind links to the folders above it.
            found = self._tree.resolve(line.path)
            seen = None if found is None else self._tree.entries.get(found)
        if seen is None:
            if not _EXEMPT.search(line.path) and not self._is_moved_script(line.path):
                self._missing.append(line.path)
        elif line.algorithm and not line.path.endswith((".pyc", ".pyo")) and line.path not in self._contested:
            self._compare(line, seen)

    def _is_moved_script(self, path: str) -> bool:
        """Pip installs into a folder (``--target``) by way of another, and writes of scripts where they were."""
        folder, _, name = path.rpartition("/")
        if posixpath.basename(folder) not in {"bin", "Scripts"}:
            return False
        site = self._distribution.site
        return any(posixpath.join(site, where, name) in self._tree.entries for where in ("bin", "Scripts"))

    def _compare(self, line: Recorded, seen: FileSeen) -> None:
        if line.algorithm == "sha256":
            same = bool(seen.sha256) and _is_written(line.hash, bytes.fromhex(seen.sha256))
        elif line.algorithm in _STRONG:
            same = bool(seen.sha256) and line.size in {None, seen.size}
        else:
            self._weak.append(line)
            return
        if not same:
            size = f" of {seen.size:,} bytes" if line.size not in {None, seen.size} else ""
            self._changed.append(
                Finding(
                    code="record-hash",
                    severity="error",
                    path=line.path,
                    package=self._distribution.label,
                    found=f"is another file{size}",
                    wanted="the distribution's RECORD has another hash"
                    + (f", for {line.size:,} bytes" if size and line.size is not None else ""),
                    hint="it was changed or replaced after the wheel was built: install the package again",
                )
            )

    def _absent(self) -> Iterator[Finding]:
        """Tell of missing files, those of a folder that is missing as a whole together."""
        site = self._distribution.site
        together: dict[str, list[str]] = defaultdict(list)
        for path in self._missing:
            together[self._highest_missing(path, site)].append(path)
        for top, paths in together.items():
            count = "" if paths == [top] else f", nor are the {len(paths):,} files in it"
            yield Finding(
                code="record-missing",
                severity=self._severity(paths),
                path=top,
                package=self._distribution.label,
                found=f"is not there{count}",
                wanted="the distribution's RECORD lists it" if not count else "the distribution's RECORD lists them",
                hint="install the package again; what was left out on purpose can be allowed by its path",
            )

    def _highest_missing(self, path: str, site: str) -> str:
        # From above: a RECORD may name paths of any depth, and what is there is not so deep.
        at = len(site) + 1 if site and path.startswith(f"{site}/") else 0
        while (at := path.find("/", at)) > 0:
            if not self._is_there(path[:at]):
                return path[:at]
            at += 1
        return path

    def _is_there(self, folder: str) -> bool:
        if folder not in self._folders:
            self._folders[folder] = self._tree.resolve(folder) is not None
        return self._folders[folder]

    def _severity(self, paths: Sequence[str]) -> Severity:
        if self._case.claim.subject == "wheel":
            return "error"
        return "error" if any(_IMPORTED.search(path) and not _SPARED.search(path) for path in paths) else "warning"


def _unread(tree: Tree) -> Iterator[Finding]:
    """Tell of texts that are too large to be read: what they say of distributions, or of paths, was not looked at."""
    paths = sorted(tree.unread)
    if paths:
        yield Finding(
            code="record-unread",
            severity="error",
            path=paths[0],
            found="is too large to be read" + (f", as are {len(paths) - 1:,} more" if len(paths) > 1 else ""),
            wanted="what it says was not looked at",
            hint="leave it out, or put less into one layer: no real file of its kind is as large",
            others=tuple(paths[1:]),
        )


def _unread_record(tree: Tree, distribution: Distribution) -> Iterator[Finding]:
    """Tell of a RECORD that is there, but is no file that could be read."""
    path = f"{distribution.folder}/RECORD"
    if path in tree.entries and path not in tree.unread:
        yield Finding(
            code="record-unread",
            severity="error",
            path=path,
            package=distribution.label,
            found="cannot be read",
            wanted="nothing proves that its files are unchanged",
        )


def _contested(distributions: Sequence[Distribution]) -> dict[str, list[tuple[Distribution, Recorded]]]:
    """Give the paths that two distributions say different things of."""
    first: dict[str, tuple[Distribution, Recorded]] = {}
    found: dict[str, list[tuple[Distribution, Recorded]]] = {}
    for distribution in distributions:
        for line in distribution.record or ():
            if not line.hash or line.path.endswith(".pyc"):
                continue
            known = first.setdefault(line.path, (distribution, line))
            other = known[1]
            if other is not line and other.algorithm == line.algorithm and other.hash != line.hash:
                found.setdefault(line.path, [known]).append((distribution, line))
    return {path: lines for path, lines in found.items() if len({id(item) for item, _ in lines}) > 1}


def _conflicts(tree: Tree, contested: Mapping[str, Sequence[tuple[Distribution, Recorded]]]) -> Iterator[Finding]:
    by_pair: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    owners: dict[tuple[str, ...], Distribution] = {}
    for path, lines in contested.items():
        seen = tree.entries.get(path)
        here = bytes.fromhex(seen.sha256) if seen and seen.sha256 else None
        winner = next((item for item, line in lines if here is not None and _is_written(line.hash, here)), None)
        labels = tuple(item.label for item, _ in lines)
        owners.setdefault(labels, lines[0][0])
        by_pair[labels].append(
            Finding(
                code="file-conflict",
                severity="error" if _IMPORTED.search(path) and not _SPARED.search(path) else "warning",
                path=path,
                package=(winner or lines[0][0]).label,
                found=f"is that of {winner.label}" if winner else "is that of neither distribution that lists it",
                wanted=f"{' and '.join(labels)} each have their own",
                hint="do without one of the two, or install them into different environments",
            )
        )
    for labels, findings in by_pair.items():
        yield from _limited(findings, owners[labels])


def _limited(findings: Sequence[Finding], distribution: Distribution) -> Iterator[Finding]:
    """Give the first findings, and one for all others, which no exception for a path allows."""
    yield from findings[:_MOST]
    rest = findings[_MOST:]
    if rest:
        worst: Severity = "error" if any(finding.severity == "error" for finding in rest) else "warning"
        yield Finding(
            code=rest[0].code,
            severity=worst,
            package=distribution.label,
            found=f"has {len(rest):,} more such files",
            hint=rest[0].hint,
        )


def _is_written(text: str, digest: bytes) -> bool:
    """Say whether a digest is what a RECORD says."""
    if text == binascii.b2a_base64(digest, newline=False).translate(_URLSAFE, b"=").decode():
        return True  # as nearly all are written
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) == digest
    except (binascii.Error, ValueError):
        return False
