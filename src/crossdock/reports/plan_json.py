"""A plan as JSON, for other programs and for the next day's comparison; docs/plan.schema.json is its schema."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from crossdock.choosing.overriding import override_json
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.lockfile.images import LockedImageBase
from crossdock.store.urls import redact, scrub

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.locks import Choice, Package, Rejection, Skipped, Source, SourceChoice
    from crossdock.plan import Plan, TargetPlan

__all__ = ["SCHEMA_VERSION", "plan_json"]

#: Version of the JSON that ``plan_json`` gives; it changes when a reader would have to.
SCHEMA_VERSION = 1


def plan_json(plan: Plan) -> dict[str, Any]:
    """Give the plan as values that the ``json`` module writes; docs/plan.md describes them."""
    lock = plan.project_lock.lock
    overrides = {name: override_json(plan.project, lock, name) for name in plan.project.config.overrides}
    return {
        "schema_version": SCHEMA_VERSION,
        "project": {"name": plan.project.name, "version": plan.project.version},
        "base": plan.base,
        "lock": lock.path.name,
        "lock_format": lock.format,
        "extras": sorted(plan.project_lock.parts.extras),
        "groups": sorted(plan.project_lock.parts.groups),
        "targets": [_target(part, overrides) for part in plan.targets],
    }


def _target(part: TargetPlan, overrides: Mapping[str, Any]) -> dict[str, Any]:
    target, selection = part.target, part.selection
    active = {id(item.package): item for item in selection.active}

    def origin(package: Package) -> dict[str, Any]:
        item = active.get(id(package))
        return {
            "because": _edges(item.because if item else ()),
            "extras": list(item.extras) if item else [],
            "source": _source(package.source),
            "attestation_identities": [_plain(identity) for identity in package.attestation_identities],
            "overrides": overrides.get(package.name),
        }

    return {
        "target": str(target.platform),
        "platform": target.platform.oci,
        "libc": str(target.platform.libc),
        "python": target.python.full_version,
        "environment": target.environment,
        "packages": [_choice(choice, origin(choice.package)) for choice in selection.choices],
        "builds": [_build(build, origin(build.package)) for build in selection.builds],
        "skipped": [_skipped(item) for item in selection.skipped],
        "base_packages": _base_packages(part),
        "base_image": _base_image(part),
        "interpreter": _interpreter(part),
    }


def _base_packages(part: TargetPlan) -> list[dict[str, str]]:
    """List Debian packages, of the base or of an interpreter over it."""
    made_of = [item for item in (part.base, part.interpreter) if isinstance(item, LockedDebianBase)]
    packages = [item for base in made_of for item in base.packages]
    return [{"name": item.name, "version": item.version, "sha256": item.sha256} for item in packages]


def _base_image(part: TargetPlan) -> dict[str, Any] | None:
    base = part.base
    if not isinstance(base, LockedImageBase):
        return None
    return {
        "name": base.name,
        "digest": base.digest,
        "index": base.index,
        "layers": [{"digest": layer.digest, "size": layer.size} for layer in base.layers],
    }


def _interpreter(part: TargetPlan) -> dict[str, str] | None:
    interpreter = part.interpreter
    if interpreter is None:
        return None
    if isinstance(interpreter, LockedDebianBase):
        return {"name": interpreter.name, "sha256": "", "python": part.facts.python_version}
    return {"name": interpreter.name, "sha256": interpreter.sha256, "python": interpreter.python_version}


def _choice(choice: Choice, origin: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": choice.package.name,
        "version": choice.package.version,
        "filename": choice.file.filename,
        "sha256": choice.file.sha256,
        "size": choice.file.size,
        "tag": str(choice.tag),
        "reason": choice.reason,
        "required_by": list(choice.required_by),
        **origin,
        "rejected": _rejected(choice.rejected),
    }


def _build(build: SourceChoice, origin: Mapping[str, Any]) -> dict[str, Any]:
    file = build.file
    return {
        "name": build.package.name,
        "version": build.package.version,
        "filename": file.filename if file else None,
        "sha256": file.sha256 if file else None,
        "size": file.size if file else None,
        "reason": build.reason,
        "required_by": list(build.required_by),
        **origin,
        "rejected": _rejected(build.rejected),
    }


def _source(source: Source) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "location": location(source.location),
        "revision": source.revision or None,
        "subdirectory": source.subdirectory or None,
    }


def location(text: str) -> str:
    """Show where something is without user, password or token."""
    return redact(text) if "://" in text else scrub(text)


def _plain(value: object) -> object:
    """Turn what TOML can hold and JSON cannot, such as dates and infinity, into text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    known = value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and isfinite(value))
    return value if known else str(value)


def _edges(edges: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"parent": parent, "marker": marker or None} for parent, marker in edges]


def _rejected(rejected: Iterable[Rejection]) -> list[dict[str, str]]:
    return [{"filename": item.filename, "reason": item.reason} for item in rejected]


def _skipped(item: Skipped) -> dict[str, Any]:
    return {
        "name": item.package.name,
        "version": item.package.version,
        "markers": list(item.markers),
        "by": _edges(item.by),
    }
