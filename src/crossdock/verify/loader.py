"""Where a loader finds the libraries that a program needs, inside an artifact.

Follows "Shared Object Dependencies" of the System V ABI (gABI 4.1) as ld.so(8) and musl carry it out, and dyld's own
paths (dyld(1)). What an artifact does not hold itself, its system has to have: `crossdock.verify.systems`.
"""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, Final

from crossdock.verify.systems import is_glibc, is_in_musl, is_musl_libc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.headers.linking import Linking
    from crossdock.verify.claim import Case

__all__ = ["Loader", "libc_kinds"]

#: Where the loaders of the usual systems look without being told, and the names of Debian's folders.
_TRIPLETS: Final = {
    "amd64": "x86_64-linux-gnu",
    "arm64": "aarch64-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "386": "i386-linux-gnu",
    "ppc64le": "powerpc64le-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}
_MUSL_FOLDERS: Final = ("lib", "usr/local/lib", "usr/lib")
_ORIGIN_NAMES: Final = ("$ORIGIN", "${ORIGIN}", "@loader_path")
_LIB_NAMES: Final = ("$LIB", "${LIB}")
#: So many programs that need a library are looked at.
_MOST_DEPENDENTS: Final = 100


def libc_kinds(linking: Linking) -> frozenset[str]:
    """Tell the C libraries that a program for Linux is made for, by what it asks for: none, if it needs none.

    Returns:
        Of ``glibc``, ``musl`` and ``bionic`` (Android's).
    """
    found = set()
    interpreter = linking.interpreter.rpartition("/")[2]
    if interpreter.startswith("ld-musl-"):
        found.add("musl")
    elif interpreter.startswith(("ld-linux", "ld64.so", "ld.so")):
        found.add("glibc")
    elif interpreter.startswith("linker"):
        found.add("bionic")
    # By the library as well: libgcc_s has a version GLIBC_2.0 of its own, with either C library.
    if any(is_glibc(name) for name in linking.needed):
        found.add("glibc")
    if ("libc.so", "LIBC") in linking.versions:
        found.add("bionic")
    elif any(map(is_musl_libc, linking.needed)):
        found.add("musl")
    return frozenset(found)


class Loader:
    """Looks for libraries in an artifact, as the loader of its system would."""

    def __init__(self, case: Case) -> None:
        self._tree = case.tree
        self._claim = case.claim
        self._natives = case.natives
        self._is_application = case.is_application
        self._finds: dict[tuple[str, str], str | None] = {}
        self._defines: dict[str, frozenset[str]] = {}
        self._folders: dict[str, str | None] = {}

    @cached_property
    def libcs(self) -> Mapping[str, str]:
        """The C libraries of an image's own system: kind to where it is. Empty for all else."""
        if self._claim.subject != "image" or self._claim.platform.os != "linux":
            return {}
        found: dict[str, str] = {}
        for path, (_, linking) in self._natives.items():
            name = path.rpartition("/")[2]
            if linking.name == "libc.so.6" and not self._is_application(path):
                found.setdefault("glibc", path)
            elif name.startswith("ld-musl-") and not self._is_application(path):
                found.setdefault("musl", path)
        # Alpine has musl under its loader's name; Debian's package has a link of that name to it.
        for folder in ("lib", "usr/lib"):
            for name in sorted(self._tree.names_in(folder)):
                real = self._tree.resolve(f"{folder}/{name}") if name.startswith("ld-musl-") else None
                if real in self._natives:
                    found.setdefault("musl", str(real))
        return found

    @cached_property
    def kind(self) -> str:
        """The C library that libraries in the artifact have to be made for; empty where both are there, or neither."""
        if len(self.libcs) == 1:
            return next(iter(self.libcs))
        return self._claim.libc.kind if self._claim.libc else ""

    @cached_property
    def strangers(self) -> Mapping[str, frozenset[str]]:
        """The programs that are made for other C libraries than there are, and which these are."""
        if self._claim.platform.os != "linux":
            return {}
        found = {}
        for path, (_, linking) in self._natives.items():
            kinds = libc_kinds(linking)
            # Where a system has both, what of its own needs which is its own affair.
            any_of_them = self.libcs and (linking.interpreter or not self._is_application(path))
            there = set(self.libcs) if any_of_them else {self.kind}
            if kinds and there != {""} and not kinds <= there:
                found[path] = kinds
        return found

    def find(self, path: str, name: str) -> str | None:
        """Give the file that the loader takes for a library that a program for Linux needs; None if there is none.

        Args:
            path: The program.
            name: What it needs, as its headers spell it.
        """
        if "/" in name:
            return self._native(name) if name.startswith("/") else None
        if self.kind == "musl" and "musl" in self.libcs and is_in_musl(name):
            return self.libcs["musl"]
        _, linking = self._natives[path]
        # Programs that name no folders of their own find the same.
        key = (path if linking.rpath or linking.runpath else "", name)
        if key not in self._finds:
            found = (self._in_folder(folder, name) for folder in self._search(path, linking))
            self._finds[key] = next((place for place in found if place is not None), None)
        if self._finds[key] is None and not self._tree.whole:
            # Without its links, a summary does not tell where its libraries are looked for.
            return next(iter(self.holders(name)), None)
        return self._finds[key]

    def defines(self, path: str) -> frozenset[str]:
        """Give the symbol versions that a library offers."""
        if path not in self._defines:
            self._defines[path] = frozenset(self._natives[path][1].defines)
        return self._defines[path]

    def find_loaded(self, path: str, name: str) -> str | None:
        """Do as `find`, but also count what has been loaded before: those that need the program may find it.

        A library is not looked for again once one of that name is there, and DT_RPATH counts for all that is needed
        further on.
        """
        for needer in self._needers(path):
            found = self.find(needer, name)
            if found is not None:
                return found
        return None

    def find_apple(self, path: str, name: str) -> str | None:
        """Give what macOS's loader takes for a library; ``@rpath`` counts for all that is needed further on."""
        if name.startswith("@loader_path/"):
            return self._native(_expanded(name, posixpath.dirname(path)))
        if not name.startswith("@rpath/"):
            return None
        for needer in self._needers(path):
            _, linking = self._natives[needer]
            folder = posixpath.dirname(needer)
            for place in linking.rpath:
                found = self._native(_expanded(f"{place}/{name.removeprefix('@rpath/')}", folder))
                if found is not None:
                    return found
        return None

    def holders(self, name: str) -> tuple[str, ...]:
        """Give the files that are a library of that name, wherever they are; on Windows case does not matter."""
        return self._by_name.get(name.rpartition("/")[2].lower(), ())

    def is_folder(self, path: str, folder: str) -> bool:
        """Say whether a folder that a program looks into is in the artifact."""
        return any(self._folder(place) is not None for place in self._expanded_places(path, folder))

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for path, (_, linking) in self._natives.items():
            base = path.rpartition("/")[2].lower()
            found.setdefault(base, []).append(path)
            own = linking.name.rpartition("/")[2].lower()
            if own and own != base:
                found.setdefault(own, []).append(path)
        return {name: tuple(paths) for name, paths in found.items()}

    @cached_property
    def _needed_by(self) -> Mapping[str, tuple[str, ...]]:
        """The programs that need a library, by its name in lower case."""
        found: dict[str, list[str]] = {}
        for path, (_, linking) in self._natives.items():
            for name in linking.needed:
                found.setdefault(name.rpartition("/")[2].lower(), []).append(path)
        return {name: tuple(paths) for name, paths in found.items()}

    def _needers(self, path: str) -> Iterator[str]:
        """Give a program, then those that need it, then those that need these, and so on."""
        seen, todo = {path}, [path]
        for current in todo:
            yield current
            own = self._natives[current][1].name
            for name in {current.rpartition("/")[2].lower(), own.rpartition("/")[2].lower()}:
                for needer in self._needed_by.get(name, ()):
                    if needer not in seen and len(seen) < _MOST_DEPENDENTS:
                        seen.add(needer)
                        todo.append(needer)

    def _search(self, path: str, linking: Linking) -> Iterator[str]:
        """Give the folders that are looked into, in order."""
        if not linking.runpath:
            for folder in linking.rpath:
                yield from self._expanded_places(path, folder)
        if self._claim.config is not None:
            for folder in self._claim.config.env.get("LD_LIBRARY_PATH", "").split(":"):
                if folder.startswith("/"):
                    yield folder.lstrip("/")
        for folder in linking.runpath:
            yield from self._expanded_places(path, folder)
        yield from self._system_folders

    @cached_property
    def _system_folders(self) -> tuple[str, ...]:
        if self._claim.subject != "image":
            return ()
        if self.kind == "musl":
            return self._folders_of_musl()
        triplet = _TRIPLETS.get(self._claim.platform.architecture, "")
        configured = self._configured() if "etc/ld.so.cache" in self._tree.entries else ()
        usual = (f"lib/{triplet}", f"usr/lib/{triplet}", "lib64", "usr/lib64", "lib", "usr/lib")
        return tuple(dict.fromkeys((*configured, *usual)))

    def _folders_of_musl(self) -> tuple[str, ...]:
        """Give the folders of ``/etc/ld-musl-MACHINE.path``, in place of the usual ones, if it is there."""
        for path, text in self._tree.texts.items():
            if path.startswith("etc/ld-musl-"):
                return tuple(
                    folder.strip("/") for folder in text.replace("\n", ":").split(":") if folder.startswith("/")
                )
        return _MUSL_FOLDERS

    def _configured(self) -> tuple[str, ...]:
        """Give the folders of ``ld.so.conf``, which count once ldconfig has made its cache of them."""
        found = []
        for path, text in self._tree.texts.items():
            if path.startswith("etc/ld.so.conf"):
                lines = (line.partition("#")[0].strip() for line in text.splitlines())
                found += [line.strip("/") for line in lines if line.startswith("/")]
        return tuple(found)

    def _expanded_places(self, path: str, folder: str) -> Iterator[str]:
        """Give what a folder of DT_RPATH or DT_RUNPATH stands for; of relative and empty ones nothing can be said."""
        if folder.startswith("/") and self._claim.subject not in {"image", "layer"}:
            return
        place = _expanded(folder, posixpath.dirname(path))
        machine = _TRIPLETS.get(self._claim.platform.architecture, "").partition("-")[0]
        place = place.replace("${PLATFORM}", machine).replace("$PLATFORM", machine)
        if not folder.startswith("/") and place == folder:
            return
        token = next((token for token in _LIB_NAMES if token in place), None)
        if token is None:
            yield place
            return
        for name in ("lib64", "lib", f"lib/{_TRIPLETS.get(self._claim.platform.architecture, '')}"):
            yield place.replace(token, name)

    def _folder(self, folder: str) -> str | None:
        if folder not in self._folders:
            found = self._tree.resolve(folder)
            self._folders[folder] = found if found is not None and self._tree.names_in(found) else None
        return self._folders[folder]

    def _in_folder(self, folder: str, name: str) -> str | None:
        real = self._folder(folder)
        if real is None or name not in self._tree.names_in(real):
            return None
        return self._native(f"{real}/{name}")

    def _native(self, path: str) -> str | None:
        """Give the file that a path leads to, if it is for the machine: a loader passes over others."""
        found = self._tree.resolve(path)
        return found if found in self._natives else None


def _expanded(place: str, folder: str) -> str:
    """Put a program's own folder in the place of the name it has in the format's headers."""
    for name in _ORIGIN_NAMES:
        if place == name or place.startswith(f"{name}/"):
            return f"{folder}{place.removeprefix(name)}"
    return place
