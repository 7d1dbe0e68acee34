"""What was seen in a layer, or in a part of a bundle: all that the rules of the proof may ask of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from crossdock.headers.binary import Binary
from crossdock.headers.linking import Linking
from crossdock.verify.version import FACTS_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Contents", "FileSeen", "Kind", "binary_from_json", "merged"]

Kind = Literal["file", "hardlink", "symlink", "directory", "other"]


class FileSeen(NamedTuple):
    """One entry of an archive or folder.

    Attributes:
        path: Relative to the root, without a leading or trailing slash, ``.`` or ``..``.
        kind: What it is; ``other`` are devices and pipes.
        size: Bytes of a file's content.
        mode: Permission bits, set-id bits included; -1 where there are none.
        sha256: Of a file's content, in hex; empty for all else.
        link: Where a symbolic link leads, as it is written there; the other path of a hard link.
    """

    path: str
    kind: Kind
    size: int = 0
    mode: int = -1
    sha256: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What was seen.

    Attributes:
        files: How many files were looked at.
        entries: Everything, in the archive's order; of a path that is there twice, both.
        binaries: The programs among the files, by path, in the order they were seen.
        texts: What small files say that describe an artifact, by path: see `crossdock.verify.looking.is_kept`.
        shebangs: The first lines of scripts that name an interpreter, by path, without ``#!``.
        secrets: Files that hold what looks like a secret, and what it looks like.
        unread: Files that should be among the texts, and are too large to be.
        whole: Whether this is all that was seen; False where only a summary of it is left, without entries and texts.
    """

    files: int
    entries: tuple[FileSeen, ...] = ()
    binaries: tuple[tuple[str, Binary], ...] = ()
    texts: dict[str, str] = field(default_factory=dict)
    shebangs: dict[str, str] = field(default_factory=dict)
    secrets: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()
    whole: bool = True

    @property
    def whiteouts(self) -> tuple[str, ...]:
        """The paths of whiteout files, which hide what layers below have (OCI image specification, "Whiteouts")."""
        return tuple(seen.path for seen in self.entries if seen.path.rpartition("/")[2].startswith(".wh."))

    def below(self, folder: str) -> Contents:
        """Give contents as they are when all of them lie in a folder."""
        return replace(
            self,
            entries=tuple(
                seen._replace(
                    path=f"{folder}/{seen.path}",
                    link=f"{folder}/{seen.link}" if seen.kind == "hardlink" else seen.link,
                )
                for seen in self.entries
            ),
            binaries=tuple((f"{folder}/{path}", binary) for path, binary in self.binaries),
            texts={f"{folder}/{path}": text for path, text in self.texts.items()},
            shebangs={f"{folder}/{path}": line for path, line in self.shebangs.items()},
            secrets=tuple((f"{folder}/{path}", name) for path, name in self.secrets),
            unread=tuple(f"{folder}/{path}" for path in self.unread),
        )

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes; `from_json` reads them."""
        return {
            "version": FACTS_VERSION,
            "files": self.files,
            "entries": [list(seen) for seen in self.entries],
            "binaries": [[path, asdict(binary)] for path, binary in self.binaries],
            "texts": self.texts,
            "shebangs": self.shebangs,
            "secrets": [list(pair) for pair in self.secrets],
            "unread": list(self.unread),
            "whole": self.whole,
        }

    @classmethod
    def from_json(cls, data: Any) -> Contents:  # noqa: ANN401
        """Make contents of what `to_json` returned.

        Raises:
            ValueError: It is not that, or of another version of crossdock.
        """
        try:
            if data["version"] != FACTS_VERSION:
                raise ValueError("contents of another version")
            return cls(
                files=int(data["files"]),
                entries=tuple(FileSeen(*seen) for seen in data["entries"]),
                binaries=tuple((str(path), binary_from_json(binary)) for path, binary in data["binaries"]),
                texts=dict(data["texts"]),
                shebangs=dict(data["shebangs"]),
                secrets=tuple((str(path), str(name)) for path, name in data["secrets"]),
                unread=tuple(map(str, data["unread"])),
                whole=bool(data["whole"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no contents: {error}") from None


def binary_from_json(data: dict[str, Any]) -> Binary:
    """Make a binary of what ``dataclasses.asdict`` returned and JSON has made lists of.

    Raises:
        TypeError: It is not that.
    """
    linking = tuple(Linking(**{key: _tuples(value) for key, value in item.items()}) for item in data.get("linking", ()))
    return Binary(**{**data, "machines": tuple(data.get("machines", ())), "linking": linking})


def _tuples(value: Any) -> Any:  # noqa: ANN401
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def merged(parts: Iterable[Contents]) -> Contents:
    """Put what was seen in parts side by side."""
    listed = list(parts)
    return Contents(
        files=sum(part.files for part in listed),
        entries=tuple(seen for part in listed for seen in part.entries),
        binaries=tuple({path: binary for part in listed for path, binary in part.binaries}.items()),
        texts={path: text for part in listed for path, text in part.texts.items()},
        shebangs={path: line for part in listed for path, line in part.shebangs.items()},
        secrets=tuple(pair for part in listed for pair in part.secrets),
        unread=tuple(path for part in listed for path in part.unread),
        whole=all(part.whole for part in listed),
    )
