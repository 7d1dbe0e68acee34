"""The rules on the libraries that programs need: who brings them, where they are looked for, how they are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from crossdock.verify.finding import Finding
from crossdock.verify.rules.abi import numbers
from crossdock.verify.systems import (
    FIRST_WITHOUT_EXECUTABLE_STACK,
    is_driver,
    is_glibc,
    is_grafted,
    is_musl_libc,
    is_of_cluster,
    is_promised,
    is_system_dll,
    is_system_dylib,
    is_vc_runtime,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.headers.linking import Linking
    from crossdock.verify.claim import Case
    from crossdock.verify.finding import Severity

__all__ = ["Missing", "judge_folders", "judge_libraries", "judge_memory"]

#: Below these others than root may put files, where they are there at all.
_UNSAFE: Final = ("/tmp", "/var/tmp", "/home", "/Users")  # noqa: S108  looked for, not written to


class Missing(NamedTuple):
    """Why a library is not there, and how bad that is.

    Attributes:
        severity: Of the finding.
        wanted: What should be, to follow ``but``.
        hint: What the user can do.
    """

    severity: Severity
    wanted: str
    hint: str


_GRAFTED: Final = Missing(
    "error",
    "that was put into its wheel, and is not where it is looked for",
    "the wheel is damaged or was taken apart: install all of it",
)
_PROMISED: Final = Missing(
    "error",
    "wheels may rely on the system for it, and this base does not have it",
    "install the system's package with that library in the base, or take a base that has it",
)
_NOWHERE: Final = Missing(
    "error",
    "it is looked for beside the program, and is not there",
    "the wheel is damaged or was taken apart: install all of it",
)
_UNPROMISED: Final = Missing(
    "warning",
    "nothing provides it: not the artifact, and not every system",
    "install the package with that library, if this program is used at all",
)
_OF_ANOTHER: Final = Missing(
    "note",
    "that is not in here: another package or the system has to bring it",
    "judge it together with what it requires",
)
_OF_CLUSTER: Final = Missing(
    "note",
    "it comes with the network or the MPI of a computing cluster, and is needed on no other machine",
    "install the package with that library where the program is to use it",
)
_VC_RUNTIME: Final = Missing(
    "note",
    "Windows itself does not bring the Visual C++ runtime, though most machines have it",
    "install Microsoft's redistributable package on machines without it",
)


def judge_libraries(case: Case) -> Iterator[Finding]:
    """Tell of libraries that programs cannot be loaded without and that nothing provides.

    One finding for each library and distribution, as one missing library is one fault.
    """
    if not case.tree.whole:
        return
    missing = {"linux": _missing_linux, "darwin": _missing_darwin, "windows": _missing_windows}.get(
        case.claim.platform.os
    )
    if missing is None:
        return
    found: dict[tuple[str | None, str], tuple[Missing, list[str]]] = {}
    for path, (_, linking) in case.natives.items():
        if path in case.loader.strangers or not (case.is_application(path) or _is_interpreter(path)):
            continue
        for name in linking.needed:
            why = missing(case, path, name)
            if why is not None and not _is_told(case, name):
                found.setdefault((case.tree.package_of(path), name), (why, []))[1].append(path)
    for (package, name), (why, paths) in found.items():
        more = f", as do {len(paths) - 1} more" if len(paths) > 1 else ""
        yield Finding(
            code="library-missing",
            severity=why.severity,
            path=paths[0],
            package=package,
            found=f"needs the library {name}{more}",
            wanted=why.wanted,
            hint=why.hint,
            others=tuple(paths[1:]),
        )


def _is_told(case: Case, name: str) -> bool:
    """Say whether a library is there for another machine, which has been told of; glibc's names tell machines apart."""
    refused = case.refused_names
    return name.rpartition("/")[2] in refused or (is_glibc(name) and "libc.so.6" in refused)


def _is_interpreter(path: str) -> bool:
    """Say whether a system's file is its Python: without its libraries nothing runs at all."""
    folder, _, name = path.rpartition("/")
    return folder.endswith("bin") and name.removeprefix("pypy").removeprefix("python").strip("0123456789.t") == ""


def _missing_linux(case: Case, path: str, name: str) -> Missing | None:
    loader = case.loader
    if loader.find(path, name) is not None or is_driver(name):
        return None
    if is_grafted(name):
        return None if loader.find_loaded(path, name) is not None else _GRAFTED
    if any(case.is_application(held) for held in loader.holders(name)):
        return None
    if is_of_cluster(name):
        return _OF_CLUSTER
    if case.claim.subject != "image":
        kind = loader.kind or ("musl" if any(map(is_musl_libc, case.natives[path][1].needed)) else "glibc")
        return None if is_promised(name, "musl" if kind == "musl" else "glibc") else _unpromised(case, path)
    # In an image of nothing but static programs there is no C library to look for anything.
    kind = loader.kind or "glibc"
    if kind == "musl" and is_glibc(name):
        return _PROMISED
    return _PROMISED if is_promised(name, "musl" if kind == "musl" else "glibc") else _unpromised(case, path)


