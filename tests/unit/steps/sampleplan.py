"""A small project with real wheels for two platforms, built for real; and a registry that is a dictionary."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag
from tests.support.wheelmaker import make_wheel, wheel_files

from crossdock.build import Built, build_image
from crossdock.choosing.request import Parts
from crossdock.choosing.survey import ProjectLock
from crossdock.errors import RegistryContentError, RegistryNotFoundError
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.images import LockedImageBase
from crossdock.locks import Choice, Lock, LockedFile, Package, Selection, Source
from crossdock.oci.layout_files import open_layout
from crossdock.oci.model import INDEX, MANIFEST, Blob, Descriptor
from crossdock.oci.reference import Reference, parse_reference
from crossdock.plan import Plan, TargetPlan
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.steps.outputs import Outputs
from crossdock.store import Store
from crossdock.targets import Target, parse_platform, parse_python
from crossdock.verify.exceptions import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from crossdock.oci.registry import Repository
    from crossdock.steps.stack import LayerForm

#: The base has no layers, and so no Python.
ALLOWED = (Allowance(path="app/.venv/bin/python*"),)

FACTS = BaseFacts(
    libc="glibc", libc_version=(2, 36), python_version="3.12.8", python_path="/usr/bin/python3", user="1:1", home="/"
)
REFERENCE = parse_reference("registry.example/team/app:1.0")
MACHINES = {"amd64": 62, "arm64": 183}  # ELF's e_machine
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "demo"
version = "1.0"
[tool.crossdock]
entrypoint = ["python", "-m", "demo"]

# The base has no layers, and so no Python.
[tool.crossdock.verify]
allow = ["app/.venv/bin/python*"]
"""
BACKEND = """
import os, zipfile
FILES = {files!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(folder, "demo-1.0-py3-none-any.whl"), "w") as archive:
        for path, content in FILES.items():
            archive.writestr(path, content)
    return "demo-1.0-py3-none-any.whl"
"""


