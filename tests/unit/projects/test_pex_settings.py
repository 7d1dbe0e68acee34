"""``[tool.crossdock.pex]``: what can be set, and how mistakes are told."""

from __future__ import annotations

from typing import Any

import pytest

from crossdock.bundles.pex.info import PexOptions
from crossdock.errors import ConfigError
from crossdock.projects.config import read_config
from crossdock.projects.pex_settings import PexSettings, read_pex_settings


def test_nothing_is_set() -> None:
    assert read_pex_settings(None) == read_pex_settings({}) == PexSettings()
    assert read_config({}).pex == PexSettings()


def test_everything_is_set() -> None:
    settings = read_pex_settings(
        {
            "entrypoint": ["python", "-m", "app"],
            "layout": "packed",
            "multi-platform": True,
            "python-shebang": "/usr/bin/env python{major}",
            "python-interpreter-constraints": ["CPython=={major}.{minor}.*"],
            "inherit-path": "fallback",
            "inject-env": {"A": "b", "N": 1, "T": True},
            "inject-args": ["--port", "80"],
            "inject-python-args": ["-u"],
            "venv": "prepend",
            "venv-copies": True,
            "venv-site-packages-copies": True,
            "venv-system-site-packages": True,
            "venv-hermetic-scripts": False,
            "sh-boot": True,
            "include-tools": True,
            "strip-pex-env": False,
            "emit-warnings": False,
            "runtime-pex-root": "/var/pex",
            "pre-install-wheels": False,
            "max-install-jobs": -1,
        }
    )
    assert settings == PexSettings(
        entrypoint=("python", "-m", "app"),
        layout="packed",
        multi_platform=True,
        options=PexOptions(
            shebang="#!/usr/bin/env python{major}",
            constraints=("CPython=={major}.{minor}.*",),
            inherit_path="fallback",
            inject_env={"A": "b", "N": "1", "T": "true"},
            inject_args=("--port", "80"),
            inject_python_args=("-u",),
            venv="prepend",
            venv_copies=True,
            venv_site_packages_copies=True,
            venv_system_site_packages=True,
            venv_hermetic_scripts=False,
            sh_boot=True,
            include_tools=True,
            strip_pex_env=False,
            emit_warnings=False,
            runtime_pex_root="/var/pex",
            pre_install_wheels=False,
            max_install_jobs=-1,
        ),
    )


@pytest.mark.parametrize(("value", "wanted"), [(True, "false"), (False, None), ("append", "append")])
def test_a_venv_with_its_scripts_on_the_path_or_without(value: Any, wanted: str | None) -> None:
    assert read_pex_settings({"venv": value}).options.venv == wanted


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], r"tool\.crossdock\.pex is not a table"),
        ({"layuot": "loose"}, "has no setting 'layuot'"),
        ({"layout": "zip"}, 'layout must be "zipapp" or "packed" or "loose"'),
        ({"inherit-path": "true"}, "inherit-path must be"),
        ({"inherit-path": True}, "inherit-path must be a string"),
        ({"venv": "first"}, "venv must be"),
        ({"venv": 1}, "venv must be"),
        ({"sh-boot": "yes"}, "sh-boot must be true or false"),
        ({"inject-env": {"A B": "c"}}, "is not the name of an environment variable"),
        ({"inject-env": {"A": "\0"}}, "holds a NUL character"),
        ({"inject-args": "--port"}, "inject-args must be an array"),
        ({"python-shebang": "python\n"}, "python-shebang cannot be"),
        ({"python-shebang": "#! "}, "python-shebang cannot be"),
        ({"python-shebang": "/" * 200}, "python-shebang cannot be"),
        ({"max-install-jobs": -2}, "max-install-jobs must be"),
        ({"max-install-jobs": True}, "max-install-jobs must be"),
        ({"entrypoint": ""}, "entrypoint cannot be"),
        ({"entrypoint": [1]}, "entrypoint cannot be"),
        ({"runtime-pex-root": "a\nb"}, "runtime-pex-root cannot be"),
        ({"inject-args": ["a\0b"]}, "inject-args must be texts without NUL"),
        ({"inject-python-args": ["-X\0"]}, "inject-python-args must be texts without NUL"),
    ],
)
def test_mistakes_are_told_with_their_place(values: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_pex_settings(values)
