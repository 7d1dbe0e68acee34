"""``[tool.crossdock.pex]`` in pyproject.toml, checked key by key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from crossdock.bundles.pex.info import PexOptions
from crossdock.errors import ConfigError
from crossdock.projects.table import Table

if TYPE_CHECKING:
    from crossdock.bundles.pex.info import InheritPath, Layout, VenvPath

__all__ = [
    "INHERIT_PATHS",
    "LAYOUTS",
    "VENV_PATHS",
    "PexSettings",
    "check_root",
    "check_variable",
    "read_pex_settings",
    "shebang_of",
]

LAYOUTS = ("zipapp", "packed", "loose")
INHERIT_PATHS = ("false", "fallback", "prefer")
VENV_PATHS = ("prepend", "append")

_WHERE = "tool.crossdock.pex"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_SHEBANG = 120
_MOST_JOBS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PexSettings:
    """A project's settings for PEX files.

    Attributes:
        entrypoint: In place of the project's own, in the same forms; None if it is not set.
        layout: One file, a folder of archives, or a folder of files.
        multi_platform: Build one PEX for all targets.
        options: How the PEX behaves.
    """

    entrypoint: str | tuple[str, ...] | None = None
    layout: Layout = "zipapp"
    multi_platform: bool = False
    options: PexOptions = field(default_factory=PexOptions)


def read_pex_settings(value: Any) -> PexSettings:  # noqa: ANN401  it is whatever the file holds
    """Read the ``[tool.crossdock.pex]`` table.

    Raises:
        ConfigError: A key is unknown, or a value is not what it must be.
    """
    table = Table({} if value is None else value, _WHERE)
    shebang = table.text("python-shebang")
    variables = table.mapping("inject-env")
    for name, text in variables.items():
        check_variable(name, text, f"{_WHERE}.inject-env")
    settings = PexSettings(
        entrypoint=_entrypoint(table.any("entrypoint")),
        layout=cast("Layout", _one_of(table, "layout", LAYOUTS) or "zipapp"),
        multi_platform=table.flag("multi-platform", default=False),
        options=PexOptions(
            shebang=None if shebang is None else shebang_of(shebang, f"{_WHERE}: python-shebang"),
            constraints=table.texts("python-interpreter-constraints") or (),
            inherit_path=cast("InheritPath", _one_of(table, "inherit-path", INHERIT_PATHS) or "false"),
            inject_env=variables,
            inject_args=_arguments(table, "inject-args"),
            inject_python_args=_arguments(table, "inject-python-args"),
            venv=_venv(table),
            venv_copies=table.flag("venv-copies", default=False),
            venv_site_packages_copies=table.flag("venv-site-packages-copies", default=False),
            venv_system_site_packages=table.flag("venv-system-site-packages", default=False),
            venv_hermetic_scripts=table.flag("venv-hermetic-scripts", default=True),
            sh_boot=table.flag("sh-boot", default=False),
            include_tools=table.flag("include-tools", default=False),
            strip_pex_env=table.flag("strip-pex-env", default=True),
            emit_warnings=table.flag("emit-warnings", default=True),
            runtime_pex_root=check_root(table.text("runtime-pex-root") or "", f"{_WHERE}: runtime-pex-root"),
            pre_install_wheels=table.flag("pre-install-wheels", default=True),
            max_install_jobs=_jobs(table),
        ),
    )
    table.finish()
    return settings


def check_variable(name: str, value: str, where: str) -> None:
    """Refuse what is no environment variable.

    Raises:
        ConfigError: It is none.
    """
    if not _VARIABLE.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} is not the name of an environment variable")
    if "\0" in value:
        raise ConfigError(f"{where}: the value of {name} holds a NUL character")


def shebang_of(text: str, where: str) -> str:
    """Give a first line, with ``#!`` before what is to be started.

    Raises:
        ConfigError: It cannot be one.
    """
    line = text if text.startswith("#!") else f"#!{text}"
    if not line.isprintable() or not line.isascii() or not line[2:].strip() or len(line) > _LONGEST_SHEBANG:
        raise ConfigError(
            f"{where} cannot be {text!r}",
            why=f"it has to be one line of at most {_LONGEST_SHEBANG} characters that can be printed",
            hint='write as in "#!/usr/bin/env python{major}.{minor}"',
        )
    return line


def check_root(path: str, where: str) -> str:
    """Give where a PEX keeps its cache, which is written into a script for ``/bin/sh``.

    Raises:
        ConfigError: It holds what means something else there.
    """
    if not path.isprintable() or set(path) & set("\"'`$\\;&|<>()*?#[]"):
        raise ConfigError(
            f"{where} cannot be {path!r}",
            why="a shell would take some of its characters for something else",
            hint='write as in "~/.cache/app" or "/var/cache/app"',
        )
    return path


def _entrypoint(value: Any) -> str | tuple[str, ...] | None:  # noqa: ANN401
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise ConfigError(
        f"{_WHERE}: entrypoint cannot be {value!r}",
        hint='write the name of a console script, "module:function", or an array such as ["python", "-m", "app"]',
    )


def _one_of(table: Table, key: str, known: tuple[str, ...]) -> str | None:
    value = table.text(key)
    if value is not None and value not in known:
        raise table.wrong(key, " or ".join(f'"{item}"' for item in known))
    return value


def _arguments(table: Table, key: str) -> tuple[str, ...]:
    value = table.texts(key) or ()
    if any("\0" in text for text in value):
        raise table.wrong(key, "texts without NUL characters")
    return value


def _venv(table: Table) -> VenvPath | None:
    value = table.any("venv")
    if value is None or value is False:
        return None
    if value is True:
        return "false"
    return cast("VenvPath | None", _one_of(table, "venv", VENV_PATHS))


def _jobs(table: Table) -> int:
    value = table.any("max-install-jobs")
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= _MOST_JOBS:
        raise table.wrong("max-install-jobs", f"-1 for pex's own choice, 0 for all cores, or 1 to {_MOST_JOBS}")
    return value
