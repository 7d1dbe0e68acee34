"""Makes real wheels for tests: what a build backend would make of some files, the same bytes every time."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ["make_wheel", "record_hash", "wheel_files"]


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    *,
    tag: str = "py3-none-any",
    entry_points: Mapping[str, str] | None = None,
    executables: Collection[str] = (),
    stored: Collection[str] = (),
    level: int = 6,
    reverse: bool = False,
) -> Path:
    """Write a wheel.

    Args:
        folder: Where it is written.
        name: Distribution name, as the file name has it.
        version: Its version.
        files: Contents by path in the archive, ``NAME-VERSION.data/…`` included. A file of the ``.dist-info`` folder
            given here replaces the generated one.
        tag: The wheel's tag; Root-Is-Purelib is true for ``none-any``.
        entry_points: Console scripts, ``{"tool": "package.module:function"}``.
        executables: Paths of ``files`` that get the executable bits.
        stored: Paths of ``files`` that are stored, not deflated.
        level: zlib's level for the others.
        reverse: Write the members in the opposite order.
    """
    contents = wheel_files(name, version, files, tag=tag, entry_points=entry_points)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", compresslevel=level) as archive:
        for member in reversed(contents) if reverse else contents:
            info = zipfile.ZipInfo(member)
            info.create_system = 3
            info.external_attr = (0o100755 if member in executables else 0o100644) << 16
            info.compress_type = zipfile.ZIP_STORED if member in stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, contents[member], compresslevel=level)
    return path


def wheel_files(
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    *,
    tag: str = "py3-none-any",
    entry_points: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Give all files of a wheel with their contents, metadata included, RECORD last."""
    info = f"{name}-{version}.dist-info"
    pure = "true" if tag.endswith("none-any") else "false"
    contents = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode(),
    }
    if entry_points:
        lines = "".join(f"{script} = {target}\n" for script, target in entry_points.items())
        contents[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    contents |= {path: value.encode() if isinstance(value, str) else value for path, value in files.items()}
    record = contents.pop(f"{info}/RECORD", None)
    contents[f"{info}/RECORD"] = _record(contents, f"{info}/RECORD") if record is None else record
    return contents


def record_hash(content: bytes) -> str:
    """Give a content's hash as RECORD has it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _record(contents: Mapping[str, bytes], own_path: str) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerows((path, record_hash(content), len(content)) for path, content in contents.items())
    rows.writerow((own_path, "", ""))
    return out.getvalue().encode()
