"""A handler is looked for without running anything: where it is, and what else is there if it is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.functions.handler import check_handler, parse_handler
from crossdock.bundles.functions.toplevel import read_top_level
from crossdock.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON = (3, 11)
APP = {
    "app/__init__.py": b"",
    "app/web.py": b"def handler(event, context): ...\nclass Service:\n    def call(self, event, context): ...\n",
    "app/fast.cpython-311-aarch64-linux-gnu.so": b"\x7fELF",
    "app/fast.libs/libx.so": b"\x7fELF",
    "app/old.pyc": b"",
    "main.py": b"from app.web import handler\n",
    "space/inner.py": b"handler = 1\n",
}


class Files:
    """Files of a function, all of them the project's own."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self.paths = self.own = frozenset(contents)

    def read(self, path: str) -> bytes | None:
        return self._contents[path]


def check(text: str, contents: Mapping[str, bytes] = APP, python: tuple[int, int] = PYTHON) -> list[str]:
    """Check a handler, and give the warnings."""
    warnings: list[str] = []
    check_handler(parse_handler(text), Files(contents), python=python, warn=warnings.append)
    return warnings


def refused(text: str, contents: Mapping[str, bytes] = APP, python: tuple[int, int] = PYTHON) -> HandlerError:
    with pytest.raises(HandlerError) as caught:
        check(text, contents, python)
    return caught.value


@pytest.mark.parametrize(
    ("text", "module", "attribute"),
    [
        ("main.handler", "main", "handler"),
        ("app.web.handler", "app.web", "handler"),
        ("app/web.handler", "app.web", "handler"),
        (" app/web.handler ", "app.web", "handler"),
        ("größe.größe", "größe", "größe"),
    ],
)
def test_both_spellings_of_a_handler(text: str, module: str, attribute: str) -> None:
    handler = parse_handler(text)

    assert (handler.module, handler.attribute) == (module, attribute)
    assert handler.text == text.strip()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("handler", "as in app.main.handler"),
        ("", "as in app.main.handler"),
        ("app.web:handler", "write app.web.handler"),
        ("app..handler", "as in"),
        ("app/.handler", "as in"),
        ("../app.handler", "as in"),
        ("app.web.", "as in"),
        ("app.1.handler", "as in"),
        ("app web.handler", "as in"),
        ("app\n.handler", "as in"),
    ],
)
def test_what_is_no_handler(text: str, hint: str) -> None:
    with pytest.raises(HandlerError, match="is not understood") as caught:
        parse_handler(text)

    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text", ["app.web.handler", "app/web.handler", "app.web.Service", "main.handler", "space.inner.handler"]
)
def test_what_is_there_passes_in_silence(text: str) -> None:
    assert check(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app.fast.handler", "app/fast.cpython-311-aarch64-linux-gnu.so is compiled"),
        ("app.old.handler", "app/old.pyc is compiled"),
    ],
)
def test_what_cannot_be_looked_into_is_said(text: str, words: str) -> None:
    (warning,) = check(text)

    assert words in warning


def test_a_module_that_is_not_there_names_those_that_are() -> None:
    error = refused("app.wbe.handler")

    assert error.what == "The handler app.wbe.handler is in the module app.wbe, which is not there"
    assert error.why == "the project's own modules are app, app.web, main, space.inner"
    assert error.hint == "did you mean app.web?"


def test_a_module_that_resembles_none_tells_how_to_add_it() -> None:
    error = refused("zzz.handler")

    assert "let the project's build backend add the file to its wheel" in error.hint


def test_a_function_that_is_not_there_names_what_is() -> None:
    error = refused("app.web.handle")

    assert error.what == "The handler app.web.handle is not there: app/web.py does not define handle"
    assert error.why == "what it defines is Service, handler"
    assert error.hint == "did you mean handler?"


def test_a_method_is_no_handler() -> None:
    error = refused("app.web.Service.call")

    assert error.what == "The handler app.web.Service.call is in the class Service of app.web"
    assert error.hint == "give it a name there, as in handler = Service().call"


def test_a_module_named_as_a_built_in_one_is_never_imported() -> None:
    error = refused("time.handler", {"time.py": b"def handler(event, context): ...\n"})

    assert error.hint == "rename the module"


