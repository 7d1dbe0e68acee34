"""What archives hold is written below a folder, and nowhere else."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import CrossdockError, LayerUnreadableError
from crossdock.running.limits import DEFAULT_LIMITS, RunLimits
from crossdock.running.materialise import scratch_folder, unpack_tar, unpack_zip
from crossdock.running.paths import follow, place_file, place_folder
from crossdock.running.sandbox import prepare_root
from crossdock.running.writing import FolderWriter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def writer(root: Path, **limits: int) -> FolderWriter:
    return FolderWriter(root, RunLimits(**limits), layered=True)


def test_paths_lead_through_links_but_never_out(root: Path) -> None:
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/file").write_text("x")
    for name, target in {
        "lib": "usr/lib",
        "abs": "/usr/lib",
        "up": "../../../../usr",
        "loop": "loop",
        "out": "/etc",
    }.items():
        (root / name).symlink_to(target)
    assert follow(root, "/lib/file") == root / "usr/lib/file"
    assert follow(root, "abs/../lib/file") == root / "usr/lib/file"
    assert follow(root, "up/lib/file") == root / "usr/lib/file"
    assert follow(root, "../../lib/file") == root / "usr/lib/file"
    assert follow(root, "loop") is None
    assert follow(root, "out/passwd") is None
    assert follow(root, "lib/file/below") is None
    assert follow(root, "lib", last=False) == root / "lib"


def test_a_file_behind_a_link_to_the_outside_is_written_inside(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    layer = writer(root)
    layer.symlink("escape", str(outside))
    layer.symlink("climb", "../../../../../outside")
    layer.file("escape/file", 0o644, [b"x"])
    layer.file("climb/other", 0o644, [b"x"])
    assert list(outside.iterdir()) == []
    assert (root / str(outside).lstrip("/") / "file").read_bytes() == b"x"
    assert (root / "outside/other").read_bytes() == b"x"


def test_a_file_replaces_a_link_and_does_not_write_through_it(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    layer = writer(root)
    layer.symlink("link", str(victim))
    layer.file("link", 0o644, [b"x"])
    assert (victim.read_text(), (root / "link").is_symlink()) == ("mine", False)
    layer.symlink("link", str(victim))
    with pytest.raises(LayerUnreadableError, match="hardlink leads nowhere"):
        layer.hardlink("other", str(victim))
    layer.hardlink("other", "link")
    assert (root / "other").is_symlink()


def test_upper_layers_hide_and_replace_what_lies_below(root: Path) -> None:
    layers = writer(root)
    for path in ("a/gone", "a/kept", "b/old/deep", "c/old", "d/file"):
        layers.file(path, 0o644, [b"lower"])
    layers.next_layer()
    layers.file("b/old/new", 0o644, [b"upper"])
    layers.file("a/.wh.gone", 0o644, [])
    layers.file("b/.wh.old", 0o644, [])
    layers.file("c/new", 0o644, [b"upper"])
    layers.file("c/.wh..wh..opq", 0o644, [])
    layers.file("d", 0o644, [b"upper"])
    files = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}
    assert files == {"a/kept": "lower", "b/old/new": "upper", "c/new": "upper", "d": "upper"}


def test_set_id_bits_devices_and_pipes_are_left_out(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "venv.tar"
    with tarfile.open(archive, "w") as tar:
        for name, kind, mode in (
            ("tool", tarfile.REGTYPE, 0o6755),
            ("disk", tarfile.BLKTYPE, 0o666),
            ("null", tarfile.CHRTYPE, 0o666),
            ("pipe", tarfile.FIFOTYPE, 0o666),
            ("folder", tarfile.DIRTYPE, 0o7000),
            (".wh.file", tarfile.REGTYPE, 0o000),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, mode
            tar.addfile(entry, io.BytesIO())
    unpack_tar(archive, root, DEFAULT_LIMITS)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()}
    assert modes == {"tool": 0o755, "folder": 0o700, ".wh.file": 0o400}


@pytest.mark.parametrize("name", ["../out", "a/../../out"])
def test_names_that_lead_out_are_refused(name: str, root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(LayerUnreadableError):
        unpack_tar(archive, root, DEFAULT_LIMITS)
    zipped = tmp_path / "bad.zip"
    with zipfile.ZipFile(zipped, "w") as zip_file:
        zip_file.writestr(name, "x")
    with pytest.raises(CrossdockError):
        unpack_zip(zipped, root, DEFAULT_LIMITS)
    assert not (tmp_path / "out").exists()


def test_a_zip_is_unpacked_with_its_programs(root: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "function.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode in (("pkg/module.py", 0o644), ("bin/tool", 0o755)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, name)
    unpack_zip(zipped, root, DEFAULT_LIMITS)
    assert (root / "pkg/module.py").read_text() == "pkg/module.py"
    assert os.access(root / "bin/tool", os.X_OK)


def test_what_is_too_large_is_given_up(root: Path) -> None:
    with pytest.raises(LayerUnreadableError, match="too large"):
        writer(root, unpacked=10).file("big", 0o644, (b"x" * 6 for _ in range(1000)))
    few = writer(root, members=3)
    for number in range(3):
        few.file(str(number), 0o644, [])
    with pytest.raises(LayerUnreadableError, match="too many files"):
        few.file("more", 0o644, [])


def test_what_is_mounted_upon_is_a_real_folder(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    for name in ("tmp", "proc", ".crossdock"):
        (root / name).symlink_to(target)
    (root / "run").write_text("")
    (root / "mnt").symlink_to("var/mnt")
    prepare_root(root, emulator=True)
    assert all((root / name).is_dir() and not (root / name).is_symlink() for name in ("tmp", "proc", "run", "dev"))
    assert (root / ".crossdock/emulator").is_file()
    assert place_folder(root, "/mnt/artifact") == "/var/mnt/artifact"
    assert place_file(root, "/run/file") == "/run/file"
    assert place_folder(root, "/run/file") is None
    assert list(target.iterdir()) == []


def test_a_scratch_folder_is_gone_afterwards() -> None:
    with scratch_folder() as folder:
        (folder / "file").write_text("x")
    assert not folder.exists()
