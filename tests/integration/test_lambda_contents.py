"""``crossdock lambda``: what goes into a zip beside wheels, what stays out, and the layouts of other clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.functionproject import FILES, HANDLER, entries, two_machines_project, write_project
from tests.support.wheelmaker import make_wheel
from tests.unit.steps.sampleplan import elf

from crossdock.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., tuple[int, list[str], str]]

ARM = "aws-lambda-python3.12/arm64"
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


def boto3(folder: Path, *, requests: bool) -> list[Path]:
    """Make wheels that need each other as the SDK's do."""

    def wheel(name: str, *needs: str) -> Path:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(
            f"Requires-Dist: {need}\n" for need in needs
        )
        return make_wheel(folder, name, "1.0", {f"{name}/a.py": "", f"{name}-1.0.dist-info/METADATA": metadata})

    wheels = [
        wheel("boto3", "botocore<1.1,>=1.0", "jmespath<2.0.0,>=0.7.1", "s3transfer<0.11.0,>=0.10.0"),
        wheel(
            "botocore", "jmespath", "python-dateutil<3.0.0,>=2.1", 'urllib3!=2.2.0,<3,>=1.25.4; python_version>="3.10"'
        ),
        wheel("s3transfer", "botocore"),
        wheel("jmespath"),
        wheel("python_dateutil", "six>=1.5"),
        wheel("six"),
        wheel("urllib3", 'pysocks; extra == "socks"'),
    ]
    return [*wheels, wheel("requests", "urllib3<3")] if requests else wheels


def test_boto3_can_be_left_to_the_runtime_with_what_only_it_needs(run: Run, tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", boto3(tmp_path, requests=True), settings=HANDLER, requires=["boto3"])

    _, (whole,), _ = run(root, "--target", ARM)
    with_sdk = entries(whole)
    code, (path,), err = run(root, "--target", ARM, "--without-boto3")

    assert code == 0
    tops = {name.partition("/")[0] for name in entries(path)}
    assert "boto3" in {name.partition("/")[0] for name in with_sdk}
    assert {name for name in tops if "." not in name} == {"bin", "requests", "shop", "urllib3"}
    assert "left to aws-lambda-python3.12/arm64: boto3, botocore, jmespath, python-dateutil, s3tr" in err
    assert "warning: urllib3 stays, as other packages need it" in err


def test_a_setting_leaves_boto3_to_the_runtime_too(run: Run, tmp_path: Path) -> None:
    settings = f"{HANDLER}without-boto3 = true\n"
    wheels = boto3(tmp_path, requests=False)
    root = write_project(tmp_path / "project", wheels, settings=settings, requires=["boto3", "six"])

    code, (path,), _ = run(root, "--target", ARM)

    assert code == 0
    assert {name.partition("/")[0] for name in entries(path) if "dist-info" not in name} == {"bin", "shop", "six"}
    # Google's runtime has no SDK of AWS, so that the setting says nothing there.
    code, (path,), _ = run(root, "--target", GOOGLE)
    assert code == 0
    assert "boto3/a.py" in entries(path)


def test_files_of_the_project_come_along(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path, settings=f'{HANDLER}include = ["templates/**", "config.json"]\n')
    (root / "templates").mkdir()
    (root / "templates" / "a.html").write_text("<p>" * 500)
    (root / "config.json").write_text("{}")

    code, (path,), _ = run(root, "--target", ARM)

    assert code == 0
    found = entries(path)
    assert found["templates/a.html"] == (0o100644, b"<p>" * 500)
    assert found["config.json"] == (0o100644, b"{}")
    assert "templates/a.html" not in entries(run(root, "--target", ARM, "--layer")[1][0])


def test_a_file_that_the_wheel_has_cannot_be_included(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path, settings=f'{HANDLER}include = ["shop/web.py"]\n')
    (root / "shop").mkdir()
    (root / "shop" / "web.py").write_text("")

    code, _, err = run(root, "--target", ARM)

    assert code == 64
    assert "shop/web.py is in the wheel of shop" in err


def test_a_google_function_starts_in_main_py(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)

    code, (path,), _ = run(root, "--target", GOOGLE)

    assert code == 0
    assert path.endswith("/dist/shop_google_linux_amd64.zip")
    made = entries(path)
    assert made["main.py"] == (0o100644, b"from shop.web import handler\n")
    assert made["fast/_fast.abi3.so"][1] == elf("amd64")

    (root / "main.py").write_text("from shop.web import handler as handler\n")
    code, (path,), _ = run(root, "--target", GOOGLE)
    assert code == 0
    assert entries(path)["main.py"][1] == b"from shop.web import handler as handler\n"


def test_a_main_py_in_the_wheel_is_taken_once(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path, settings="", files={**FILES, "main.py": "def hello(request): ...\n"})
    (root / "main.py").write_text("def hello(request): ...\n")

    code, (path,), _ = run(root, "--target", GOOGLE)

    assert code == 0
    assert entries(path)["main.py"][1] == b"def hello(request): ...\n"


def test_an_azure_function_app(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)
    (root / "host.json").write_text('{"version": "2.0"}')
    (root / "function_app.py").write_text("from shop.web import handler\n")
    (root / "local.settings.json").write_text("{}")

    code, (path,), err = run(root, "--target", AZURE)

    assert code == 0
    assert path.endswith("/dist/shop_azure_linux_amd64.zip")
    found = entries(path)
    packages = ".python_packages/lib/site-packages/"
    assert {name for name in found if not name.startswith(packages)} == {"host.json", "function_app.py"}
    assert f"{packages}shop/web.py" in found
    assert f"{packages}fast/_fast.abi3.so" in found
    assert "no handler" not in err


def test_clouds_can_be_built_for_together(run: Run, tmp_path: Path) -> None:
    root = two_machines_project(tmp_path)
    (root / "host.json").write_text("{}")
    (root / "function_app.py").write_text("")

    code, paths, err = run(root, *(item for target in (ARM, GOOGLE, AZURE) for item in ("--target", target)))

    assert code == 0, err
    assert [path.rpartition("/")[2] for path in paths] == [
        "shop_lambda_linux_arm64.zip",
        "shop_google_linux_amd64.zip",
        "shop_azure_linux_amd64.zip",
    ]
