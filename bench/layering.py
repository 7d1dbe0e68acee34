"""Making layers of wheels, as a build does, without a project around it."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.wheelhouse import PYTHON
from crossdock.layers.cached import MadeLayer, wheel_recipe
from crossdock.layers.grouping import SizedWheel, group_wheels
from crossdock.store.blobs import Store
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Groups", "grouped", "make_layers", "one_each", "run_parallel"]

Item = TypeVar("Item")
Made = TypeVar("Made")

SCHEME = posix_venv("app/.venv", PYTHON)

#: File name and SHA-256 of each wheel, for each layer.
Groups = list[list[tuple[str, str]]]


def one_each(paths: Iterable[Path], store: Store) -> Groups:
    """Give each wheel a layer of its own; they are put into the store."""
    return [[(path.name, store.add_file(path))] for path in paths]


def grouped(paths: Iterable[Path], store: Store) -> Groups:
    """Divide wheels into layers as a build does; they are put into the store."""
    sized = [
        SizedWheel(
            name=path.name.split("-")[0].lower().replace("_", "-"),
            version=path.name.split("-")[1],
            filename=path.name,
            sha256=store.add_file(path),
            size=path.stat().st_size,
            pure=path.name.endswith("-none-any.whl"),
        )
        for path in paths
    ]
    return [[(wheel.filename, wheel.sha256) for wheel in group.wheels] for group in group_wheels(sized)]


def make_layers(groups: Groups, source: Store, jobs: int) -> list[MadeLayer]:
    """Make layers into a new store, which is thrown away; layers that several targets share are made once."""
    with tempfile.TemporaryDirectory() as folder:
        target = Store(Path(folder))
        recipes = {recipe.key: recipe for recipe in (wheel_recipe(source, group, SCHEME) for group in groups)}
        return run_parallel(lambda recipe: recipe.make(target), list(recipes.values()), jobs)


def run_parallel(work: Callable[[Item], Made], items: Sequence[Item], jobs: int) -> list[Made]:
    """Do something to each item, in one thread or several."""
    if jobs == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(work, items))
