"""podman, on this machine or on the one its command is set up for."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossdock.engines.model import Loaded, archive_path, choose_own, tagged
from crossdock.engines.programs import ask, run
from crossdock.errors import EngineLoadError
from crossdock.oci.image import platform_name
from crossdock.oci.layout import write_layout_tar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crossdock.oci.image import Image, Root
    from crossdock.oci.reference import Reference

__all__ = ["Podman"]

_LOADED = "Loaded image: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    """A podman that answers.

    It is given an OCI archive of one image, so that the image keeps the digest that it has in a registry.

    Attributes:
        program: The command.
        machine: Platform of its machine, which need not be this one.
        environ: Its environment.
        name: How users call it.
    """

    program: str
    machine: Mapping[str, str]
    environ: Mapping[str, str]
    name: str = "podman"

    @classmethod
    def connect(cls, program: str, environ: Mapping[str, str]) -> Podman:
        """Ask podman about its machine.

        Raises:
            EngineLoadError: It does not work; ``what`` says why.
        """
        answer = ask([program, "info", "--format", "json"], environ)
        try:
            host = json.loads(answer)["host"]
            machine = {"os": str(host["os"]), "architecture": str(host["arch"])}
        except (ValueError, KeyError, TypeError):
            raise EngineLoadError("does not say which machine it runs on") from None
        return cls(program=program, machine=machine, environ=environ)

    def choose(self, platforms: Sequence[Mapping[str, str]]) -> list[int]:
        """See `Engine.choose`."""
        return choose_own(self.name, self.machine, platforms)

    def load(
        self,
        root: Root,  # noqa: ARG002  podman's store holds images only
        images: Sequence[Image],
        reference: Reference,
        blobs: Mapping[str, bytes | Path],
    ) -> Loaded:
        """See `Engine.load`."""
        reference = tagged(reference)
        platforms = [image.manifest.descriptor.platform or {} for image in images]
        [at] = self.choose(platforms)
        image = images[at]
        named = replace(
            image.manifest.descriptor, annotations={"org.opencontainers.image.ref.name": str(reference)}, platform=None
        )
        parts = [image.manifest.descriptor, image.config.descriptor, *(layer.descriptor for layer in image.layers)]
        with archive_path() as path:
            write_layout_tar(path, named, {part.digest: blobs[part.digest] for part in parts}, option="TMPDIR")
            said = run([self.program, "load", "--input", str(path)], self.environ, engine=self.name)
        names = [line.removeprefix(_LOADED).strip() for line in said.splitlines() if line.startswith(_LOADED)]
        return Loaded(
            engine=self.name, name=names[0] if names else str(reference), platforms=(platform_name(platforms[at]),)
        )
