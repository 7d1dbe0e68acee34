"""``crossdock verify`` of images that engines hold or saved."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tests.unit.cli.test_verify_subjects import AMD64, ARM64, tar_of, verify

from crossdock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def saved(path: Path, layer: bytes, *, said: bytes | None = None, name: str = "a") -> Path:
    """An archive as ``docker save`` wrote it before it wrote layouts."""
    diff_id = f"sha256:{hashlib.sha256(said or layer).hexdigest()}"
    config = json.dumps({"os": "linux", "architecture": "arm64", "rootfs": {"type": "layers", "diff_ids": [diff_id]}})
    listed = [{"Config": "config.json", "RepoTags": [f"{name}:1"], "Layers": ["one/layer.tar"]}]
    files = {"one/layer.tar": layer, "config.json": config.encode(), "manifest.json": json.dumps(listed).encode()}
    path.write_bytes(tar_of(files))
    return path


def test_an_archive_that_docker_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layer = tar_of({"app/a.so": ARM64})
    path = saved(tmp_path / "image.tar", layer)
    assert verify(capsys, path) == (0, {"linux/arm64": []})
    assert verify(capsys, f"docker-archive:{path}") == (0, {"linux/arm64": []})
    assert verify(capsys, saved(path, tar_of({"app/a.so": AMD64}))) == (91, {"linux/arm64": ["elf-machine"]})
    code, found = verify(capsys, saved(path, layer, said=b"other"))
    assert code == 99
    assert "layer-diff-id" in found["linux/arm64"]


def test_an_archive_whose_list_contradicts_its_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "image.tar", b"")
    path.write_bytes(path.read_bytes().replace(b'"Layers": ["one/layer.tar"]', b'"Layers": [               ]'))
    assert main(["verify", str(path)]) == 92
    assert "diff_ids" in capsys.readouterr().err


def test_engines_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("docker-daemon:app:1", "containers-storage:app:1", "podman://app:1"):
        assert main(["verify", name]) == 75
        assert "is not installed" in capsys.readouterr().err
    assert main(["verify", "docker-daemon:--help"]) == 75
    assert "is not the name of an image" in capsys.readouterr().err
