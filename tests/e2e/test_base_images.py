"""One base image, made by umoci of this machine's own Python and C library, and handed about by skopeo and podman.

Wherever it is read from, crossdock locks the same layers and reads the same facts in them.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.registries import running_registry

from crossdock.bases.image_layers import image_base_recipes
from crossdock.bases.image_lock import lock_image_base
from crossdock.bases.sources import open_source
from crossdock.bases.spec import parse_base
from crossdock.errors import MissingPlatformError, RegistryNotFoundError
from crossdock.oci.registry import Registries
from crossdock.store import Store
from crossdock.targets import parse_platform

if TYPE_CHECKING:
    from tests.e2e.engines import Podman, Registry, Skopeo, Umoci

    from crossdock.bases.spec import BaseSpec
    from crossdock.lockfile.images import LockedImageBase
    from crossdock.oci.content import ImageSource

pytestmark = pytest.mark.engine

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of images, and a store of its own for each question."""

    folder: Path

    def opened(self, spec: BaseSpec) -> ImageSource:
        return open_source(spec, self.folder, Registries(environ={}).repository)

    def lock(self, base: str, *, store: str, target: str = f"linux/{ARCHITECTURE}") -> LockedImageBase:
        spec = parse_base(base)
        return lock_image_base(spec, self.opened(spec), parse_platform(target), self.store(store))

    def store(self, name: str) -> Store:
        return Store(self.folder / f"store-{name}")

    def diff_ids(self, locked: LockedImageBase, *, store: str) -> list[str]:
        """Make every layer as a build does."""
        kept = self.store(store)
        return [f"sha256:{item.make(kept).diff_id}" for item in image_base_recipes(locked, self.opened, kept)]


def copy_into(root: Path, file: Path, path: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.resolve(), place)
    place.chmod(0o755)


