"""The rule on the names of extension modules: an interpreter imports those only that end as it wants.

Follows ``importlib.machinery.EXTENSION_SUFFIXES`` of CPython and PyPy on each system (PEP 3149, PEP 384, PEP 703 and
PEP 803).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from crossdock.verify.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.targets.python import Python
    from crossdock.verify.claim import Case
    from crossdock.verify.distributions import Distribution

__all__ = ["Suffix", "Wanted", "judge_suffixes", "loads", "split_suffix"]

_NAME: Final = re.compile(
    r"(?P<stem>[^.]+)"
    r"(?:\.(?P<abi>(?:cpython-|cp)\d{2,4}[a-z]*|pypy\d{2,4}-pp\d{2,4}|graalpy\d+-\d+-native|abi3t?)(?:-(?P<place>[\w-]+))?)?"
    r"\.(?P<end>so|pyd)",
    re.ASCII,
)
_FOLDER: Final = re.compile(
    r"(?:^|/)(?:lib|Lib|lib64)/(?P<kind>python|pypy)(?P<major>3)\.(?P<minor>\d{1,2})(?P<threads>t?)/site-packages/",
    re.ASCII,
)
_TAG: Final = re.compile(r"(?P<kind>cp|pp)(?P<major>3)(?P<minor>\d{1,2})", re.ASCII)

#: What is behind the ABI, by system and architecture: Debian's names of machines, or those of Windows' wheels.
_PLACES: Final = {
    ("linux", "amd64"): "x86_64-linux-gnu",
    ("linux", "arm64"): "aarch64-linux-gnu",
    ("linux", "arm"): "arm-linux-gnueabihf",
    ("linux", "386"): "i386-linux-gnu",
    ("linux", "ppc64le"): "powerpc64le-linux-gnu",
    ("linux", "s390x"): "s390x-linux-gnu",
    ("linux", "riscv64"): "riscv64-linux-gnu",
    ("windows", "amd64"): "win_amd64",
    ("windows", "arm64"): "win_arm64",
    ("windows", "386"): "win32",
}
#: CPython's suffixes tell musl from glibc since 3.11, where builds still differ: both are taken before this one.
_FIRST_WITH_MUSL: Final = (3, 12)
#: The first CPython that loads ``abi3t``, with and without the global interpreter lock (PEP 803), and the first with a
#: machine in the suffixes of the stable ABI, for who wants one.
_FIRST_ABI3T: Final = (3, 15)


_NOT_LOADED: Final = frozenset({"object", "core", "other"})
#: How the names of places for the other C library go on.
_OTHER_LIBC: Final = {"glibc": "musl", "musl": "gnu"}


class Suffix(NamedTuple):
    """The end of an extension module's name, in its parts.

    Attributes:
        stem: The module's name.
        abi: ``cpython-312``, ``cp312``, ``pypy311-pp73``, ``abi3``; empty for a plain ``.so`` or ``.pyd``.
        place: The machine and system, ``x86_64-linux-gnu``; empty where it says none.
        end: ``so`` or ``pyd``.
    """

    stem: str
    abi: str
    place: str
    end: str


class Wanted(NamedTuple):
    """A Python that modules are for.

    Attributes:
        implementation: ``cpython`` or ``pypy``.
        version: (major, minor).
        free_threaded: Whether it has no global interpreter lock; None if that is not known.
        pypy: PyPy's own part of the ABI, ``pp73``; empty if that is not known.
    """

    implementation: str
    version: tuple[int, int]
    free_threaded: bool | None = None
    pypy: str = ""

    def __str__(self) -> str:
        name = "PyPy" if self.implementation == "pypy" else "Python"
        return f"{name} {self.version[0]}.{self.version[1]}{'t' * bool(self.free_threaded)}"


def split_suffix(filename: str) -> Suffix | None:
    """Take the name of an extension module apart; None if it is not one's."""
    match = _NAME.fullmatch(filename)
    if match is None:
        return None
    return Suffix(match["stem"], match["abi"] or "", match["place"] or "", match["end"])


def loads(python: Wanted, suffix: Suffix, os: str, architecture: str, libc: str) -> bool:
    """Say whether a Python imports a module by its name.

    Args:
        python: The Python.
        suffix: Of the module.
        os: OCI's name of the system.
        architecture: OCI's name of the architecture.
        libc: ``glibc`` or ``musl``; empty if it is not known.
    """
    if (suffix.end == "pyd") != (os == "windows"):
        return False
    if not suffix.abi:
        return True
    if not _is_place(python, suffix, os, architecture, libc):
        return False
    major, minor = python.version
    if python.implementation == "pypy":
        return suffix.abi == f"pypy{major}{minor}-{python.pypy}" or (
            not python.pypy and suffix.abi.startswith(f"pypy{major}{minor}-")
        )
    if suffix.abi == "abi3":
        return os != "windows" and not python.free_threaded
    if suffix.abi == "abi3t":
        return os != "windows" and python.version >= _FIRST_ABI3T
    name = f"{'cp' if os == 'windows' else 'cpython-'}{major}{minor}"
    if python.free_threaded is None:
        return suffix.abi in {name, f"{name}t"}
    return suffix.abi == f"{name}{'t' * python.free_threaded}"


