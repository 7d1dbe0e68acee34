"""A certificate authority of a test's own, made with the openssl program."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Authority", "make_authority"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA and one server certificate that it signed, for 127.0.0.1 and localhost.

    Attributes:
        ca: The CA's certificate: what a client is to be told of.
        certificate: The server's certificate.
        key: The server's key.
    """

    ca: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Make the TLS context of a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_authority(folder: Path) -> Authority:
    """Make a CA and a server certificate in a folder; both are good for two days."""
    made = Authority(ca=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server-key.pem")
    new = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _request(folder, *new, *usage, "-subj", "/CN=Test CA", "-keyout", "ca-key.pem", "-out", made.ca.name)
    signer = ("-CA", made.ca.name, "-CAkey", "ca-key.pem")
    names = ("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-addext", "basicConstraints=critical,CA:false")
    subject = ("-subj", "/CN=127.0.0.1", "-keyout", made.key.name, "-out", made.certificate.name)
    _request(folder, *new, *signer, *names, *subject)
    return made


def _request(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", "req", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl cannot make a certificate:\n{done.stderr}")
