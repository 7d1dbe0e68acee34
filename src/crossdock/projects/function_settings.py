"""``[tool.crossdock.lambda]`` in pyproject.toml, checked key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crossdock.errors import ConfigError
from crossdock.projects.table import Table

__all__ = ["FunctionSettings", "read_function_settings"]

_WHERE = "tool.crossdock.lambda"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """A project's settings for functions.

    Attributes:
        targets: Runtimes to build for, as written; None if they are not set.
        handler: As AWS Lambda spells it; None if it is not set.
        include: Patterns of files in the project's folder that go to the zip's root.
        without_boto3: Whether the AWS SDK is left to the runtime.
    """

    targets: tuple[str, ...] | None = None
    handler: str | None = None
    include: tuple[str, ...] = ()
    without_boto3: bool = False


def read_function_settings(value: Any) -> FunctionSettings:  # noqa: ANN401  it is whatever the file holds
    """Read the ``[tool.crossdock.lambda]`` table.

    Raises:
        ConfigError: A key is unknown, or a value is not what it must be.
    """
    table = Table({} if value is None else value, _WHERE)
    targets = table.texts("targets")
    if targets == ():
        raise ConfigError(f"{_WHERE}: targets is empty", hint="name one, or leave the key away")
    settings = FunctionSettings(
        targets=targets,
        handler=table.text("handler"),
        include=tuple(_pattern(text) for text in table.texts("include") or ()),
        without_boto3=table.flag("without-boto3", default=False),
    )
    table.finish()
    return settings


def _pattern(text: str) -> str:
    parts = text.removesuffix("/").split("/")
    if text.startswith("/") or "\\" in text or "\0" in text or any(part in ("", ".", "..") for part in parts):
        raise ConfigError(
            f"{_WHERE}: include holds {text!r}, which can match no file of the project",
            hint='write paths relative to pyproject.toml, with "/": "host.json", "templates/**"',
        )
    if any("**" in part and part != "**" for part in parts):
        raise ConfigError(
            f'{_WHERE}: include holds {text!r}, where "**" is only a part of a name',
            hint='"**" stands for any number of folders, as in "data/**/*.json"; within a name write "*"',
        )
    return text
