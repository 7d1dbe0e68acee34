"""docker, through its own command: so contexts, ``DOCKER_HOST`` and whatever else it is set up with count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.engines.model import Loaded, archive_path, choose_own, tagged
from crossdock.engines.programs import ask, run
from crossdock.errors import EngineLoadError
from crossdock.oci.docker_archive_writer import write_docker_archive
from crossdock.oci.image import platform_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crossdock.oci.image import Image, Root
    from crossdock.oci.reference import Reference

__all__ = ["Docker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """A docker whose daemon answers.

    Attributes:
        program: The command.
        machine: Platform of the daemon's machine, which need not be this one.
        environ: Its environment.
        name: How users call it.
    """

    program: str
    machine: Mapping[str, str]
    environ: Mapping[str, str]
    name: str = "docker"

    @classmethod
    def connect(cls, program: str, environ: Mapping[str, str]) -> Docker:
        """Ask the daemon.

        Raises:
            EngineLoadError: It does not answer; ``what`` says why.
        """
        answer = ask([program, "version", "--format", "{{json .Server}}"], environ)
        try:
            server = json.loads(answer)
            machine = {"os": str(server["Os"]), "architecture": str(server["Arch"])}
        except (ValueError, KeyError, TypeError):
            raise EngineLoadError("does not say which machine its daemon runs on") from None
        return cls(program=program, machine=machine, environ=environ)

    def choose(self, platforms: Sequence[Mapping[str, str]]) -> list[int]:
        """See `Engine.choose`."""
        return choose_own(self.name, self.machine, platforms)

    def load(
        self,
        root: Root,  # noqa: ARG002  docker's store holds images only
        images: Sequence[Image],
        reference: Reference,
        blobs: Mapping[str, bytes | Path],
    ) -> Loaded:
        """See `Engine.load`."""
        reference = tagged(reference)
        platforms = [image.manifest.descriptor.platform or {} for image in images]
        [at] = self.choose(platforms)
        with archive_path() as path:
            write_docker_archive(path, images[at], reference, blobs, option="TMPDIR")
            # By stdin: a docker in a sandbox of its own, as from snap, cannot open files of /tmp.
            with path.open("rb") as archive:
                run([self.program, "load"], self.environ, engine=self.name, given=archive)
        return Loaded(engine=self.name, name=str(reference), platforms=(platform_name(platforms[at]),))