def loaded(name: str) -> Path:
    """Find a library that this very process has loaded."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.partition("/")[1:] and "/" + line.partition("/")[2]
        if Path(path).name.startswith(name):
            return Path(path)
    pytest.skip(f"this Python has no {name}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, umoci: Umoci) -> Place:
    """Where the layout ``base`` is, with one image tagged 1.0."""
    folder = tmp_path_factory.mktemp("bases")
    system, python = folder / "system", folder / "python"
    for library in (loaded("libc.so.6"), loaded("ld-linux")):
        copy_into(system, library, f"/usr/lib/{library.name}")
    for name in ("lib", "lib64"):
        (system / name).symlink_to("usr/lib")
    (system / "usr/lib64").symlink_to("lib")
    (system / "etc").mkdir()
    (system / "etc/os-release").write_text("ID=example\nVERSION_ID=1\n")
    base = Path(sys.base_prefix)
    copy_into(python, base / "bin" / PYTHON, f"/usr/local/bin/{PYTHON}")
    for library in base.glob(f"lib/lib{PYTHON}*.so.*"):
        copy_into(python, library, f"/usr/local/lib/{library.name}")
    copy_into(python, base / "include" / PYTHON / "patchlevel.h", f"/usr/local/include/{PYTHON}/patchlevel.h")
    (python / "usr/local/lib" / PYTHON).mkdir(parents=True)
    (python / "usr/local/bin/python3").symlink_to(PYTHON)

    layout = folder / "base"
    umoci.call("init", "--layout", layout)
    umoci.call("new", "--image", f"{layout}:1.0")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    for part in (system, python):
        umoci.call("insert", *rootless, "--image", f"{layout}:1.0", part, "/")
    settings = ("--architecture", ARCHITECTURE, "--os", "linux", "--config.env", "LANG=C.UTF-8")
    umoci.call("config", "--image", f"{layout}:1.0", *settings, "--config.user", "1000:1000")
    return Place(folder)


@pytest.fixture(scope="module")
def locked(place: Place) -> LockedImageBase:
    return place.lock("oci:base:1.0", store="layout")


def test_the_facts_are_those_of_the_python_that_was_put_in(locked: LockedImageBase) -> None:
    facts = locked.facts
    assert facts.python_version == platform.python_version()
    assert facts.python_path == f"/usr/local/bin/{PYTHON}"
    assert f"{facts.libc} {facts.libc_version[0]}.{facts.libc_version[1]}" == os.confstr("CS_GNU_LIBC_VERSION")
    assert (facts.env["LANG"], facts.user, facts.os_release["ID"]) == ("C.UTF-8", "1000:1000", "example")


def test_layouts_as_skopeo_copies_them(place: Place, skopeo: Skopeo, locked: LockedImageBase) -> None:
    skopeo.copy_all(f"oci:{place.folder}/base:1.0", f"oci-archive:{place.folder}/archive.tar:new")
    for name in ("oci:archive.tar", "oci:archive.tar:new", f"oci:archive.tar@{locked.digest}"):
        found = place.lock(name, store="archive")
        assert (found.digest, found.layers, found.facts) == (locked.digest, locked.layers, locked.facts)
    assert place.diff_ids(locked, store="layout") == [item.diff_id for item in locked.layers]


def test_docker_archives_as_skopeo_and_podman_write_them(
    place: Place, skopeo: Skopeo, podman: Podman, locked: LockedImageBase
) -> None:
    skopeo.convert(f"oci:{place.folder}/base:1.0", f"docker-archive:{place.folder}/one.tar:team/base:1.0", form="v2s2")
    podman.call("load", "--input", f"{place.folder}/one.tar")
    image = "docker.io/team/base:1.0"
    podman.call("tag", image, "localhost/other:2.0")
    podman.call("save", "--format", "docker-archive", "--output", f"{place.folder}/two.tar", image)
    podman.call("save", "--format", "oci-archive", "--output", f"{place.folder}/three.tar", image)
    save = ("save", "--format", "docker-archive", "--multi-image-archive", "--output", f"{place.folder}/four.tar")
    podman.call(*save, image, "localhost/other:2.0")

    names = (
        "docker-archive:one.tar",
        "docker-archive:one.tar:team/base:1.0",
        "docker-archive:two.tar",
        "oci:three.tar",
        "docker-archive:four.tar:other:2.0",
        "docker-archive:four.tar:1.0",
    )
    for number, name in enumerate(names):
        found = place.lock(name, store=f"docker-{number}")
        assert found.facts == locked.facts, name
        assert [item.diff_id for item in found.layers] == [item.diff_id for item in locked.layers], name
        assert place.diff_ids(found, store=f"docker-{number}") == [item.diff_id for item in locked.layers], name


def test_the_image_in_a_registry(place: Place, skopeo: Skopeo, registry: Registry, locked: LockedImageBase) -> None:
    reference = f"{registry.address}/team/base:1.0"
    skopeo.copy_all(f"oci:{place.folder}/base:1.0", f"docker://{reference}")

    found = place.lock(reference, store="registry")

    assert (found.digest, found.index, found.layers) == (locked.digest, locked.digest, locked.layers)
    assert found.facts == locked.facts
    assert place.diff_ids(found, store="empty") == [item.diff_id for item in locked.layers]


def test_what_was_read_in_a_registry_is_not_fetched_again(
    place: Place, skopeo: Skopeo, tmp_path: Path, locked: LockedImageBase
) -> None:
    with running_registry(tmp_path) as registry:
        reference = f"{registry.address}/team/base:1.0"
        skopeo.copy_all(f"oci:{place.folder}/base:1.0", f"docker://{reference}")
        found = place.lock(reference, store="once")
    assert place.diff_ids(found, store="once") == [item.diff_id for item in locked.layers]


def test_docker_manifests_and_digests_in_a_registry(
    place: Place, skopeo: Skopeo, registry: Registry, locked: LockedImageBase
) -> None:
    reference = f"{registry.address}/team/docker:1.0"
    skopeo.convert(f"oci:{place.folder}/base:1.0", f"docker://{reference}", form="v2s2")
    raw = json.loads(skopeo.inspect_raw(f"docker://{reference}"))
    assert "docker" in raw["mediaType"]

    found = place.lock(reference, store="docker-registry")
    again = place.lock(f"{reference}@{found.digest}", store="docker-registry")

    assert [item.media_type for item in found.layers] == [item.media_type for item in locked.layers]
    assert [item.diff_id for item in found.layers] == [item.diff_id for item in locked.layers]
    assert found.facts == again.facts == locked.facts
    assert found.digest == again.digest != locked.digest


def test_what_is_not_there_is_said(place: Place, skopeo: Skopeo, registry: Registry) -> None:
    reference = f"{registry.address}/team/alone:1.0"
    skopeo.copy_all(f"oci:{place.folder}/base:1.0", f"docker://{reference}")
    with pytest.raises(MissingPlatformError, match=f"linux/{ARCHITECTURE}"):
        place.lock(reference, store="missing", target="linux/s390x")
    with pytest.raises(RegistryNotFoundError):
        place.lock(f"{registry.address}/team/nothing:1.0", store="missing")