def _is_place(python: Wanted, suffix: Suffix, os: str, architecture: str, libc: str) -> bool:
    """Compare the machine that a name says, if it says one, with that of the target."""
    if not suffix.place:
        return suffix.abi.startswith("abi3")
    if suffix.abi.startswith("abi3") and python.version < _FIRST_ABI3T:
        return False
    if os == "darwin":
        return suffix.place == "darwin"
    own = _PLACES.get((os, architecture), suffix.place)
    musl = own.replace("-gnu", "-musl")
    if os != "linux" or libc == "glibc":
        return suffix.place == own
    if libc == "musl" and python.version >= _FIRST_WITH_MUSL and python.implementation == "cpython":
        return suffix.place == musl
    return suffix.place in {own, musl}


def judge_suffixes(case: Case) -> Iterator[Finding]:
    """Refuse extension modules that the Python there would not find by their names."""
    claim = case.claim
    targets = tuple(_of_target(target.python) for target in claim.targets)
    foreign = {case.tree.package_of(path) for path in case.loader.strangers} - {None}
    modules = {
        path: suffix
        for path, (_, linking) in case.natives.items()
        # What was left of one for debuggers bears its name as well.
        if linking.type not in _NOT_LOADED and (suffix := split_suffix(path.rpartition("/")[2])) is not None
    }
    siblings: dict[str, list[Suffix]] = {}
    for path, suffix in modules.items():
        siblings.setdefault(_folder_of(path) + suffix.stem, []).append(suffix)
    for path, suffix in modules.items():
        if not suffix.abi or path in case.loader.strangers or not case.is_application(path):
            continue
        if f"-{_OTHER_LIBC.get(case.loader.kind, '?')}" in suffix.place and case.tree.package_of(path) in foreign:
            continue  # the wheel is for the other C library, which has been told of those of its files that need it
        owner = case.tree.owners.get(path)
        pythons = targets or _by_folder(path) or _by_tags(case, owner)
        if pythons and not _any_fits(case, dict.fromkeys(siblings[_folder_of(path) + suffix.stem]), pythons):
            yield _finding(case, path, suffix, pythons, owner)


def _finding(case: Case, path: str, suffix: Suffix, pythons: tuple[Wanted, ...], owner: Distribution | None) -> Finding:
    # A wheel for any ABI loads its libraries by itself, whatever their names.
    by_itself = owner is not None and bool(owner.tags) and all("-none-" in tag for tag in owner.tags or ())
    stands_in = _folder_of(path) + f"{suffix.stem}.py" in case.tree.entries
    names = " or ".join(dict.fromkeys(map(str, pythons)))
    said = "-".join(part for part in (suffix.abi, suffix.place) if part)
    return Finding(
        code="extension-suffix",
        severity="warning" if by_itself or stands_in else "error",
        path=path,
        package=case.tree.package_of(path),
        found=f"is named for {said}",
        wanted=f"{names} on {case.claim.platform} does not import modules of such a name",
        hint="take the wheel that is built for that Python",
    )


def _any_fits(case: Case, suffixes: Iterable[Suffix], pythons: tuple[Wanted, ...]) -> bool:
    """Say whether any of the Pythons finds the module by any of the names that it has in its folder."""
    platform, kind = case.claim.platform, case.loader.kind
    return any(
        loads(python, suffix, platform.os, platform.architecture, kind) for suffix in suffixes for python in pythons
    )


def _folder_of(path: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return folder + slash


def _of_target(python: Python) -> Wanted:
    pypy = python.abi.partition("_")[2] if python.implementation == "pypy" else ""
    return Wanted(python.implementation, python.version, python.free_threaded, pypy)


def _by_folder(path: str) -> tuple[Wanted, ...]:
    """Tell the Python by the folder of its packages."""
    match = _FOLDER.search(path)
    if match is None:
        return ()
    version = (int(match["major"]), int(match["minor"]))
    if match["kind"] == "pypy":
        return (Wanted("pypy", version),)
    return (Wanted("cpython", version, bool(match["threads"])),)


def _by_tags(case: Case, owner: Distribution | None) -> tuple[Wanted, ...]:
    """Tell the Pythons that a wheel says it is for; none where it says any.

    A wheel with the stable ABI may hold modules for the oldest Python it is for, if these end in nothing but its ABI.
    """
    if case.claim.subject != "wheel" or owner is None:
        return ()
    found = []
    for tag in owner.tags or ():
        interpreter, _, rest = tag.partition("-")
        abi = rest.partition("-")[0]
        match = _TAG.fullmatch(interpreter)
        if match is None or abi == "none":
            return ()
        version = (int(match["major"]), int(match["minor"]))
        if match["kind"] == "pp":
            found.append(Wanted("pypy", version, pypy=abi.partition("_")[2]))
        elif abi == "abi3":
            found.append(Wanted("cpython", version, free_threaded=False))
        else:
            found.append(Wanted("cpython", version, abi.endswith("t")))
    return tuple(found)
