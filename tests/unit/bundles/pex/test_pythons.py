"""The Pythons a PEX says it runs on, and its first line."""

from __future__ import annotations

import pytest

from crossdock.bundles.pex.pythons import default_shebang, filled, interpreter_constraints
from crossdock.errors import ConfigError
from crossdock.targets import parse_python


@pytest.mark.parametrize(
    ("target", "given", "wanted"),
    [
        ("3.11", [], ["CPython==3.11.*"]),
        ("3.13", [], ["CPython==3.13.*"]),
        ("3.13t", [], ["CPython+t==3.13.*"]),
        ("pypy3.11", [], ["PyPy==3.11.*"]),
        ("3.11.4", ["CPython=={major}.{minor}.{patch}"], ["CPython==3.11.4"]),
        ("3.12", ["CPython>={major}.{minor},<4", "PyPy>=3.10"], ["CPython>=3.12,<4", "PyPy>=3.10"]),
        ("3.12", [">=3.11"], [">=3.11"]),
        ("3.14.0rc2", ["=={major}.{minor}.{patch}"], ["==3.14.0"]),
        ("3.13", ["CPython[gil]==3.13.*"], ["CPython[gil]==3.13.*"]),
        ("3.13", ["CPython"], ["CPython"]),
        ("3.11", ["CPython==3.11.*", "CPython==3.11.*"], ["CPython==3.11.*"]),
    ],
)
def test_interpreter_constraints_are_of_the_target(target: str, given: list[str], wanted: list[str]) -> None:
    assert interpreter_constraints(given, [parse_python(target)]) == tuple(wanted)


def test_constraints_of_several_pythons() -> None:
    pythons = [parse_python("3.11"), parse_python("3.12"), parse_python("3.11")]
    assert interpreter_constraints([], pythons) == ("CPython==3.11.*", "CPython==3.12.*")
    assert interpreter_constraints(["~={major}.{minor}"], pythons) == ("~=3.11", "~=3.12")


@pytest.mark.parametrize("text", ["3.11", "CPython 3.11", "Jython==2.7.*", "", " ", ">=", "CPython==3.11.*;", "==3,"])
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not an interpreter constraint"):
        interpreter_constraints([text], [parse_python("3.11")])


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(ConfigError, match="placeholder") as caught:
        filled("python{micro}", parse_python("3.11"))
    assert "{patch}" in caught.value.hint


@pytest.mark.parametrize(
    ("targets", "wanted"),
    [
        (["3.11"], "#!/usr/bin/env python3.11"),
        (["3.11.2", "3.11.4"], "#!/usr/bin/env python3.11"),
        (["3.13t"], "#!/usr/bin/env python3.13t"),
        (["pypy3.11"], "#!/usr/bin/env pypy3.11"),
        (["3.11", "3.12"], "#!/usr/bin/env python3"),
    ],
)
def test_the_first_line_names_the_targets_python(targets: list[str], wanted: str) -> None:
    assert default_shebang([parse_python(target) for target in targets]) == wanted
