"""Builders of headers, layers and layouts: small real files, made by hand or by Python's own tarfile and gzip."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR = "application/vnd.oci.image.layer.v1.tar"


class Make:
    """What tests need to make."""

    gzip_type = GZIP
    tar_type = TAR

    @staticmethod
    def elf(
        machine: int = 62, *, bits: int = 64, big: bool = False, os_abi: int = 0, flags: int = 0, kind: int = 3
    ) -> bytes:
        order = ">" if big else "<"
        ident = b"\x7fELF" + bytes([bits // 32, 2 if big else 1, 1, os_abi]) + bytes(8)
        head = ident + struct.pack(order + "HHI", kind, machine, 1)
        if bits == 64:
            return head + struct.pack(order + "QQQIHHHHHH", 0, 0, 0, flags, 64, 0, 0, 0, 0, 0)
        return head + struct.pack(order + "IIIIHHHHHH", 0, 0, 0, flags, 52, 0, 0, 0, 0, 0)

    @staticmethod
    def pe(machine: int = 0x8664, *, offset: int = 128, managed: bool = False) -> bytes:
        dos = (b"MZ" + bytes(58) + struct.pack("<I", offset)).ljust(offset, b"\0")
        directories = [(0, 0)] * 16
        if managed:
            directories[14] = (0x2008, 72)
        optional = struct.pack("<H", 0x20B) + bytes(106) + struct.pack("<I", 16)
        optional += b"".join(struct.pack("<II", *item) for item in directories)
        return dos + b"PE\0\0" + struct.pack("<HHIIIHH", machine, 0, 0, 0, 0, len(optional), 0) + optional

    @staticmethod
    def macho(*slices: tuple[int, int], fat: bool = False) -> bytes:
        """A library of (CPU type, CPU subtype) for each processor, as ``lipo`` puts several of them together."""
        if len(slices) == 1 and not fat:
            ((cpu, subtype),) = slices
            return struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, subtype, 8, 0, 0, 0x85, 0)
        table = b"".join(struct.pack(">IIIII", *item, 0x40 * n, 32, 6) for n, item in enumerate(slices, start=2))
        head = (struct.pack(">II", 0xCAFEBABE, len(slices)) + table).ljust(0x80, b"\0")
        return head + b"".join(Make.macho(item).ljust(0x40, b"\0") for item in slices)

    @staticmethod
    def zip(path: Path, files: dict[str, bytes], *, prefix: bytes = b"", stored: bool = False) -> Path:
        with path.open("wb") as file:
            file.write(prefix)
            method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(file, "w", method) as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
        return path

    @staticmethod
    def tar(files: dict[str, bytes], *, format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=format) as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return out.getvalue()

    @staticmethod
    def block(
        name: bytes, *, type_: bytes = b"0", size: int = 0, link: bytes = b"", magic: bytes = b"ustar\x0000"
    ) -> bytes:
        """One raw header block with a right checksum."""
        block = bytearray(512)
        block[0 : len(name)] = name
        block[124:136] = b"%011o\0" % size
        block[148:156] = b" " * 8
        block[156:157] = type_
        block[157 : 157 + len(link)] = link
        block[257:265] = magic
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block)

    @staticmethod
    def digest(data: bytes) -> str:
        return f"sha256:{hashlib.sha256(data).hexdigest()}"


class LayoutMaker:
    """Writes an OCI image layout, right in all parts unless a test makes one wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = Make.digest(data)
        self.file(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def file(self, digest: str) -> Path:
        return self.path / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def json(self, value: Any, media_type: str) -> dict[str, Any]:
        return self.blob(json.dumps(value).encode(), media_type)

    def layer(self, files: dict[str, bytes]) -> tuple[dict[str, Any], str]:
        raw = Make.tar(files)
        return self.blob(gzip.compress(raw, mtime=0), GZIP), Make.digest(raw)

    def image(
        self, arch: str, *layers: tuple[dict[str, Any], str], entry: str | None = None, **config: Any
    ) -> dict[str, Any]:
        body = {"os": "linux", "architecture": arch, "rootfs": {"type": "layers", "diff_ids": [d for _, d in layers]}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.json({**body, **config}, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor for descriptor, _ in layers],
        }
        descriptor = self.json(manifest, "application/vnd.oci.image.manifest.v1+json")
        return {**descriptor, "platform": {"os": "linux", "architecture": entry or arch}}

    def nested(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        return self.json({"schemaVersion": 2, "manifests": list(manifests)}, "application/vnd.oci.image.index.v1+json")

    def finish(self, *manifests: dict[str, Any]) -> Path:
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(manifests)}))
        return self.path


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make


@pytest.fixture
def layout(tmp_path: Path) -> LayoutMaker:
    return LayoutMaker(tmp_path / "layout")
