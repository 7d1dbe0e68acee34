"""containerd, by ``ctr`` or ``nerdctl``; both go by ``CONTAINERD_ADDRESS`` and ``CONTAINERD_NAMESPACE``."""

from __future__ import annotations

import platform as host
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from crossdock.engines.model import Loaded, archive_path, tagged
from crossdock.engines.programs import ask, run
from crossdock.oci.image import platform_name
from crossdock.oci.layout import write_layout_tar
from crossdock.targets.platform import ARCHITECTURE_ALIASES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crossdock.oci.image import Image, Root
    from crossdock.oci.reference import Reference

__all__ = ["Containerd"]

#: Else ``ctr`` waits ten seconds for a daemon that is not there.
_CONNECT = ("--connect-timeout", "5s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Containerd:
    """A containerd whose daemon answers; it holds the whole index, with all its platforms.

    Attributes:
        program: The command.
        kind: Which command that is.
        environ: Its environment.
        name: How users call it.
    """

    program: str
    kind: Literal["ctr", "nerdctl"]
    environ: Mapping[str, str]
    name: str = "containerd"

    @classmethod
    def connect(cls, program: str, kind: Literal["ctr", "nerdctl"], environ: Mapping[str, str]) -> Containerd:
        """Ask the daemon.

        Raises:
            EngineLoadError: It does not answer; ``what`` says why.
        """
        ask([program, *_CONNECT, "version"] if kind == "ctr" else [program, "info"], environ)
        return cls(program=program, kind=kind, environ=environ)

    def choose(self, platforms: Sequence[Mapping[str, str]]) -> list[int]:
        """See `Engine.choose`: all of them."""
        return list(range(len(platforms)))

    def load(
        self, root: Root, images: Sequence[Image], reference: Reference, blobs: Mapping[str, bytes | Path]
    ) -> Loaded:
        """See `Engine.load`."""
        reference = tagged(reference)
        # containerd completes no names: they are kept as its clients spell them, with the registry always.
        name = f"{reference.registry}/{reference.repository}:{reference.tag}"
        platforms = [image.manifest.descriptor.platform or {} for image in images]
        named = replace(
            root.blob.descriptor,
            annotations={"io.containerd.image.name": name, "org.opencontainers.image.ref.name": reference.tag},
        )
        parts = [blob.descriptor for blob in (root.blob, *root.manifests)]
        for image in images:
            parts += [image.config.descriptor, *(layer.descriptor for layer in image.layers)]
        with archive_path() as path:
            write_layout_tar(path, named, {part.digest: blobs[part.digest] for part in parts}, option="TMPDIR")
            run(self.command(path, platforms), self.environ, engine=self.name)
        return Loaded(engine=self.name, name=name, platforms=tuple(platform_name(item) for item in platforms))

    def command(self, path: Path, platforms: Sequence[Mapping[str, str]]) -> list[str]:
        """Give the command that loads a layout; one for other machines only is kept without being unpacked."""
        if self.kind == "nerdctl":
            return [self.program, "load", "--all-platforms", "--input", str(path)]
        # Its daemon is always on this machine. It takes arm64/v8 for its own there, but not amd64/v3.
        own = ARCHITECTURE_ALIASES.get(host.machine().lower())
        fitting = [item for item in platforms if item["architecture"] == own]
        unpacked = any(own != "amd64" or not item.get("variant") for item in fitting)
        unpack = [] if unpacked else ["--no-unpack"]
        return [self.program, *_CONNECT, "images", "import", "--all-platforms", *unpack, str(path)]