def elf(architecture: str) -> bytes:
    """The header of a shared library."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, MACHINES[architecture], 1)
    return head + struct.pack("<QQQIHHHHHH", 0, 0, 0, 0, 64, 0, 0, 0, 0, 0)


def target(architecture: str) -> Target:
    return Target(parse_platform(f"linux/{architecture}+glibc2.36"), parse_python("3.12.8"))


def scratch(architecture: str) -> LockedImageBase:
    """A base without layers; what it says it brings is enough to plan by."""
    return LockedImageBase(
        name="scratch", architecture=architecture, variant="", digest="", index="", layers=(), facts=FACTS
    )


def choice(file: LockedFile) -> Choice:
    name, version, _, _, platform = file.filename.removesuffix(".whl").split("-")
    package = Package(name=name, version=version, source=Source(kind="registry"), files=(file,))
    tag = Tag("py3", "none", platform)
    return Choice(package=package, file=file, tag=tag, rank=1, reason="best", rejected=(), required_by=("",))


def locked(path: Path) -> LockedFile:
    """A wheel as a lock beside its folder has it; its size is not in there."""
    return LockedFile(
        filename=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), path=f"wheels/{path.name}"
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """A project with its wheels.

    Attributes:
        folder: Where all of it is; the wheels are in ``wheels``.
        plan: For linux/amd64 and linux/arm64, on a base without layers.
    """

    folder: Path
    plan: Plan

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    def only(self, *architectures: str) -> Bench:
        """The same for fewer platforms."""
        chosen = tuple(part for part in self.plan.targets if part.target.platform.arch in architectures)
        return replace(self, plan=replace(self.plan, targets=chosen))

    def build(
        self, machine: str, registry: Registry | None = None, *, form: LayerForm | None = None
    ) -> tuple[Built, Path]:
        """Build on a machine, which has a store of its own, into a layout."""
        registry = registry or Registry()
        path = self.folder / f"{machine}-{len(list(self.folder.glob(f'{machine}-*')))}"
        options: dict[str, Any] = {} if form is None else {"form": form}
        outputs = Outputs(reference=REFERENCE, layout=path, cache_from=(REFERENCE,), **options)
        return build_image(self.plan, self.services(machine, registry), outputs), path

    def services(self, machine: str, registry: Registry) -> Services:
        return RegistryServices(
            store=Store(self.folder / machine / "store"), warn=registry.warnings.append, held=registry
        )


def make_bench(folder: Path, files: Mapping[str, bytes] | None = None, *, settings: str = "") -> Bench:
    """Make a project that needs a pure wheel, ``pure``, and one with a library, ``native``.

    Args:
        folder: Where.
        files: What else is in ``pure``.
        settings: What else is in pyproject.toml.
    """
    (folder / "wheels").mkdir(parents=True)
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT + settings)
    own = wheel_files("demo", "1.0", {"demo/__init__.py": "", "demo/__main__.py": "print('demo')\n"})
    (project / "backend.py").write_text(BACKEND.format(files=own))
    pure = make_wheel(folder / "wheels", "pure", "2.0", {"pure/__init__.py": "x = 1\n", **(files or {})})
    parts = []
    for architecture, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        native = make_wheel(
            folder / "wheels",
            "native",
            "3.0",
            {"native/__init__.py": "", "native/library.so": elf(architecture)},
            tag=f"py3-none-manylinux_2_17_{machine}",
            entry_points={"native": "native:main"},
        )
        one = target(architecture)
        chosen = (choice(locked(native)), choice(locked(pure)))
        selection = Selection(target=one, choices=chosen, skipped=())
        parts.append(TargetPlan(target=one, base=scratch(architecture), facts=FACTS, selection=selection))
    lock = Lock(path=folder / "uv.lock", format="uv.lock", packages=(), roots=())
    project_lock = ProjectLock(project=load_project(project), lock=lock, parts=Parts(extras=(), groups=()))
    return Bench(folder, Plan(base="scratch", project_lock=project_lock, targets=tuple(parts)))


@dataclass
class Registry:
    """One repository, with what the build asks of it; every digest is checked as the real client does.

    Attributes:
        blobs: By digest.
        root: What every tag names.
        attached: Descriptors of what is attached.
        fetched: Digests of the blobs that were fetched.
        warnings: What users were told.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    root: Descriptor | None = None
    attached: list[Descriptor] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    name: str = "registry.example/team/app"
    registry: str = "registry.example"
    path: str = "team/app"

    def push(self, layout: Path) -> None:
        """Take everything that is in a layout."""
        opened = open_layout(layout)
        with opened.open("index.json") as stream:
            self.root = Descriptor.from_json(json.load(stream)["manifests"][0])
        for path in (layout / "blobs" / "sha256").iterdir():
            self.blobs[f"sha256:{path.name}"] = path.read_bytes()

    def pull(self, layout: Path) -> Path:
        """Write a layout of everything in here."""
        assert self.root is not None
        (layout / "blobs" / "sha256").mkdir(parents=True)
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [self.root.to_json()]}))
        for digest, data in self.blobs.items():
            (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(data)
        return layout

    def add(self, content: Any, media_type: str = "", **more: Any) -> dict[str, Any]:
        """Take a blob, and give its descriptor."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return {**more, "mediaType": media_type, "digest": digest, "size": len(data)}

    def json(self, digest: str) -> Any:
        return json.loads(self.blobs[digest])

    def manifest(self, version: str = "") -> Blob:
        digest = version if version.startswith("sha256:") else self.root.digest if self.root else ""
        if digest not in self.blobs:
            raise RegistryNotFoundError(f"cannot read {self.name}@{version}")
        data = self.blobs[digest]
        media_type = INDEX if b'"manifests"' in data else MANIFEST
        return Blob(Descriptor(media_type=media_type, digest=digest, size=len(data)), data)

    def small_blob(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self.blobs:
            raise RegistryNotFoundError(f"cannot read {descriptor.digest} from {self.name}")
        data = self.blobs[descriptor.digest]
        if len(data) != descriptor.size:
            raise RegistryContentError(f"cannot read {descriptor.digest} from {self.name}", why="it has another size")
        return data

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Iterator[io.BytesIO]:
        self.fetched.append(descriptor.digest)
        yield io.BytesIO(self.small_blob(descriptor))

    def has_blob(self, descriptor: Descriptor, *, cancellation: object = None) -> bool:  # noqa: ARG002
        return descriptor.digest in self.blobs

    def fetch_blob(self, descriptor: Descriptor, store: Store, *, cancellation: object = None) -> None:  # noqa: ARG002
        self.fetched.append(descriptor.digest)
        store.add_bytes(self.small_blob(descriptor), expected=descriptor.sha256)

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:  # noqa: ARG002
        return [item for item in self.attached if item.artifact_type == artifact_type]

    def attach(self, artifact_type: str, content: Any) -> None:
        layer = self.add(content, artifact_type)
        manifest = self.add({"schemaVersion": 2, "mediaType": MANIFEST, "config": self.add({}), "layers": [layer]})
        self.attached.append(Descriptor.from_json({**manifest, "mediaType": MANIFEST, "artifactType": artifact_type}))

    def change(self, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
        """Change every manifest and its config as somebody may who may push; all digests are made to agree."""
        assert self.root is not None
        index = self.json(self.root.digest)
        for number, entry in enumerate(index["manifests"]):
            manifest = self.json(entry["digest"])
            config = self.json(manifest["config"]["digest"])
            change(manifest, config)
            manifest["config"] = self.add(config, manifest["config"]["mediaType"])
            index["manifests"][number] = self.add(manifest, entry["mediaType"], platform=entry["platform"])
        self.root = Descriptor.from_json(self.add(index, INDEX))

    def layers(self) -> list[dict[str, Any]]:
        """All layers of all manifests, as they are described."""
        assert self.root is not None
        children = self.json(self.root.digest)["manifests"]
        return [layer for child in children for layer in self.json(child["digest"])["layers"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryServices(Services):
    """Services whose every registry is the one in memory."""

    held: Registry

    def repository(self, reference: Reference) -> Repository:  # noqa: ARG002
        return self.held  # type: ignore[return-value]  # what is asked of it is there
