"""The rules for one file of an artifact, by the system and the architecture the artifact is for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crossdock.headers.binary import MACHINE_NAMES
from crossdock.verify.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.headers.binary import Binary, Format
    from crossdock.verify.claim import Case
    from crossdock.verify.platforms import Platform

__all__ = ["MACHINES", "judge_binary", "judge_machines"]

#: The systems that artifacts are judged for, by OCI's names, and their architectures: OCI's name to the one that users
#: of the system's own file format know.
MACHINES: Final[Mapping[str, Mapping[str, str]]] = {
    "linux": MACHINE_NAMES,
    "darwin": {"amd64": "x86_64", "arm64": "arm64"},
    "windows": {"amd64": "x86-64", "arm64": "aarch64", "386": "i386"},
}
_FORMATS: Final[Mapping[str, Format]] = {"linux": "elf", "darwin": "macho", "windows": "pe"}
_FORMAT_NAMES: Final[Mapping[Format, str]] = {"elf": "ELF", "macho": "Mach-O", "pe": "PE"}

_LINUX_ABIS: Final = frozenset({"sysv", "linux", "arm-aeabi"})

# Launchers of console scripts, which setuptools, pip and distlib carry for use on Windows: every program for Windows
# that lies among Python packages is taken for one where nothing can start it by accident.
_LAUNCHER: Final = re.compile(
    r"(^|/)(site-packages|dist-packages|python\d+(\.\d+)?|[^/]+\.whl)/.+\.exe$", re.IGNORECASE
)
# The folders of the three, of the library that writes launchers for installers, and of the runtime of a PEX, wherever
# packages lie.
_CARRIED: Final = re.compile(
    r"(^|/)(setuptools|distlib|installer/_scripts|pex/windows/stubs)/[^/]+\.exe$", re.IGNORECASE
)

_REMEDY: Final = (
    "take the file that is built for the target: check the wheel's tags in the lock, or the source it comes from; "
    "if it is there on purpose, allow its path ([tool.crossdock.verify] allow, --allow, or exceptions of a Bazel rule)"
)


def judge_machines(case: Case) -> Iterator[Finding]:
    """Judge every program by the machine and system it is for."""
    tree = case.tree
    for path, binary in tree.binaries.items():
        finding = judge_binary(case.claim.platform, path, binary, tree.package_of(path))
        if finding is not None:
            yield finding
        elif binary.damaged:
            yield Finding(
                code="header-damaged",
                severity="error",
                path=path,
                package=tree.package_of(path),
                found=f"is {_article(binary.kind)} file whose headers are damaged: {binary.damaged}",
                hint="replace the damaged file, or allow its path",
            )


def judge_binary(target: Platform, path: str, binary: Binary, package: str | None) -> Finding | None:
    """Judge a program by the platform it should be for.

    Args:
        target: The platform; one of `MACHINES`.
        path: Where the program is.
        binary: What its header says.
        package: The distribution it belongs to, if that is known.

    Returns:
        What is wrong; None if nothing is.
    """
    finding = Finding(
        code=f"{binary.format}-machine",
        severity="error",
        path=path,
        package=package,
        found=f"is {_article(binary.kind)} file",
        wanted=f"the target {target} needs {MACHINES[target.os][target.architecture]}",
        hint=_REMEDY,
    )
    if not binary.hosted:
        return None
    if binary.format != _FORMATS[target.os]:
        return _judge_foreign(target, binary, finding)
    if binary.format == "elf":
        return _judge_elf(target, binary, finding)
    return _judge_macho(target, binary, finding) if binary.format == "macho" else _judge_pe(target, binary, finding)


def _judge_foreign(target: Platform, binary: Binary, finding: Finding) -> Finding:
    """Judge a program of another system's format."""
    wanted = f"{_FORMAT_NAMES[_FORMATS[target.os]]} files for {MACHINES[target.os][target.architecture]}"
    finding = replace(finding, code=binary.format, wanted=f"the target {target} needs {wanted}")
    if binary.format == "pe" and binary.managed:
        return _managed(finding)
    if binary.format == "pe" and (_LAUNCHER.search(finding.path) or _CARRIED.search(finding.path)):
        return _launcher(finding, "a Windows launcher carried as data does no harm")
    if binary.format == "elf" and binary.undecided:
        return _undecided(finding, binary)
    return finding


def _judge_elf(target: Platform, binary: Binary, finding: Finding) -> Finding | None:
    if binary.undecided:
        return _undecided(finding, binary)
    if target.architecture not in binary.machines:
        return finding
    if binary.os_abi not in _LINUX_ABIS:
        found = f"is an ELF file for {binary.os_abi}"
        return replace(finding, code="elf-os", found=found, wanted=f"the target {target} needs linux")
    wanted_float = "soft" if target.variant == "v5" else "hard"
    if binary.float_abi not in {"", wanted_float}:
        return replace(
            finding,
            code="elf-float-abi",
            severity="warning",
            found=f"passes floating-point numbers the {binary.float_abi}-float way",
            wanted=f"libraries for {target} use {wanted_float}-float: it works only if it is linked statically",
        )
    return None


def _judge_macho(target: Platform, binary: Binary, finding: Finding) -> Finding | None:
    """Judge a Mach-O file: one of its slices must be for the target; the others are never loaded.

    Code for arm64e is no code for arm64: macOS loads it into its own processes only. Nor is code for x86_64h code for
    every x86_64: the target's oldest processors cannot run it.
    """
    if binary.undecided:
        return _undecided(finding, binary)
    return None if target.architecture in binary.machines else finding


def _judge_pe(target: Platform, binary: Binary, finding: Finding) -> Finding | None:
    if binary.undecided:
        return _undecided(finding, binary)
    if target.architecture in binary.machines:
        return None
    if binary.managed:
        return _managed(finding)
    if _CARRIED.search(finding.path):
        return _launcher(finding, "a launcher carried for other machines does no harm")
    return finding


def _managed(finding: Finding) -> Finding:
    return replace(
        finding,
        code="pe-managed",
        severity="warning",
        found="is a .NET assembly",
        wanted="",
        hint="it runs where a .NET runtime is; nothing of it was proved",
    )


def _launcher(finding: Finding, why: str) -> Finding:
    return replace(finding, code="pe-launcher", severity="note", wanted=why, hint="")


def _undecided(finding: Finding, binary: Binary) -> Finding:
    return replace(
        finding,
        code=f"{binary.format}-undecided",
        found=f"cannot be told apart: {binary.undecided}",
        hint="replace the damaged file, or allow its path",
    )


def _article(kind: str) -> str:
    # By how the names are spoken: an x86-64, an s390, an m68k.
    return f"{'an' if kind.startswith(('a', 'e', 'i', 'E', 'x8', 's3', 'm6')) else 'a'} {kind}"
