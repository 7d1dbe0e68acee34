"""Mutants that need more of a system than there is, or than their tags say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.binarypatches import Elf, MachO, Pe
from tests.support.mutants import Table

if TYPE_CHECKING:
    from tests.integration.mutants.artifacts import CleanArtifacts
    from tests.support.mutants import Bundle, Image

__all__ = ["ROWS"]

_TABLE = Table()
_row = _TABLE.row
ROWS = _TABLE.rows

_SITE = "lib/python3.11/site-packages"
_CORE = f"{_SITE}/pydantic_core/_pydantic_core.*.so"
_LABEL = "pydantic-core *"
_MARKUP = "markupsafe *"
_CRC = "google-crc32c *"
_DT_TEXTREL, _DT_RUNPATH, _DT_STRTAB = 22, 29, 5


@_row("Linux environment", "glibc-floor", "a module requires GLIBC_2.99, its floor is 2.36", path=_CORE, package=_LABEL)
def glibc_above_the_floor(it: Bundle, _: CleanArtifacts) -> None:
    it.asked.targets = ("linux/amd64+glibc2.36",)
    it.files.patch(_CORE, Elf, _newer_glibc)


@_row(
    "image", "glibc-floor", "a module requires GLIBC_2.99, its base has 2.36", path=f"app/.venv/{_CORE}", package=_LABEL
)
def glibc_above_the_base(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer(": pydantic-core", lambda files: files.patch("*/_pydantic_core*.so", Elf, _newer_glibc))


def _newer_glibc(elf: Elf) -> None:
    elf.require_version("GLIBC_2.14", "GLIBC_2.99")


@_row(
    "image",
    "glibc-floor",
    "it is asked of a floor of 2.28, and a module requires GLIBC_2.30, which its base has",
    path=f"app/.venv/{_CORE}",
    package=_LABEL,
)
def glibc_above_the_floor_of_an_image(it: Image, _: CleanArtifacts) -> None:
    it.asked.targets, it.asked.python = ("linux/amd64+glibc2.28", "linux/arm64"), "3.11"
    it.layout.edit_layer(
        ": pydantic-core",
        lambda files: files.patch(
            "*/_pydantic_core*.so", Elf, lambda elf: elf.require_version("GLIBC_2.14", "GLIBC_2.30")
        ),
    )


@_row("C++ wheel", "libstdcxx-floor", "its module requires GLIBCXX_9", path="ujson*.so", package="ujson *")
def libstdcxx_above_the_floor(it: Bundle, _: CleanArtifacts) -> None:
    it.asked.targets, it.asked.python = ("linux/amd64+glibc2.28",), "3.12"
    it.files.patch("ujson*.so", Elf, lambda elf: elf.require_version("GLIBCXX_3.4", "GLIBCXX_9"))


@_row(
    "wheel with many libraries",
    "symbol-version",
    "a library in it requires KEYUTILS_1.9 of another library in it",
    path="psycopg2_binary.libs/libkrb5-*",
    package="psycopg2-binary *",
)
def version_that_a_library_lacks(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*/libkrb5-*", Elf, lambda elf: elf.require_version("KEYUTILS_1.0", "KEYUTILS_1.9"))


@_row("macOS environment", "macos-floor", "a module's `minos` says 26.0", path=_CORE, package=_LABEL)
def macos_above_the_floor(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch(_CORE, MachO, lambda macho: macho.minimum(26, 0))


@_row(
    "macOS environment",
    "macos-floor",
    "a module's `minos` says 11.3, as no tag can",
    path=_CORE,
    package=_LABEL,
    severity="note",
)
def macos_above_the_floor_in_its_series(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch(_CORE, MachO, lambda macho: macho.minimum(11, 3))


@_row(
    "Linux environment", "extension-suffix", "a module's suffix says 3.10", path=f"{_SITE}/*-310-*.so", package=_LABEL
)
def suffix_of_another_python(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename(_CORE, it.files.find(_CORE).replace("-311-", "-310-"))


@_row("Linux environment", "extension-suffix", "a module's suffix says aarch64", path=f"{_SITE}/*.so", package=_LABEL)
def suffix_of_another_machine(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename(_CORE, it.files.find(_CORE).replace("x86_64", "aarch64"))


@_row("Linux wheel", "extension-suffix", "its module's suffix says free-threaded", path="*-312t-*.so", package=_MARKUP)
def suffix_of_another_abi(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename("*.so", it.files.find("*.so").replace("-312-", "-312t-"))


@_row("Windows wheel", "extension-suffix", "its module's suffix says arm64", path="*win_arm64.pyd", package=_MARKUP)
def suffix_on_windows(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename("*.pyd", it.files.find("*.pyd").replace("win_amd64", "win_arm64"))


@_row(
    "Linux wheel with a library",
    "library-missing",
    "its own library is taken out, and out of RECORD",
    path="google_crc32c/*.so",
    package=_CRC,
)
def own_library_left_out(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("google_crc32c.libs/*")


@_row(
    "Linux wheel with a library",
    "library-missing",
    "its module looks for its own library in another folder (`DT_RPATH`)",
    path="google_crc32c/*.so",
    package=_CRC,
)
def own_library_elsewhere(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch(
        "*/*.so", Elf, lambda elf: elf.rename("$ORIGIN/../google_crc32c.libs", "$ORIGIN/../google_crc32c.lib2")
    )


@_row(
    "Linux environment",
    "library-missing",
    "a module needs librt.so.9 (`DT_NEEDED`), which no system has to have",
    path=_CORE,
    package=_LABEL,
    severity="warning",
)
def library_of_no_system(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch(_CORE, Elf, lambda elf: elf.rename("librt.so.1", "librt.so.9"))


@_row(
    "macOS wheel with a library",
    "library-missing",
    "its module looks for its own library beside itself under another name",
    path="google_crc32c/*.so",
    package=_CRC,
)
def own_library_elsewhere_on_macos(it: Bundle, _: CleanArtifacts) -> None:
    old = "@loader_path/.dylibs/libcrc32c.1.1.0.dylib"
    it.files.patch("*/_crc32c*.so", MachO, lambda macho: macho.rename(old, old.replace("1.1.0", "1.2.0")))


@_row(
    "macOS environment",
    "library-missing",
    "a module needs a library of Homebrew",
    path=_CORE,
    package=_LABEL,
    severity="warning",
)
def library_of_homebrew(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch(_CORE, MachO, lambda macho: macho.rename("/usr/lib/libSystem.B.dylib", "/opt/homebrew/lib/libz.1.d"))


@_row(
    "Windows environment",
    "library-missing",
    "a module imports from KERNEL99.dll",
    path="*/_pydantic_core*.pyd",
    package=_LABEL,
    severity="warning",
)
def library_that_windows_lacks(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*/_pydantic_core*.pyd", Pe, lambda pe: pe.rename("bcryptprimitives.dll", "bcryptprimitivez.dll"))


@_row("Linux wheel", "rpath-unsafe", "its module has `DT_RUNPATH` /tmp/lib", path="*.so", package=_MARKUP)
def libraries_from_a_folder_of_anybody(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.add_dynamic(_DT_RUNPATH, elf.spare_string("/tmp/lib")))


@_row(
    "Linux wheel",
    "rpath-nowhere",
    "its module has `DT_RUNPATH` $ORIGIN/../lib, which is not there",
    path="*.so",
    package=_MARKUP,
)
def libraries_from_a_folder_that_is_not_there(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.add_dynamic(_DT_RUNPATH, elf.spare_string("$ORIGIN/../lib")))


@_row("Linux wheel", "executable-stack", "`PT_GNU_STACK` of its module says executable", path="*.so", package=_MARKUP)
def stack_with_code(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, Elf.executable_stack)


@_row("Linux wheel", "text-relocations", "its module has `DT_TEXTREL`", path="*.so", package=_MARKUP)
def code_that_is_changed(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.add_dynamic(_DT_TEXTREL, 0))


@_row("Linux wheel", "tag-lie", "its module requires GLIBC_2.34, its tags say 2.17", path="*.so", package=_MARKUP)
def glibc_above_the_tags(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.require_version("GLIBC_2.14", "GLIBC_2.34"))


@_row("C++ wheel", "tag-lie", "its module requires GLIBCXX_9, its tags say glibc 2.24", path="*.so", package="ujson *")
def libstdcxx_above_the_tags(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.require_version("GLIBCXX_3.4", "GLIBCXX_9"))


@_row("C++ wheel", "tag-lie", "its tags, in its name and inside, say manylinux2010", path="*.so", package="ujson *")
def tags_of_an_older_linux(it: Bundle, _: CleanArtifacts) -> None:
    it.retag("manylinux_2_24_x86_64.manylinux_2_28_x86_64", "manylinux2010_x86_64")


@_row("macOS wheel", "tag-lie", "its module's `minos` says 13.0, its tag 11.0", path="*.so", package=_MARKUP)
def macos_above_the_tags(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", MachO, lambda macho: macho.minimum(13, 0))


@_row("Linux wheel", "tag-pure", "its tags, in its name and inside, are py3-none-any", path="*.so", package=_MARKUP)
def tags_of_a_pure_wheel(it: Bundle, _: CleanArtifacts) -> None:
    it.retag("cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64", "py3-none-any")


@_row(
    "Linux wheel",
    "tag-differs",
    "its name says cp311-cp311, its WHEEL file 3.12 as before",
    path="*/WHEEL",
    package=_MARKUP,
)
def name_of_another_python(it: Bundle, _: CleanArtifacts) -> None:
    it.name = it.name.replace("cp312-cp312", "cp311-cp311")


@_row(
    "Linux wheel",
    "tag-differs",
    "its WHEEL file lacks one of the tags in its name",
    path="*/WHEEL",
    package=_MARKUP,
)
def one_tag_less_inside(it: Bundle, _: CleanArtifacts) -> None:
    it.files.edit("*/WHEEL", "Tag: cp312-cp312-manylinux_2_28_x86_64\n", "")


@_row(
    "Linux environment",
    "tag-lie",
    "the WHEEL file of a package says aarch64",
    path=_CORE,
    package=_LABEL,
)
def tags_of_another_machine(it: Bundle, _: CleanArtifacts) -> None:
    wheel = f"{_SITE}/pydantic_core-*/WHEEL"
    it.files.write(wheel, it.files.text(wheel).replace("x86_64", "aarch64").encode())


@_row(
    "image",
    "library-missing",
    "libgcc_s.so.1, on which wheels may rely, is taken out of its base",
    path="app/.venv/*.so*",
    package="*",
)
def base_without_a_library(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer("debian:bookworm", lambda files: files.remove("*/libgcc_s.so.1", record=False))


@_row(
    "Linux environment",
    "native-missing",
    "the one module of a package is the pointer that Git LFS leaves in its place",
    path=f"{_SITE}/pydantic_core-*.dist-info",
    package=_LABEL,
)
def pointer_for_a_module(it: Bundle, _: CleanArtifacts) -> None:
    it.files.write(_CORE, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


@_row("Linux wheel", "native-missing", "its module is left out, and out of RECORD", path="*.dist-info", package=_MARKUP)
def nothing_compiled(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("*.so")