def test_a_package_comes_before_a_module_of_its_name() -> None:
    both = {"app.py": b"def handler(e, c): ...\n", "app/__init__.py": b""}

    assert "app/__init__.py does not define handler" in refused("app.handler", both).what


def test_a_mistake_in_the_module_is_told_with_its_line() -> None:
    error = refused("bad.handler", {"bad.py": b"x = 1\ndef handler(:\n"})

    assert error.why.startswith("bad.py, line 2: ")


def test_a_module_that_is_no_text_is_told_so() -> None:
    assert refused("bad.handler", {"bad.py": b"x = 1\0"}).why == "bad.py: source code string cannot contain null bytes"


def test_syntax_newer_than_this_python_is_not_called_a_mistake() -> None:
    newer = (sys.version_info[0], sys.version_info[1] + 1)

    (warning,) = check("bad.handler", {"bad.py": b"def handler(:\n"}, newer)

    assert "was not checked" in warning


def test_a_coroutine_function_is_warned_of() -> None:
    (warning,) = check("m.handler", {"m.py": b"async def handler(event, context): ...\n"})

    assert "does not await" in warning


def test_a_decorated_coroutine_function_may_be_anything() -> None:
    assert check("m.handler", {"m.py": b"@sync\nasync def handler(event, context): ...\n"}) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("from other import *", "from other import *"),
        ("from . import *", "from . import *"),
        ("def __getattr__(name): ...", "__getattr__"),
        ("globals()['handler'] = print", "globals()"),
        ("import sys\nif sys:\n    setattr(sys.modules[__name__], 'handler', print)", "setattr()"),
    ],
)
def test_what_cannot_be_told_before_it_runs_is_accepted_with_a_warning(source: str, words: str) -> None:
    (warning,) = check("m.handler", {"m.py": source.encode()})

    assert words in warning


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("def handler(e, c): ...", True),
        ("async def handler(e, c): ...", True),
        ("class handler: ...", True),
        ("handler = 1", True),
        ("def start():\n    global handler\n    handler = 1\n\nstart()", True),
        ("def start():\n    handler = 1", False),
        ("a = handler = 1", True),
        ("a, (b, *handler) = x", True),
        ("handler: int = 1", True),
        ("handler: int", False),
        ("handler += 1", True),
        ("import handler", True),
        ("import handler.inner", True),
        ("import other.handler", False),
        ("import other as handler", True),
        ("from other import handler", True),
        ("from other import x as handler", True),
        ("from other import handler as x", False),
        ("if x:\n    pass\nelif y:\n    handler = 1", True),
        ("try:\n    import a\nexcept ImportError:\n    handler = 1", True),
        ("try:\n    pass\nexcept E as handler:\n    pass", False),
        ("with x as handler: ...", True),
        ("for handler in x: ...", True),
        ("while x:\n    handler = 1", True),
        ("match x:\n    case [handler]: ...", True),
        ("match x:\n    case [*handler]: ...", True),
        ("print(handler := 1)", True),
        ("def f():\n    handler = 1", False),
        ("class A:\n    def handler(self): ...", False),
        ("f = lambda: (handler := 1)", False),
        ("[handler for handler in x]", False),
        ("x.handler = 1", False),
        ("x['handler'] = 1", False),
        ("handler", False),
        ("'handler'", False),
        ("# handler = 1", False),
    ],
)
def test_what_binds_a_name_at_the_top_level(source: str, bound: bool) -> None:
    assert ("handler" in read_top_level(source.encode()).names) is bound


def test_the_encoding_a_source_declares_counts() -> None:
    assert "größe" in read_top_level("# coding: latin-1\ngröße = 1\n".encode("latin-1")).names


@pytest.mark.parametrize("source", [b"x = 1\0", b"(" * 100_000, b"x = " + b"-" * 100_000 + b"1", b"\xff\xfe"])
def test_a_hostile_source_is_a_mistake_and_no_crash(source: bytes) -> None:
    with pytest.raises(SyntaxError):
        read_top_level(source)


def test_a_source_that_warns_does_so_nowhere() -> None:
    assert "x" in read_top_level(b"x = '\\d'\nif x is 1: ...\n").names
