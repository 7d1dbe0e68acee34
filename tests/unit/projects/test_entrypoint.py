"""What an application starts with."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import EntrypointError
from crossdock.projects.entrypoint import resolve_entrypoint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from crossdock.projects.project import Project

P = "/app/.venv"


def nobody_asks() -> Collection[str]:
    raise AssertionError("the dependencies need not be looked at")


def project_text(setting: object) -> str:
    lines = ["[project]", 'name = "demo"']
    if setting is not None:
        lines += ["[tool.crossdock]", f"entrypoint = {json.dumps(setting)}"]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("setting", "scripts", "vector"),
    [
        (None, ["only"], (f"{P}/bin/only",)),
        ("two", ["one", "two"], (f"{P}/bin/two",)),
        (["python", "-m", "demo"], [], (f"{P}/bin/python", "-m", "demo")),
        (["python3", "x.py"], ["only"], (f"{P}/bin/python", "x.py")),
        (["/bin/tool", "$HOME", "a b"], [], ("/bin/tool", "$HOME", "a b")),
        (
            "demo.web:main",
            ["only"],
            (f"{P}/bin/python", "-c", "import sys; from demo.web import main; sys.exit(main())"),
        ),
        ("demo:App.run", [], (f"{P}/bin/python", "-c", "import sys; from demo import App; sys.exit(App.run())")),
    ],
)
def test_decision(
    make_project: Callable[[str], Project], setting: object, scripts: list[str], vector: tuple[str, ...]
) -> None:
    assert resolve_entrypoint(make_project(project_text(setting)), P, scripts, nobody_asks) == vector


def test_a_script_of_a_dependency_may_be_named(make_project: Callable[[str], Project]) -> None:
    project = make_project(project_text("uvicorn"))
    assert resolve_entrypoint(project, P, ["own"], lambda: {"uvicorn"}) == (f"{P}/bin/uvicorn",)


@pytest.mark.parametrize(
    ("setting", "scripts", "words"),
    [
        (None, [], "demo has no console script to run"),
        (None, ["b", "a"], "demo has 2 console scripts: a, b"),
        (None, ["b", "a"], "[tool.crossdock] does not say which one to run"),
        (None, ["b", "a"], 'set for example entrypoint = "a"'),
        ("other", ["own"], "the scripts there are: dep, own"),
        ("../../bin/sh", [], "is not a console script"),
        ("demo..web:main", [], "is not a console script"),
        ("demo:main()", [], "is not a console script"),
        ("demo:main; evil", [], "is not a console script"),
        ("1demo:main", [], "is not a console script"),
        ("demo:", [], '"module:function"'),
    ],
)
def test_what_cannot_be_decided_names_the_candidates(
    make_project: Callable[[str], Project], setting: object, scripts: list[str], words: str
) -> None:
    with pytest.raises(EntrypointError) as caught:
        resolve_entrypoint(make_project(project_text(setting)), P, scripts, lambda: {"dep"})
    assert words in f"{caught.value.what}\n{caught.value.why}\n{caught.value.hint}"


def test_a_function_is_called_and_gives_the_exit_code(make_project: Callable[[str], Project], tmp_path: Path) -> None:
    (tmp_path / "demo.py").write_text(
        "import sys\nclass App:\n    def run():\n        print(sys.argv[1:])\n        return 7\n"
    )
    vector = resolve_entrypoint(make_project(project_text("demo:App.run")), P, [], nobody_asks)
    done = subprocess.run([sys.executable, *vector[1:], "x"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, "['x']\n")
