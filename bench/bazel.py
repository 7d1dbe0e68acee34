"""A monorepo of many applications for several platforms over one lock, built by Bazel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tests.e2e.bazelrun import workspace

from bench.measure import WALL, Comparison, Result, Series
from bench.wheelhouse import bench_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.e2e.bazelrun import Workspace

__all__ = ["run"]

_GROUPS: Final = 10
_APPS_OF_A_GROUP: Final = 20
#: Two machines, each of two kinds that differ in nothing a wheel is chosen by, as an edge and a cloud do.
_PLATFORMS: Final = ("linux_amd64", "linux_arm64", "edge_amd64", "edge_arm64")
_DEPENDENCIES: Final = ("fastapi", "idna", "numpy", "pydantic", "uvicorn")
_FEW, _ALL = "//apps/g0/...", "//apps/..."
_COLD: Final = 3

_PLATFORM_FILE: Final = '''\
"""Platforms of one's own: those of crossdock, and where they are."""

package(default_visibility = ["//visibility:public"])

constraint_setting(name = "place")

constraint_value(
    name = "edge",
    constraint_setting = ":place",
)

[platform(
    name = "edge_" + name,
    constraint_values = [":edge"],
    parents = ["@crossdock//platforms:" + parent],
) for name, parent in {"amd64": "linux_x86_64", "arm64": "linux_arm64"}.items()]
'''
_APP: Final = '''\
"""An application."""

load("@crossdock//bazel:defs.bzl", "multiplatform_image")
load("@rules_python//python:defs.bzl", "py_binary")

py_binary(
    name = "app",
    srcs = ["app.py"],
    deps = [{deps}],
)

multiplatform_image(
    name = "app_image",
    binary = ":app",
)

multiplatform_image(
    name = "edge_image",
    binary = ":app",
    platforms = {{
        "edge_amd64": "//fleet:edge_amd64",
        "edge_arm64": "//fleet:edge_arm64",
    }},
)
'''


def run(repeats: int) -> Result:
    """Measure."""
    with workspace("many-apps", bench_cache()) as monorepo:
        _generate(monorepo)
        series = [*_cold(monorepo, min(repeats, _COLD)), *_built(monorepo, repeats), *_fetched(monorepo)]
    return Result(
        name="bazel",
        about=f"{_GROUPS * _APPS_OF_A_GROUP} applications for {len(_PLATFORMS)} platforms over one lock, an image each "
        "and two indexes for each application; Bazel 7 in a root of its own, with its sandbox, without a remote cache",
        series=tuple(series),
        comparisons=tuple(_growth(series)),
    )


def _generate(monorepo: Workspace) -> None:
    monorepo.write("fleet/BUILD.bazel", _PLATFORM_FILE)
    for number in range(_GROUPS * _APPS_OF_A_GROUP):
        folder = f"apps/g{number // _APPS_OF_A_GROUP}/a{number:03d}"
        # From one package to all of them, so that applications differ in what they share.
        needed = [name for place, name in enumerate(_DEPENDENCIES) if (number >> place) & 1] or ["idna"]
        deps = ", ".join(f'"@pypi//{name}"' for name in needed)
        monorepo.write(f"{folder}/BUILD.bazel", _APP.format(deps=deps))
        monorepo.write(f"{folder}/app.py", f'"""Application {number}."""\n\nprint({number})\n')


def _cold(monorepo: Workspace, repeats: int) -> list[Series]:
    """Load and analyse with a server that has just been started, all repositories being there."""
    monorepo.run("build", "--nobuild", _ALL).checked()
    found: list[float] = []
    for _ in range(repeats):
        monorepo.run("shutdown").checked()
        found.append(_seconds(lambda: monorepo.run("build", "--nobuild", _ALL).checked()))
    return [Series("analysis, server just started", WALL, tuple(found))]


def _built(monorepo: Workspace, repeats: int) -> list[Series]:
    """Build everything once, then nothing; then what an edit of one application leads to.

    What was executed is counted from Bazel's own log, in builds that are not timed.
    """
    few = monorepo.build(_FEW).counts
    monorepo.run("clean").checked()
    first = _seconds(lambda: monorepo.run("build", _ALL).checked())
    monorepo.run("clean").checked()
    everything = monorepo.build(_ALL).counts
    noop, edited = [], []
    for number in range(repeats):
        noop.append(_seconds(lambda: monorepo.run("build", _ALL).checked()))
        monorepo.write("apps/g0/a000/app.py", f'"""Edited."""\n\nprint({-number - 1})\n')
        edited.append(_seconds(lambda: monorepo.run("build", _ALL).checked()))
    return [
        Series("build of everything", WALL, (first,)),
        Series("build, nothing to do", WALL, tuple(noop)),
        Series("build, one application edited", WALL, tuple(edited)),
        *_executed("a tenth of the applications", few),
        *_executed("all applications", everything),
        *_executed("one application edited", _edit(monorepo)),
    ]


def _edit(monorepo: Workspace) -> Mapping[str, int]:
    monorepo.write("apps/g0/a000/app.py", '"""Edited once more."""\n')
    return monorepo.build(_ALL).counts


def _executed(case: str, counts: Mapping[str, int]) -> list[Series]:
    return [
        Series(case, "layers of wheels made", (counts.get("CrossdockWheelLayer", 0),)),
        Series(case, "images made", (counts.get("CrossdockImage", 0),)),
        Series(case, "actions run", (sum(counts.values()),)),
    ]


def _fetched(monorepo: Workspace) -> list[Series]:
    """Count the wheels' repositories, for a tenth of the applications and for all."""
    found = []
    for case, pattern in (("a tenth of the applications", _FEW), ("all applications", _ALL)):
        wheels = {line.split("//")[0] for line in monorepo.query(f"deps({pattern})") if "whl_" in line}
        found.append(Series(case, "wheels fetched", (len(wheels),)))
    return found


def _growth(series: list[Series]) -> list[Comparison]:
    """Say how much more ten times as many applications take."""
    found = []
    for metric, goal in (("layers of wheels made", "1"), ("wheels fetched", "1"), ("images made", "10")):
        few, everything, *_ = (one.minimum for one in series if one.metric == metric)
        growth = everything / few if few else 0.0
        label = f"{metric}: all applications / a tenth of them"
        found.append(Comparison(label=label, at_minimum=growth, at_median=growth, goal=goal))
    return found


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
