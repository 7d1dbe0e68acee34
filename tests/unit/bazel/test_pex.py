"""A PEX of an action: what goes into it, what it runs, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.bazel.bundlework import Bundles, fast, helper
from tests.unit.steps.sampleplan import elf

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"linux/amd64+glibc2.28 {sys.version_info[0]}.{sys.version_info[1]}"
MAIN = """\
import os, sys
import helper, below
from pkg import thing
with open(os.path.join(os.environ["RUNFILES_DIR"], "_main/pkg/data.txt")) as file:
    print(helper.NAME, below.NAME, thing.NAME, file.read(), __name__, sys.argv[1:])
"""


@pytest.fixture
def bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bundles:
    return Bundles(tmp_path, capsys)


def info(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("PEX-INFO"))
        return found


@pytest.fixture
def rows(bundles: Bundles) -> list[str]:
    return bundles.rows(
        **{"my-app__main_py": MAIN, "pkg__thing_py": "NAME = 'thing'\n", "pkg__sub__below_py": "NAME = 'below'\n"},
        pkg__data_txt="data",
    )


def build(bundles: Bundles, rows: list[str], *more: str, out: str = "out.pex", code: int = 0) -> tuple[Path, str]:
    given = ["--target", HERE, "--wheel", str(helper(bundles.folder)), "--name", "my_app", *rows]
    path = bundles.folder / out
    said = bundles.run("pex", *given, "--import", "_main/pkg/sub", *more, "--out", path, code=code)[1]
    return path, said


def test_a_program_runs_with_its_imports_and_its_data(bundles: Bundles, rows: list[str]) -> None:
    path, _ = build(bundles, rows, "--main", "_main/my-app/main.py", "--inject-args", "first")
    environment = {"HOME": str(bundles.folder), "PATH": "/usr/bin:/bin", "RUNFILES_MANIFEST_FILE": "/elsewhere"}
    done = subprocess.run(
        [sys.executable, path, "second"], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == "helper below thing data __main__ ['first', 'second']\n"


def test_a_runtime_that_was_made_before_gives_the_same_bytes(bundles: Bundles, rows: list[str]) -> None:
    path, _ = build(bundles, rows, "--main", "_main/my-app/main.py")
    part, metadata = bundles.folder / "r.zip", bundles.folder / "r.json"
    bundles.run("pex-runtime", "--out", part, "--metadata", metadata)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossdock.bundles.pex.runtime.check_pex", None)  # which nobody may ask for now
        patch.setattr("crossdock.bundling.pexes.check_pex", None)
        again, _ = build(
            bundles, rows, "--main", "_main/my-app/main.py", "--runtime", str(metadata), str(part), out="again.pex"
        )
    assert again.read_bytes() == path.read_bytes()
    part.write_bytes(b"other")
    _, said = build(bundles, rows, "--main", "_main/my-app/main.py", "--runtime", str(metadata), str(part), code=68)
    assert "not the file that it was written for" in said


def test_the_order_of_wheels_and_files_does_not_matter(bundles: Bundles, rows: list[str]) -> None:
    path, _ = build(bundles, rows, "--entry-point", "pkg.thing")
    turned = [item for pair in reversed([rows[at : at + 2] for at in range(0, len(rows), 2)]) for item in pair]
    again, _ = build(bundles, turned, "--entry-point", "pkg.thing", out="again.pex")
    assert again.read_bytes() == path.read_bytes()
    assert info(path)["entry_point"] == "pkg.thing"


def test_one_for_several_targets_has_the_wheels_of_each(bundles: Bundles, rows: list[str]) -> None:
    given = ["--wheel", helper(bundles.folder)]
    for architecture in ("amd64", "arm64"):
        given += ["--target", f"linux/{architecture}+glibc2.28 cp311", "--wheel", fast(bundles.folder, architecture)]
    out = bundles.folder / "both.pex"
    bundles.run("pex", *given, "--name", "app", *rows, "--no-entry-point", "--out", out)
    assert sorted(name.partition("-")[0] for name in info(out)["distributions"]) == ["app", "fast", "fast", "helper"]
    assert info(out)["interpreter_constraints"] == ["CPython==3.11.*"]


def test_options_are_those_of_the_command_line(bundles: Bundles, rows: list[str]) -> None:
    options = [
        "--inject-env",
        "A=b",
        "--inherit-path",
        "fallback",
        "--interpreter-constraint",
        "CPython>={major}.{minor}",
    ]
    path, _ = build(bundles, rows, "--script", "helper-tool", "--python-shebang", "#!/opt/python{minor}", *options)
    minor = sys.version_info[1]
    assert path.read_bytes().startswith(b"#!/opt/python%d\n" % minor)
    found = info(path)
    assert (found["inject_env"], found["inherit_path"], found["entry_point"]) == ({"A": "b"}, "fallback", "helper:tool")
    assert found["interpreter_constraints"] == [f"CPython>=3.{minor}"]


def test_an_exception_lets_a_finding_through_whatever_the_day(bundles: Bundles, rows: list[str]) -> None:
    foreign = f"_main/pkg/plugin.so\t{bundles.file('plugin.so', elf('arm64'))}"
    given = ["--target", "linux/amd64+glibc2.28 3.11", "--name", "app", *rows, "--file", foreign, "--no-entry-point"]
    out = bundles.folder / "out.pex"
    assert "plugin.so" in bundles.run("pex", *given, "--out", out, code=91)[1]
    exception = {"path": "*/plugin.so", "reason": "it is data", "expires": "2001-02-03"}
    path = bundles.file("exceptions.json", json.dumps([exception]))
    assert "it is data" in bundles.run("pex", *given, "--exceptions", path, "--out", out)[1]
    # A test is no action: it looks at the day.
    artifact = ["--artifact", out, "--target", "linux/amd64+glibc2.28 3.11", "--exceptions", path]
    assert "exception-expired" in bundles.run("verify", *artifact, code=91)[0]
    path.write_text(json.dumps([exception | {"expires": "9999-12-31"}]))
    assert "it is data" in bundles.run("verify", *artifact)[0]
    assert "plugin.so" in bundles.run("verify", "--artifact", out, "--target", "linux/amd64 3.11", code=91)[0]


def test_a_wheel_for_another_machine_is_refused(bundles: Bundles, rows: list[str]) -> None:
    wheel = fast(bundles.folder, "arm64")
    given = ["--target", "linux/amd64+glibc2.28 cp311", "--wheel", wheel, "--name", "app", *rows, "--no-entry-point"]
    _, said = bundles.run("pex", *given, "--out", bundles.folder / "out.pex", code=91)
    assert "aarch64" in said
    assert not (bundles.folder / "out.pex").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 14, "Nothing says what the PEX runs"),
        (["--main", "_main/other.py"], 14, "those that it could be are _main/my-app/main.py"),
        (["--entry-point", "pkg.other"], 14, "There is no module pkg.other"),
        (["--entry-point", "pkg.thing:run"], 14, "does not define run"),
        (["--main", "_main/my-app/main.py", "--script", "helper-tool"], 2, "another entry"),
        (["--script", "other-tool"], 14, "name one of them with script ="),
        (["--file", "../up\tx"], 106, "is no path of an application's file"),
        (["--file", "_main/x"], 106, "is not understood"),
        (["--file", "_main/x\tnowhere", "--no-entry-point"], 106, "nowhere is not there"),
        (["--target", "linux/amd65"], 21, "linux/amd65"),
        (["--project", "pyproject.toml"], 2, "--own-wheel"),
    ],
)
def test_what_cannot_be_is_said(options: list[str], code: int, said: str, bundles: Bundles, rows: list[str]) -> None:
    path, err = build(bundles, rows, *options, code=code)
    assert said in err
    assert not path.exists()


def test_a_file_is_executable_if_it_is_said_or_its_content_does(bundles: Bundles) -> None:
    run = bundles.file("run", "#!/bin/sh\n")
    plain = bundles.file("plain")
    plain.chmod(0o755)
    rows = [f"_main/run\t{run}", f"_main/plain\t{plain}", f"_main/yes\t{plain}\tx"]
    rows += [f"_main/both\t{plain}", f"_main/both\t{plain}\tx", "_main/empty\t"]
    path, _ = build(bundles, [item for row in rows for item in ("--file", row)], "--no-entry-point")
    with zipfile.ZipFile(path) as archive:
        modes = {
            item.filename.rpartition("/_main/")[2]: item.external_attr >> 16 & 0o111 for item in archive.infolist()
        }
    assert {name for name in ("run", "plain", "yes", "both", "empty") if modes[name]} == {"run", "yes", "both"}


def test_a_folder_is_all_that_is_in_it(bundles: Bundles) -> None:
    """Such as what a rule has generated, with names that nobody knew before."""
    tree = bundles.file("tree/sub/made.py", "NAME = 'made'\n").parents[1]
    path, _ = build(bundles, ["--file", f"_main/tree\t{tree}"], "--entry-point", "tree.sub.made")
    with zipfile.ZipFile(path) as archive:
        assert any(name.endswith("/_main/tree/sub/made.py") for name in archive.namelist())
    rows = ["--file", f"_main/tree\t{tree}", "--file", f"_main/tree/sub\t{tree / 'sub/made.py'}"]
    said = build(bundles, rows, "--no-entry-point", code=106)[1]
    assert "_main/tree/sub is a file, and a folder" in said


def test_two_files_of_one_place_are_refused_unless_they_are_the_same(bundles: Bundles) -> None:
    one, other = bundles.file("one", "1"), bundles.file("other", "2")
    rows = ["--file", f"_main/x\t{one}", "--file", f"_main/x\t{other}"]
    assert "two files are for _main/x" in build(bundles, rows, "--no-entry-point", code=106)[1]
    other.write_text("1")
    build(bundles, rows, "--no-entry-point")


def test_a_compiled_file_of_the_application_has_to_be_for_the_target(bundles: Bundles) -> None:
    rows = ["--file", f"_main/core.so\t{bundles.file('core.so', elf('arm64'))}", "--name", "app", "--no-entry-point"]
    out = ("--out", bundles.folder / "out.pex")
    bundles.run("pex", "--target", "linux/arm64 cp311", *rows, *out)
    (name,) = info(bundles.folder / "out.pex")["distributions"]
    assert name.startswith("app-0-py3")
    assert name.endswith("aarch64.whl")
    assert "aarch64" in bundles.run("pex", "--target", "linux/amd64 cp311", *rows, *out, code=91)[1]
    both = ["--target", "linux/arm64 cp311", "--target", "linux/amd64 cp311"]
    assert "core.so is compiled" in bundles.run("pex", *both, *rows, *out, code=17)[1]
