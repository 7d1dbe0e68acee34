"""Bases of ``crossdock.lock`` as Bazel's repositories have them; nothing is locked by the way."""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.baselayers import glibc, raw_tar
from tests.support.basemaker import TAR, Layer, LayoutMaker, config_of
from tests.unit.bazel.imagework import MACHINES, Work, base_layout, lock, lock_at, program_for, settle

from crossdock.bazel.handed.basefile import read_base
from crossdock.bazel.handed.layerfile import read_layer
from crossdock.bazel.main import main
from crossdock.errors import BazelInputError
from crossdock.verify.scan import scan_layer_file

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(project: Path, *arguments: str) -> int:
    where = ("--lock", str(project / "crossdock.lock"), "--out", str(project / "out"))
    return main(["base", *where, *arguments])


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    base_layout(tmp_path / "base")
    lock(tmp_path, tmp_path / "cache", monkeypatch)
    return tmp_path


def test_a_base_is_its_layers_and_what_is_known_of_them(small_bases: dict[str, Path]) -> None:
    for architecture, folder in small_bases.items():
        base = read_base(folder / "base.json")
        assert (base.name, base.platform, base.target, base.python) == (
            "oci:base",
            f"linux/{architecture}",
            f"linux/{architecture}+glibc2.36",
            "3.11.2",
        )
        assert base.facts.user == "1000:1000"
        assert list(base.annotations) == ["org.opencontainers.image.base.digest"]
        layers = [read_layer(folder / name) for name in base.metadata]
        assert [layer.kind for layer in layers] == ["base", "base", "environment"]
        for name, layer in zip(base.metadata, layers, strict=True):
            seen = scan_layer_file(folder / name.replace(".json", ".tar.gz"), layer.media_type)
            assert (seen.digest, seen.diff_id) == (f"sha256:{layer.made.digest}", f"sha256:{layer.made.diff_id}")
            assert seen == layer.facts
        listed = json.loads((folder / "base.json").read_text())["layers"]
        assert [item["digest"] for item in listed] == [f"sha256:{layer.made.digest}" for layer in layers]


def test_a_base_is_the_same_by_name_and_by_project_and_without_a_cache(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(project, "--base", "oci:base", "--platform", "linux/arm64") == 0
    by_name = digests(project / "out")
    (project / "out").rename(project / "by-name")
    monkeypatch.setenv("CROSSDOCK_CACHE", str(project / "empty"))
    settings = ("--project", str(project / "pyproject.toml"))
    assert run(project, *settings, "--platform", "linux/arm64", "--offline") == 0
    assert digests(project / "out") == by_name
    assert str(project) not in (project / "out" / "base.json").read_text()


def test_the_lock_may_lie_elsewhere(project: Path) -> None:
    elsewhere = project / "third_party" / "locks"
    elsewhere.mkdir(parents=True)
    locked = shutil.move(project / "crossdock.lock", elsewhere / "linux.lock")
    where = ["--lock", str(locked), "--project", str(project / "pyproject.toml"), "--out", str(project / "out")]
    assert main(["base", *where, "--platform", "linux/amd64"]) == 0
    assert read_base(project / "out" / "base.json").name == "oci:base"
    assert not (project / "crossdock.lock").exists()


def test_what_is_not_locked_is_named_and_stays_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "crossdock.lock").read_bytes()
    for arguments in (
        ("--base", "oci:other", "--platform", "linux/arm64"),
        ("--base", "oci:base", "--platform", "linux/s390x"),
    ):
        assert run(project, *arguments) == 85
        said = capsys.readouterr().err
        assert "it has oci:base for amd64, oci:base for arm64" in said
        assert "crossdock lock" in said
    (project / "crossdock.lock").unlink()
    assert run(project, "--project", str(project / "pyproject.toml"), "--platform", "linux/arm64") == 85
    assert "there is no such file" in capsys.readouterr().err
    assert not (project / "crossdock.lock").exists()
    assert not (project / "out").exists()
    assert before


