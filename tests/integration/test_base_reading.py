"""Real bases, read from their layers: Debian's, with glibc and with musl, for both architectures."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.e2e.engines import require, run_tool
from tests.support.baselayers import GZIP, TAR, blob, layer, program

from crossdock.bases.debian import DebianConfig, debian_entries, debian_requests, facts, lock_debian
from crossdock.bases.reading import read_base
from crossdock.errors import BaseMismatchError
from crossdock.layers.entry import file
from crossdock.layers.writer import write_tree
from crossdock.store import Store, fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.bases.rootview import Layer

pytestmark = pytest.mark.network

ARCHITECTURES = ["amd64", "arm64"]
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
LIBC = {"bookworm": (2, 36), "trixie": (2, 41)}


@pytest.fixture(scope="session")
def debian_tar(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Roots that mmdebstrap makes, as archives; each is made once."""
    require("mmdebstrap")
    folder = tmp_path_factory.mktemp("roots")

    def make(suite: str, architecture: str, *packages: str) -> Path:
        path = folder / f"{suite}-{architecture}-{'-'.join(packages)}.tar"
        if not path.exists():
            options = [f"--arch={architecture}", "--variant=extract", f"--include={','.join(packages)}"]
            run_tool(["mmdebstrap", "--quiet", *options, suite, path])
        return path

    return make


def layer_of(path: Path) -> Layer:
    return TAR, lambda: path.open("rb")


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_base_of_our_own_reads_as_its_packages_say(suite: str, architecture: str, shared_cache: Path) -> None:
    store, config = Store(shared_cache), DebianConfig()
    locked = lock_debian(suite, architecture, packages=(), config=config, store=store)
    fetch(store, debian_requests(locked, config))
    out = io.BytesIO()

    class Sink:
        def write(self, data: bytes | bytearray) -> object:
            return out.write(data)

    write_tree(debian_entries(locked, store), Sink(), encode=True)
    reading = read_base({"architecture": architecture}, [blob(out.getvalue(), GZIP)], architecture=architecture)
    assert replace(reading.facts, os_release={}) == facts(locked)
    assert reading.facts.os_release["VERSION_CODENAME"] == suite
    assert reading.sources["libc"] == f"/usr/lib/{TRIPLETS[architecture]}/libc.so.6 (layer 1)"
    assert reading.notes == ()


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_debian_root_of_another_tool_is_read(
    debian_tar: Callable[..., Path], suite: str, architecture: str, shared_cache: Path
) -> None:
    path = debian_tar(suite, architecture, "python3-minimal", "base-files", "dash")
    reading = read_base({}, [layer_of(path)], architecture=architecture)
    # By the versions of the packages, which are the same ones.
    expected = facts(lock_debian(suite, architecture, packages=(), config=DebianConfig(), store=Store(shared_cache)))
    assert replace(reading.facts, os_release={}, home="") == replace(expected, home="")
    assert reading.facts.libc_version == LIBC[suite]
    assert reading.facts.os_release["VERSION_CODENAME"] == suite
    with pytest.raises(BaseMismatchError, match="holds programs for"):
        read_base({}, [layer_of(path)], architecture=next(one for one in ARCHITECTURES if one != architecture))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_real_musl_is_told_from_glibc(debian_tar: Callable[..., Path], architecture: str) -> None:
    path = debian_tar("bookworm", architecture, "python3-minimal", "base-files", "dash", "musl")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
    assert read_base({}, [layer_of(path)], architecture=architecture).facts.libc == "glibc"
    loader = f"/lib/ld-musl-{machine}.so.1"
    needy = program("usr/local/bin/python3.12", architecture, interpreter=loader, content=b"\x003.12.7\0")
    gone = layer(file("usr/bin/.wh.python3", b""), file("usr/bin/.wh.python3.11", b""), needy)
    musl = read_base({}, [layer_of(path), gone], architecture=architecture)
    assert (musl.facts.libc, musl.facts.libc_version) == ("musl", (1, 2))
    assert musl.facts.python_path == "/usr/local/bin/python3.12"
    assert f"/lib/{machine}-linux-musl/libc.so (layer 1)" in musl.sources["libc"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_root_of_musl_alone_has_musl(debian_tar: Callable[..., Path], architecture: str) -> None:
    path = debian_tar("bookworm", architecture, "python3-minimal", "base-files", "dash", "musl")
    out = io.BytesIO()
    with tarfile.open(path) as archive, tarfile.open(fileobj=out, mode="w") as picked:
        for info in archive:
            if "musl" in info.name and "doc" not in info.name:
                picked.addfile(info, archive.extractfile(info) if info.isreg() else None)
    reading = read_base({}, [blob(gzip.compress(out.getvalue()), GZIP)], architecture=architecture)
    assert (reading.facts.libc, reading.facts.libc_version) == ("musl", (1, 2))
    assert reading.facts.python_path == ""
