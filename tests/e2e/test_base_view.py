"""The view of an image's layers against a tool that unpacks them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.baselayers import GZIP, blob, link, raw_tar

from crossdock.bases.rootview import read_root
from crossdock.layers.entry import Entry, directory, file, symlink

if TYPE_CHECKING:
    from tests.e2e.engines import Umoci

pytestmark = pytest.mark.engine

_NAMES = ("a", "b", "c")


def test_the_view_is_what_an_engine_unpacks(tmp_path: Path, umoci: Umoci) -> None:
    images = {seed: _layers(random.Random(seed)) for seed in range(40)}
    files = 0
    for seed, layers in images.items():
        tars = [raw_tar(*members) for members in layers]
        _write_layout(tmp_path / f"layout{seed}", tars)
        unpacked = umoci.unpack(f"{tmp_path}/layout{seed}:latest", tmp_path / f"bundle{seed}")
        view = read_root([blob(tar) for tar in tars], name="image")
        theirs = dict(_walk(unpacked))
        ours = {
            place.path: (place.node.kind, place.node.linkname or place.node.size)
            if place.node.kind != "directory"
            else (place.node.kind, 0)
            for place in view.walk()
        }
        assert ours == theirs, (seed, layers)
        files += len(ours)
    assert files > 200


def _layers(chance: random.Random) -> list[list[Entry]]:
    """Layers as tools write them: what is hidden first, then directories before what is in them."""
    made: set[str] = set()
    layers = []
    for number in range(chance.randint(2, 5)):
        hiding = [path for path in sorted(made) if chance.random() < 0.15]
        # Engines differ on whether a whiteout in a directory that is gone brings it back.
        outer = [path for path in hiding if not any(path.startswith(f"{other}/") for other in hiding)]
        hidden = [_hiding(chance, path) for path in outer]
        made = {path for path in made if not any(path == other or path.startswith(f"{other}/") for other in outer)}
        above = sorted({"/".join(_some(chance)[:depth]) for _ in range(4) for depth in (1, 2)})
        members = [directory(path) for path in above]
        for index in range(chance.randint(1, 6)):
            path = f"{chance.choice(above)}/f{chance.randint(0, 3)}{'xyz'[number % 3]}"
            if any(member.path == path for member in members):
                continue
            firsts = [member.path for member in members if member.kind == "file"]
            members.append(
                chance.choice(
                    [
                        file(path, b"x" * (index + 1)),
                        symlink(path, chance.choice(["a", "../b", "/c", "nowhere"])),
                        link(path, chance.choice(firsts)) if firsts else file(path, b""),
                    ]
                )
            )
        made |= {member.path for member in members}
        layers.append([*hidden, *members])
    return layers


def _some(chance: random.Random) -> list[str]:
    return [chance.choice(_NAMES) for _ in range(2)]


def _hiding(chance: random.Random, path: str) -> Entry:
    above, slash, name = path.rpartition("/")
    opaque = chance.random() < 0.3 and "/f" not in path
    return file(f"{path}/.wh..wh..opq" if opaque else f"{above}{slash}.wh.{name}", b"")


def _walk(root: Path) -> list[tuple[str, tuple[str, int | str]]]:
    found: list[tuple[str, tuple[str, int | str]]] = []
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                value: tuple[str, int | str] = ("symlink", str(path.readlink()))
            else:
                kind = "directory" if stat.S_ISDIR(status.st_mode) else "file"
                value = (kind, 0 if kind == "directory" else status.st_size)
            found.append((f"/{path.relative_to(root)}", value))
    return found


def _write_layout(folder: Path, tars: list[bytes]) -> None:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    prefix = "application/vnd.oci.image"
    diff_ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "config": put(json.dumps(config).encode(), f"{prefix}.config.v1+json"),
        "layers": [put(gzip.compress(tar, mtime=0), GZIP) for tar in tars],
    }
    entry = put(json.dumps(manifest).encode(), f"{prefix}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
