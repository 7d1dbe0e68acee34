"""``crossdock lambda`` on a project with a lock of generated wheels: what is in the zips, and what is refused."""

from __future__ import annotations

import hashlib
import random
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.functionproject import HANDLER, entries, two_machines_project, write_project
from tests.support.wheelmaker import make_wheel
from tests.unit.steps.sampleplan import elf

from crossdock.bundles.functions.kinds import AWS
from crossdock.bundling import functions
from crossdock.cli.main import main
from crossdock.errors import DamagedLayerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, list[str], str]]

ARM = "aws-lambda-python3.12/arm64"
AMD = "aws-lambda-python3.12/amd64"
GOOGLE = "google-cloud-run-python312/amd64"
AZURE = "azure-functions-python3.12/amd64"


@pytest.fixture(autouse=True, scope="module")
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSDOCK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; gives its exit code, the lines on standard output, and standard error."""

    def command(*arguments: str | Path) -> tuple[int, list[str], str]:
        code = main(["lambda", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return command


def test_a_function_for_each_architecture(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)

    code, paths, err = run(root, "--target", AMD, "--target", ARM)

    assert code == 0, err
    assert paths == [str(root / f"dist/shop_lambda_linux_{arch}.zip") for arch in ("amd64", "arm64")]
    arm, amd = entries(paths[1]), entries(paths[0])
    assert arm.keys() == amd.keys()
    assert sorted(arm) == [
        "bin/pure",
        "bin/shop",
        "fast-2.0.dist-info/INSTALLER",
        "fast-2.0.dist-info/METADATA",
        "fast-2.0.dist-info/RECORD",
        "fast-2.0.dist-info/WHEEL",
        "fast/_fast.abi3.so",
        "pure-1.0.dist-info/INSTALLER",
        "pure-1.0.dist-info/METADATA",
        "pure-1.0.dist-info/RECORD",
        "pure-1.0.dist-info/WHEEL",
        "pure-1.0.dist-info/entry_points.txt",
        "pure/__init__.py",
        "pure/run.sh",
        "share/pure.txt",
        "shop-1.0.dist-info/INSTALLER",
        "shop-1.0.dist-info/METADATA",
        "shop-1.0.dist-info/RECORD",
        "shop-1.0.dist-info/WHEEL",
        "shop-1.0.dist-info/entry_points.txt",
        "shop/__init__.py",
        "shop/web.py",
    ]
    assert {path for path in arm if arm[path][0] == 0o100755} == {"bin/pure", "bin/shop", "pure/run.sh"}
    assert {mode for mode, _ in arm.values()} == {0o100644, 0o100755}
    assert arm["bin/shop"][1].startswith(b"#!/usr/bin/env python3\n")
    assert arm["fast/_fast.abi3.so"][1] == elf("arm64")
    assert amd["fast/_fast.abi3.so"][1] == elf("amd64")
    assert "ok: shop: 2 zips for functions" in err
    assert f"for {ARM}" in err


def test_a_layer_is_the_same_below_python(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)

    _, (function,), _ = run(root, "--target", ARM)
    code, (layer,), err = run(root, "--target", ARM, "--layer")

    assert code == 0
    assert layer.endswith("/dist/shop_layer_linux_arm64.zip")
    flat = entries(function)
    assert entries(layer) == {f"python/{path}": entry for path, entry in flat.items()}
    assert "no handler" not in err


def test_a_layer_of_dependencies_and_a_small_function(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)

    _, (function,), _ = run(root, "--target", ARM)
    code, paths, _ = run(root, "--target", ARM, "--split", "deps,app", "--output", tmp_path / "out")

    assert code == 0
    assert paths == [str(tmp_path / "out" / f"shop_{part}_linux_arm64.zip") for part in ("deps", "app")]
    deps, app = entries(paths[0]), entries(paths[1])
    whole = entries(function)
    assert all(path.startswith("python/") for path in deps)
    assert {path.removeprefix("python/"): entry for path, entry in deps.items()} | app == whole
    assert set(app) == {path for path in whole if path.startswith(("shop", "bin/shop"))}
    assert run(root, "--target", ARM, "--split", "app", "--output", tmp_path / "one")[1] == [
        str(tmp_path / "one" / "shop_app_linux_arm64.zip")
    ]
    assert (tmp_path / "one" / "shop_app_linux_arm64.zip").read_bytes() == (tmp_path / paths[1]).read_bytes()


def test_several_pythons_have_several_names(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)

    code, paths, _ = run(root, "--target", "linux/arm64", "--target", AMD, "--python", "3.12", "-q")
    _, more, _ = run(root, "--target", "linux/arm64", "--python", "3.12", "--python", "3.13", "-q")

    assert code == 0
    assert [path.rpartition("/")[2] for path in paths] == ["shop_lambda_linux_arm64.zip", "shop_lambda_linux_amd64.zip"]
    assert [path.rpartition("/")[2] for path in more] == [
        "shop_lambda_linux_arm64_python3.12.zip",
        "shop_lambda_linux_arm64_python3.13.zip",
    ]


def test_quiet_says_the_paths_alone(run: Run, tmp_path: Path) -> None:
    code, paths, err = run(two_machines_project(tmp_path, settings=""), "--target", ARM, "--quiet")

    assert (code, len(paths), err) == (0, 1, "")


def test_that_no_handler_was_looked_for_is_said(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path, settings="")

    assert "no handler is named, so none was looked for" in run(root, "--target", ARM)[2]
    assert "no handler" not in run(root, "--target", ARM, "--handler", "shop/web.handler")[2]


def test_what_is_true_of_all_targets_is_warned_of_once(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path, files={"shop/web.py": "async def handler(event, context): ...\n"})

    code, _, err = run(root, "--target", ARM, "--target", AMD)

    assert code == 0
    assert err.count("warning: the handler shop.web.handler is a coroutine function") == 1


def test_a_handler_of_a_dependency_is_found(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)

    assert run(root, "--target", ARM, "--handler", "pure.x")[0] == 0
    assert run(root, "--target", ARM, "--handler", "pure.x", "--split", "app")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--target", ARM, "--handler", "shop.web.handle"], 67, "does not define handle"),
        (["--target", ARM, "--handler", "shop.handler.handle"], 67, "which is not there"),
        (["--target", ARM, "--handler", "nothing"], 67, "is not understood"),
        (["--target", ARM, "--handler", ""], 67, "is not understood"),
        (["--target", "debian-12/arm64"], 20, "no place that functions run in"),
        (["--target", "aws-lambda-python3.12/riscv64"], 21, "does not run on"),
        (["--target", ARM, "--split", "deps,deps"], 2, "--split cannot be"),
        (["--target", ARM, "--split", ""], 2, "--split cannot be"),
        (["--target", ARM, "--layer", "--split", "deps"], 2, "not allowed with"),
        (["--target", ARM, "--output", ""], 2, "--output is empty"),
        (["--target", ARM, "--output", "pyproject.toml"], 72, "it is not a folder"),
        (["--target", GOOGLE, "--layer"], 2, "not for Google Cloud Run functions"),
        (["--target", AZURE, "--without-boto3"], 2, "not for Azure Functions"),
        (["--target", AZURE, "--handler", "a.b"], 2, "--handler is not for Azure"),
        (["--target", AZURE], 67, "has no host.json"),
        (["--target", "linux/s390x"], 20, "no place"),
    ],
)
def test_what_is_refused_leaves_nothing(
    arguments: list[str],
    code: int,
    words: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = two_machines_project(tmp_path)
    monkeypatch.chdir(root)
    before = sorted(root.rglob("*"))

    got, out, err = run(root, *arguments)

    assert (got, out) == (code, [])
    assert words in err
    assert sorted(root.rglob("*")) == before


def test_a_wheel_whose_tag_lies_is_refused(run: Run, tmp_path: Path) -> None:
    lying = make_wheel(tmp_path, "liar", "1.0", {"liar/x.so": elf("amd64")}, tag="cp39-abi3-manylinux_2_17_aarch64")
    root = write_project(tmp_path / "project", [lying], settings=HANDLER)

    code, out, err = run(root, "--target", ARM)

    assert (code, out) == (91, [])
    assert "liar/x.so is an x86-64 ELF file, but the target linux/arm64/v8 needs aarch64" in err
    assert not (root / "dist").exists()


def test_all_zips_are_written_or_none(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)
    (root / "dist" / "shop_lambda_linux_arm64.zip").mkdir(parents=True)

    code, out, err = run(root, "--target", AMD, "--target", ARM)

    assert (code, out) == (72, [])
    assert "shop_lambda_linux_arm64.zip is a folder" in err
    assert [path.name for path in (root / "dist").iterdir()] == ["shop_lambda_linux_arm64.zip"]


def test_a_failure_while_the_second_zip_is_written_leaves_no_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part in the cache is damaged after it was made: that comes out only when it is copied."""
    monkeypatch.setenv("CROSSDOCK_CACHE", str(tmp_path / "cache"))
    root = two_machines_project(tmp_path)
    _, (amd, arm), _ = run(root, "--target", AMD, "--target", ARM)
    good = {path: Path(path).read_bytes() for path in (amd, arm)}
    shutil.rmtree(root / "dist")
    (blob,) = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and _is_part(path, elf("arm64"))]
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"fast-2.0.dist-info/WHEEL", b"fast-2.0.dist-info/wheel"))

    code, out, err = run(root, "--target", AMD, "--target", ARM)

    assert (code, out) == (DamagedLayerError.exit_code, [])
    assert "run the same command again" in err
    assert list((root / "dist").iterdir()) == []
    assert run(root, "--target", AMD, "--target", ARM)[1] == [amd, arm]
    assert {path: Path(path).read_bytes() for path in (amd, arm)} == good


