"""What a program or library asks of the loader and of the system it runs on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DamagedHeaderError", "Linking"]


class DamagedHeaderError(ValueError):
    """A file has the magic number of a format, but not its structure; the text says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """What code for one processor needs from elsewhere, and what it offers.

    Attributes:
        type: ``executable``, ``shared`` (a library, or an executable at any address), ``bundle`` (a Mach-O plug-in),
            ``object``, ``core`` or ``other``.
        interpreter: The loader it names: ``PT_INTERP``, or Mach-O's ``LC_LOAD_DYLINKER``.
        name: Its own name as a library: ``DT_SONAME``, ``LC_ID_DYLIB``, the name in a PE export directory.
        needed: Libraries it cannot be loaded without, in order: ``DT_NEEDED``, ``LC_LOAD_DYLIB`` and its like, PE
            imports.
        weak: Libraries it can be loaded without: ``LC_LOAD_WEAK_DYLIB``, delay-loaded PE imports.
        rpath: Folders from ``DT_RPATH``, split at colons, or from each ``LC_RPATH``, as they are written.
        runpath: Folders from ``DT_RUNPATH``.
        versions: Symbol versions it requires (``DT_VERNEED``, weak ones left out): (library, version) pairs, as
            ``("libc.so.6", "GLIBC_2.17")``.
        defines: Symbol versions it offers (``DT_VERDEF``), its own base name left out.
        minimum: The oldest macOS it runs on, ``11.0``, from ``LC_BUILD_VERSION`` or ``LC_VERSION_MIN_MACOSX``; for PE
            the subsystem version; empty if not said.
        system: For Mach-O the platform of ``LC_BUILD_VERSION`` by name (``macos``, ``ios``, …); empty if not said.
        executable_stack: Whether it asks for a stack that can be executed (``PT_GNU_STACK``; where that is absent the
            kernel's default counts, which differs between machines, and this is False).
        text_relocations: Whether the loader has to write to its code (``DT_TEXTREL``, ``DF_TEXTREL``).
        static: Whether it is an ELF file without a dynamic section.
    """

    type: str = ""
    interpreter: str = ""
    name: str = ""
    needed: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    defines: tuple[str, ...] = ()
    minimum: str = ""
    system: str = ""
    executable_stack: bool = False
    text_relocations: bool = False
    static: bool = False
