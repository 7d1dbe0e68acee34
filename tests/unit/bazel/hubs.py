"""Reads hubs as Bazel's extension does: what a target comes to, and whether it goes in circles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from tests.unit.locks.samples import U, h

from crossdock.bazel.commands.hub import make_hub
from crossdock.bazel.hubs.inputs import project_for
from crossdock.services import Services
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PROJECT", "closure", "hub", "lock_of", "locked", "needs", "wheels"]

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "hub.schema.json").read_text())

PROJECT = '[project]\nname = "my-app"\nversion = "0.1"\nrequires-python = ">=3.11"\n'

Hub = dict[str, Any]


def hub(lock: Path, *targets: str, offline: bool = True, **options: Any) -> Hub:
    """Make a hub, with the pyproject.toml beside the lock if there is one, and hold it against its schema and rules."""
    beside = lock.parent / "pyproject.toml"
    pyproject = beside if beside.is_file() else None
    services = Services(store=Store.default(), offline=offline)
    made = make_hub(lock, project_for(lock, pyproject), targets, services, **options)
    check(made)
    return made


def check(made: Hub) -> None:
    """Hold a hub against its schema; every item leads somewhere, every wheel is told, nothing goes in circles."""
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
    packages, targets = made["packages"], made["targets"].keys()
    for name, package in packages.items():
        assert package["wheels"].keys() == targets
        for key, sha256 in package["wheels"].items():
            assert sha256 is None or made["files"][sha256]["name"] == name.partition("@")[0]
            assert sha256 is None or key not in package["missing"]
    used = {sha256 for package in packages.values() for sha256 in package["wheels"].values()} - {None}
    assert used == made["files"].keys()
    for key in targets:
        for items in (made["project"], *made["extras"].values(), *made["groups"].values()):
            closure(made, key, items[key])
        for name, package in packages.items():
            if key in package["deps"]:
                closure(made, key, [name])
            for extra, found in package["extras"].items():
                if key in found:
                    closure(made, key, [f"{name}[{extra}]"])


def needs(made: Hub, key: str, item: str) -> list[str]:
    """Give what an item of a list leads to."""
    name, _, extra = item.partition("[")
    package = made["packages"][name]
    found: list[str] = package["extras"][extra[:-1]][key] if extra else package["deps"][key]
    return found


def closure(made: Hub, key: str, items: Iterable[str]) -> set[str]:
    """Give the names of all wheels that items come to."""
    found: set[str] = set()
    done: set[str] = set()

    def visit(item: str, above: tuple[str, ...]) -> None:
        assert item not in above, f"a circle: {' '.join((*above, item))}"
        found.add(item.removeprefix("=").partition("[")[0])
        if item.startswith("=") or item in done:
            return
        for other in needs(made, key, item):
            visit(other, (*above, item))
        done.add(item)

    for item in items:
        visit(item, ())
    return found


def wheels(made: Hub, key: str, items: Iterable[str]) -> dict[str, str | None]:
    """Give by name the SHA-256 of all wheels that items come to; None where one is missing."""
    packages = made["packages"]
    return {
        name: packages[name]["wheels"][key]
        for name in closure(made, key, items)
        if packages[name]["wheels"][key] or key in packages[name]["missing"]
    }


def locked(name: str, *wheels: str, needs: str = "", more: str = "", version: str = "1.0") -> str:
    """Write an entry of a uv.lock with wheels of the given tags."""
    number = sum(map(ord, name + version)) * 100
    files = ", ".join(
        f'{{ url = "{U}/{name}-{version}-{tag}.whl", hash = "sha256:{h(number + place)}" }}'
        for place, tag in enumerate(wheels or ("py3-none-any",))
    )
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        'source = { registry = "https://index.example/simple" }\n'
        f"dependencies = [{needs}]\nwheels = [{files}]\n{more}\n"
    )


def lock_of(folder: Path, needs: str, *entries: str, top: str = "", more: str = "") -> Path:
    """Write the uv.lock of a project."""
    path = folder / "uv.lock"
    root = f'[[package]]\nname = "my-app"\nversion = "0.1"\nsource = {{ virtual = "." }}\ndependencies = [{needs}]\n'
    path.write_text(f'version = 1\nrequires-python = ">=3.11"\n{top}\n{root}{more}\n' + "\n".join(entries))
    return path
