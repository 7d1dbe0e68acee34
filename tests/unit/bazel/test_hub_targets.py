"""How the targets of a hub are spelled, and what is meant where something is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.bazel.hubs import PROJECT, hub
from tests.unit.locks.samples import UV

from crossdock.bazel.hubs.inputs import project_for
from crossdock.bazel.hubs.targets import FLOORS, PYTHON, hub_targets
from crossdock.errors import PythonChoiceError, TargetError, TargetNotLockedError, UnknownTargetError, UsageError

AMD, ARM, WIN = "linux/amd64+glibc2.28 cp311", "linux/arm64+glibc2.28 cp311", "windows/amd64 cp311"
ARM12 = "linux/arm64+glibc2.28 cp312"


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """A uv.lock of a project."""
    path = tmp_path / "uv.lock"
    path.write_text(UV)
    return path


class TestTargets:
    @pytest.mark.parametrize(
        ("text", "key", "facts"),
        [
            ("linux/arm64+glibc2.28 3.11", ARM, ("linux", "aarch64", "glibc", "2.28", "3.11", False)),
            ("linux/amd64+glibc2.28 3.11.7", AMD, ("linux", "x86_64", "glibc", "2.28", "3.11", False)),
            (
                "linux_x86_64 3.12",
                "linux/amd64+glibc2.28 cp312",
                ("linux", "x86_64", "glibc", "2.28", "3.12", False),
            ),
            (
                "linux/arm64+musl1.2 cp313t",
                "linux/arm64+musl1.2 cp313t",
                ("linux", "aarch64", "musl", "1.2", "3.13", True),
            ),
            (
                "darwin/arm64+macos14.0 3.11",
                "darwin/arm64+macos14.0 cp311",
                ("macos", "aarch64", None, "14.0", "3.11", False),
            ),
            ("windows/amd64 cp311", WIN, ("windows", "x86_64", None, None, "3.11", False)),
            (
                "aws-lambda-python3.13/arm64",
                "aws-lambda-python3.13/arm64 cp313",
                ("linux", "aarch64", "glibc", "2.34", "3.13", False),
            ),
            (
                "linux/amd64 pypy3.11",
                "linux/amd64+glibc2.28 pp311",
                ("linux", "x86_64", "glibc", "2.28", "3.11", False),
            ),
            (
                "aarch64-unknown-linux-musl",
                "linux/arm64+musl1.2 cp311",
                ("linux", "aarch64", "musl", "1.2", "3.11", False),
            ),
            (
                "linux/amd64+glibc",
                "linux/amd64+glibc2.28 cp311",
                ("linux", "x86_64", "glibc", "2.28", "3.11", False),
            ),
            (
                "linux/amd64+glibc2.31 3.13",
                "linux/amd64+glibc2.31 cp313",
                ("linux", "x86_64", "glibc", "2.31", "3.13", False),
            ),
            (
                "macos/arm64",
                "darwin/arm64+macos14.0 cp311",
                ("macos", "aarch64", None, "14.0", "3.11", False),
            ),
            (
                "aws-lambda-python3.11/arm64",
                "aws-lambda-python3.11/arm64 cp311",
                ("linux", "aarch64", "glibc", "2.26", "3.11", False),
            ),
        ],
    )
    def test_spellings(self, text: str, key: str, facts: tuple[object, ...], uv: Path) -> None:
        (target,) = hub_targets([text], project_for(uv, None))
        found = target.facts()
        assert target.key == key
        names = ("os", "cpu", "libc", "floor", "python", "freethreaded")
        assert tuple(found[name] for name in names) == facts
        (again,) = hub_targets([found["spelling"]], project_for(uv, None))
        assert (again.key, again.facts()) == (target.key, found)

    @pytest.mark.parametrize(
        ("texts", "error", "words"),
        [
            ([], UsageError, "no target is named"),
            (["linux/sparc 3.11"], UnknownTargetError, "sparc"),
            (["linux/arm64 3.11 3.12"], UnknownTargetError, "not a platform and a Python"),
            (["linux/arm64 2.7"], UnknownTargetError, "2.7"),
            (["aws-lambda-python3.13/arm64 3.11"], TargetError, "runs python3.13, not python3.11"),
            (["linux/arm64 3.11.2", "linux/arm64 3.11.4"], UsageError, "is there twice"),
        ],
    )
    def test_mistakes(self, texts: list[str], error: type[Exception], words: str, uv: Path) -> None:
        with pytest.raises(error, match=words):
            hub_targets(texts, project_for(uv, None))

    def test_the_defaults_are_those_of_the_flags(self) -> None:
        flags = (Path(__file__).parents[3] / "bazel" / "private" / "flags.bzl").read_text()
        for name, value in {**FLOORS, "python_version": PYTHON}.items():
            assert f'"{name}": "{value}"' in flags

    def test_a_default_that_is_given_wins_over_the_project_s(self, uv: Path) -> None:
        (uv.parent / "pyproject.toml").write_text(PROJECT + '[tool.crossdock]\npython = "3.12"\n')
        project = project_for(uv, uv.parent / "pyproject.toml")
        assert [item.key for item in hub_targets(["linux/arm64", "linux/amd64 3.13"], project, "3.11")] == [
            ARM,
            "linux/amd64+glibc2.28 cp313",
        ]

    def test_the_project_s_python_is_the_default_and_its_bounds_count(self, uv: Path) -> None:
        (uv.parent / "pyproject.toml").write_text(PROJECT + '[tool.crossdock]\npython = "3.12"\n')
        project = project_for(uv, uv.parent / "pyproject.toml")
        assert hub_targets(["linux/arm64+glibc2.28"], project)[0].key == ARM12
        with pytest.raises(PythonChoiceError):
            hub_targets(["linux/arm64 3.10"], project)

    def test_a_lock_that_is_not_for_a_target(self, uv: Path) -> None:
        with pytest.raises(TargetNotLockedError):
            hub(uv, "linux/arm64 3.10")
