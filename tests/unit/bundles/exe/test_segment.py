"""Pieces of archives: each made once, and together one archive that every tar reads."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bundles.exe.test_launcher import LAUNCH

from crossdock.bundles.exe.assemble import assemble_exe
from crossdock.bundles.exe.segment import exe_scheme, last_segment, wheels_segment
from crossdock.errors import DamagedLayerError, FileCollisionError
from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.layers.cached import LayerRecipe

SCHEME = exe_scheme("python3.12")
SITE = "lib/python3.12/site-packages"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def add(store: Store, wheel: Path) -> tuple[str, str]:
    return wheel.name, store.add_bytes(wheel.read_bytes())


@pytest.fixture
def pieces(store: Store, tmp_path: Path) -> list[LayerRecipe]:
    one = add(store, make_wheel(tmp_path, "one", "1.0", {"one/__init__.py": "x = 1\n" * 999, "one/empty": b""}))
    two = add(store, make_wheel(tmp_path, "two", "2.0", {"two.py": "y\n"}, entry_points={"two": "two:main"}))
    return [wheels_segment(store, [wheel], SCHEME) for wheel in (one, two)]


def unpacked(store: Store, recipes: list[LayerRecipe]) -> dict[str, tuple[int, bytes]]:
    data = b"".join(store.read_bytes(recipe.make(store).digest) for recipe in recipes)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [(member, archive.extractfile(member)) for member in archive if member.isfile()]
        return {member.name: (member.mode, file.read()) for member, file in files if file is not None}


def test_pieces_are_one_archive_whose_end_is_in_the_last(store: Store, pieces: list[LayerRecipe]) -> None:
    files = unpacked(store, [*pieces, last_segment({"main.py": b"import two\n"})])
    assert files[f"{SITE}/one/__init__.py"] == (0o644, b"x = 1\n" * 999)
    assert files[f"{SITE}/two.py"] == (0o644, b"y\n")
    assert files["main.py"] == (0o644, b"import two\n")
    assert f"{SITE}/two-2.0.dist-info/RECORD" in files


def test_scripts_find_the_python_beside_themselves(store: Store, pieces: list[LayerRecipe]) -> None:
    mode, script = unpacked(store, [*pieces, last_segment({})])["bin/two"]
    assert mode == 0o755
    assert script.startswith(b"#!/bin/sh\n")
    assert b"/python3.12" in script


def test_a_piece_is_made_once(store: Store, pieces: list[LayerRecipe]) -> None:
    made = [recipe.make(store) for recipe in pieces]
    for path in store.root.glob("blobs/sha256/*/*"):
        if path.name not in {item.digest for item in made}:
            path.unlink()  # the wheels are not needed any more
    assert [recipe.make(store) for recipe in pieces] == made


def test_wheels_that_meet_have_to_agree(store: Store, tmp_path: Path) -> None:
    wheels = [add(store, make_wheel(tmp_path, name, "1.0", {"shared/data.txt": name})) for name in ("first", "second")]
    with pytest.raises(FileCollisionError, match=r"shared/data\.txt"):
        wheels_segment(store, wheels, SCHEME).make(store)


def test_a_file_is_launcher_python_and_application(store: Store, pieces: list[LayerRecipe]) -> None:
    python = store.add_bytes(b"a python")
    made = [recipe.make(store).digest for recipe in [*pieces, last_segment({})]]
    out = io.BytesIO()

    digest = assemble_exe(LAUNCH, python, made, store, out)

    data = out.getvalue()
    app = b"".join(store.read_bytes(piece) for piece in made)
    assert digest == hashlib.sha256(data).hexdigest()
    assert data.endswith(
        b"\nexit" + b"\n" * (len(data) - data.rindex(b"\nexit\n") - 5 - 8 - len(app)) + b"a python" + app
    )
    assert hashlib.sha256(b"a python" + app).hexdigest().encode() in data


def test_a_damaged_piece_is_removed_and_told(store: Store) -> None:
    python, app = store.add_bytes(b"a python"), store.add_bytes(b"an app")
    path = store.path(app)
    path.chmod(0o644)
    path.write_bytes(b"no app")
    with pytest.raises(DamagedLayerError, match=app):
        assemble_exe(LAUNCH, python, [app], store, io.BytesIO())
    assert store.find(app) is None
