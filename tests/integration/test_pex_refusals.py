"""What `crossdock pex` refuses, with its exit code, and that nothing is left behind; and how its files are named."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.baselayers import elf
from tests.support.pexfiles import pex_info, pex_project, zip_files
from tests.support.wheelmaker import make_wheel

from crossdock.cli.main import main
from crossdock.errors import DamagedLayerError

if TYPE_CHECKING:
    from collections.abc import Callable

AMD, ARM = "linux/amd64+glibc2.28", "linux/arm64+glibc2.28"
ELF_ARM = bytes.fromhex("7f454c460201010000000000000000000300b700010000000000000000000000") + bytes(4096)


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return pex_project(tmp_path / "shop")


@pytest.fixture
def run(
    cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, list[str], str]]:
    """Run the command; give its exit code, the names it prints, and what it says."""
    monkeypatch.setenv("CROSSDOCK_CACHE", str(cache_folder))

    def start(project: Path, *options: str) -> tuple[int, list[str], str]:
        python = [] if "--python" in options else ["--python", "3.11"]
        code = main(["pex", str(project), "--offline", "--output", str(tmp_path / "out"), *python, *options])
        out, err = capsys.readouterr()
        return code, [Path(line).name for line in out.splitlines()], err

    return start


@pytest.mark.parametrize(
    "options", [[], ["--layout", "packed"], ["--layout", "loose"], ["--no-pre-install-wheels"], ["--multi-platform"]]
)
def test_a_program_for_another_machine_is_refused_in_every_form(
    options: list[str], run: Callable[..., tuple[int, list[str], str]], tmp_path: Path
) -> None:
    tag = "py3-none-manylinux_2_17_x86_64"
    liar = make_wheel(tmp_path, "liar", "1.0", {"liar/fast.so": ELF_ARM}, tag=tag)
    code, names, err = run(pex_project(tmp_path / "p", [liar]), "--target", AMD, *options)
    assert (code, names) == (91, [])
    assert f".deps/{liar.name}/liar/fast.so is an aarch64 ELF file" in err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_one_that_is_allowed_is_not(run: Callable[..., tuple[int, list[str], str]], tmp_path: Path) -> None:
    tag = "py3-none-manylinux_2_17_x86_64"
    liar = make_wheel(tmp_path, "liar", "1.0", {"liar/fast.so": ELF_ARM}, tag=tag)
    settings = '[tool.crossdock.verify]\nallow = ["*/liar/fast.so"]\n'
    for layout in ("zipapp", "packed"):
        place = str(tmp_path / layout)
        project = pex_project(tmp_path / f"p-{layout}", [liar], settings=settings)
        assert run(project, "--target", AMD, "--layout", layout, "--output", place)[0] == 0


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([AMD, ARM], ["shop_linux_amd64.pex", "shop_linux_arm64.pex"]),
        (["linux/arm/v7"], ["shop_linux_arm.pex"]),
        (["linux/amd64/v3+glibc2.28"], ["shop_linux_amd64_v3.pex"]),
        ([AMD, "linux/amd64+musl"], ["shop_linux_amd64.pex", "shop_linux_amd64_musl.pex"]),
        ([AMD, "linux/amd64+glibc2.17"], ["shop_linux_amd64_glibc2.28.pex", "shop_linux_amd64_glibc2.17.pex"]),
        (["darwin/arm64", "windows/amd64"], ["shop_darwin_arm64.pex", "shop_windows_amd64.pex"]),
        ([AMD, AMD], ["shop_linux_amd64.pex"]),
    ],
)
def test_names(
    options: list[str], wanted: list[str], run: Callable[..., tuple[int, list[str], str]], shop: Path
) -> None:
    targets = [item for target in options for item in ("--target", target)]
    assert run(shop, *targets)[:2] == (0, wanted)


def test_names_of_several_pythons_and_their_constraints(
    run: Callable[..., tuple[int, list[str], str]], shop: Path, tmp_path: Path
) -> None:
    pythons = [item for version in ("3.12", "3.13t", "pypy3.11") for item in ("--python", version)]
    code, names, err = run(shop, "--target", AMD, *pythons)
    assert code == 0, err
    assert names == [
        "shop_linux_amd64_python3.12.pex",
        "shop_linux_amd64_python3.13t.pex",
        "shop_linux_amd64_pypy3.11.pex",
    ]
    constraints = [pex_info(tmp_path / "out" / name)["interpreter_constraints"] for name in names]
    assert constraints == [["CPython==3.12.*"], ["CPython+t==3.13.*"], ["PyPy==3.11.*"]]
    shebangs = [(tmp_path / "out" / name).read_bytes().split(b"\n")[0].rpartition(b" ")[2] for name in names]
    assert shebangs == [b"python3.12", b"python3.13t", b"pypy3.11"]


def test_settings_are_those_of_the_rule_and_options_stand_in_their_place(
    run: Callable[..., tuple[int, list[str], str]], tmp_path: Path
) -> None:
    settings = """
