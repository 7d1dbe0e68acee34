"""Certificates for one registry, where docker and podman look for them: ``certs.d/HOST:PORT/``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import RegistryConfigError
from crossdock.oci.registry.credentials import home_folder
from crossdock.store.connections import HostCertificates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["certificate_folders", "find_certificates"]

_SYSTEM = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


def certificate_folders(environ: Mapping[str, str]) -> list[Path]:
    """List the folders with one folder for each registry, the user's before the system's."""
    home = home_folder(environ)
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    return [
        configuration / "containers" / "certs.d",
        docker / "certs.d",
        configuration / "docker" / "certs.d",
        *_SYSTEM,
    ]


def find_certificates(names: Sequence[str], folders: Sequence[Path]) -> HostCertificates | None:
    """Find the certificates of a host; None if it has none of its own.

    In the first folder that is there, ``*.crt`` are CAs that are trusted for this host, next to the usual ones;
    ``*.cert`` is a client certificate, and the ``.key`` of the same name its key.

    Args:
        names: What the folder may be called: HOST or HOST:PORT.
        folders: Where to look.

    Raises:
        RegistryConfigError: A client certificate is without its key, or a folder cannot be read.
    """
    for folder in (parent / name for parent in folders for name in names):
        try:
            files = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise RegistryConfigError(
                f"cannot read the certificates in {folder}",
                why=error.strerror or str(error),
                hint="make the folder readable, or remove it",
            ) from None
        pairs = []
        for path in files:
            if path.suffix == ".cert":
                if path.with_suffix(".key") not in files:
                    raise RegistryConfigError(
                        f"the client certificate {path} has no key",
                        why=f"{path.with_suffix('.key')} is not there",
                        hint="put its key next to it, or remove the certificate",
                    )
                pairs.append((path, path.with_suffix(".key")))
        authorities = tuple(path for path in files if path.suffix == ".crt")
        if authorities or pairs:
            return HostCertificates(authorities=authorities, pairs=tuple(pairs))
    return None
