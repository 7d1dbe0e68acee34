"""How an image was made: an in-toto statement with SLSA provenance that names every input by its digest.

The same build gives the same bytes on every machine: there is no time, no host, no path of the machine in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock import __version__
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.oci.model import canonical_json
from crossdock.store.urls import redact, scrub
from crossdock.supply.inventory import base_components, package_url, shown_base
from crossdock.supply.purl import generic_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from crossdock.lockfile.images import LockedImageBase
    from crossdock.lockfile.interpreters import LockedInterpreter
    from crossdock.locks import Choice, Source, SourceChoice
    from crossdock.plan import Plan, TargetPlan
    from crossdock.projects.firstparty import OwnWheel

__all__ = [
    "BUILD_TYPE",
    "IN_TOTO",
    "PREDICATE_TYPE",
    "Material",
    "Subject",
    "file_materials",
    "materials",
    "parameters",
    "statement",
]

#: Media type of in-toto statements in JSON, which is also the type of the artifact that one is attached as.
IN_TOTO = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
#: What `parameters` means; docs/supply-chain.md is its specification.
BUILD_TYPE = "urn:crossdock:build:image:1"
#: Who built is not known to a program: whoever signs says it.
BUILDER = "urn:crossdock:builder:unspecified"


@dataclass(frozen=True, slots=True)
class Subject:
    """What was made.

    Attributes:
        name: Of the image, without registry; with the platform if it is that of one.
        digest: ``sha256:…``.
    """

    name: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One input (in-toto attestation framework, ``ResourceDescriptor``).

    Attributes:
        name: A file name, or what else a person would call it.
        uri: Package URL, or where it was without user and password; may be empty.
        digest: By algorithm.
        annotations: What else is known.
    """

    name: str
    digest: Mapping[str, str]
    uri: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the object as the specification spells it."""
        value: dict[str, Any] = {"name": self.name, "digest": dict(self.digest)}
        if self.uri:
            value["uri"] = self.uri
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value


def statement(
    subjects: Iterable[Subject],
    external: Mapping[str, Any],
    inputs: Iterable[Material],
    *,
    builder: str = BUILDER,
    byproducts: Iterable[Material] = (),
) -> bytes:
    """Write the statement.

    Args:
        subjects: The index and every manifest.
        external: What `parameters` gives.
        inputs: What `materials` and `file_materials` give; one that is there twice is listed once.
        builder: URI of who builds and is trusted to.
        byproducts: What was built on the way, such as the project's own wheel.
    """
    run: dict[str, Any] = {"builder": {"id": builder, "version": {"crossdock": __version__}}}
    if listed := _listed(byproducts):
        run["byproducts"] = listed
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": item.name, "digest": {"sha256": item.digest.removeprefix("sha256:")}} for item in subjects
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": dict(external),
                    "resolvedDependencies": _listed(inputs),
                },
                "runDetails": run,
            },
        }
    )


def _listed(inputs: Iterable[Material]) -> list[dict[str, Any]]:
    distinct = {canonical_json(item.to_json()): item for item in inputs}
    return [distinct[key].to_json() for key in sorted(distinct, key=lambda key: (distinct[key].name, key))]


def parameters(plan: Plan) -> dict[str, Any]:
    """Give what whoever started the build could choose: nothing else decides what comes out, but the inputs.

    Settings of the project are not repeated: its pyproject.toml is among the inputs.
    """
    lock = plan.project_lock.lock
    return {
        "project": {"name": plan.project.name, "version": plan.project.version or ""},
        "base": shown_base(plan.base),
        "lock": lock.path.name,
        "extras": sorted(plan.project_lock.parts.extras),
        "groups": sorted(plan.project_lock.parts.groups),
        "targets": [
            {
                "target": str(part.target.platform),
                "platform": dict(part.target.platform.oci),
                "libc": str(part.target.platform.libc),
                "python": part.target.python.full_version,
                "libc_policy": part.target.libc_policy,
                "environment": part.target.environment,
            }
            for part in plan.targets
        ],
    }


def materials(plan: Plan, own: OwnWheel | None = None) -> list[Material]:
    """List the inputs of a plan: wheels, source distributions, repositories, and all of every base.

    Args:
        plan: The plan as it was made: what is built from source is still there as source.
        own: The project's own wheel; what it was built from is an input.
    """
    found = [item for part in plan.targets for item in _of_target(part)]
    if own is not None and own.key:
        # A hash over the project's files, their modes and what its backend runs on; no single file has it.
        found.append(Material(name=f"sources of {plan.project.name}", digest={"crossdockSources": own.key}))
    return found


def file_materials(paths: Sequence[Path], root: Path) -> list[Material]:
    """List files of the project: its pyproject.toml and its locks; one that is not there is left out.

    Args:
        paths: The files.
        root: What their names are relative to, if they are below it.

    Raises:
        OSError: One cannot be read.
    """
    found = []
    for path in paths:
        if not path.is_file():
            continue
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        found.append(Material(name=name, digest={"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}))
    return found


def _of_target(part: TargetPlan) -> list[Material]:
    return [
        *(_wheel(choice) for choice in part.selection.choices),
        *(found for build in part.selection.builds if (found := _source(build)) is not None),
        *_base(part.base),
        *_interpreter(part.interpreter),
    ]


def _wheel(choice: Choice) -> Material:
    uri = package_url(choice.package, choice.package.version or "")
    return Material(name=choice.file.filename, uri=uri, digest={"sha256": choice.file.sha256})


def _source(build: SourceChoice) -> Material | None:
    package = build.package
    if build.file is not None:
        uri = package_url(package, package.version or "")
        return Material(name=build.file.filename, uri=uri, digest={"sha256": build.file.sha256})
    if package.source.kind == "vcs":
        return Material(
            name=package.name, uri=_repository(package.source), digest={"gitCommit": package.source.revision}
        )
    # A folder beside the project has no digest before it is built; the wheel built from it is a by-product.
    return None


def _repository(source: Source) -> str:
    return f"git+{_shown(source.location.removeprefix('git+'))}@{source.revision}"


def _base(base: LockedDebianBase | LockedImageBase) -> list[Material]:
    if isinstance(base, LockedDebianBase):
        return [
            Material(name=item.filename, uri=item.purl, digest={"sha256": item.sha256})
            for item in base_components(base)
            if item.kind == "debian"
        ]
    images = base_components(base)
    found = [Material(name=item.name, uri=item.purl, digest={"sha256": item.sha256}) for item in images]
    name = f"layer of {shown_base(base.name)}"
    for layer in base.layers:
        sha256 = layer.digest.removeprefix("sha256:")
        found.append(Material(name=name, digest={"sha256": sha256}, annotations={"diff_id": layer.diff_id}))
    return found


def _interpreter(interpreter: LockedInterpreter | LockedDebianBase | None) -> list[Material]:
    if interpreter is None:
        return []
    if isinstance(interpreter, LockedDebianBase):
        return _base(interpreter)
    name = _shown(interpreter.name)
    uri = name if "://" in name else generic_purl("python", interpreter.python_version)
    return [Material(name=name.rpartition("/")[2], uri=uri, digest={"sha256": interpreter.sha256})]


def _shown(location: str) -> str:
    """Show where something is without user, password or token."""
    return redact(location) if "://" in location else scrub(location)