[tool.crossdock]
entrypoint = ["python", "-m", "shop.web", "--now"]
[tool.crossdock.pex]
inject-env = {A = "b", C = "d"}
inherit-path = "fallback"
python-shebang = "#!/usr/bin/env python{major}"
python-interpreter-constraints = ["CPython>={major}.{minor}.{patch}"]
"""
    project = pex_project(tmp_path / "p", settings=settings)
    one = tmp_path / "one.pex"
    assert run(project, "--target", AMD, "--python", "3.11.4", "--output", str(one))[:2] == (0, ["one.pex"])
    info = pex_info(one)
    assert (info["entry_point"], info["inject_args"]) == ("shop.web", ["--now"])
    assert (info["inject_env"], info["inherit_path"]) == ({"A": "b", "C": "d"}, "fallback")
    assert info["interpreter_constraints"] == ["CPython>=3.11.4"]
    assert one.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert "hermetic_boot=False" in zip_files(one)["__main__.py"][1].decode()
    options = ["--inject-env", "A=x=y", "--inherit-path", "false", "--script", "shop", "--inject-args", "'a b' c"]
    assert run(project, "--target", AMD, "--output", str(one), *options)[0] == 0
    info = pex_info(one)
    assert (info["entry_point"], info["inject_args"]) == ("shop.web:main", ["a b", "c"])
    assert (info["inject_env"], info["inherit_path"]) == ({"A": "x=y", "C": "d"}, "false")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--inject-env", "A"], 2, "write NAME=VALUE"),
        (["--inject-env", "A-B=c"], 13, "is not the name of an environment variable"),
        (["--inject-args", "'a"], 2, "--inject-args cannot be split"),
        (["--venv", "--no-venv"], 2, "contradict each other"),
        (["--output", ""], 2, "--output is empty"),
        (["--output", "x.pex", "--target", ARM], 72, "there are 2 targets"),
        (["--python-shebang", ""], 13, "--python-shebang cannot be ''"),
        (["--python-shebang", "python{micro}"], 13, "placeholder that is not known: {micro}"),
        (["--interpreter-constraint", "3.11"], 13, "is not an interpreter constraint"),
        (["--runtime-pex-root", "$(rm x)"], 13, "a shell would take"),
        (["--runtime-pex-root", "~/x #y"], 13, "a shell would take"),
        (["--sh-boot", "--python-shebang", '/opt/"$(rm x)"/python'], 13, "the shell would take"),
        (["--sh-boot", "--inject-python-args", "-W 'a b'"], 13, "cannot name 'a b'"),
        (
            ["--multi-platform", "--python", "3.11", "--python", "3.12", "--python-shebang", "p{minor}"],
            13,
            "several Pythons",
        ),
        (["--entry-point", "nowhere"], 14, "There is no module nowhere"),
        (["--entry-point", "shop"], 14, "The package shop cannot be run"),
        (["--script", "nothing"], 14, "the scripts there are: shop"),
        (["--layout", "zip"], 2, "invalid choice: 'zip'"),
    ],
)
def test_mistakes(
    options: list[str],
    code: int,
    words: str,
    run: Callable[..., tuple[int, list[str], str]],
    shop: Path,
    tmp_path: Path,
) -> None:
    got, names, err = run(shop, "--target", AMD, *options)
    assert (got, names) == (code, []), err
    assert words in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_nothing_is_lost(run: Callable[..., tuple[int, list[str], str]], shop: Path, tmp_path: Path) -> None:
    name = "shop_linux_amd64.pex"
    assert run(shop, "--target", AMD, "--layout", "loose")[:2] == (0, [name])
    code, _, err = run(shop, "--target", AMD, "--layout", "packed")
    assert (code, "--clear" in err) == (72, True)
    code, _, err = run(shop, "--target", AMD)
    assert (code, "is a folder" in err) == (72, True)
    assert (tmp_path / "out" / name / ".bootstrap").is_dir()
    assert run(shop, "--target", AMD, "--layout", "packed", "--clear")[0] == 0
    assert (tmp_path / "out" / name / ".bootstrap").is_file()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_what_is_too_large_for_one_file_is_advised(
    run: Callable[..., tuple[int, list[str], str]], shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("crossdock.bundles.assemble.MOST_ENTRIES", 200)
    code, _, err = run(shop, "--target", AMD)
    assert code == 66
    assert "shop_linux_amd64.pex would have" in err
    assert "--layout packed or --layout loose" in err
    assert not (tmp_path / "out").exists()
    assert run(shop, "--target", AMD, "--layout", "loose")[0] == 0


def test_without_pex_nothing_else_is_begun(
    run: Callable[..., tuple[int, list[str], str]], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    (shop / "backend.py").write_text("raise SystemExit('is not asked')\n")
    code, _, err = run(shop, "--target", AMD)
    assert (code, "crossdock[pex]" in err) == (68, True)


def test_it_is_quiet_when_asked(shop: Path, cache_folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "crossdock", "pex", str(shop), "--target", AMD, "--python", "3.11", "--quiet"),
            *("--offline", "--output", str(tmp_path / "out")),
        ],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CROSSDOCK_CACHE": str(cache_folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'out' / 'shop_linux_amd64.pex'}\n"


def test_a_failure_while_the_second_is_written_leaves_no_first(
    run: Callable[..., tuple[int, list[str], str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part in the cache is damaged after it was made: that comes out only when it is copied."""
    monkeypatch.setenv("CROSSDOCK_CACHE", str(tmp_path / "cache"))
    wheels = [
        make_wheel(tmp_path, "fast", "1.0", {"_fast.so": elf(arch)}, tag=f"py3-none-manylinux_2_17_{machine}")
        for arch, machine in (("amd64", "x86_64"), ("arm64", "aarch64"))
    ]
    root = pex_project(tmp_path / "p", wheels)
    _, names, _ = run(root, "--target", AMD, "--target", ARM)
    good = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    shutil.rmtree(tmp_path / "out")
    place = f".deps/{wheels[1].name}/_fast.so"
    (blob,) = [
        path
        for path in (tmp_path / "cache").rglob("*")
        if path.is_file() and zipfile.is_zipfile(path) and place in zipfile.ZipFile(path).namelist()
    ]
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"fast-1.0.dist-info/WHEEL", b"fast-1.0.dist-info/wheel"))

    code, printed, err = run(root, "--target", AMD, "--target", ARM)

    assert (code, printed) == (DamagedLayerError.exit_code, [])
    assert "run the same command again" in err
    assert list((tmp_path / "out").iterdir()) == []
    assert run(root, "--target", AMD, "--target", ARM)[1] == names
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names} == good
