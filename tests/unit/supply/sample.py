"""A small image to write bills of materials of: real wheels in a real store, a base, and a plan that names them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag
from tests.support.wheelmaker import make_wheel
from tests.unit.cli.lockmaker import ARM, target

from crossdock.choosing.request import Parts
from crossdock.choosing.survey import ProjectLock
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.bases import LockedDebianBase, LockedPackage
from crossdock.lockfile.images import LockedImageBase, LockedLayer
from crossdock.locks import Choice, Lock, LockedFile, Package, Selection, Source
from crossdock.plan import Plan, TargetPlan
from crossdock.projects.firstparty import OwnWheel
from crossdock.projects.project import load_project
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.projects.project import Project

FACTS = BaseFacts(
    libc="glibc", libc_version=(2, 36), python_version="3.12.8", python_path="/usr/bin/python3", user="1:1", home="/"
)
DEBIAN = LockedDebianBase(
    name="debian:bookworm",
    architecture="arm64",
    requested=(),
    packages=(
        LockedPackage(
            name="base-files",
            version="12.4+deb12u11",
            architecture="arm64",
            archive="debian",
            filename="pool/main/b/base-files/base-files_12.4+deb12u11_arm64.deb",
            size=1,
            sha256="aa" * 32,
        ),
        LockedPackage(
            name="libssl3",
            version="3.0.16-1~deb12u1",
            architecture="arm64",
            archive="debian-security",
            filename="pool/main/o/openssl/libssl3_3.0.16-1~deb12u1_arm64.deb",
            size=1,
            sha256="bb" * 32,
        ),
    ),
)
IMAGE = LockedImageBase(
    name="python:3.12-slim",
    architecture="arm64",
    variant="v8",
    digest="sha256:" + "c" * 64,
    index="sha256:" + "d" * 64,
    layers=(
        LockedLayer(digest="sha256:" + "e" * 64, size=9, media_type="application/x", diff_id="sha256:" + "f" * 64),
    ),
    facts=FACTS,
)

#: What auditwheel puts into a wheel when it bundles a library, in its form.
CYCLONEDX_IN_WHEEL: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.4",
    "version": 1,
    "metadata": {
        "component": {
            "type": "library",
            "bom-ref": "pkg:pypi/fast@1.0?file_name=fast-1.0.whl",
            "name": "fast",
            "version": "1.0",
            "purl": "pkg:pypi/fast@1.0?file_name=fast-1.0.whl",
        },
        "tools": [{"name": "auditwheel", "version": "6.4.0"}],
    },
    "components": [
        {"type": "library", "name": "fast", "version": "1.0", "purl": "pkg:pypi/fast@1.0?file_name=fast-1.0.whl"},
        {
            "type": "library",
            "bom-ref": "pkg:rpm/almalinux/openssl-libs@3.5.1",
            "name": "openssl-libs",
            "version": "3.5.1",
            "purl": "pkg:rpm/almalinux/openssl-libs@3.5.1",
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        },
    ],
    "dependencies": [],
}
SPDX_IN_WHEEL: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3",
    "SPDXID": "SPDXRef-DOCUMENT",
    "packages": [
        {"SPDXID": "SPDXRef-w", "name": "fast", "versionInfo": "1.0"},
        {
            "SPDXID": "SPDXRef-z",
            "name": "zlib",
            "versionInfo": "1.3.1",
            "licenseDeclared": "Zlib",
            "licenseConcluded": "NOASSERTION",
            "checksums": [{"algorithm": "SHA256", "checksumValue": "12" * 32}],
            "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:generic/zlib@1.3.1"}],
        },
    ],
}


def metadata(name: str, version: str, *lines: str) -> str:
    return "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", "Text."])


@dataclass(frozen=True, slots=True)
class Sample:
    """An image for linux/arm64 of app, which needs web, which needs fast with its extra."""

    folder: Path
    store: Store
    project: Project
    own: OwnWheel
    part: TargetPlan
    plan: Plan
    base: LockedDebianBase | LockedImageBase = field(default=DEBIAN)


def add_wheel(
    store: Store, folder: Path, name: str, version: str, files: Mapping[str, str | bytes], tag: str = "py3-none-any"
) -> LockedFile:
    path = make_wheel(folder, name, version, files, tag=tag)
    return LockedFile(filename=path.name, sha256=store.add_file(path))


def choice(file: LockedFile, *required_by: str, source: Source | None = None) -> Choice:
    name, version = file.filename.split("-")[:2]
    package = Package(name=name, version=version, source=source or Source(kind="registry"), files=(file,))
    return Choice(
        package=package,
        file=file,
        tag=Tag("py3", "none", "any"),
        rank=1,
        reason="best",
        rejected=(),
        required_by=required_by,
    )


def make_sample(
    folder: Path,
    *,
    base: LockedDebianBase | LockedImageBase = DEBIAN,
    settings: str = "",
    tiny_source: Source | None = None,
) -> Sample:
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    store = Store(folder / "cache")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "app"\nversion = "1.0"\n{settings}')
    (folder / "uv.lock").write_text("version = 1\n")
    project = load_project(folder)
    own_file = add_wheel(
        store, wheels, "app", "1.0", {"app-1.0.dist-info/METADATA": metadata("app", "1.0", "Requires-Dist: web")}
    )
    about_web = metadata(
        "web",
        "2.0",
        "License-Expression: mit or apache-2.0",
        "Summary: Serves pages",
        "Author: Ada Byron",
        "Project-URL: Home Page, https://web.example/",
        "Requires-Dist: fast[speed]>=1",
        'Requires-Dist: winonly; sys_platform == "win32"',
        "Requires-Dist: not a requirement",
    )
    about_fast = metadata(
        "fast", "1.0", "License: three clauses of BSD", "Provides-Extra: speed", 'Requires-Dist: tiny; extra == "speed"'
    )
    chosen = [
        choice(
            add_wheel(
                store,
                wheels,
                "fast",
                "1.0",
                {
                    "fast-1.0.dist-info/METADATA": about_fast,
                    "fast-1.0.dist-info/sboms/auditwheel.cdx.json": json.dumps(CYCLONEDX_IN_WHEEL),
                    "fast-1.0.dist-info/sboms/vendored.spdx.json": json.dumps(SPDX_IN_WHEEL),
                },
                "cp312-cp312-manylinux_2_17_aarch64",
            ),
            "web",
        ),
        choice(
            add_wheel(
                store,
                wheels,
                "tiny",
                "0.1",
                {"tiny-0.1.dist-info/METADATA": metadata("tiny", "0.1", "License-Expression: LicenseRef-Tiny AND MIT")},
            ),
            source=tiny_source,
        ),
        choice(add_wheel(store, wheels, "web", "2.0", {"web-2.0.dist-info/METADATA": about_web}), ""),
    ]
    own = OwnWheel(filename=own_file.filename, sha256=own_file.sha256, scripts=(), key="ab" * 32)
    arm = target(ARM)
    part = TargetPlan(
        target=arm,
        base=base,
        facts=FACTS,
        selection=Selection(target=arm, choices=tuple(chosen), skipped=()),
    )
    lock = Lock(path=folder / "uv.lock", format="uv.lock", packages=(), roots=())
    plan = Plan(
        base=base.name,
        project_lock=ProjectLock(project=project, lock=lock, parts=Parts(extras=("x",), groups=())),
        targets=(part,),
    )
    return Sample(folder, store, project, own, part, plan, base)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
