"""[tool.crossdock.test]: every setting, and every mistake told with its place."""

from __future__ import annotations

import tomllib

import pytest

from crossdock.errors import ConfigError
from crossdock.projects.config import read_config
from crossdock.projects.test_settings import CaseSettings


def read(text: str) -> tuple[CaseSettings, ...]:
    return read_config(tomllib.loads(text)).cases


def test_every_setting_is_read() -> None:
    cases = read("""
        [[test.cases]]
        name = "the API"
        project = "apps/api"
        kind = "lambda"
        targets = ["linux/arm64"]
        packages = ["Pydantic_Core", "pydantic-core", "numpy"]

        [[test.cases]]
        artifact = "registry.example/team/app:1.0"
        packages = []

        [[test.cases]]
    """)
    assert cases == (
        CaseSettings(
            name="the API",
            project="apps/api",
            kind="lambda",
            targets=("linux/arm64",),
            packages=("pydantic-core", "numpy"),
        ),
        CaseSettings(artifact="registry.example/team/app:1.0", packages=()),
        CaseSettings(name="", project=".", kind="image", targets=None, packages=None, artifact=None),
    )


def test_without_the_table_there_is_none() -> None:
    assert read("") == read("[test]") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("test = 3", "tool.crossdock.test is not a table"),
        ("[test]\ncase = []", "tool.crossdock.test has no setting 'case'"),
        ("[test]\ncases = []", "tool.crossdock.test: cases is not an array of tables"),
        ("[test.cases]\nname = 'x'", "write [[tool.crossdock.test.cases]]"),
        ("[test]\ncases = ['x']", "tool.crossdock.test.cases[0] is not a table"),
        ("[[test.cases]]\n[[test.cases]]\napp = 'x'", "tool.crossdock.test.cases[1] has no setting 'app'"),
        ("[[test.cases]]\nkind = 'deb'", "kind must be one of image, pex, lambda, venv, not 'deb'"),
        ("[[test.cases]]\ntargets = []", "targets is empty"),
        ("[[test.cases]]\npackages = 'numpy'", "packages must be an array of strings"),
        ("[[test.cases]]\npackages = ['numpy>=2']", "'numpy>=2', which is no name of a package"),
        ('[[test.cases]]\nname = "a\\u001b[31m"', "name cannot be"),
        ("[[test.cases]]\nartifact = 'x'\nkind = 'pex'", "kind and artifact are both set"),
        ("[[test.cases]]\nartifact = 'x'\nproject = 'a'", "project and artifact are both set"),
        ("[[test.cases]]\nname = 'x'\n[[test.cases]]\nname = 'x'", "two cases are named 'x'"),
    ],
)
def test_every_mistake_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert words in str(caught.value)
    assert "tool.crossdock.test" in str(caught.value)
