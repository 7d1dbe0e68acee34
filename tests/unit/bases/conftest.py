"""Real archives in small: package files, package lists and signed indexes, made when a test runs."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from pysequoia import SignatureMode, Tsk, sign

from crossdock.bases.debian import DebianConfig, LockedPackage
from crossdock.layers.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from crossdock.lockfile.bases import Archive

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
}


def tar(members: Iterable[Entry | tarfile.TarInfo]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member.path)
            info.type, info.mode, info.linkname = _TYPES[member.kind], member.mode, member.linkname
            info.uid, info.gid, info.size = member.uid, member.gid, len(member.content)
            archive.addfile(info, io.BytesIO(member.content))
    return buffer.getvalue()


def ar(members: Iterable[tuple[str, bytes]]) -> bytes:
    data = b"!<arch>\n"
    for name, content in members:
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}".encode() + b"`\n" + content
        data += b"\n" * (len(content) % 2)
    return data


def deb(
    members: Iterable[Entry | tarfile.TarInfo],
    *,
    control: str = "Package: tool\nVersion: 1.0-1\nArchitecture: amd64\n",
    extra: dict[str, str] | None = None,
) -> bytes:
    files = {"control": control, **(extra or {})}
    control_tar = tar([Entry(path=f"./{name}", content=text.encode()) for name, text in files.items()])
    return ar(
        [
            ("debian-binary", b"2.0\n"),
            ("control.tar.xz", lzma.compress(control_tar, preset=0)),
            ("data.tar.xz", lzma.compress(tar(members), preset=0)),
        ]
    )


def locked_package(
    name: str = "tool",
    version: str = "1.0-1",
    *,
    architecture: str = "amd64",
    archive: Archive = "debian",
    filename: str = "",
    size: int = 100,
    sha256: str = "0" * 64,
) -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        architecture=architecture,
        archive=archive,
        filename=filename or f"pool/main/{name[0]}/{name}/{name}_1_{architecture}.deb",
        size=size,
        sha256=sha256,
    )


@dataclass(kw_only=True)
class FakeSuite:
    """One suite of an archive in a folder: add packages, then publish."""

    root: Path
    name: str
    key: Tsk
    valid_until: str = ""
    codename: str = ""
    stanzas: list[str] = field(default_factory=list)

    def add(self, name: str, version: str = "1.0-1", *, members: Iterable[Entry] = (), **fields: str) -> None:
        """Add a package; keyword ``pre_depends`` is field ``Pre-Depends``, and so on."""
        architecture = fields.pop("architecture", "amd64")
        lines = [f"Package: {name}", f"Version: {version}", f"Architecture: {architecture}"]
        lines += [f"{key.replace('_', '-').title()}: {value}" for key, value in fields.items()]
        control = "\n".join(lines) + "\n"
        data = deb(members, control=control)
        path = f"pool/main/{name[0]}/{name}/{name}_{version.replace(':', '')}_{architecture}.deb"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        self.stanzas.append(f"{control}Filename: {path}\nSize: {len(data)}\nSHA256: {sha256}\n")

    def publish(self) -> Path:
        """Write the package list and the signed index; gives the suite's folder."""
        packages = lzma.compress("\n".join(self.stanzas).encode(), preset=0)
        sha256 = hashlib.sha256(packages).hexdigest()
        folder = self.root / "dists" / self.name
        by_hash = folder / "main/binary-amd64/by-hash/SHA256"
        by_hash.mkdir(parents=True, exist_ok=True)
        (by_hash / sha256).write_bytes(packages)
        release = f"Suite: {self.name}\nCodename: {self.codename or self.name}\n"
        release += f"Valid-Until: {self.valid_until}\n" if self.valid_until else ""
        release += "Architectures: amd64\nComponents: main\nAcquire-By-Hash: yes\n"
        release += f"SHA256:\n {sha256} {len(packages)} main/binary-amd64/Packages.xz\n"
        signed = sign(self.key.signer(), release.encode(), mode=SignatureMode.CLEAR)
        (folder / "InRelease").write_bytes(signed)
        return folder


@dataclass(kw_only=True)
class FakeArchive:
    """A mirror in a folder, its key, and the configuration that names both."""

    root: Path
    key: Tsk
    config: DebianConfig

    def suite(self, name: str, **options: str) -> FakeSuite:
        return FakeSuite(root=self.root, name=name, key=self.key, **options)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    for name in ("MIRROR", "SECURITY_MIRROR", "KEYRING"):
        monkeypatch.delenv(f"CROSSDOCK_DEBIAN_{name}", raising=False)
    root = tmp_path / "mirror"
    root.mkdir()
    key = Tsk.generate(user_id="Archive of a test <archive@index.example>")
    keyring = tmp_path / "keyring.pgp"
    keyring.write_bytes(bytes(key.extract_certificate()))
    config = DebianConfig(mirror=root.as_uri(), security_mirror=root.as_uri(), keyring=keyring)
    return FakeArchive(root=root, key=key, config=config)
