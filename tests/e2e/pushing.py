"""A small application to be pushed, and a watch over the registry it is pushed to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.e2e import probes
from tests.e2e.builds import Command, link_cache
from tests.support.registries import missing_children

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.e2e.builds import Outcome, Tiny
    from tests.support.flakyregistry import Exchange
    from tests.support.registries import Registry

__all__ = ["App", "Watch", "assert_refused", "blobs_of", "make_app"]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A copy of the tiny project, and a cache of its own.

    Attributes:
        project: Its folder.
        command: ``crossdock`` with that cache, and a home folder with no credentials in it.
    """

    project: Path
    command: Command

    def image(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Outcome:
        """Run ``crossdock image``, with further environment variables."""
        command = Command(cache=self.command.cache, env={**self.command.env, **(env or {})})
        return command.run("image", self.project, *arguments)

    def push(self, reference: str, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Outcome:
        """Build and push."""
        return self.image("--push", reference, *arguments, env=env)

    def edit(self) -> None:
        """Change the application's own code."""
        (self.project / "src/tiny/__init__.py").write_text("def main():\n    print('edited')\n")


def make_app(tiny: Tiny, folder: Path, *, cached: bool = True) -> App:
    """Copy the tiny project.

    Args:
        tiny: The project.
        folder: Where to; it may be there already.
        cached: Everything is ready in the cache; otherwise that is empty.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    cache = link_cache(tiny.built, folder / "cache") if cached else folder / "cache"
    return App(project=tiny.copy(folder / "app"), command=Command(cache=cache, env={"HOME": str(home)}))


@dataclass(slots=True)
class Watch:
    """Looks into a registry each time it has taken a manifest, before the client hears of that.

    Attributes:
        registry: The registry.
        manifests: Tags and digests of the manifests it has taken.
        dangling: What they referred to and was not there.
    """

    registry: Registry
    manifests: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)

    def __call__(self, exchange: Exchange) -> None:
        """Look, as `FlakyRegistry.after`."""
        if exchange.kind == "manifest-put" and exchange.status < 300:
            repository, _, version = exchange.target.removeprefix("/v2/").partition("/manifests/")
            self.manifests.append(version)
            self.dangling += missing_children(self.registry, repository, version)


def blobs_of(registry: Registry, repository: str, version: str) -> dict[str, int]:
    """List configs and layers of an image, or of all images of an index, with their sizes."""
    _, raw = registry.manifest(repository, version)
    document = json.loads(raw)
    found: dict[str, int] = {}
    for child in document.get("manifests", []):
        found |= blobs_of(registry, repository, child["digest"])
    items = [document["config"], *document["layers"]] if "layers" in document else []
    return found | {item["digest"]: item["size"] for item in items}


def assert_refused(outcome: Outcome, code: int, *words: str) -> None:
    """Check that a run ended with an error as it should look; warnings may come before."""
    lines = outcome.stderr.splitlines(keepends=True)
    while lines and lines[0].startswith("warning: "):
        lines.pop(0)
    probes.assert_refused(replace(outcome, stderr="".join(lines)), code, *words)
