"""The marker environment of a target (PEP 508, dependency specifiers: environment markers)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.targets.platform import Platform
    from crossdock.targets.python import Python

__all__ = ["MARKER_KEYS", "marker_environment"]

MARKER_KEYS = (
    "implementation_name",
    "implementation_version",
    "os_name",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_full_version",
    "python_version",
    "sys_platform",
)

#: For each operating system ``os.name``, ``platform.system()`` and ``sys.platform``.
_SYSTEMS = {
    "linux": ("posix", "Linux", "linux"),
    "darwin": ("posix", "Darwin", "darwin"),
    "windows": ("nt", "Windows", "win32"),
}
#: What ``platform.python_implementation()`` prints.
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}


def marker_environment(platform: Platform, python: Python) -> dict[str, str]:
    """Give all eleven keys, so that no library fills one in from the host.

    ``platform_release`` and ``platform_version`` describe the kernel that will run the artifact. Nobody knows it at
    build time; both are empty, as the specification has it for values that cannot be determined.
    """
    os_name, system, sys_platform = _SYSTEMS[platform.os]
    return {
        "implementation_name": python.implementation,
        "implementation_version": python.implementation_version,
        "os_name": os_name,
        "platform_machine": platform.machine,
        "platform_python_implementation": _IMPLEMENTATIONS[python.implementation],
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": python.full_version,
        "python_version": python.short,
        "sys_platform": sys_platform,
    }
