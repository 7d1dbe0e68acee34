"""The targets, and how each judge is told of them; written out here, so that nothing of crossdock judges itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """A target.

    Attributes:
        platform: As crossdock spells it.
        python: As crossdock spells it.
        uv: What uv calls the platform; empty where it does not know that target, or not that interpreter.
        pip: The platform tags, best first; pip expands those of macOS itself.
        abi: What pip is told of the ABI, if not that of the plain CPython.
        macos: The floor, as uv wants it.
    """

    platform: str
    python: str
    uv: str
    pip: tuple[str, ...]
    abi: str = ""
    macos: str = ""

    @property
    def target(self) -> Target:
        """The target as crossdock has it."""
        return Target(parse_platform(self.platform), parse_python(self.python))

    @property
    def version(self) -> str:
        """The language version alone."""
        return self.python.removeprefix("pypy").removesuffix("t")

    @property
    def pip_options(self) -> list[str]:
        """The target in pip's words."""
        implementation = "pp" if self.python.startswith("pypy") else "cp"
        abi = self.abi or f"cp{self.version.replace('.', '')}"
        listed = [f"--python-version={self.version}", f"--implementation={implementation}", f"--abi={abi}"]
        return listed + [f"--platform={tag}" for tag in self.pip]

    @property
    def environment(self) -> dict[str, str]:
        """The marker environment, from what interpreters on such machines print; what is not known is empty."""
        system, _, arch = self.platform.partition("+")[0].partition("/")
        pypy = self.python.startswith("pypy")
        return {
            **_SYSTEMS[system],
            "platform_machine": _MACHINES[system].get(arch, arch),
            "platform_release": "",
            "platform_version": "",
            "implementation_name": "pypy" if pypy else "cpython",
            "implementation_version": "7.3.19" if pypy else f"{self.version}.0",
            "platform_python_implementation": "PyPy" if pypy else "CPython",
            "python_version": self.version,
            "python_full_version": f"{self.version}.11" if pypy else f"{self.version}.0",
        }

    def __str__(self) -> str:
        return f"{self.platform} {self.python}"


_SYSTEMS = {
    "linux": {"os_name": "posix", "platform_system": "Linux", "sys_platform": "linux"},
    "darwin": {"os_name": "posix", "platform_system": "Darwin", "sys_platform": "darwin"},
    "windows": {"os_name": "nt", "platform_system": "Windows", "sys_platform": "win32"},
}
_MACHINES = {
    "linux": {"amd64": "x86_64", "arm64": "aarch64"},
    "darwin": {"amd64": "x86_64"},
    "windows": {"amd64": "AMD64", "arm64": "ARM64", "386": "x86"},
}


def _glibc(newest: int, machine: str) -> tuple[str, ...]:
    return tuple(_manylinux(newest, machine))


def _manylinux(newest: int, machine: str) -> Iterator[str]:
    names = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    for minor in range(newest, 4 if machine in {"x86_64", "i686"} else 16, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in names:
            yield f"{names[minor]}_{machine}"


def _musl(machine: str) -> tuple[str, ...]:
    return tuple(f"musllinux_1_{minor}_{machine}" for minor in (2, 1, 0))


CASES = [
    Case("linux/amd64+glibc2.17", "3.10", "x86_64-manylinux_2_17", _glibc(17, "x86_64")),
    Case("linux/amd64+glibc2.28", "3.12", "x86_64-manylinux_2_28", _glibc(28, "x86_64")),
    Case("linux/amd64+glibc2.36", "3.14", "x86_64-manylinux_2_36", _glibc(36, "x86_64")),
    Case("linux/arm64+glibc2.17", "3.12", "aarch64-manylinux_2_17", _glibc(17, "aarch64")),
    Case("linux/arm64+glibc2.28", "3.11", "aarch64-manylinux_2_28", _glibc(28, "aarch64")),
    Case("linux/arm64+glibc2.36", "3.13", "aarch64-manylinux_2_36", _glibc(36, "aarch64")),
    Case("linux/amd64+musl1.2", "3.12", "x86_64-unknown-linux-musl", _musl("x86_64")),
    Case("linux/arm64+musl1.2", "3.14", "aarch64-unknown-linux-musl", _musl("aarch64")),
    Case("darwin/arm64+macos14.0", "3.13", "aarch64-apple-darwin", ("macosx_14_0_arm64",), macos="14.0"),
    Case("darwin/amd64+macos11.0", "3.11", "x86_64-apple-darwin", ("macosx_11_0_x86_64",), macos="11.0"),
    Case("windows/amd64", "3.10", "x86_64-pc-windows-msvc", ("win_amd64",)),
    Case("windows/arm64", "3.13", "aarch64-pc-windows-msvc", ("win_arm64",)),
    Case("windows/386", "3.11", "i686-pc-windows-msvc", ("win32",)),
    # What uv cannot be told of: other architectures, and other interpreters unless they are installed.
    Case("linux/s390x+glibc2.28", "3.12", "", _glibc(28, "s390x")),
    Case("linux/ppc64le+glibc2.36", "3.11", "", _glibc(36, "ppc64le")),
    Case("linux/riscv64+glibc2.39", "3.14", "", _glibc(39, "riscv64")),
    Case("linux/amd64+glibc2.28", "3.14t", "", _glibc(28, "x86_64"), abi="cp314t"),
    Case("darwin/arm64+macos14.0", "3.13t", "", ("macosx_14_0_arm64",), abi="cp313t"),
    Case("linux/amd64+glibc2.28", "pypy3.11", "", _glibc(28, "x86_64"), abi="pypy311_pp73"),
]
