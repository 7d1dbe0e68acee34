"""Taking an image out of an engine's own storage, as an archive."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final, Literal

from crossdock.engines.programs import find_program
from crossdock.errors import EngineLoadError
from crossdock.store.urls import scrub
from crossdock.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["save_image"]

#: Names, tags and digests of images, and the beginnings of their ids.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,511}")
_SAVE: Final[Mapping[str, tuple[str, ...]]] = {
    "docker": ("save",),
    # Podman's own form of the archive would compress nothing and keep no manifest.
    "podman": ("save", "--quiet", "--format", "oci-archive"),
}
_LONGEST: Final = 500


def save_image(engine: Literal["docker", "podman"], name: str, path: Path, environ: Mapping[str, str]) -> None:
    """Write an image that an engine holds to a file: that of the engine's own platform, if it holds several.

    Args:
        engine: Whose storage.
        name: The image, as the engine knows it.
        path: A file that is not there yet.
        environ: Where the engine's command and its settings are looked up.

    Raises:
        EngineLoadError: The engine is not there, has no such image, or fails.
    """
    if _NAME.fullmatch(name) is None:
        raise EngineLoadError(f"{printable(name[:80])!r} is not the name of an image")
    program = find_program(engine, environ)
    if program is None:
        raise EngineLoadError(f"{engine} is not installed", hint="name a layout, an archive or a registry instead")
    try:
        # By stdout: a docker in a sandbox of its own, as from snap, cannot write files of /tmp.
        with path.open("xb") as out:
            done = subprocess.run(
                [program, *_SAVE[engine], name],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=environ,
                check=False,
            )
    except OSError as error:
        raise EngineLoadError(f"{engine} cannot give the image", why=error.strerror or str(error)) from None
    if done.returncode != 0:
        said = "; ".join(line.strip() for line in done.stderr.decode(errors="replace").splitlines()[-4:])
        raise EngineLoadError(
            f"{engine} does not give the image {name}",
            why=printable(scrub(said))[-_LONGEST:] or f"it ended with exit code {done.returncode}",
            hint=f"`{engine} images` lists those it has; TMPDIR names the folder for the archive",
        )
