"""``crossdock venv`` as a user meets it: what it prints, what it refuses, and that nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.functionproject import write_project
from tests.support.wheelmaker import make_wheel

from crossdock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

ARM = ["--target", "linux/arm64+glibc2.36", "--python", "3.12"]


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Path:
    """A project without the need of a network, with a cache of its own."""
    (tmp_path / "wheels").mkdir()
    pure = make_wheel(
        tmp_path / "wheels", "pure", "1.0", {"pure.py": "def main(): ...\n"}, entry_points={"p": "pure:main"}
    )
    return write_project(tmp_path / "project", [pure])


def run(project: Path, *options: str | Path) -> int:
    return main(["venv", str(project), "--offline", *map(str, options)])


def test_the_path_alone_is_on_standard_output(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, *ARM, "--output", tmp_path / "env") == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'env'}\n"
    assert "ok: shop" in err
    assert "linux/arm64" in err
    assert (tmp_path / "env" / "bin" / "shop").is_file()
    assert (tmp_path / "env" / "lib/python3.12/site-packages/pure.py").is_file()
    assert (tmp_path / "env" / "pyvenv.cfg").read_text().endswith("prompt = shop\n")


def test_quiet_is_quiet(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, *ARM, "--output", tmp_path / "env.tar", "--quiet") == 0
    assert capsys.readouterr() == (f"{tmp_path / 'env.tar'}\n", "")


def test_every_kind_of_target_at_once(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = [
        "linux/amd64",
        "linux/amd64+musl",
        "linux/arm",
        "darwin/arm64",
        "windows/amd64",
        "windows/arm64",
        "win32",
    ]
    named = [part for target in targets for part in ("--target", target)]
    assert run(project, *named, "--python", "3.13", "--python", "3.13t", "--output", tmp_path / "all") == 0
    names = capsys.readouterr().out.splitlines()
    assert len(names) == len(set(names)) == 14
    assert str(tmp_path / "all" / "shop_linux_amd64_musl_python3.13t") in names
    assert sorted(names) == sorted(str(path) for path in (tmp_path / "all").iterdir())
    free = tmp_path / "all" / "shop_linux_amd64_python3.13t"
    assert (free / "lib" / "python3.13t" / "site-packages" / "pure.py").is_file()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--output", ""], 2, "--output is empty"),
        (["--output", "env.zip"], 2, "archive of a kind that is not written"),
        (["--interpreter", "python3"], 2, "is not where a Python can be on linux/arm64"),
        (["--interpreter", "C:\\python.exe"], 2, "is not where a Python can be on linux/arm64"),
        (["--prompt", "a'b"], 2, "--prompt cannot be"),
        (["--prompt", "x", "--layout", "flat"], 2, "--prompt is for environments"),
        (["--layout", "zip"], 2, "invalid choice: 'zip'"),
        (["--output", "env.tar", "--clear"], 2, "--clear is for folders"),
        (["--output", "full"], 72, "already holds something"),
        (["--output", "full/file"], 72, "is not a folder"),
        (["--output", "full/file/env"], 72, "cannot be written"),
        (["--target", "linux/amd64", "--output", "env.tar"], 2, "is one archive, and there are 2 targets"),
        (["--target", "windows/amd64", "--interpreter", "/usr/bin/python3"], 2, "Python can be on windows/amd64"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing(
    options: list[str],
    code: int,
    words: str,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = tmp_path / "where"
    (where / "full").mkdir(parents=True)
    (where / "full" / "file").write_text("precious")
    monkeypatch.chdir(where)
    assert run(project, *ARM, *options) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert words in err
    assert [path.relative_to(where).as_posix() for path in sorted(where.rglob("*"))] == ["full", "full/file"]
    assert not (project / "dist").exists()


#: A file may have so many bytes, which the large one of the package has not before it is unpacked.
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
from crossdock.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits of POSIX")
@pytest.mark.parametrize("name", ["env", "env.tar"])
def test_a_file_that_the_system_does_not_let_grow_is_told_and_leaves_nothing(
    name: str, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    wheel = make_wheel(tmp_path / "wheels", "pure", "1.0", {"pure.txt": "x" * 500_000})
    project = write_project(tmp_path / "limited", [wheel])
    options: list[str | Path] = ["venv", project, "--offline", *ARM, "--output", tmp_path / "out" / name]
    done = subprocess.run([sys.executable, "-c", LIMITED, *options], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (72, "")
    assert "cannot be written" in done.stderr
    assert "File too large" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
