"""The catalogue of findings: every code there is, what it means, and what kind of refusal it makes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.verify.finding import Severity

__all__ = ["AREAS", "CODES", "Area", "Code", "area_of"]

Area = Literal["machines", "abi", "packages", "contents", "unproved"]

#: In the order of what weighs more: the first area with an error gives a refusal its exit code.
AREAS: Final[tuple[Area, ...]] = ("machines", "abi", "packages", "contents", "unproved")


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding.

    Attributes:
        code: As in `Finding.code`.
        area: What it is about.
        severity: The usual one.
        summary: What it means, in one sentence.
    """

    code: str
    area: Area
    severity: Severity
    summary: str


def _catalogue(area: Area, rows: Iterable[tuple[str, Severity, str]]) -> dict[str, Code]:
    return {code: Code(code, area, severity, summary) for code, severity, summary in rows}


_MACHINES: Final = _catalogue(
    "machines",
    [
        ("elf-machine", "error", "A program for Linux is for another processor."),
        ("macho-machine", "error", "A program for macOS is for another processor."),
        ("pe-machine", "error", "A program for Windows is for another processor."),
        ("elf", "error", "A program for Linux is where it cannot run."),
        ("macho", "error", "A program for macOS is where it cannot run."),
        ("pe", "error", "A program for Windows is where it cannot run."),
        ("elf-os", "error", "An ELF program is for another operating system."),
        ("elf-float-abi", "warning", "A program for 32-bit ARM passes floating-point numbers another way."),
        ("macho-system", "error", "A Mach-O program is for another of Apple's systems."),
        ("pe-managed", "warning", "A .NET assembly: nothing of it was proved."),
        ("pe-launcher", "note", "A launcher for Windows that is carried as data."),
        ("libc-kind", "error", "A program needs another C library than the one there."),
        ("wheel-tags", "error", "A wheel's file name has no tag that the target takes."),
        ("wheel-missing", "warning", "A PEX for several targets has no wheel of a package for one of them."),
        ("platform-mismatch", "error", "Index, manifest and config say different platforms."),
        ("platform-missing", "error", "An index has no image for a platform that was asked for."),
        ("platform-twice", "error", "An index has two images for one platform."),
        ("platform-unsupported", "error", "Artifacts for that platform cannot be judged."),
    ],
)
_ABI: Final = _catalogue(
    "abi",
    [
        ("glibc-floor", "error", "A program needs a newer glibc than the target or the base has."),
        ("libstdcxx-floor", "error", "A program needs a newer libstdc++ than the target or the base has."),
        ("symbol-version", "error", "A program needs a version of a library's symbols that the library there lacks."),
        ("macos-floor", "error", "A program needs a newer macOS than the target."),
        ("extension-suffix", "error", "An extension module's name is for another Python, ABI or machine."),
        ("library-missing", "error", "A program needs a library that nothing provides."),
        ("rpath-unsafe", "warning", "A program looks for libraries where anybody may put some."),
        ("rpath-nowhere", "note", "A program looks for libraries in a folder that is not there."),
        ("executable-stack", "warning", "A program wants a stack that can be executed."),
        ("text-relocations", "warning", "A program has its code changed when it is loaded."),
        ("tag-lie", "error", "A program needs more than its wheel's tags say."),
        ("tag-pure", "error", "A wheel for any machine holds a program for one."),
        ("tag-differs", "error", "A wheel's file name and its WHEEL file have different tags."),
        ("native-missing", "error", "A package for one machine holds no program at all."),
    ],
)
_PACKAGES: Final = _catalogue(
    "packages",
    [
        ("package-missing", "error", "A distribution of the lock is not there."),
        ("package-unknown", "error", "A distribution is there that the lock does not know."),
        ("package-version", "error", "A distribution has another version than in the lock."),
        ("package-twice", "error", "A distribution is there in two versions."),
        ("requirement-missing", "error", "A distribution needs another that is not there, or not in that version."),
        ("metadata-missing", "error", "A distribution has no METADATA, WHEEL or RECORD."),
        ("record-hash", "error", "A file is not what its distribution's RECORD says."),
        ("record-missing", "error", "A file that a RECORD lists is not there."),
        ("file-conflict", "error", "Two distributions say different things of one file."),
    ],
)
_CONTENTS: Final = _catalogue(
    "contents",
    [
        ("script-foreign", "error", "A script or launcher is for another system."),
        ("interpreter-missing", "error", "The interpreter that a script or an environment names is not there."),
        ("interpreter-version", "error", "The interpreter is of another version than the packages."),
        ("host-path", "error", "A path of the machine that built it was left behind."),
        ("link-outside", "warning", "A link leads out of the artifact."),
        ("set-id", "error", "A file of the application takes on another user's or group's rights."),
        ("world-writable", "error", "A file of the application can be changed by anybody."),
        ("secret", "error", "A file holds what looks like a secret."),
        ("run-failed", "error", "Code that was run in it failed."),
        ("not-run", "error", "Code could not be run in it."),
        ("allow-unused", "warning", "An exception helps nothing."),
        ("exception-expired", "warning", "An exception's date has passed."),
        ("not-rebuilt", "error", "Building it again gave something else."),
        ("layer-rederived", "error", "A layer is not what the wheels it names make."),
        ("layer-annotation", "error", "What is said beside a layer is not so."),
        ("layer-unplanned", "error", "A layer is none of those that the project's locks give."),
    ],
)
_UNPROVED: Final = _catalogue(
    "unproved",
    [
        ("nothing-read", "error", "Nothing was looked at."),
        ("elf-undecided", "error", "An ELF file is damaged: nobody can tell what it is for."),
        ("macho-undecided", "error", "A Mach-O file is damaged: nobody can tell what it is for."),
        ("pe-undecided", "error", "A PE file is damaged: nobody can tell what it is for."),
        ("header-damaged", "error", "What a program needs cannot be read."),
        ("record-unread", "error", "A RECORD is too large, or hashes by an algorithm that proves nothing."),
        ("no-image", "error", "There is no image in it."),
        ("not-an-image", "error", "What an index offers as an image is none."),
        ("index-malformed", "error", "An index cannot be read."),
        ("manifest-malformed", "error", "A manifest cannot be read."),
        ("manifest-ambiguous", "error", "A manifest can be read in two ways."),
        ("config-malformed", "error", "A config cannot be read."),
        ("descriptor-malformed", "error", "A descriptor has no digest or size."),
        ("blob-missing", "error", "A blob is not there."),
        ("blob-size", "error", "A blob has another size than its descriptor says."),
        ("blob-digest", "error", "A blob has another digest than its descriptor says."),
        ("blob-unreadable", "error", "A blob cannot be read."),
        ("layer-count", "error", "Manifest and config have different numbers of layers."),
        ("layer-digest", "error", "A layer has another digest than the manifest says."),
        ("layer-diff-id", "error", "A layer has another diff_id than the config says."),
        ("layer-unreadable", "error", "A layer is damaged or unsafe to read."),
        ("layer-unsupported", "error", "A layer is of a kind that cannot be read."),
        ("nothing-rederived", "error", "No layer could be made again."),
    ],
)

CODES: Final[Mapping[str, Code]] = MappingProxyType({**_MACHINES, **_ABI, **_PACKAGES, **_CONTENTS, **_UNPROVED})
"""Every code by its name."""


def area_of(code: str) -> Area:
    """Say what a finding of a code is about; what is in no catalogue proves nothing."""
    known = CODES.get(code)
    return known.area if known else "unproved"
