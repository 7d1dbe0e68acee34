"""Imports point one way: each package knows those before it, and none behind it."""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import crossdock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(crossdock.__file__).parent
#: Packages, and modules that stand beside them, from what knows nothing of others to what may know all of them.
ORDER = ["__init__", "errors", "text", "targets", "headers", "store", "locks", "wheels", "layers", "lockfile", "oci"]
ORDER += ["engines", "verify", "running", "bundles", "bases", "sdists", "projects", "choosing", "supply", "reports"]
ORDER += ["services", "plan", "steps", "build", "bundling", "bazel", "testing", "cli", "__main__"]


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Give line and name of what a module imports of crossdock, wherever in it: a package, or a module beside it.

    What only type checkers read is left out: nothing of it is there when the program runs.
    """
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports name their package in full"
            names = [f"{node.module}.{name}" for name in names]
        for top, *rest in (name.split(".") for name in names):
            if top == "crossdock":
                # `from crossdock import __version__` names what __init__.py has.
                yield node.lineno, rest[0] if rest and rest[0] in ORDER else "__init__"


def astray(path: str, source: str) -> list[str]:
    """Tell of each import of a module that points the wrong way."""
    own = Path(path).parts[0].removesuffix(".py")
    return [
        f"{path}:{line} imports crossdock.{name}, and crossdock.{own} comes before that: move what is needed to"
        f" {own} or to a package before it, or pass it as an argument (CONTRIBUTING.md, How the code is laid out)"
        for line, name in sorted(set(imported(source)))
        if name != own and ORDER.index(name) > ORDER.index(own)
    ]


def test_imports_point_one_way() -> None:
    found = [astray(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))]
    assert len(found) > 400
    assert list(chain.from_iterable(found)) == []


def test_every_package_has_its_place() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert packages | modules == set(ORDER), "add a package to ORDER, behind those it imports"


@pytest.mark.parametrize(
    "line",
    [
        "import crossdock.cli.main",
        "from crossdock import cli",
        "from crossdock.cli import main",
        "from crossdock.cli.main import main",
        "def f():\n    from crossdock.cli.main import main",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import crossdock.cli",
        "try:\n    import crossdock.cli\nexcept ImportError:\n    pass",
    ],
)
def test_what_points_the_wrong_way_is_told(line: str) -> None:
    (sentence,) = astray("steps/made.py", line)
    assert "imports crossdock.cli, and crossdock.steps comes before that: move" in sentence


@pytest.mark.parametrize(
    "line",
    [
        "if TYPE_CHECKING:\n    from crossdock.cli.main import main",
        "from crossdock import __version__",
        "from crossdock.steps.other import x",
        "from crossdock.store.blobs import Store",
        "import crossdocking.cli",
    ],
)
def test_what_points_the_right_way_is_not(line: str) -> None:
    assert astray("steps/made.py", line) == []
