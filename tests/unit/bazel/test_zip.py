"""The zip of a function or a layer, of files as Bazel has them."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.bundlework import Bundles, fast, helper

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = "import helper\nimport below\n\n\ndef handler(event, context):\n    return helper.NAME\n"
TARGET = "aws-lambda-python3.13/arm64"


@pytest.fixture
def bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bundles:
    return Bundles(tmp_path, capsys)


def build(bundles: Bundles, *more: object, target: str = TARGET, code: int = 0) -> tuple[list[str], str]:
    rows = bundles.rows(app__web_py=HANDLER, app__sub__below_py="", app__sub__data_txt="x")
    out = bundles.folder / "out.zip"
    given = [
        "--target",
        target,
        "--wheel",
        helper(bundles.folder),
        "--name",
        "my_app",
        *rows,
        "--import",
        "_main/app/sub",
    ]
    _, said = bundles.run("zip", *given, *more, "--out", out, code=code)
    if code:
        assert not out.exists()
        return [], said
    with zipfile.ZipFile(out) as archive:
        return archive.namelist(), said


def test_files_are_found_by_every_root_that_they_are_in(bundles: Bundles) -> None:
    names, _ = build(bundles, "--handler", "app.web.handler")
    assert {"app/web.py", "app/sub/below.py", "below.py", "data.txt", "helper.py"} <= set(names)
    assert len(names) == len(set(names))


def test_a_layer_has_all_of_it_where_the_runtime_looks(bundles: Bundles) -> None:
    names, _ = build(bundles, "--kind", "layer")
    assert {"python/app/web.py", "python/helper.py"} <= set(names)


def test_dependencies_and_application_can_be_apart(bundles: Bundles) -> None:
    deps, _ = build(bundles, "--kind", "deps")
    app, _ = build(bundles, "--kind", "app", "--handler", "app.web.handler")
    assert "python/helper.py" in deps
    assert "app/web.py" in app
    assert not any("helper" in name for name in app)


def test_the_sdk_and_what_only_it_needs_is_left_to_the_runtime(bundles: Bundles) -> None:
    wheels: list[object] = []
    for name, requires in (("boto3", "jmespath"), ("jmespath", "")):
        info = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (
            f"Requires-Dist: {requires}\n" if requires else ""
        )
        files = {f"{name}/__init__.py": "", f"{name}-1.0.dist-info/METADATA": info}
        wheels += ["--wheel", make_wheel(bundles.folder, name, "1.0", files)]
    names, _ = build(bundles, *wheels, "--without-boto3")
    assert not any(name.startswith(("boto3", "jmespath")) for name in names)
    assert "boto3/__init__.py" in build(bundles, *wheels)[0]


def test_what_azure_looks_for_is_at_the_root_and_packages_are_not(bundles: Bundles) -> None:
    rows = bundles.rows(host_json="{}", function_app_py="import helper\n")
    rows = [row.replace("host_json\t", "host.json\t") for row in rows]
    names, _ = build(bundles, *rows, target="azure-functions-python3.12/amd64")
    assert {"host.json", "function_app.py", ".python_packages/lib/site-packages/app/web.py"} <= set(names)


def test_a_project_includes_files_that_are_given_and_no_others(bundles: Bundles) -> None:
    pyproject = bundles.file(
        "demo/pyproject.toml",
        '[project]\nname = "demo"\nversion = "1"\n[tool.crossdock.lambda]\ninclude = ["texts/*"]\n',
    )
    own = make_wheel(bundles.folder, "demo", "1", {"demo.py": "def handler(event, context):\n    pass\n"})
    given = ["--target", TARGET, "--project", pyproject, "--own-wheel", own, "--handler", "demo.handler"]
    out = ("--out", bundles.folder / "out.zip")
    bundles.file("demo/texts/not_given.txt")
    said = bundles.run("zip", *given, *out, code=65)[1]
    assert "'texts/*' matches no file in the files that the rule lists" in said
    bundles.run("zip", *given, "--file", f"texts/a.txt\t{bundles.file('elsewhere.txt')}", *out)
    with zipfile.ZipFile(bundles.folder / "out.zip") as archive:
        assert [name for name in archive.namelist() if name.startswith("texts")] == ["texts/a.txt"]


def test_what_a_project_requires_has_to_be_there(bundles: Bundles) -> None:
    pyproject = bundles.file("demo/pyproject.toml", '[project]\nname = "demo"\nversion = "1"\n')
    metadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1\nRequires-Dist: helper\n"
    files = {"demo.py": "def handler(event, context):\n    pass\n", "demo-1.dist-info/METADATA": metadata}
    own = make_wheel(bundles.folder, "demo", "1", files)
    given = ("--target", TARGET, "--project", pyproject, "--own-wheel", own, "--handler", "demo.handler")
    out = ("--out", bundles.folder / "out.zip")
    assert "demo requires helper on aws-lambda-python3.13" in bundles.run("zip", *given, *out, code=106)[1]
    bundles.run("zip", *given, "--wheel", helper(bundles.folder), *out)


def test_a_plain_platform_is_aws_lambda_with_its_python(bundles: Bundles) -> None:
    given = ["--target", "linux/arm64 cp311", "--wheel", fast(bundles.folder, "arm64"), "--name", "app"]
    bundles.run("zip", *given, "--kind", "layer", "--out", bundles.folder / "out.zip")
    with zipfile.ZipFile(bundles.folder / "out.zip") as archive:
        assert any(name.startswith("python/fast/core.cpython-311-aarch64") for name in archive.namelist())


@pytest.mark.parametrize(
    ("options", "target", "code", "said"),
    [
        (["--handler", "app.web.run"], TARGET, 67, "does not define run"),
        (["--handler", "app.other.handler"], TARGET, 67, "app.other"),
        (["--target", "linux/amd64 cp313"], TARGET, 2, "2 targets are given"),
        ([], "linux/arm64+musl cp313", 20, "no place that functions run in"),
        ([], "azure-functions-python3.12/amd64", 67, "host.json"),
        (["--kind", "layer"], "google-cloud-run-python313/amd64", 2, "not for Google"),
    ],
)
def test_what_cannot_be_is_said(bundles: Bundles, options: list[str], target: str, code: int, said: str) -> None:
    assert said in build(bundles, *options, target=target, code=code)[1]


def test_a_wheel_for_another_machine_is_refused(bundles: Bundles) -> None:
    assert "x86_64" in build(bundles, "--wheel", fast(bundles.folder, "amd64"), target="linux/arm64 cp311", code=91)[1]