def _is_part(path: Path, content: bytes) -> bool:
    """Say whether a file is a part of a zip, with a file that has some content; wheels have no INSTALLER."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        installed = any(name.endswith("/INSTALLER") for name in names)
        return installed and any(archive.read(name) == content for name in names)


def test_a_zip_that_is_there_is_replaced(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)
    path = root / "dist" / "shop_lambda_linux_arm64.zip"
    path.parent.mkdir()
    path.write_text("old")

    assert run(root, "--target", ARM)[0] == 0
    assert zipfile.is_zipfile(path)
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_two_wheels_of_one_path_are_refused_and_of_one_content_installed(run: Run, tmp_path: Path) -> None:
    same = [make_wheel(tmp_path, name, "1.0", {"ns/__init__.py": "", f"ns/{name}.py": ""}) for name in ("a", "b")]
    root = write_project(tmp_path / "same", same, settings=HANDLER)
    code, (path,), _ = run(root, "--target", ARM)
    assert code == 0
    assert {"ns/__init__.py", "ns/a.py", "ns/b.py"} <= entries(path).keys()

    other = [make_wheel(tmp_path, name, "1.0", {"ns/__init__.py": name}) for name in ("a", "b")]
    code, out, err = run(write_project(tmp_path / "other", other, settings=HANDLER), "--target", ARM)
    assert (code, out) == (64, [])
    assert "ns/__init__.py" in err


def test_what_is_built_from_source_or_changed_by_settings_comes_so(run: Run, tmp_path: Path) -> None:
    """Both are decided only after the plan was made."""
    settings = f'{HANDLER}[tool.crossdock.packages.pure]\nexclude = ["pure/run.sh"]\n'
    root = two_machines_project(tmp_path, settings)
    source = write_project(tmp_path / "source", files={"built/__init__.py": "y = 2\n"})
    for path in source.iterdir():  # a project of another name
        path.write_text(path.read_text().replace("shop-1.0", "built-3.0").replace("Name: shop", "Name: built"))
        path.write_text(path.read_text().replace('"shop"', '"built"').replace('version = "1.0"', 'version = "3.0"'))
        path.write_text(path.read_text().replace("built\\nVersion: 1.0", "built\\nVersion: 3.0"))
    sdist = root / "built-3.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name in ("pyproject.toml", "backend.py"):
            archive.add(source / name, f"built-3.0/{name}")
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    with (root / "pylock.toml").open("a") as lock:
        lock.write('[[packages]]\nname = "built"\nversion = "3.0"\n[packages.sdist]\n')
        lock.write(f'path = "{sdist.name}"\nhashes = {{sha256 = "{digest}"}}\n')

    code, paths, err = run(root, "--target", ARM)

    assert code == 0, err
    found = entries(paths[0])
    assert found["built/__init__.py"][1] == b"y = 2\n"
    assert "pure/__init__.py" in found
    assert "pure/run.sh" not in found


def test_a_layer_without_dependencies_is_refused(run: Run, tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", settings=HANDLER)

    code, _, err = run(root, "--target", ARM, "--split", "deps,app")

    assert code == 65
    assert "leave deps out of --split" in err


def test_a_function_that_is_too_large_is_refused_with_a_table(run: Run, tmp_path: Path) -> None:
    # Random bytes keep it from being a bomb, zeros from being large on disk.
    block = random.Random(0).randbytes(200_000) + bytes(25 << 20)
    big = make_wheel(tmp_path, "big", "1.2", {f"big/{number}.bin": block for number in range(10)}, level=1)
    small = make_wheel(tmp_path, "small", "0.1", {"small/data.bin": bytes(5 << 20)}, level=1)
    root = write_project(tmp_path / "project", [big, small], settings=HANDLER)
    assert (root / big.name).stat().st_size < 5 << 20

    for arguments in ([], ["--layer"], ["--split", "deps,app"]):
        code, out, err = run(root, "--target", ARM, *arguments)

        assert (code, out) == (66, [])
        assert "AWS Lambda takes less than 262,144,000 bytes, layers included; the largest packages:" in err
        rows = [line.split() for line in err.splitlines() if " MB " in line and "%" in line]
        assert [row[:2] for row in rows][:2] == [["big", "1.2"], ["small", "0.1"]]
        assert rows[0][2:] == ["251.9", "MB", "98", "%"]
        assert "crossdock image --profile lambda" in err
        assert not (root / "dist").exists()


def test_a_zip_that_is_too_large_for_a_direct_upload(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real limit would take 50 MB of random bytes, so one of the zip's own size takes its place."""

    def limit(size: int) -> None:
        kind = replace(AWS, zipped=size)
        monkeypatch.setattr(functions, "AWS", kind)
        monkeypatch.setattr(functions, "kind_of", lambda _: kind)

    root = two_machines_project(tmp_path)
    size = Path(run(root, "--target", ARM)[1][0]).stat().st_size
    shutil.rmtree(root / "dist")

    limit(size)
    assert run(root, "--target", ARM, "--direct-upload")[0] == 0
    shutil.rmtree(root / "dist")

    limit(size - 1)
    code, out, err = run(root, "--target", ARM, "--direct-upload")
    assert (code, out) == (66, [])
    assert f"shop_lambda_linux_arm64.zip has {size:,} bytes" in err
    assert "pure 1.0" in err
    assert not (root / "dist").exists()
    code, _, err = run(root, "--target", ARM)
    assert code == 0
    assert "warning: shop_lambda_linux_arm64.zip has" in err
