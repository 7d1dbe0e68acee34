"""How large a function may be, and which packages make it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import BundleTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.bundles.functions.kinds import FunctionKind

__all__ = ["PackageSize", "check_unpacked", "check_zipped", "megabytes", "size_table"]

_MOST_ROWS = 10
_WORTH_TELLING = 100 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSize:
    """What one package takes.

    Attributes:
        name: Its name, with the version.
        size: Bytes of its files, unpacked.
    """

    name: str
    size: int


def megabytes(size: int) -> str:
    """Write a size as clouds count: a megabyte has 1,048,576 bytes."""
    return f"{size / (1 << 20):.1f} MB" if size >= _WORTH_TELLING else f"{size:,} bytes"


def size_table(sizes: Sequence[PackageSize], total: int) -> list[str]:
    """Give lines with the largest packages first, and what is left.

    Args:
        sizes: All packages.
        total: Bytes of all there is.
    """
    ordered = sorted(sizes, key=lambda item: (-item.size, item.name))
    rows = [(item.name, item.size) for item in ordered[:_MOST_ROWS]]
    rest = total - sum(size for _, size in rows)
    count = len(ordered) - len(rows)
    if count or rest >= _WORTH_TELLING:
        rows.append((f"{count} smaller packages" if count else "all else", rest))
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {size / (1 << 20):7,.1f} MB  {100 * size / total:4.0f} %" for name, size in rows]


def check_unpacked(
    kind: FunctionKind, what: str, total: int, sizes: Callable[[], Sequence[PackageSize]], warn: Callable[[str], None]
) -> None:
    """Refuse, or tell of, what is larger unpacked than its cloud takes.

    Args:
        kind: The cloud.
        what: What it is, to begin a sentence with.
        total: Unpacked bytes of the function and its layers.
        sizes: Gives the packages; asked only when needed.
        warn: Told of a limit that does not hold for every function.

    Raises:
        BundleTooLargeError: It can be used nowhere.
    """
    if not kind.unpacked or total < kind.unpacked:
        return
    table = size_table(sizes(), total)
    said = f"{what} has {total:,} bytes unpacked ({megabytes(total)})"
    limit = f"{kind.limits_of} takes less than {kind.unpacked:,} bytes{', layers included' * kind.enforced}"
    if not kind.enforced:
        warn("\n".join([f"{said}, and {limit}: {kind.advice}", *(f"  {row}" for row in table)]))
        return
    raise BundleTooLargeError(
        said,
        why="\n       ".join([f"{limit}; the largest packages:", *table]),
        hint="do without some of them (--without-boto3, exclude in [tool.crossdock.packages.NAME]), or build a "
        "container image, which may have 10 GB: crossdock image --profile lambda",
    )


def check_zipped(
    kind: FunctionKind,
    name: str,
    size: int,
    *,
    direct: bool,
    sizes: Callable[[], Sequence[PackageSize]],
    warn: Callable[[str], None],
) -> None:
    """Tell of, or refuse, a zip that is too large to be uploaded directly.

    Args:
        kind: The cloud.
        name: File name of the zip.
        size: Its bytes.
        direct: Whether it is going to be.
        sizes: Gives the packages in it; asked only when needed.
        warn: Told what a user need not act on.

    Raises:
        BundleTooLargeError: It was said that it is going to be.
    """
    if not kind.zipped or size <= kind.zipped:
        return
    said = f"{name} has {size:,} bytes ({megabytes(size)})"
    limit = f"{kind.limits_of} takes up to {kind.zipped:,} in a direct upload"
    if not direct:
        warn(f"{said}, and {limit}: {kind.advice}")
        return
    packages = sizes()
    rows = size_table(packages, sum(package.size for package in packages))
    raise BundleTooLargeError(
        said,
        why="\n       ".join([f"{limit}; the largest packages, unpacked:", *rows]),
        hint=f"{kind.advice} (then without --direct-upload), or do without some of the packages",
    )
