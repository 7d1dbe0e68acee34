"""What bundles begin with: wheels that are here, those that meet found, and parts made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.zippart import install_recipe
from crossdock.bundling.ready import WheelFile, installed_together, make_parts
from crossdock.errors import BadWheelError
from crossdock.services import Services
from crossdock.store import Store
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(store=Store(tmp_path / "store"), jobs=2)


def wheel(folder: Path, store: Store, name: str, files: Mapping[str, str]) -> WheelFile:
    path = make_wheel(folder, name, "1.0", files)
    return WheelFile(name=name, version="1.0", filename=path.name, sha256=store.add_file(path))


@pytest.mark.parametrize("prefix", ["", "python"])
def test_wheels_that_write_no_common_path_are_apart(tmp_path: Path, services: Services, prefix: str) -> None:
    wheels = [wheel(tmp_path, services.store, name, {f"{name}/__init__.py": ""}) for name in "abc"]
    assert installed_together(wheels, flat(prefix), services.store) == [(one,) for one in wheels]


@pytest.mark.parametrize("prefix", ["", "python"])
def test_wheels_that_may_write_one_path_are_together_in_their_order(
    tmp_path: Path, services: Services, prefix: str
) -> None:
    shared = {"name/__init__.py": ""}
    a = wheel(tmp_path, services.store, "a", {**shared, "name/a.py": ""})
    b = wheel(tmp_path, services.store, "b", {"b.py": ""})
    c = wheel(tmp_path, services.store, "c", {**shared, "name/c.py": ""})
    assert installed_together([c, b, a], flat(prefix), services.store) == [(c, a), (b,)]


def test_a_part_that_two_targets_need_is_made_once(tmp_path: Path, services: Services) -> None:
    one = wheel(tmp_path, services.store, "a", {"a.py": ""})
    recipes = [install_recipe(services.store, [(one.filename, one.sha256)], flat()) for _ in range(2)]
    made = make_parts(recipes, services)
    assert list(made) == [recipes[0].key]
    assert made[recipes[0].key].entries == 5


def test_the_first_failure_ends_all(tmp_path: Path, services: Services) -> None:
    broken = services.store.add_bytes(b"no wheel")
    recipes = [install_recipe(services.store, [("broken-1.0-py3-none-any.whl", broken)], flat())]
    with pytest.raises(BadWheelError):
        make_parts(recipes, services)
