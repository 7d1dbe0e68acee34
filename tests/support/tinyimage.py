"""Images of one program each, made here from a few machine instructions: small, and they really run."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

from crossdock.oci.image import Image, Layer, Root, RunConfig, assemble, make_image
from crossdock.oci.model import LAYER_GZIP, LAYER_ZSTD
from crossdock.oci.profile import OCI

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.oci.profile import Profile

__all__ = ["TinyImage", "tiny_image"]

_RUN = RunConfig(
    entrypoint=("/hello",),
    env={"A": "b"},
    labels={},
    ports=(),
    user="65532:65532",
    working_dir="/",
    stop_signal="SIGINT",
)


@dataclass(frozen=True, slots=True)
class TinyImage:
    """An image for one or more platforms, held in memory."""

    root: Root
    images: tuple[Image, ...]
    blobs: dict[str, bytes | Path]


def tiny_image(
    architectures: Sequence[str],
    *,
    profile: Profile = OCI,
    media_type: str = LAYER_GZIP,
    text: str = "hello from",
    machine: str = "",
) -> TinyImage:
    """Make an image whose program says the text and the architecture it was built for, and ends.

    Args:
        architectures: Of its platforms.
        profile: Its form.
        media_type: Of its layers.
        text: What the program says first.
        machine: What the program is really built for, if that is to be wrong.
    """
    images, blobs = [], dict[str, "bytes | Path"]()
    for architecture in architectures:
        layer, blob = _layer(machine or architecture, f"{text} {architecture}\n", media_type)
        annotations = {"org.opencontainers.image.title": "tiny"}
        platform = {"os": "linux", "architecture": architecture}
        image = make_image(platform, [layer], _RUN, epoch=0, annotations=annotations, profile=profile)
        images.append(image)
        blobs |= {layer.descriptor.digest: blob}
        blobs |= {part.descriptor.digest: part.data for part in (image.manifest, image.config)}
    root = assemble(images, {"org.opencontainers.image.title": "tiny"}, profile)
    return TinyImage(root, tuple(images), {**blobs, root.blob.descriptor.digest: root.blob.data})


def _layer(architecture: str, text: str, media_type: str) -> tuple[Layer, bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        program = _elf(architecture, text.encode())
        info = tarfile.TarInfo("hello")
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program))
    raw = out.getvalue()
    blob = zstandard.compress(raw) if media_type == LAYER_ZSTD else gzip.compress(raw, mtime=0)
    layer = Layer(
        digest=hashlib.sha256(blob).hexdigest(),
        size=len(blob),
        diff_id=hashlib.sha256(raw).hexdigest(),
        created_by="tiny",
        annotations={"dev.crossdock.layer": "project"},
        media_type=media_type,
    )
    return layer, blob


def _elf(architecture: str, text: bytes) -> bytes:
    """An executable of one segment: write(1, text), exit(0)."""
    if architecture == "amd64":
        machine = 62
        code = b"\xb8\x01\0\0\0\xbf\x01\0\0\0"  # mov eax, 1; mov edi, 1
        code += b"\x48\x8d\x35" + struct.pack("<i", 16)  # lea rsi, [rip + 16]
        code += b"\xba" + struct.pack("<I", len(text)) + b"\x0f\x05"  # mov edx, size; syscall
        code += b"\xb8\x3c\0\0\0\x31\xff\x0f\x05"  # mov eax, 60; xor edi, edi; syscall
    else:
        machine = 183
        # mov x0, 1; adr x1, text; mov x2, size; mov x8, 64; svc 0; mov x0, 0; mov x8, 93; svc 0
        adr, size = 0x10000001 | (28 // 4) << 5, 0xD2800002 | len(text) << 5
        words = [0xD2800020, adr, size, 0xD2800808, 0xD4000001, 0xD2800000, 0xD2800BA8, 0xD4000001]
        code = struct.pack("<8I", *words)
    start, base = 64 + 56, 0x400000
    size = start + len(code) + len(text)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + start, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return header + segment + code + text
