"""What is in a bundle, as far as the proof needs to know."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crossdock.verify.binary import HEAD_SIZE, Binary, from_pe, identify
from crossdock.verify.owners import distribution_of, owned_paths
from crossdock.verify.pe import DOS_MAGIC, PE_HEADER_SIZE, PE_SIGNATURE, pe_offset, read_pe

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FIRST_BYTES", "LARGEST_RECORD", "Contents", "ContentsReader", "merged"]

_FORMAT_VERSION: Final = 2
#: How much of a file's beginning is worth giving to `ContentsReader.see`: a PE header may be behind a large stub.
FIRST_BYTES: Final = 64 << 10
#: Bytes of all RECORD files together that are kept: they only name packages in messages.
LARGEST_RECORD: Final = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a part of a bundle.

    Attributes:
        files: How many files were looked at.
        binaries: The programs among them, by path, in the order they were seen.
        owners: For a path in ``binaries``, the distribution whose RECORD lists it: ``numpy 2.1.0``.
    """

    files: int
    binaries: tuple[tuple[str, Binary], ...] = ()
    owners: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes; `from_json` reads them."""
        return {"version": _FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Any) -> Contents:  # noqa: ANN401
        """Make contents of what `to_json` returned.

        Raises:
            ValueError: It is not that, or of another version of crossdock.
        """
        try:
            if data["version"] != _FORMAT_VERSION:
                raise ValueError("contents of another version")
            binaries = tuple(
                (str(path), Binary(**{**binary, "machines": tuple(binary["machines"])}))
                for path, binary in data["binaries"]
            )
            return cls(files=int(data["files"]), binaries=binaries, owners=dict(data["owners"]))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no contents: {error}") from None


def merged(parts: Iterable[Contents]) -> Contents:
    """Put what was seen in parts together; of one path in two parts, the last counts."""
    files = 0
    binaries: dict[str, Binary] = {}
    owners: dict[str, str] = {}
    for part in parts:
        files += part.files
        binaries |= dict(part.binaries)
        owners |= part.owners
    return Contents(files=files, binaries=tuple(binaries.items()), owners=owners)


class ContentsReader:
    """Looks at files one by one."""

    def __init__(self) -> None:
        self._files = 0
        self._binaries: dict[str, Binary] = {}
        self._records: dict[str, bytes] = {}
        self._record_bytes = 0

    def see(self, path: str, first: bytes | bytearray, size: int) -> None:
        """Look at a file.

        Args:
            path: Where it is.
            first: Its first `FIRST_BYTES`, or more, or all of it if it is shorter. Of a RECORD: all of it.
            size: Its bytes.
        """
        self._files += 1
        binary = _identify(bytes(first[:FIRST_BYTES]), size)
        if binary is not None:
            self._binaries[path] = binary
        elif len(first) == size and distribution_of(path) and self._record_bytes + size <= LARGEST_RECORD:
            self._records[path] = bytes(first)
            self._record_bytes += size

    def contents(self) -> Contents:
        """Give what was seen."""
        owners: dict[str, str] = {}
        if self._binaries:
            for path, record in self._records.items():
                name = distribution_of(path) or ""
                owners.update(dict.fromkeys(owned_paths(path, record, self._binaries), name))
        return Contents(files=self._files, binaries=tuple(self._binaries.items()), owners=owners)


def _identify(first: bytes, size: int) -> Binary | None:
    binary = identify(first[:HEAD_SIZE])
    if binary is None or not first.startswith(DOS_MAGIC) or not binary.undecided:
        return binary
    offset = pe_offset(first[:HEAD_SIZE]) or 0
    if offset + len(PE_SIGNATURE) > size:
        return None  # a program for MS-DOS, or no program: what would be the offset is something else
    if offset + PE_HEADER_SIZE > len(first) < size:
        return binary
    header = read_pe(first[offset : offset + PE_HEADER_SIZE])
    return from_pe(header) if header else None
