"""``[tool.crossdock.lambda]``."""

from __future__ import annotations

import pytest

from crossdock.errors import ConfigError
from crossdock.projects.config import read_config
from crossdock.projects.function_settings import FunctionSettings


def test_without_the_table_nothing_is_set() -> None:
    assert read_config({}).functions == FunctionSettings()


def test_every_setting() -> None:
    table = {
        "targets": ["aws-lambda-python3.12/arm64"],
        "handler": "shop.web.handler",
        "include": ["host.json", "templates/**", "data/"],
        "without-boto3": True,
    }

    assert read_config({"lambda": table}).functions == FunctionSettings(
        targets=("aws-lambda-python3.12/arm64",),
        handler="shop.web.handler",
        include=("host.json", "templates/**", "data/"),
        without_boto3=True,
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("text", "tool.crossdock.lambda is not a table"),
        ({"handlr": "a.b"}, "did you mean 'handler'"),
        ({"handler": 1}, "handler must be a string"),
        ({"handler": " "}, "handler must be a string"),
        ({"targets": []}, "targets is empty"),
        ({"targets": "linux/arm64"}, "targets must be an array"),
        ({"without-boto3": "yes"}, "without-boto3 must be true or false"),
        ({"include": ["/etc/passwd"]}, "can match no file of the project"),
        ({"include": ["../secret"]}, "can match no file of the project"),
        ({"include": ["a//b"]}, "can match no file of the project"),
        ({"include": ["a\\b"]}, "can match no file of the project"),
        ({"include": ["."]}, "can match no file of the project"),
        ({"include": ["a**"]}, "only a part of a name"),
    ],
)
def test_mistakes_are_told_with_their_place(table: object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config({"lambda": table})

    assert words in str(caught.value)
