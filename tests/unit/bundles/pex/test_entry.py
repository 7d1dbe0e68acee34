"""What a PEX runs: named in the ways of pex and of the settings, and found in the wheels without running them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.pex.dist import Distribution
from crossdock.bundles.pex.entry import EntryRequest, asked_by_setting, asked_by_target, code_path, decide_entry
from crossdock.bundles.pex.info import EntryPoint
from crossdock.bundles.zippart import MadePart
from crossdock.errors import EntrypointError
from crossdock.verify.contents import Contents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.bundles.pex.entry import CodeFile

FILES = {
    "app/__init__.py": "from app.cli import main\n",
    "app/cli.py": "class Tool:\n    def run(self): ...\ndef main(): ...\n",
    "app/open.py": "from elsewhere import *\n",
    "app/newer.py": "match = type X = int = 1\n",
    "app/pkg/__init__.py": "f = print\n",
    "app/tool/__main__.py": "",
    "app/fast.cpython-311.so": "",
    "x.py": "",
}


def distribution(points: dict[str, str], scripts: tuple[str, ...] = ()) -> Distribution:
    contents = Contents(files=0)
    part = MadePart(digest="0" * 64, size=0, directory=0, entries=0, unpacked=0, contents=contents)
    return Distribution(
        filename="a-1-py3-none-any.whl",
        fingerprint="",
        requires=(),
        entry_points=points,
        scripts=scripts,
        part=part,
        contents=contents,
    )


OWN = distribution({"app": "app.cli:main"})
OTHER = distribution({"serve": "server:run", "app": "other:main"}, ("raw",))


def files() -> Iterator[CodeFile]:
    for path, text in FILES.items():
        yield path, text.encode


def decide(request: EntryRequest, own: Distribution = OWN) -> EntryPoint:
    return decide_entry(request, "app", own, (OTHER, own), files)


def test_the_projects_only_script_is_the_default() -> None:
    assert decide(EntryRequest()) == EntryPoint(target="app.cli:main")


def test_scripts_of_the_project_and_of_dependencies() -> None:
    assert decide(EntryRequest(script="app")).target == "app.cli:main"
    assert decide(EntryRequest(script="serve", arguments=("-v",))) == EntryPoint(target="server:run", arguments=("-v",))
    assert decide(EntryRequest(script="raw")) == EntryPoint(script="raw")


@pytest.mark.parametrize(
    "target",
    [
        "app.cli",
        "app.cli:main",
        "app.cli:Tool.run",
        "app.tool",
        "app.fast",
        "app:main",
        "app.pkg:f",
        "app.open:any",
        "app.newer:f",
        "app.fast:f",
        "x",
        "http.server",
    ],
)
def test_modules_that_are_there(target: str) -> None:
    assert decide(asked_by_target(target)).target == target


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere", "There is no module nowhere"),
        ("app.cl", "There is no module app.cl"),
        ("app.cli.deeper:f", "There is no module app.cli.deeper"),
        ("app.pkg", "The package app.pkg cannot be run"),
        ("app", "The package app cannot be run"),
        ("app.tool:main", "There is no module app.tool"),
        ("app.cli:mian", "The module app.cli does not define mian"),
        ("app.pkg:g.run", "The module app.pkg does not define g"),
    ],
)
def test_modules_that_are_not(target: str, words: str) -> None:
    with pytest.raises(EntrypointError, match=words):
        decide(asked_by_target(target))


@pytest.mark.parametrize("text", ["", "a b", "app:", ":main", "1a", "app.cli:main()", "app/cli.py"])
def test_what_is_no_entry_point_is_refused(text: str) -> None:
    with pytest.raises(EntrypointError, match="is not understood"):
        asked_by_target(text)


def test_a_script_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(EntrypointError) as caught:
        decide(EntryRequest(script="nope"))
    assert "app, raw, serve" in caught.value.why


def test_a_project_with_no_script_or_several_has_to_say() -> None:
    with pytest.raises(EntrypointError, match="no console script"):
        decide(EntryRequest(), distribution({}))
    with pytest.raises(EntrypointError, match="2 console scripts: a, b"):
        decide(EntryRequest(), distribution({"b": "x:y", "a": "x:z"}))


def test_a_prompt_needs_none() -> None:
    assert decide(EntryRequest(prompt=True), distribution({})) == EntryPoint()


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        (None, EntryRequest()),
        ("serve", EntryRequest(script="serve")),
        ("app.cli:main", EntryRequest(target="app.cli:main")),
        (("python", "-m", "app.tool", "--port", "1"), EntryRequest(target="app.tool", arguments=("--port", "1"))),
        (("gunicorn", "app:wsgi"), EntryRequest(script="gunicorn", arguments=("app:wsgi",))),
    ],
)
def test_the_setting_of_images_is_understood(setting: str | tuple[str, ...] | None, wanted: EntryRequest) -> None:
    assert asked_by_setting(setting) == wanted


@pytest.mark.parametrize(
    "setting", [("python", "run.py"), ("python",), ("python3", "-c", "1"), ("python", "-m", "a b")]
)
def test_an_argument_vector_that_no_pex_can_run(setting: tuple[str, ...]) -> None:
    with pytest.raises(EntrypointError, match="cannot be that of a PEX"):
        asked_by_setting(setting)


def test_a_function_that_is_not_there_may_be_one_that_is() -> None:
    with pytest.raises(EntrypointError) as caught:
        decide(asked_by_target("app.cli:mian"))
    assert (caught.value.why, caught.value.hint) == ("what it defines is Tool, main", "did you mean main?")


def test_files_of_libraries_are_found_where_they_are_installed() -> None:
    assert code_path("a-1.data/purelib/a/b.py") == "a/b.py"
    assert code_path("c.py") == "c.py"
    assert code_path("a-1.data/scripts/s") == "a-1.data/scripts/s"
