"""What the actions for PEX files, zips and own wheels are given: targets, wheels and files."""

from __future__ import annotations

import argparse
import hashlib
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crossdock.bundling.ready import BundleMember, WheelFile
from crossdock.errors import BadWheelError, BazelInputError, UsageError
from crossdock.store.blobs import Store
from crossdock.targets import parse_python, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.targets import Python, Target, TargetSpec

__all__ = [
    "GivenFile",
    "add_files",
    "add_members",
    "given_files",
    "hold",
    "member_of",
    "only_wheel",
    "scratch_store",
    "spelled_target",
    "stored_wheel",
]

_CHUNK: Final = 1 << 20
#: As ABI tags spell a CPython (PEP 425).
_TAG: Final = re.compile(r"cp(\d)(\d+)(t?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file of an application.

    Attributes:
        dest: Where it belongs: relative, "/"-separated, checked to stay inside.
        source: Where it is; None for an empty file.
        executable: Whether it may be executed; None where only its content tells.
    """

    dest: str
    source: Path | None
    executable: bool | None = None

    def read(self) -> bytes:
        """Give its bytes.

        Raises:
            BazelInputError: It cannot be read.
        """
        try:
            return b"" if self.source is None else self.source.read_bytes()
        except OSError as error:
            raise BazelInputError(
                f"The file {self.source} cannot be read",
                why=error.strerror or str(error),
                hint="it has to be among the inputs of the action",
            ) from None


@dataclass(slots=True)
class _Group:
    """A target as it was written, and the wheels named after it."""

    target: str
    wheels: list[str] = field(default_factory=list)


class _GroupAction(argparse.Action):
    """Puts each ``--wheel`` to the ``--target`` before it; those before any are for all."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        groups: list[_Group] = list(getattr(namespace, self.dest) or [_Group("")])
        if option_string == "--target":
            groups.append(_Group(str(values)))
        else:
            groups[-1] = replace(groups[-1], wheels=[*groups[-1].wheels, str(values)])
        setattr(namespace, self.dest, groups)


def add_members(parser: argparse.ArgumentParser) -> None:
    """Add the options that name targets and their wheels."""
    for name, metavar in (("--target", "TARGET"), ("--wheel", "FILE")):
        parser.add_argument(name, dest="groups", action=_GroupAction, metavar=metavar)
    parser.add_argument("--python", metavar="VERSION")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options that name files."""
    parser.add_argument("--files", metavar="MANIFEST", action="append", default=[])
    parser.add_argument("--file", metavar="DEST<TAB>SRC", action="append", default=[])


def given_files(options: argparse.Namespace) -> tuple[GivenFile, ...]:
    """Read which files are given, sorted by where they belong.

    Raises:
        BazelInputError: A line is none, a path leads out, or two files have one place.
    """
    lines = list(options.file)
    for name in options.files:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise BazelInputError(f"{name} cannot be read as a list of files", why=str(error)) from None
        # A line ends at \n and nowhere else, as in Bazel's parameter files.
        lines += text.removesuffix("\n").split("\n") if text else []
    found: dict[str, GivenFile] = {}
    for line in lines:
        item = _given(line)
        other = found.setdefault(item.dest, item)
        if other == item:
            continue
        if other.source != item.source and other.read() != item.read():
            raise BazelInputError(
                f"Two files have the place {item.dest}",
                why=f"{other.source} and {item.source}",
                hint="leave one of them out, or generate it under another name",
            )
        # As a file of a program's data it may be executed though it is a source, too.
        found[item.dest] = replace(other, executable=other.executable or item.executable)
    return tuple(found[dest] for dest in sorted(found))


def _given(line: str) -> GivenFile:
    """Read ``DEST<TAB>SRC``; behind another tab, ``x`` is said of what may be executed, and ``-`` of what may not."""
    dest, *rest = line.split("\t")
    if len(rest) not in (1, 2) or rest[1:] not in ([], ["x"], ["-"]):
        raise BazelInputError(
            f"{line[:200]!r} does not name a file", hint="write its place, a tab, its path; then a tab and x or -"
        )
    if not _is_safe(dest):
        raise BazelInputError(
            f"{dest[:200]!r} is no place for a file",
            why='it has to be relative, with "/" between its parts, none of them empty, "." or ".."',
        )
    executable = {(): None, ("x",): True, ("-",): False}[tuple(rest[1:])]
    return GivenFile(dest=dest, source=Path(rest[0]) if rest[0] else None, executable=executable)


def _is_safe(path: str) -> bool:
    parts = path.split("/")
    return path.isprintable() and "\\" not in path and not any(part in ("", ".", "..") for part in parts)


def spelled_target(text: str, python: str | None) -> tuple[TargetSpec, Python | None]:
    """Read a target, with its Python behind a blank or named for all: ``linux/arm64+glibc2.28 cp311``.

    Raises:
        TargetError: It names no target, or no Python that is known.
    """
    platform, _, own = text.strip().partition(" ")
    spec = parse_target(platform)
    spelled = own.strip() or python or ""
    if match := _TAG.fullmatch(spelled):
        spelled = f"{match[1]}.{match[2]}{match[3]}"
    return spec, parse_python(spelled) if spelled else None


@contextmanager
def scratch_store() -> Iterator[Store]:
    """Give a store that is gone in the end: an action keeps nothing but its outputs."""
    with tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True) as folder:
        yield Store(Path(folder) / "store")


def stored_wheel(store: Store, path: Path, *, own: bool = False) -> WheelFile:
    """Let a store hold a wheel where it lies.

    Raises:
        BadWheelError: It does not have the name of a wheel, or cannot be read.
    """
    try:
        name, version, *_ = parse_wheel_filename(path.name)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                digest.update(piece)
    except InvalidWheelFilename as error:
        raise BadWheelError(
            f"{path.name} is not the name of a wheel", why=str(error), hint="give the file under its own name"
        ) from None
    except OSError as error:
        raise BadWheelError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    sha256 = digest.hexdigest()
    hold(store, path, sha256)
    return WheelFile(name=name, version=str(version), filename=path.name, sha256=sha256, own=own)


def hold(store: Store, path: Path, sha256: str) -> None:
    """Put a link to a file of known content into a store."""
    place = store.root / "blobs" / "sha256" / sha256[:2] / sha256
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        try:
            place.symlink_to(path.absolute())
        except OSError:  # where links are not for everybody, as on Windows
            store.add_file(path, expected=sha256)


def only_wheel(text: str) -> Path:
    """Give a wheel by its path, or by that of a folder with nothing else in it.

    Raises:
        BadWheelError: There is none, or there are several.
    """
    path = Path(text)
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.whl"))
    if len(found) == 1:
        return found[0]
    raise BadWheelError(f"{path} holds {len(found)} wheels", why="the project's own is one", hint="build it again")


def member_of(target: Target, wheels: Iterable[WheelFile], own: WheelFile) -> BundleMember:
    """Give a target with its wheels, in the order that selections have: by name, the project's own last.

    Raises:
        UsageError: Two wheels are of one distribution.
    """
    ordered: dict[str, WheelFile] = {}
    for wheel in sorted(wheels, key=lambda item: item.name):
        if ordered.setdefault(wheel.name, wheel) != wheel:
            raise UsageError(
                f"Two wheels of {wheel.name} are for {target}",
                why=f"{ordered[wheel.name].filename} and {wheel.filename}",
                hint="a bundle holds one version of a package: take all of them from one lock",
            )
    if own.name in ordered:
        raise UsageError(
            f"{ordered[own.name].filename} has the name of the application, {own.name}",
            why="two distributions of one name cannot be told apart",
            hint="give the application another name, or leave its own wheel out of the dependencies",
        )
    return BundleMember(target=target, wheels=(*ordered.values(), own))