def _unpromised(case: Case, path: str) -> Missing:
    """Judge a library that no system has to have: in a part alone, it may come from what the distribution requires."""
    owner = case.tree.owners.get(path)
    is_part = case.claim.subject in {"wheel", "layer"}
    return _OF_ANOTHER if is_part and (owner is None or owner.requires) else _UNPROMISED


def _missing_darwin(case: Case, path: str, name: str) -> Missing | None:
    if is_system_dylib(name) or case.loader.find_apple(path, name) is not None:
        return None
    if name.startswith("@loader_path/"):
        return _NOWHERE
    if case.loader.holders(name):
        return None
    return _unpromised(case, path)


def _missing_windows(case: Case, path: str, name: str) -> Missing | None:
    if case.loader.holders(name) or is_system_dll(name):
        return None
    if is_grafted(name.lower()):
        return _GRAFTED
    return _VC_RUNTIME if is_vc_runtime(name) else _unpromised(case, path)


def judge_folders(case: Case) -> Iterator[Finding]:
    """Tell of folders that programs of the application have libraries looked for in, though they should not.

    One finding for each folder and distribution.
    """
    if case.claim.platform.os != "linux":
        return
    found: dict[tuple[str | None, str, bool], list[str]] = {}
    for path, (_, linking) in case.natives.items():
        if not (linking.rpath or linking.runpath) or not case.is_application(path):
            continue
        for folder in dict.fromkeys((*linking.rpath, *linking.runpath)):
            unsafe = _is_unsafe(folder)
            if unsafe or (case.tree.whole and not _is_there(case, path, folder)):
                found.setdefault((case.tree.package_of(path), folder, unsafe), []).append(path)
    for (package, folder, unsafe), paths in found.items():
        more = f", as do {len(paths) - 1} more" if len(paths) > 1 else ""
        shown = folder or "the current folder (an empty entry)"
        yield Finding(
            code="rpath-unsafe" if unsafe else "rpath-nowhere",
            severity="warning" if unsafe else "note",
            path=paths[0],
            package=package,
            found=f"has libraries looked for in {shown}{more}",
            wanted="whoever may write there decides what is loaded" if unsafe else "there is no such folder",
            hint="build it without that folder (patchelf --set-rpath), or take another wheel",
        )


def _is_unsafe(folder: str) -> bool:
    if not folder.startswith(("/", "$ORIGIN", "${ORIGIN}", "$LIB", "${LIB}")):
        return True
    return any(folder == place or folder.startswith(f"{place}/") for place in _UNSAFE)


def _is_there(case: Case, path: str, folder: str) -> bool:
    """Say whether a folder is in the artifact; what a bundle's system has, nobody knows, nor what a part's others."""
    if folder.startswith("/") and case.claim.subject != "image":
        return folder.startswith(("/usr/", "/lib", "/opt/"))
    return case.loader.is_folder(path, folder)


def judge_memory(case: Case) -> Iterator[Finding]:
    """Tell of programs of the application that give up what protects a process's memory."""
    if case.claim.platform.os != "linux":
        return
    for path, (_, linking) in case.natives.items():
        if linking.executable_stack and case.is_application(path):
            yield _executable_stack(case, path, linking)
        if linking.text_relocations and case.is_application(path):
            yield Finding(
                code="text-relocations",
                severity="warning",
                path=path,
                package=case.tree.package_of(path),
                found="has its code changed when it is loaded (text relocations)",
                wanted="systems that protect code refuse that, and musl does not do it",
                hint="build it as position-independent code (-fPIC)",
            )


def _executable_stack(case: Case, path: str, linking: Linking) -> Finding:
    glibc = _newest_glibc(case)
    # A program of its own gets such a stack from the kernel; a library asks for it in a process that runs.
    refused = glibc >= FIRST_WITHOUT_EXECUTABLE_STACK and not linking.interpreter
    return Finding(
        code="executable-stack",
        severity="error" if refused else "warning",
        path=path,
        package=case.tree.package_of(path),
        found="wants a stack that can be executed",
        wanted="the base's glibc refuses to load such a library"
        if refused
        else "glibc 2.41 and newer refuse to load it",
        hint="build it with -z noexecstack, or clear the flag (patchelf --clear-execstack)",
    )


def _newest_glibc(case: Case) -> tuple[int, ...]:
    """Give the version of an image's own glibc; nothing if it has none."""
    path = case.loader.libcs.get("glibc")
    defined = case.natives[path][1].defines if path else ()
    versions = [numbers(name.removeprefix("GLIBC_")) for name in defined if name.removeprefix("GLIBC_")[:1].isdigit()]
    return max(versions, default=(0,))
