"""What executables are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from crossdock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NAME_STYLES", "NameStyle", "exe_names"]

NameStyle = Literal["suffix", "folder", "plain"]

#: ``app_linux_arm64``, ``linux_arm64/app``, or ``app`` alone.
NAME_STYLES: Final[tuple[NameStyle, ...]] = ("suffix", "folder", "plain")


def exe_names(name: str, targets: Sequence[tuple[str, str]], style: NameStyle) -> list[str]:
    """Give the path of each executable below the output folder, a function of its own target alone.

    Args:
        name: Of the application.
        targets: Platform and kind of C library of each: ``("linux/arm64", "glibc")``.
        style: The form of the names.

    Raises:
        UsageError: Two would have the same name.
    """
    names = []
    for platform, libc in targets:
        place = platform.replace("/", "_") + ("_musl" if libc == "musl" else "")
        names.append({"suffix": f"{name}_{place}", "folder": f"{place}/{name}", "plain": name}[style])
    for number, path in enumerate(names):
        if path in names[:number]:
            raise UsageError(
                f"two executables would have the name {path}",
                why=f"--name-style {style} does not tell their targets apart",
                hint="name one target, or --name-style suffix" if style == "plain" else "build them to two folders",
            )
    return names
