"""What lies at the root of a function's zip: where each cloud looks for what to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.bundles.functions.handler import check_handler, parse_handler
from crossdock.bundles.functions.included import IncludedFile
from crossdock.bundles.functions.kinds import AZURE, GOOGLE
from crossdock.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.bundles.functions.handler import FunctionFiles, Handler
    from crossdock.bundles.functions.kinds import FunctionKind

__all__ = ["root_files"]


def root_files(
    kind: FunctionKind,
    handler: Handler | None,
    included: Sequence[IncludedFile],
    files: FunctionFiles,
    *,
    python: tuple[int, int],
    warn: Callable[[str], None],
) -> tuple[IncludedFile, ...]:
    """Check the handler, and give the files that go to the zip's root beside the packages.

    Args:
        kind: The cloud.
        handler: What is called; None if it is not said.
        included: Files of the project's folder.
        files: All files that can be imported, those included.
        python: Version of the Python they run on.
        warn: Told what cannot be decided.

    Raises:
        HandlerError: The handler, or what the cloud starts with in its place, is not there.
    """
    if kind is AZURE:
        _check_azure(included)
        return tuple(included)
    if handler is not None:
        check_handler(handler, files, python=python, warn=warn)
    if kind is not GOOGLE:
        return tuple(included)
    if "main.py" not in files.paths:
        if handler is None:
            raise HandlerError(
                "The function has no main.py, in which Google looks for it",
                why="neither the project's folder nor its wheel has one",
                hint='add it, or set handler = "package.module.function" in [tool.crossdock.lambda]: then it is made',
            )
        main = f"from {handler.module} import {handler.attribute}\n".encode()
        return (*included, IncludedFile(path="main.py", content=main))
    if handler is not None and handler.module != "main":
        check_handler(parse_handler(f"main.{handler.attribute}"), files, python=python, warn=warn)
    return tuple(included)


def _check_azure(included: Sequence[IncludedFile]) -> None:
    paths = {file.path for file in included}
    if "host.json" not in paths:
        raise HandlerError(
            "The function app has no host.json",
            why="Azure's host looks for it at the root of the zip, and the project's folder has none",
            hint="add it beside pyproject.toml",
        )
    if "function_app.py" not in paths and not any(
        path.count("/") == 1 and path.endswith("/function.json") for path in paths
    ):
        raise HandlerError(
            "The function app has no function_app.py",
            why="Azure looks for it, or for folders with a function.json, at the root of the zip",
            hint="add it beside pyproject.toml (it may import all else from the project's package), or name what there "
            'is with include in [tool.crossdock.lambda], as in include = ["hello/*"]',
        )
