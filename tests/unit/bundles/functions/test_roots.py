"""What each cloud looks for at the root of a zip."""

from __future__ import annotations

import pytest

from crossdock.bundles.functions.handler import parse_handler
from crossdock.bundles.functions.included import IncludedFile
from crossdock.bundles.functions.kinds import AWS, AZURE, GOOGLE, FunctionKind
from crossdock.bundles.functions.roots import root_files
from crossdock.errors import HandlerError

HANDLER = b"def hello(request): ...\n"


class Files:
    """Importable files."""

    def __init__(self, **contents: bytes) -> None:
        self._contents = {f"{name.replace('__', '/')}.py": content for name, content in contents.items()}
        self.paths = self.own = frozenset(self._contents)

    def read(self, path: str) -> bytes | None:
        return self._contents[path]


def roots(
    kind: FunctionKind, handler: str | None = None, included: tuple[str, ...] = (), **contents: bytes
) -> dict[str, bytes]:
    files = root_files(
        kind,
        parse_handler(handler) if handler else None,
        [IncludedFile(path=path, content=b"") for path in included],
        Files(**contents),
        python=(3, 12),
        warn=pytest.fail,
    )
    return {file.path: file.content for file in files}


def test_lambda_gets_what_is_included_and_no_more() -> None:
    assert roots(AWS) == {}
    assert roots(AWS, "shop__web.hello".replace("__", "/"), ("x.txt",), shop__web=HANDLER) == {"x.txt": b""}


def test_google_starts_in_a_main_py_that_calls_the_handler() -> None:
    assert roots(GOOGLE, "shop.web.hello", shop__web=HANDLER) == {"main.py": b"from shop.web import hello\n"}


def test_a_main_py_of_the_project_is_left_alone() -> None:
    assert roots(GOOGLE, "main.hello", main=HANDLER) == {}
    assert roots(GOOGLE, main=b"") == {}
    assert roots(GOOGLE, "shop.web.hello", shop__web=HANDLER, main=b"from shop.web import hello\n") == {}


def test_google_without_a_main_py_is_refused() -> None:
    with pytest.raises(HandlerError, match=r"no main\.py"):
        roots(GOOGLE, shop__web=HANDLER)


def test_a_main_py_without_the_handler_is_refused() -> None:
    with pytest.raises(HandlerError, match=r"main\.py does not define hello"):
        roots(GOOGLE, "shop.web.hello", shop__web=HANDLER, main=b"")


@pytest.mark.parametrize("included", [("host.json", "function_app.py"), ("host.json", "hello/function.json")])
def test_azure_needs_its_own_files(included: tuple[str, ...]) -> None:
    assert roots(AZURE, None, included).keys() == set(included)


@pytest.mark.parametrize(
    ("included", "missing"),
    [
        ((), r"host\.json"),
        (("function_app.py",), r"host\.json"),
        (("host.json",), r"function_app\.py"),
        (("host.json", "a/b/function.json"), r"function_app\.py"),
    ],
)
def test_azure_without_them_is_refused(included: tuple[str, ...], missing: str) -> None:
    with pytest.raises(HandlerError, match=f"has no {missing}"):
        roots(AZURE, None, included)
