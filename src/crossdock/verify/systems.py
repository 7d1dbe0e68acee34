"""What can be relied on to be there on a system: its libraries, and how new its C++ runtime is.

The facts about Linux are those of the policies that auditwheel judges wheels by (``manylinux-policy.json`` and
``musllinux-policy.json`` of auditwheel 6.8), which put PEP 600 and PEP 656 into numbers. Those about Windows are the
libraries that the supported releases of it all have, seen needed by popular wheels, and what delvewheel 1.13 leaves to
the system and to Python's own installer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from typing import Literal

    LibcKind = Literal["glibc", "musl"]

__all__ = [
    "FIRST_WITHOUT_EXECUTABLE_STACK",
    "GLIBC_ABI_MARKS",
    "CxxRuntime",
    "cxx_runtime_with",
    "is_driver",
    "is_glibc",
    "is_grafted",
    "is_in_musl",
    "is_musl_libc",
    "is_of_cluster",
    "is_promised",
    "is_system_dll",
    "is_system_dylib",
    "is_vc_runtime",
]

#: The loaders are part of glibc, and are named as libraries by code that uses its thread-local storage.
_GLIBC: Final = frozenset(
    {
        "libanl.so.1",
        "libc.so.6",
        "libdl.so.2",
        "libm.so.6",
        "libmvec.so.1",
        "libnsl.so.1",
        "libpthread.so.0",
        "libresolv.so.2",
        "librt.so.1",
        "libutil.so.1",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
        "ld-linux-armhf.so.3",
        "ld-linux.so.2",
        "ld64.so.1",
        "ld64.so.2",
        "ld-linux-riscv64-lp64d.so.1",
    }
)
_MANYLINUX: Final = _GLIBC | {
    "libGL.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libatomic.so.1",
    "libexpat.so.1",
    "libgcc_s.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libstdc++.so.6",
    "libz.so.1",
}
_MUSLLINUX: Final = frozenset({"libc.so", "libz.so.1"})
_IN_MUSL: Final = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\.")
_MUSL_LIBC: Final = re.compile(r"libc\.musl-\w+\.so\.1", re.ASCII)

#: Symbol versions that stand for something the loader can do, and the glibc that brought it (its NEWS, 2.36); of those
#: that are not here nothing is known but that no glibc before 2.42 has them.
GLIBC_ABI_MARKS: Final = {"GLIBC_ABI_DT_RELR": (2, 36)}

#: The first glibc that refuses to load a library which wants an executable stack (its NEWS, 2.41).
FIRST_WITHOUT_EXECUTABLE_STACK: Final = (2, 41)

# Put into a container by its engine (NVIDIA's container toolkit), or by the driver's own installer.
_DRIVERS: Final = re.compile(
    r"lib(?:cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[\w-]+|nvidia_\w+|GLX_nvidia|EGL_nvidia|vdpau_nvidia)\.so(?:\.\d+)*",
    re.ASCII,
)

# What the network of a computing cluster is reached by, and MPI: they are of the cluster, and nowhere else.
_CLUSTERS: Final = re.compile(
    r"lib(?:ibverbs|rdmacm|mlx[45]|fabric|uc[mpst]|mpi|mpi_cxx|mpi_mpifh|oshmem|pmix)\.so(?:\.\d+)*", re.ASCII
)

#: Of a file, on every system.
_LONGEST_NAME: Final = 255

# auditwheel puts the first eight digits of a hash behind the name of a library that it grafts, delvewheel all 32.
_GRAFTED: Final = re.compile(r".+-(?:[0-9a-f]{8}(?:\.[\w.+]*)?\.so(?:\.[\w.]*)?|[0-9a-f]{32}\.dll)", re.ASCII)


class CxxRuntime(NamedTuple):
    """The newest symbol versions of the libraries of GCC that a system has.

    Attributes:
        glibcxx: ``GLIBCXX_`` in libstdc++.
        cxxabi: ``CXXABI_`` in libstdc++.
        gcc: ``GCC_`` in libgcc_s.
    """

    glibcxx: tuple[int, ...]
    cxxabi: tuple[int, ...]
    gcc: tuple[int, ...]


#: By glibc's minor version: what each system with at least that glibc has. What the policies say of one machine only
#: is left to it, the most of all machines is taken where a version exists on no other.
_CXX_RUNTIMES: Final = {
    5: CxxRuntime((3, 4, 8), (1, 3, 1), (4, 2, 0)),
    12: CxxRuntime((3, 4, 13), (1, 3, 3), (4, 5, 0)),
    17: CxxRuntime((3, 4, 19), (1, 3, 7), (4, 8, 0)),
    24: CxxRuntime((3, 4, 22), (1, 3, 10), (4, 8, 0)),
    26: CxxRuntime((3, 4, 24), (1, 3, 11), (7, 0, 0)),
    31: CxxRuntime((3, 4, 28), (1, 3, 12), (7, 0, 0)),
    34: CxxRuntime((3, 4, 29), (1, 3, 13), (11, 0)),
    35: CxxRuntime((3, 4, 30), (1, 3, 13), (12, 0, 0)),
    39: CxxRuntime((3, 4, 33), (1, 3, 15), (14, 0, 0)),
}
_ON_MACHINE: Final = {("amd64", 26): CxxRuntime((3, 4, 22), (1, 3, 10), (4, 8, 0))}
#: The newest glibc that there is a policy for: nothing is known of the systems that come with a newer one.
_LAST_POLICY: Final = 41


def cxx_runtime_with(glibc: tuple[int, int], machine: str) -> CxxRuntime | None:
    """Give how new libstdc++ and libgcc_s are at least, where a glibc is.

    Args:
        glibc: Its version.
        machine: The architecture, by OCI's name.

    Returns:
        The versions; None where nothing is known.
    """
    minor = glibc[1]
    if glibc[0] != 2 or minor > _LAST_POLICY:
        return None
    rows = [known for known in _CXX_RUNTIMES if known <= minor]
    if not rows:
        return None
    special = _ON_MACHINE.get((machine, minor))
    return special or _CXX_RUNTIMES[rows[-1]]


def is_promised(name: str, kind: LibcKind) -> bool:
    """Say whether every system with a C library of some kind has a library, so that no wheel need bring it."""
    return name in _MANYLINUX if kind == "glibc" else name in _MUSLLINUX or is_musl_libc(name)


def is_driver(name: str) -> bool:
    """Say whether a library belongs to a graphics driver, which comes with the machine and not with an artifact."""
    return _DRIVERS.fullmatch(name) is not None


def is_of_cluster(name: str) -> bool:
    """Say whether a library is MPI, or of the network of computing clusters: brought by the machines it is used on."""
    return _CLUSTERS.fullmatch(name) is not None


def is_grafted(name: str) -> bool:
    """Say whether a library was put into a wheel by a tool and given a name of its own, that nothing else has."""
    return len(name) <= _LONGEST_NAME and _GRAFTED.fullmatch(name) is not None


def is_glibc(name: str) -> bool:
    """Say whether a library is part of glibc."""
    return name in _GLIBC


def is_musl_libc(name: str) -> bool:
    """Say whether a library is musl itself; Alpine calls it by another name than musl does."""
    return name == "libc.so" or _MUSL_LIBC.fullmatch(name) is not None


def is_in_musl(name: str) -> bool:
    """Say whether musl's loader takes a name for that of musl itself, and looks for no file (its ``load_library``)."""
    return _IN_MUSL.match(name) is not None


