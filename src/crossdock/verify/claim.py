"""What an artifact says, or is said, to be: what the rules compare with what was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from crossdock.headers.linking import Linking
from crossdock.verify.loader import Loader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.headers.binary import Binary
    from crossdock.targets import Target
    from crossdock.targets.platform import Libc
    from crossdock.verify.platforms import Platform
    from crossdock.verify.tree import Tree

__all__ = ["Case", "Claim", "ImageConfig", "Subject"]

Subject = Literal["image", "layer", "bundle", "wheel"]

#: Where a system keeps its own programs and libraries, and an application has none.
_SYSTEM: Final = ("usr/", "lib/", "lib32/", "lib64/", "libx32/", "bin/", "sbin/", "etc/", "var/")
_FORMATS: Final = {"linux": "elf", "darwin": "macho", "windows": "pe"}
_SITES: Final = ("site-packages/", "dist-packages/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How an image is run (OCI image specification, "Image Configuration").

    Attributes:
        env: Environment variables.
        entrypoint: ``Entrypoint`` and, behind it, ``Cmd``.
        user: ``User``, as written.
        working_dir: ``WorkingDir``.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an artifact is for.

    Attributes:
        platform: By OCI's names.
        subject: What kind of thing it is: an image, which brings its system; a layer of one; a bundle, which comes
            into a system; or a wheel.
        targets: Platform and Python, where these were said: one, or several of which any will do (a folder without a
            word on its Python). Empty for an image nobody named a target for.
        libc: The C library and the newest version that may be needed; None where nothing was said, and for other
            systems than Linux. What an image's own system has counts as well.
        macos: The newest macOS that may be needed, (major, minor); None where nothing was said.
        wheel: The file name, if it is a wheel.
        lock: Normalised names and versions of the distributions that have to be in it, and no others; None if it is
            not compared.
        waived: Normalised names of distributions that may be missing though another requires them, because somebody
            said so.
        config: How an image is run.
    """

    platform: Platform
    subject: Subject = "bundle"
    targets: tuple[Target, ...] = ()
    libc: Libc | None = None
    macos: tuple[int, int] | None = None
    wheel: str = ""
    lock: Mapping[str, str] | None = None
    waived: frozenset[str] = frozenset()
    config: ImageConfig | None = None


class Case:
    """An artifact and its claim, with what several rules want to know.

    Attributes:
        tree: The artifact.
        claim: What it is said to be.
    """

    def __init__(self, tree: Tree, claim: Claim, *, refused: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self.claim = claim
        self._refused = refused

    @cached_property
    def natives(self) -> Mapping[str, tuple[Binary, Linking]]:
        """The programs that are for the claimed machine, by path, with what that machine's code in them needs.

        One that the rules on machines have refused is not among them: one fault brings one finding. Nor is what is no
        program for a processor at all.
        """
        machine = self.claim.platform.architecture
        empty = Linking()
        return {
            path: (binary, binary.linking_for(machine) or empty)
            for path, binary in self.tree.binaries.items()
            if path not in self._refused
            and binary.hosted
            and machine in binary.machines
            and binary.format == _FORMATS.get(self.claim.platform.os)
        }

    @cached_property
    def refused_names(self) -> frozenset[str]:
        """The names of libraries that are there, and that the rules on machines have refused."""
        binaries = [(path, self.tree.binaries[path]) for path in self._refused if path in self.tree.binaries]
        names = {item.name.rpartition("/")[2] for _, binary in binaries for item in binary.linking}
        return frozenset(names | {path.rpartition("/")[2] for path, _ in binaries}) - {""}

    @cached_property
    def loader(self) -> Loader:
        """Finds the libraries that programs in it need."""
        return Loader(self)

    def is_application(self, path: str) -> bool:
        """Say whether a file belongs to what was put on top of a system, and not to the system.

        In a bundle everything does; in an image what is in a folder of packages, or outside the system's own folders.
        """
        if self.claim.subject not in {"image", "layer"}:
            return True
        return any(site in path for site in _SITES) or not path.startswith(_SYSTEM)
