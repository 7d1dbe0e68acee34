"""Which names a module defines, by its source alone."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DefinedAs", "TopLevel", "read_top_level"]

#: What can bind any name when it is called.
_DYNAMIC = frozenset({"exec", "globals", "locals", "setattr", "vars"})

DefinedAs = Literal["function", "async", "class", "value", "import"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopLevel:
    """What is at the top level of a module.

    Attributes:
        names: The names it may bind, and as what.
        undecided: Why it may have others, as in ``from x import *`` or ``globals()``; empty if it cannot.
    """

    names: Mapping[str, DefinedAs]
    undecided: str


def read_top_level(source: bytes) -> TopLevel:
    """Read a module's source.

    What is within ``if``, ``try``, ``with`` and the like counts: one of its branches may run.

    Raises:
        SyntaxError: It is not Python, or not Python that this interpreter understands.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the source, which is not for us to correct
            tree = ast.parse(source)
        collector = _Collector()
        collector.visit(tree)
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or nesting that is no program's
        raise SyntaxError(str(error) or "it is nested too deeply") from None
    return TopLevel(names=collector.names, undecided=collector.undecided)


class _Collector(ast.NodeVisitor):
    """Collects what a module binds; what functions and classes bind is their own."""

    def __init__(self) -> None:
        self.names: dict[str, DefinedAs] = {}
        self.undecided = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names[node.name] = "function"
        self._globals(node)
        if node.name == "__getattr__":  # PEP 562
            self.undecided = "__getattr__"

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        # A decorator may make an ordinary function of it.
        self.names[node.name] = "value" if node.decorator_list else "async"
        self._globals(node)

    def _globals(self, node: ast.AST) -> None:
        """Count what a function says it binds in the module, as it may have been called."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                for name in inner.names:
                    self.names.setdefault(name, "value")

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _DYNAMIC:
            self.undecided = f"{node.func.id}()"
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.names[node.name] = "class"

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names[node.id] = "value"

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:  # else it is an annotation alone, and binds nothing
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                source = "." * getattr(node, "level", 0) + (getattr(node, "module", None) or "")
                self.undecided = f"from {source} import *"
            else:
                self.names[alias.asname or alias.name.partition(".")[0]] = "import"

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.names[node.name] = "value"
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def _own_scope(self, node: ast.AST) -> None:
        """Leave out what binds for itself."""

    visit_Lambda = _own_scope  # noqa: N815
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _own_scope  # noqa: N815