def is_system_dll(name: str) -> bool:
    """Say whether Windows, or the installer of Python, brings a library."""
    lower = name.lower()
    return lower in _DLLS or _DLL_FAMILIES.fullmatch(lower) is not None


def is_vc_runtime(name: str) -> bool:
    """Say whether a library is of the Visual C++ runtime, which is on most machines, though not part of Windows."""
    return _VC_RUNTIME.fullmatch(name.lower()) is not None


def is_system_dylib(name: str) -> bool:
    """Say whether macOS brings a library; since macOS 11 they are not even files."""
    return name.startswith(("/usr/lib/", "/System/"))


# API sets are names that Windows maps to libraries itself; Python's own library and the C runtime come with Python.
_DLL_FAMILIES: Final = re.compile(
    r"(?:api|ext)-ms-win-[\w-]+\.dll|python3\d*t?(?:_d)?\.dll|libpypy[\d.]+-c\.dll|vcruntime140(?:_1|d|_1d)?\.dll"
    r"|ucrtbase\.dll|d3d(?:8|9|10|10_1|11|12)\.dll|d3dcompiler_4[37]\.dll|xinput(?:1_4|9_1_0)\.dll",
    re.ASCII,
)
_VC_RUNTIME: Final = re.compile(
    r"(?:msvcp140\w*|concrt140|vcomp140|vccorlib140|vcamp140|mfc140u?|mfcm140u?|msvcp1[0-3]0|msvcr\d+)\.dll", re.ASCII
)
_DLL_NAMES: Final = """
aclui activeds advapi32 authz avicap32 avifil32 avrt bcrypt bcryptprimitives bluetoothapis bthprops cabinet
cfgmgr32 clusapi combase comctl32 comdlg32 credui crypt32 cryptbase cryptnet cryptui d2d1 dbghelp dciman32
dcomp ddraw devobj dhcpcsvc dinput8 dnsapi dsound dwmapi dwrite dxgi dxva2 esent evr fltlib fwpuclnt gdi32
gdiplus glu32 hid httpapi icmp imagehlp imm32 iphlpapi kernel32 kernelbase ktmw32 loadperf logoncli lz32 mf
mfplat mfreadwrite mpr msacm32 mscoree msi msimg32 mstask msvcrt msvfw32 mswsock ncrypt netapi32 netutils
newdev normaliz ntdll ntdsapi ntmarta odbc32 odbccp32 ole32 oleacc oleaut32 opengl32 pdh powrprof propsys
psapi query quartz rasapi32 resutils rpcrt4 rstrtmgr samcli schannel secur32 setupapi sfc shcore shell32
shlwapi srvcli sspicli tbs tdh traffic uiautomationcore urlmon user32 userenv usp10 uxtheme version wbemuuid
webservices wer wevtapi wininet winhttp winmm winscard wintrust winusb wkscli wldap32 wlanapi wofutil ws2_32
wsock32 wtsapi32 xmllite xpsprint
"""
_DLLS: Final = frozenset(f"{name}.dll" for name in _DLL_NAMES.split()) | {"winspool.drv", "bthprops.cpl"}
