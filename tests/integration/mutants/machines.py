"""Mutants that are for another machine, system or C library, or say so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.mutants.artifacts import WHEELS
from tests.support.binarypatches import Elf, MachO, Pe
from tests.support.mutants import Table
from tests.support.treefiles import TreeFile

if TYPE_CHECKING:
    from tests.integration.mutants.artifacts import CleanArtifacts
    from tests.support.mutants import Bundle, Image
    from tests.support.treefiles import TreeFiles

__all__ = ["ROWS"]

_TABLE = Table()
_row = _TABLE.row
ROWS = _TABLE.rows

_SITE = "lib/python3.11/site-packages"
_CORE = f"{_SITE}/pydantic_core/_pydantic_core.*.so"
_LABEL = "pydantic-core *"
_MARKUP = "markupsafe *"


@_row("Linux wheel", "elf-machine", "`e_machine` of its module says AArch64", path="*_speedups*.so", package=_MARKUP)
def elf_for_arm64(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.machine(183))


@_row("Linux wheel", "elf-machine", "`EI_CLASS` of its module says 32 bits", path="*_speedups*.so", package=_MARKUP)
def elf_of_32_bits(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.ident(4, 1))


@_row("Linux wheel", "elf-machine", "`EI_DATA` of its module says big-endian", path="*_speedups*.so", package=_MARKUP)
def elf_of_the_other_byte_order(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.ident(5, 2))


@_row("Linux wheel", "elf-os", "`EI_OSABI` of its module says FreeBSD", path="*_speedups*.so", package=_MARKUP)
def elf_for_freebsd(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", Elf, lambda elf: elf.ident(7, 9))


@_row("function", "elf-machine", "a module is that of the wheel for amd64", path="*_pydantic_core*.so", package=_LABEL)
def function_with_a_foreign_module(it: Bundle, clean: CleanArtifacts) -> None:
    it.files.write("*/_pydantic_core*.so", clean.module("Linux environment", _CORE))


@_row("macOS wheel", "macho-machine", "`cputype` of its module says x86-64", path="*.so", package=_MARKUP)
def macho_for_intel(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", MachO, lambda macho: macho.cpu(0x01000007, 3))


@_row("macOS wheel", "macho-machine", "`cpusubtype` of its module says arm64e", path="*.so", package=_MARKUP)
def macho_for_arm64e(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", MachO, lambda macho: macho.cpu(0x0100000C, 2))


@_row("macOS wheel", "macho-system", "`LC_BUILD_VERSION` of its module says iOS", path="*.so", package=_MARKUP)
def macho_for_ios(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.so", MachO, lambda macho: macho.platform(2))


@_row("Windows wheel", "pe-machine", "the machine of its module is ARM64", path="*.pyd", package=_MARKUP)
def pe_for_arm64(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("*.pyd", Pe, lambda pe: pe.machine(0xAA64))


@_row("macOS environment", "elf", "a module is that of the wheel for Linux", path=_CORE, package=_LABEL)
def elf_on_macos(it: Bundle, clean: CleanArtifacts) -> None:
    it.files.write(_CORE, clean.module("Linux environment", _CORE))


@_row("Linux environment", "macho", "a module is that of the wheel for macOS", path=_CORE, package=_LABEL)
def macho_on_linux(it: Bundle, clean: CleanArtifacts) -> None:
    it.files.write(_CORE, clean.module("macOS environment", _CORE))


@_row("Linux environment", "pe", "a module is that of the wheel for Windows", path=_CORE, package=_LABEL)
def pe_on_linux(it: Bundle, clean: CleanArtifacts) -> None:
    it.files.write(_CORE, clean.module("Windows environment", "*/_pydantic_core.*.pyd"))


@_row(
    "Linux environment",
    "pe-managed",
    "a .NET assembly is put among its packages (a program for Windows with a CLR header)",
    path=f"{_SITE}/idna/helper.dll",
    package="idna *",
)
def assembly_on_linux(it: Bundle, clean: CleanArtifacts) -> None:
    pe = Pe(clean.module("Windows wheel", "*.pyd"))
    pe.directory(14, 0x2008, 72)
    it.files.add(f"{_SITE}/idna/helper.dll", TreeFile(bytes(pe)), owner="*/idna-*.dist-info/RECORD")


@_row(
    "Linux environment",
    "pe-launcher",
    "a launcher for Windows, of distlib's wheel, is put among its packages",
    path=f"{_SITE}/idna/t64.exe",
    package="idna *",
)
def launcher_on_linux(it: Bundle, clean: CleanArtifacts) -> None:
    launcher = clean.module("distlib-0.4.4-py2.py3-none-any.whl", "distlib/t64.exe")
    it.files.add(f"{_SITE}/idna/t64.exe", TreeFile(launcher), owner="*/idna-*.dist-info/RECORD")


@_row(
    "32-bit ARM environment",
    "elf-float-abi",
    "`e_flags` of a module say soft-float",
    path=_CORE,
    package=_LABEL,
)
def soft_float(it: Bundle, _: CleanArtifacts) -> None:
    path = it.files.find(_CORE)
    data = bytearray(it.files.files[path].content)
    data[36:40] = (0x05000200).to_bytes(4, "little")
    it.files.write(path, bytes(data))


@_row("Linux environment", "libc-kind", "a module is that of the wheel for musl", path=_CORE, package=_LABEL)
def musl_among_glibc(it: Bundle, clean: CleanArtifacts) -> None:
    it.files.write(_CORE, clean.module("musl environment", _CORE))


@_row("musl environment", "libc-kind", "a module is that of the wheel for glibc", path=_CORE, package=_LABEL)
def glibc_among_musl(it: Bundle, clean: CleanArtifacts) -> None:
    it.files.write(_CORE, clean.module("Linux environment", _CORE))


@_row(
    "Linux environment",
    "libc-kind",
    "the files of a package are all those of its wheel for musl",
    path=f"{_SITE}/pydantic_core*",
    package=_LABEL,
)
def wheel_for_musl_among_glibc(it: Bundle, clean: CleanArtifacts) -> None:
    _swap(it, clean.files("musl environment"))


@_row(
    "Linux environment",
    "elf-machine",
    "the files of a package are all those of its wheel for 32-bit ARM",
    path=f"{_SITE}/pydantic_core/*.so",
    package=_LABEL,
)
def wheel_for_arm_on_amd64(it: Bundle, clean: CleanArtifacts) -> None:
    _swap(it, clean.files("32-bit ARM environment"))


@_row(
    "Linux environment",
    "macho",
    "the files of a package are all those of its wheel for macOS",
    path=f"{_SITE}/pydantic_core/*.so",
    package=_LABEL,
)
def wheel_for_macos_on_linux(it: Bundle, clean: CleanArtifacts) -> None:
    _swap(it, clean.files("macOS environment"))


@_row(
    "PEX",
    "elf-machine",
    "the module in the wheel for arm64 is that of the wheel for amd64",
    path=".deps/*_aarch64.whl/*.so",
    package=_LABEL,
)
def module_of_the_other_wheel_in_a_pex(it: Bundle, _: CleanArtifacts) -> None:
    module = it.files.files[it.files.find("*_x86_64.whl/*/_pydantic_core*.so")].content
    it.files.write("*_aarch64.whl/*/_pydantic_core*.so", module)


@_row(
    "Linux wheel with a library",
    "elf-machine",
    "`e_machine` of the library that it brings says AArch64",
    path="google_crc32c.libs/*",
    package="google-crc32c *",
)
def own_library_for_arm64(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch("google_crc32c.libs/*", Elf, lambda elf: elf.machine(183))


@_row(
    "image",
    "elf-machine",
    "the arm64 image has the base, and its diff_id, of the amd64 image",
    path="usr/bin/python3.11",
)
def base_of_the_other_image(it: Image, _: CleanArtifacts) -> None:
    layout = it.layout
    manifest, config = layout.manifest("arm64"), layout.config("arm64")
    manifest["layers"][0] = layout.manifest("amd64")["layers"][0]
    config["rootfs"]["diff_ids"][0] = layout.config("amd64")["rootfs"]["diff_ids"][0]
    layout.put_manifest(manifest, "arm64")
    layout.put_config(config, "arm64")


@_row("image", "libc-kind", "a module is that of the wheel for musl", path=f"app/.venv/{_CORE}", package=_LABEL)
def musl_in_an_image_with_glibc(it: Image, clean: CleanArtifacts) -> None:
    content = clean.module("musl environment", _CORE)
    it.layout.edit_layer(": pydantic-core", lambda files: files.write("*/_pydantic_core*.so", content))


@_row(
    "image",
    "elf-machine",
    "the arm64 image has the layers of compiled wheels, and their diff_ids, of the amd64 image: the seed's mistake",
    path="app/.venv/*.so*",
    package="*",
)
def layers_of_the_other_image(it: Image, _: CleanArtifacts) -> None:
    layout = it.layout
    manifest, config = layout.manifest("arm64"), layout.config("arm64")
    for kind in (": numpy", ": pydantic-core"):
        number = layout.layer_of(kind, "arm64")
        manifest["layers"][number] = layout.manifest("amd64")["layers"][number]
        config["rootfs"]["diff_ids"][number] = layout.config("amd64")["rootfs"]["diff_ids"][number]
    layout.put_manifest(manifest, "arm64")
    layout.put_config(config, "arm64")


@_row("Linux wheel", "wheel-tags", "asked of CPython 3.12, its tags say 3.13", path="markupsafe-*", package=_MARKUP)
def wheel_of_another_python(it: Bundle, _: CleanArtifacts) -> None:
    it.asked.targets, it.asked.python = ("linux/amd64",), "3.12"
    tags = "cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64"
    it.retag(tags, tags.replace("312", "313"))


@_row(
    "PEX",
    "wheel-tags",
    "the folder of a wheel has a name with tags of 32-bit ARM",
    path="annotated_doc-*",
    package="annotated-doc *",
)
def wheel_of_another_machine_in_a_pex(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename_below(".deps/annotated_doc-*-none-any.whl", "-none-any.whl", "-none-manylinux2014_armv7l.whl")


@_row(
    "PEX",
    "wheel-missing",
    "the folder of the application's own wheel, which nothing requires, has a name with tags of amd64",
    package="hello-fastapi",
)
def pex_without_one_wheel(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename_below(".deps/hello_fastapi-*-none-any.whl", "-none-any.whl", "-none-manylinux2014_x86_64.whl")


@_row("image", "platform-mismatch", "the index says that its image for arm64 is for ppc64le")
def entry_for_another_machine(it: Image, _: CleanArtifacts) -> None:
    it.layout.entry("arm64")["platform"] = {"os": "linux", "architecture": "ppc64le"}
    it.layout.write_index()


@_row("image", "platform-mismatch", "the config of the arm64 image says amd64")
def config_for_another_machine(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_config(lambda config: config.update(architecture="amd64"), "arm64")


@_row("image", "platform-mismatch", "the entry for arm64 in its index is that of the amd64 image")
def entry_of_the_other_image(it: Image, _: CleanArtifacts) -> None:
    entry, other = it.layout.entry("arm64"), it.layout.entry("amd64")
    entry.update(digest=other["digest"], size=other["size"])
    it.layout.write_index()


@_row(
    "image",
    "platform-mismatch",
    "the config of the arm64 image names no variant, the index says v9",
    severity="warning",
)
def entry_with_a_variant(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_config(lambda config: config.pop("variant"), "arm64")
    it.layout.entry("arm64")["platform"]["variant"] = "v9"
    it.layout.write_index()


@_row("image", "platform-missing", "it is asked for arm64, and its index has lost that image")
def index_without_a_platform(it: Image, _: CleanArtifacts) -> None:
    it.asked.targets = ("linux/amd64", "linux/arm64")
    it.asked.python = "3.11"
    it.layout.only("amd64")


@_row("image", "platform-twice", "its index has a second image for amd64, which differs in an annotation")
def index_with_a_platform_twice(it: Image, _: CleanArtifacts) -> None:
    manifest = it.layout.manifest("amd64")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "another"}
    other = it.layout.put(json.dumps(manifest).encode(), it.layout.entry("amd64")["mediaType"])
    it.layout.index["manifests"].append({**other, "platform": it.layout.entry("amd64")["platform"]})
    it.layout.write_index()


@_row("image", "platform-unsupported", "index and config of the arm64 image say mips64le")
def image_for_an_unknown_machine(it: Image, _: CleanArtifacts) -> None:
    def unknown(config: dict[str, object]) -> None:
        config["architecture"] = "mips64le"
        del config["variant"]

    it.layout.edit_config(unknown, "arm64")
    it.layout.entry("arm64")["platform"] = {"os": "linux", "architecture": "mips64le"}
    it.layout.write_index()


@_row(
    "Linux wheel",
    "elf-machine",
    "its tags, in its name and inside, are those of the wheel for arm64",
    path="*_speedups*.so",
    package=_MARKUP,
)
def wheel_tagged_for_arm64(it: Bundle, _: CleanArtifacts) -> None:
    it.name = WHEELS["Linux wheel"].replace("x86_64", "aarch64")
    it.files.write("*/WHEEL", it.files.text("*/WHEEL").replace("x86_64", "aarch64").encode())


def _swap(it: Bundle, other: TreeFiles) -> None:
    """Put another environment's files of a package in the place of its own."""
    for name in [name for name in it.files.files if "/pydantic_core" in name]:
        del it.files.files[name]
    for name, file in other.files.items():
        if "/pydantic_core" in name:
            it.files.add(name, file)