def test_only_linux_has_bases(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--base", "oci:base", "--platform", "darwin/arm64") == 20
    assert "images are built for Linux" in capsys.readouterr().err


def test_a_base_without_python_serves_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base_layout(tmp_path / "base", python="")
    settle(tmp_path, tmp_path / "cache", monkeypatch)
    lock_at(tmp_path, ["linux/amd64"])
    assert run(tmp_path, "--base", "oci:base", "--platform", "linux/amd64") == 0
    base = read_base(tmp_path / "out" / "base.json")
    assert (base.python, base.target, len(base.metadata)) == ("", "linux/amd64+glibc2.36", 1)
    work = Work(folder=tmp_path, base={"amd64": tmp_path / "out"}, capture=capsys)
    assert "no such program" in work.image(arguments=["--no-python"], entrypoint=["/hello"], code=98)[1]
    work.image(arguments=["--no-python"], entrypoint=["/lib64/ld-linux-x86-64.so.2"])
    assert "has no Python" in work.image(entrypoint=["python"], code=117)[1]


def test_nothing_is_a_base_that_needs_no_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--base", "scratch", "--platform", "linux/arm64") == 0
    base = read_base(tmp_path / "out" / "base.json")
    assert (base.target, base.python, base.metadata) == ("linux/arm64+glibc2.17", "", ())
    assert base.facts.user == "65532:65532"
    work = Work(folder=tmp_path, base={"arm64": tmp_path / "out"}, capture=capsys)
    (tmp_path / "hello").write_bytes(program_for("arm64"))
    files, _ = work.files("files", f"/app/hello\t{tmp_path / 'hello'}\n")
    entrypoint = ["/app/hello"]
    folder, _ = work.image(files, architecture="arm64", arguments=["--no-python"], entrypoint=entrypoint)
    config = json.loads((folder / "config.json").read_text())["config"]
    assert config == {"Entrypoint": ["/app/hello"], "Env": [], "User": "65532:65532", "WorkingDir": "/app"}
    # And so it is without any base.
    outputs = [part for kind in ("manifest", "config", "image") for part in (f"--{kind}", tmp_path / f"{kind}.json")]
    given = ("--layer", files, "--settings", tmp_path / "settings.json", *outputs)
    work.run("image", "--name", "demo", "--no-python", "--platform", "linux/arm64", *given)
    assert (tmp_path / "image.json").read_bytes() == (folder / "image.json").read_bytes()
    assert "has no --base" in work.run("image", "--name", "demo", "--platform", "linux/arm64", *given, code=2)
    assert "has no --name" in work.run("image", "--no-python", "--platform", "linux/arm64", *given, code=2)


@pytest.fixture
def plain(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose base has a layer that is to be compressed; gives the folder that the encoder is in."""
    layer = Layer(raw_tar(glibc("usr/lib/libc.so.6", "2.36")))
    maker = LayoutMaker(project / "plain")
    config = maker.json(config_of((layer,), "amd64"), "application/vnd.oci.image.config.v1+json")
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [maker.blob(layer.tar, TAR)],
    }
    entry = maker.json(manifest, manifest["mediaType"])
    maker.finish({**entry, "platform": {"os": "linux", "architecture": "amd64"}})
    settle(project, project / "cache", monkeypatch, base='"oci:plain"')
    lock_at(project, ["linux/amd64"])
    monkeypatch.setenv("CROSSDOCK_CACHE", str(project / "empty"))
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "deflate"}
    yield Path(kept["deflate"].__path__[0]).parent
    sys.modules.update(kept)


def test_without_its_encoder_a_base_of_files_is_refused(
    project: Path, plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del sys.modules["deflate"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [folder for folder in sys.path if "site-packages" not in folder])
        assert run(project, "--base", "oci:plain", "--platform", "linux/amd64") == 77
        assert "`deflate` is not there" in capsys.readouterr().err
        assert not (project / "out").exists()
        # From where it is named it is taken.
        assert run(project, "--base", "oci:plain", "--platform", "linux/amd64", "--encoder", str(plain)) == 0
        # What lies beside it is not to be found: it could stand before crossdock's own.
        assert str(plain) not in sys.path


def test_the_encoder_of_this_machine_s_python_does_not_count(
    project: Path, plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "site" / "deflate").mkdir(parents=True)
    (project / "site" / "deflate" / "__init__.py").write_text("def gzip_compress(*_): return b'of another release'\n")
    monkeypatch.syspath_prepend(project / "site")
    del sys.modules["deflate"]
    importlib.import_module("deflate")  # as what unpacks has, before any command runs
    arguments = ("--base", "oci:plain", "--platform", "linux/amd64", "--encoder")
    assert run(project, *arguments, str(project / "nothing")) == 77
    assert "`deflate` is not there" in capsys.readouterr().err
    assert run(project, *arguments, str(plain)) == 0
    layer = next(read_layer(path) for path in sorted((project / "out").glob("layer-*.json")))
    path = project / "out" / "layer-0.tar.gz"
    assert scan_layer_file(path, layer.media_type) == layer.facts


def test_what_is_no_base_is_refused(small_bases: dict[str, Path], tmp_path: Path) -> None:
    whole = json.loads((small_bases["amd64"] / "base.json").read_text())
    path = tmp_path / "base.json"
    changes: list[dict[str, object]] = [
        {"version": 9},
        {"facts": {"libc": 5}},
        {"layers": [{"metadata": "../../etc/passwd"}]},
        {"layers": None},
    ]
    for change in changes:
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(BazelInputError, match="is not what it must be"):
            read_base(path)
    assert MACHINES.keys() == small_bases.keys()
