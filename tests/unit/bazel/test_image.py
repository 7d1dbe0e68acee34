"""Images of what is known of layers: how they run, what they say, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.imagework import program_for

from crossdock.bazel.handed.imagefile import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bazel.imagework import Work

MAIN = "_main/app/main.py"


@pytest.fixture
def dependency(work: Work) -> Path:
    files = {"dependency/__init__.py": "1\n"}
    return work.layer("dependency", make_wheel(work.folder, "dependency", "1.0", files, entry_points={"tool": "d:f"}))


@pytest.fixture
def application(work: Work) -> Path:
    (work.folder / "main.py").write_text("print()\n")
    return work.files("application", f"{MAIN}\t{work.folder / 'main.py'}\n", "--python", "3.11")[0]


def config_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return found


def test_an_image_is_what_its_rule_says(work: Work, dependency: Path, application: Path) -> None:
    settings: dict[str, Any] = {
        "env": {"LEVEL": "rule", "MORE": "1"},
        "labels": {"by": "rule"},
        "ports": [8000, "53/udp"],
        "user": "7:7",
        "annotations": {"org.opencontainers.image.version": "3"},
    }
    folder, _ = work.image(dependency, application, arguments=("--main", MAIN, "--epoch", "60"), **settings)
    config = config_of(folder)
    assert config["created"] == "1970-01-01T00:01:00Z"
    assert config["config"] == {
        "Entrypoint": ["/app/.venv/bin/python", f"/app/runfiles/{MAIN}"],
        "Env": [
            "PATH=/app/.venv/bin:/usr/bin",
            "VIRTUAL_ENV=/app/.venv",
            "LANG=C.UTF-8",
            "LEVEL=rule",
            "RUNFILES_DIR=/app/runfiles",
            "MORE=1",
        ],
        "ExposedPorts": {"8000/tcp": {}, "53/udp": {}},
        "Labels": {"of": "base", "by": "rule"},
        "User": "7:7",
        "WorkingDir": "/app",
    }
    about = read_image(folder / "image.json")
    assert about.annotations == {
        "org.opencontainers.image.created": "1970-01-01T00:01:00Z",
        "org.opencontainers.image.title": "demo",
        "org.opencontainers.image.version": "3",
    }
    assert [layer.annotations["dev.crossdock.layer"] for layer in about.layers] == [
        "base",
        "base",
        "environment",
        "wheels",
        "project",
    ]
    assert about.manifest.platform == {"os": "linux", "architecture": "amd64"}
    assert str(about.claim.target) == "linux/amd64+glibc2.36 (cpython 3.11.2)"
    assert about.claim.wheels == ("dependency-1.0-py3-none-any.whl",)
    assert str(work.folder) not in (folder / "image.json").read_text()


@pytest.mark.parametrize(
    ("entrypoint", "vector"),
    [
        (["python", "-m", "app"], ["/app/.venv/bin/python", "-m", "app"]),
        ("tool", ["/app/.venv/bin/tool"]),
        ("a.b:c", ["/app/.venv/bin/python", "-c", "import sys; from a.b import c; sys.exit(c())"]),
    ],
)
def test_what_runs_may_be_said(work: Work, dependency: Path, entrypoint: Any, vector: list[str]) -> None:
    assert config_of(work.image(dependency, entrypoint=entrypoint)[0])["config"]["Entrypoint"] == vector


def test_what_is_not_there_does_not_run(work: Work, dependency: Path, application: Path) -> None:
    assert "does not say what to run" in work.image(dependency, code=14)[1]
    assert "'other' is not a console script" in work.image(dependency, entrypoint="other", code=14)[1]
    said = work.image(dependency, application, arguments=("--main", "_main/other.py"), code=14)[1]
    assert "has no file _main/other.py to run" in said


def test_a_program_without_python_is_an_image(work: Work) -> None:
    images: list[str | Path] = []
    for architecture in ("amd64", "arm64"):
        (work.folder / "hello").write_bytes(program_for(architecture))
        files, _ = work.files(f"go-{architecture}", f"_main/hello\t{work.folder / 'hello'}\tx\n")
        entrypoint = ["/app/runfiles/_main/hello"]
        folder, _ = work.image(files, architecture=architecture, arguments=["--no-python"], entrypoint=entrypoint)
        config = config_of(folder)
        assert (config["architecture"], config["config"]["Entrypoint"]) == (architecture, entrypoint)
        assert config["config"]["Env"] == ["LEVEL=base", "PATH=/usr/bin", "RUNFILES_DIR=/app/runfiles"]
        assert not any("environment" in item["created_by"] for item in config["history"])
        images += ["--image", (folder / "image.json").rename(work.folder / f"{architecture}.json")]
        # The program for the one is none for the other.
        other = {"amd64": "arm64", "arm64": "amd64"}[architecture]
        if architecture == "amd64":
            refused = work.image(files, architecture=other, arguments=["--no-python"], entrypoint=entrypoint, code=91)
            assert "app/runfiles/_main/hello" in refused[1]
    outputs = ("--index", work.folder / "index", "--metadata", work.folder / "index.json")
    work.run("index", *images, *outputs)
    index = json.loads((work.folder / "index").read_text())
    assert [item["platform"]["architecture"] for item in index["manifests"]] == ["amd64", "arm64"]
    assert "without Python" in work.image(files, arguments=["--no-python"], entrypoint="x.y:z", code=14)[1]


def test_a_foreign_program_among_the_applications_files_is_refused(work: Work) -> None:
    (work.folder / "lib.so").write_bytes(program_for("arm64"))
    files, _ = work.files("application", f"_main/lib.so\t{work.folder / 'lib.so'}\n", "--python", "3.11")
    _, said = work.image(files, entrypoint=["python"], code=91)
    assert "app/runfiles/_main/lib.so" in said


def test_wheels_that_write_one_path_are_named(work: Work) -> None:
    one = make_wheel(work.folder, "one", "1", {"shared/a.py": "1\n", "same.py": "same\n"})
    two = make_wheel(work.folder, "two", "1", {"shared/a.py": "2\n"})
    three = make_wheel(work.folder, "three", "1", {"same.py": "same\n"})
    first, second, third = (work.layer(path.stem, path) for path in (one, two, three))
    work.image(first, third, entrypoint=["python"])
    _, said = work.image(first, second, entrypoint=["python"], code=64)
    assert f"{one.name} and {two.name} both install" in said
    assert "shared/a.py" in said
    grouped = work.layer("grouped", make_wheel(work.folder, "zero", "1", {"zero.py": "0\n"}), one)
    assert f"{two.name} and {one.name} both install" in work.image(second, grouped, entrypoint=["python"], code=64)[1]


def test_wheels_leave_the_environment_alone(work: Work) -> None:
    path = make_wheel(work.folder, "bad", "1", {"bad-1.data/data/pyvenv.cfg": "home = /\n"})
    _, said = work.image(work.layer("bad", path), entrypoint=["python"], code=64)
    assert f"{path.name} would replace app/.venv/pyvenv.cfg" in said


def test_layers_are_for_the_bases_python(work: Work) -> None:
    path = make_wheel(work.folder, "one", "1", {"one.py": "1\n"})
    _, said = work.image(work.layer("one", path, python="3.12"), entrypoint=["python"], code=106)
    assert f"{path.name} was laid out for Python 3.12, and the image has Python 3.11" in said
    assert "python_version" in said


def test_a_missing_dependency_is_told(work: Work) -> None:
    info = {"one-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: one\nVersion: 1\nRequires-Dist: other>=2\n"}
    _, said = work.image(work.layer("one", make_wheel(work.folder, "one", "1", info)), entrypoint=["python"])
    assert "[requirement-missing] one 1" in said


def test_the_floor_of_the_platform_counts(work: Work, dependency: Path) -> None:
    folder, _ = work.image(dependency, arguments=("--platform", "linux/amd64+glibc2.28"), entrypoint=["python"])
    assert read_image(folder / "image.json").claim.platform.spelling == "linux/amd64+glibc2.28"
    newer = ("--platform", "linux/amd64+glibc2.40")
    assert "2.36" in work.image(dependency, arguments=newer, entrypoint=["python"], code=88)[1]
    other = ("--platform", "linux/arm64")
    assert "is for linux/amd64" in work.image(dependency, arguments=other, entrypoint=["python"], code=106)[1]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"entrypont": ["a"]}, "did you mean 'entrypoint'?"),
        ({"env": {"1A": "x"}}, "env: '1A' is not the name of an environment variable"),
        ({"ports": [0]}, "ports holds 0"),
        ({"user": "a b"}, "user cannot be 'a b'"),
        ({"annotations": {"a": 1}}, "annotations has to be an object of strings"),
        ({"entrypoint": 5}, "entrypoint cannot be 5"),
    ],
)
def test_settings_are_checked(work: Work, dependency: Path, settings: dict[str, Any], reason: str) -> None:
    _, said = work.image(dependency, code=13, **settings)
    assert reason in said
    assert "settings.json" in said
    assert "tool.crossdock" not in said.partition("hint")[0]


@pytest.fixture
def foreign(work: Work) -> Path:
    """A layer with a program for another machine."""
    (work.folder / "lib.so").write_bytes(program_for("arm64"))
    return work.files("application", f"_main/lib.so\t{work.folder / 'lib.so'}\n", "--python", "3.11")[0]


def excepting(work: Work, *exceptions: dict[str, str]) -> tuple[str | Path, ...]:
    path = work.folder / "exceptions.json"
    path.write_text(json.dumps(exceptions))
    return "--exceptions", path


EXCEPTION = {"path": "app/runfiles/_main/lib.so", "reason": "it is never loaded"}


def test_exceptions_are_those_of_the_rule_whatever_the_day(work: Work, foreign: Path) -> None:
    work.image(foreign, entrypoint=["python"], code=91)
    given = excepting(work, {**EXCEPTION, "expires": "2001-02-03"})
    folder, said = work.image(foreign, arguments=given, entrypoint=["python"])
    assert "it is never loaded" in said
    claim = read_image(folder / "image.json").claim
    assert [(item.path, str(item.expires)) for item in claim.allow] == [(EXCEPTION["path"], "2001-02-03")]
    assert str(claim.until) == "2001-02-03"


@pytest.mark.parametrize(
    ("days", "until"),
    [(["never"], None), (["2001-02-03", "never"], None), (["2001-02-03", "2001-05-06"], "2001-05-06")],
)
def test_an_image_is_good_until_its_exceptions_end(work: Work, foreign: Path, days: list[str], until: Any) -> None:
    other = {"package": "nobody", "reason": "of no use", "expires": "1999-01-01"}
    given = excepting(work, other, *({**EXCEPTION, "expires": day} for day in days))
    folder, _ = work.image(foreign, arguments=given, entrypoint=["python"])
    assert json.loads((folder / "image.json").read_text())["claim"]["until"] == until


def test_annotations_of_the_rule_win(work: Work, dependency: Path) -> None:
    said = {"org.opencontainers.image.title": "other", "org.opencontainers.image.base.digest": "of my own"}
    folder, _ = work.image(dependency, annotations=said, entrypoint=["python"])
    found = json.loads((folder / "manifest.json").read_text())["annotations"]
    assert found | said == found
    assert "org.opencontainers.image.created" in found


def test_exceptions_are_checked(work: Work, foreign: Path) -> None:
    given = excepting(work, {**EXCEPTION, "expires": "tomorrow"})
    said = work.image(foreign, arguments=given, entrypoint=["python"], code=13)[1]
    assert "exceptions, number 1: expires is no date" in said


def test_layers_are_divided_as_the_project_says(work: Work, dependency: Path) -> None:
    path = work.folder / "pyproject.toml"
    for said, taken in (("wheel", "grouped"), ("grouped", "wheel")):
        path.write_text(f'[project]\nname = "demo"\n[tool.crossdock]\nlayers = "{said}"\n')
        arguments = ("--project", path, "--layers", taken)
        refused = work.image(dependency, arguments=arguments, entrypoint=["python"], code=13)[1]
        assert f'give the rule layers = "{said}"' in refused
        work.image(dependency, arguments=("--project", path, "--layers", said), entrypoint=["python"])
        # The rule says it itself.
        work.image(dependency, arguments=("--project", path), entrypoint=["python"])


@pytest.mark.parametrize("setting", ["compile = true", 'compression = "zstd"'])
def test_settings_that_only_the_command_line_follows_are_refused(work: Work, dependency: Path, setting: str) -> None:
    path = work.folder / "pyproject.toml"
    path.write_text(f'[project]\nname = "demo"\n[tool.crossdock]\n{setting}\n')
    _, said = work.image(dependency, arguments=("--project", path), entrypoint=["python"], code=13)
    assert setting in said
    assert "crossdock image" in said


def test_a_projects_own_wheel_is_its_own(work: Work) -> None:
    path = work.folder / "pyproject.toml"
    path.write_text('[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\n')
    own = make_wheel(work.folder, "demo", "1", {"demo.py": "1\n"}, entry_points={"demo": "demo:f"})
    folder, _ = work.image(work.layer("own", own, kind="project"), arguments=("--project", path))
    assert config_of(folder)["config"]["Entrypoint"] == ["/app/.venv/bin/demo"]
    other = make_wheel(work.folder, "other", "1", {"other.py": "1\n"})
    layer = work.layer("other", other, kind="project")
    assert "is not the wheel of demo" in work.image(layer, arguments=("--project", path), code=106)[1]
    narrow = make_wheel(work.folder, "demo", "1", {"demo.py": "1\n"}, tag="cp312-none-any")
    layer = work.layer("narrow", narrow, kind="project")
    assert "does not fit" in work.image(layer, arguments=("--project", path), code=17)[1]
    path.write_text('[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.12"\n')
    layer = work.folder / "own.json"
    assert "does not run on" in work.image(layer, arguments=("--project", path), code=18)[1]


def test_what_a_project_requires_has_to_be_there(work: Work, dependency: Path) -> None:
    path = work.folder / "pyproject.toml"
    path.write_text('[project]\nname = "demo"\nversion = "1"\n')
    requires = ("Dependency>=1", "colorama; sys_platform == 'win32'", "speed; extra == 'fast'")
    metadata = "\n".join(
        ["Metadata-Version: 2.1", "Name: demo", "Version: 1", *(f"Requires-Dist: {one}" for one in requires), ""]
    )
    files = {"demo.py": "1\n", "demo-1.dist-info/METADATA": metadata}
    own = work.layer("own", make_wheel(work.folder, "demo", "1", files), kind="project")
    given = partial(work.image, arguments=("--project", path), entrypoint=["python"])
    said = given(own, code=106)[1]
    assert "demo requires Dependency on linux/amd64" in said
    assert "add Dependency to its deps" in said
    given(dependency, own)
    path.write_text(path.read_text() + '[tool.crossdock.packages.demo]\nignore-dependencies = ["dependency"]\n')
    given(own)


def test_inputs_at_the_wrong_place_are_named(work: Work, dependency: Path) -> None:
    base = work.base["amd64"] / "layer-0.json"
    assert "is given as --layer" in work.image(base, entrypoint=["python"], code=106)[1]
    given: tuple[str | Path, ...] = ("--base-layer", base)
    assert "has 3 layers" in work.image(dependency, arguments=given, entrypoint=["python"], code=2)[1]
    given = ("--base-layer", dependency) * 3
    assert "is given as --base-layer" in work.image(arguments=given, entrypoint=["python"], code=106)[1]
    whole = tuple(item for number in range(3) for item in ("--base-layer", base.with_name(f"layer-{number}.json")))
    first = (work.image(dependency, arguments=whole, entrypoint=["python"])[0] / "image.json").read_bytes()
    assert (work.image(dependency, entrypoint=["python"])[0] / "image.json").read_bytes() == first
