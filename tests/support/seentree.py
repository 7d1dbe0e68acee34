"""Trees for tests of the proof's rules: written by hand, or read from a folder."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.wheelmaker import wheel_files

from crossdock.targets import Target, parse_platform, parse_python
from crossdock.verify.claim import Case, Claim
from crossdock.verify.looking import ContentsReader
from crossdock.verify.platforms import Platform
from crossdock.verify.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from crossdock.verify.contents import Contents
    from crossdock.verify.finding import Finding

__all__ = ["SITE", "VENV", "Link", "Moded", "contents", "dist", "found", "make_case", "read_folder", "target"]

VENV = "app/.venv"
SITE = f"{VENV}/lib/python3.12/site-packages"


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    to: str


@dataclass(frozen=True)
class Moded:
    """A file with permissions."""

    content: bytes
    mode: int


def contents(files: Mapping[str, Any]) -> Contents:
    """Look at files as at those of a layer."""
    reader = ContentsReader()
    for path, value in files.items():
        if isinstance(value, Link):
            reader.other(path, "symlink", link=value.to)
        elif isinstance(value, Moded):
            reader.see(path, value.content, mode=value.mode)
        elif path.endswith("/"):
            reader.other(path.rstrip("/"), "directory")
        else:
            reader.see(path, value.encode() if isinstance(value, str) else value, mode=0o644)
    return reader.contents()


def read_folder(root: Path, prefix: str = "") -> Contents:
    """Look at all files of a folder."""
    reader = ContentsReader()
    for path in sorted(root.rglob("*")):
        relative = prefix + path.relative_to(root).as_posix()
        state = path.lstat()
        mode = stat.S_IMODE(state.st_mode)
        if stat.S_ISLNK(state.st_mode):
            reader.other(relative, "symlink", mode=mode, link=str(path.readlink()))
        elif stat.S_ISDIR(state.st_mode):
            reader.other(relative, "directory", mode=mode)
        else:
            reader.see(relative, path.read_bytes(), mode=mode)
    return reader.contents()


def dist(
    name: str,
    version: str = "1.0",
    files: Mapping[str, str | bytes] | None = None,
    *,
    site: str = SITE,
    requires: Iterable[str] = (),
    tag: str = "py3-none-any",
) -> dict[str, Any]:
    """Give the files of an installed distribution, as its wheel has them."""
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}\nText\n"
    own = {f"{name}/__init__.py": f"# {name}\n"} if files is None else files
    made = wheel_files(name, version, {**own, f"{name}-{version}.dist-info/METADATA": metadata}, tag=tag)
    return {f"{site}/{path}".lstrip("/"): content for path, content in made.items()}


def target(platform: str = "linux/amd64", python: str = "3.12") -> Target:
    """Give a target by its spelling."""
    return Target(parse_platform(platform), parse_python(python))


def make_case(*layers: Mapping[str, Any] | Contents, os_: str = "linux", **claim: Any) -> Case:
    """Give a case of layers, as an image for linux/amd64 unless it is said otherwise."""
    parts = [contents(layer) if isinstance(layer, dict) else layer for layer in layers]
    claim = {"subject": "image", **claim}
    return Case(Tree(parts), Claim(platform=Platform(os=os_, architecture="amd64"), **claim))  # type: ignore[arg-type]


def found(rule: Callable[[Case], Iterator[Finding]], case: Case) -> list[tuple[str, str, str]]:
    """Give code, severity and path of all that a rule finds."""
    return [(finding.code, finding.severity, finding.path) for finding in rule(case)]
