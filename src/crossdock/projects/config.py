"""``[tool.crossdock]`` in pyproject.toml, checked key by key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from crossdock.errors import ConfigError
from crossdock.projects.function_settings import FunctionSettings, read_function_settings
from crossdock.projects.interpreter import read_interpreter
from crossdock.projects.overrides import read_overrides
from crossdock.projects.pex_settings import PexSettings, read_pex_settings
from crossdock.projects.table import Table
from crossdock.projects.test_settings import CaseSettings, read_test_settings
from crossdock.targets.environment import MARKER_KEYS
from crossdock.verify.exceptions import Allowance
from crossdock.verify.policy import parse_exceptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.bases.interpreter.setting import InterpreterSetting
    from crossdock.layers.grouping import Grouping
    from crossdock.locks.overrides import Override

__all__ = ["Compression", "Config", "read_config"]

_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Compression = Literal["gzip", "zstd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A project's settings; what is None was not set.

    Attributes:
        targets: Platforms to build for, as written.
        python: Python version wanted, such as ``3.11``.
        base: Base image.
        interpreter: A Python to bring, in place of the base's.
        packages: Debian packages beside those of every base.
        entrypoint: Name of a console script, ``module:function``, or an argument vector.
        env: Environment variables.
        labels: Image labels.
        ports: As in ``8000/tcp``.
        user: Who the process runs as.
        lock: Path of the lock file, relative to the project.
        extras: Extras of the project to install.
        groups: Dependency groups to install; None for the lock's default groups.
        allow: Exceptions to the rules of the proof.
        mirror: URL of a Debian mirror.
        security_mirror: URL of a mirror of Debian's security archive.
        keyring: Path of the Debian archive keyring.
        check_valid_until: Whether an index past its ``Valid-Until`` is refused.
        markers: Values of marker variables by target as written; those of "" are for every target.
        compression: How the layers that are made are compressed.
        layers: Which wheels share a layer of an image.
        compile: Whether bytecode is added to images.
        compile_python: Path of the interpreter that compiles it, relative to the project; None to look for one.
        overrides: What is set for single packages, by normalised name.
        functions: What is set for zips of functions.
        pex: What is set for PEX files.
        cases: What `crossdock test` tests.
    """

    targets: tuple[str, ...] | None = None
    python: str | None = None
    base: str | None = None
    interpreter: InterpreterSetting | None = None
    packages: tuple[str, ...] = ()
    entrypoint: str | tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    user: str | None = None
    lock: str | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    allow: tuple[Allowance, ...] = ()
    mirror: str | None = None
    security_mirror: str | None = None
    keyring: str | None = None
    check_valid_until: bool = True
    markers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    compression: Compression = "gzip"
    layers: Grouping = "grouped"
    compile: bool = False
    compile_python: str | None = None
    overrides: Mapping[str, Override] = field(default_factory=dict)
    functions: FunctionSettings = field(default_factory=FunctionSettings)
    pex: PexSettings = field(default_factory=PexSettings)
    cases: tuple[CaseSettings, ...] = ()

    @property
    def waived(self) -> frozenset[str]:
        """Normalised names of packages that some package is set not to need after all."""
        return frozenset(name for override in self.overrides.values() for name in override.ignore_dependencies)


def read_config(tool_table: Any) -> Config:  # noqa: ANN401
    """Read the ``[tool.crossdock]`` table.

    Raises:
        ConfigError: A key is unknown, or a value is not what it must be.
    """
    try:
        return _read(tool_table)
    except ValueError as error:  # Python writes out no number of thousands of digits
        raise ConfigError("tool.crossdock holds a number that is too large", why=str(error)) from None


def _read(tool_table: Any) -> Config:  # noqa: ANN401
    table = Table(tool_table, "tool.crossdock")
    debian = table.table("debian")
    verify = table.table("verify")
    targets = table.texts("targets")
    if targets == ():
        raise ConfigError("tool.crossdock: targets is empty", hint="name one, or leave the key away for both defaults")
    config = Config(
        targets=targets,
        python=_version(table),
        base=table.text("base"),
        interpreter=read_interpreter(table.any("interpreter")),
        packages=debian.texts("packages") or (),
        entrypoint=_entrypoint(table.any("entrypoint")),
        env=_env(table.mapping("env")),
        labels=table.mapping("labels"),
        ports=_ports(table.any("ports")),
        user=_user(table.any("user")),
        lock=table.text("lock"),
        extras=table.texts("extras") or (),
        groups=table.texts("groups"),
        allow=(
            *(Allowance(path=pattern) for pattern in verify.texts("allow") or ()),
            *parse_exceptions(verify.any("exceptions"), "tool.crossdock.verify.exceptions"),
        ),
        mirror=debian.text("mirror"),
        security_mirror=debian.text("security-mirror"),
        keyring=debian.text("keyring"),
        check_valid_until=debian.flag("check-valid-until", default=True),
        markers=_markers(table.any("markers")),
        compression=_compression(table),
        layers=_layers(table),
        compile=table.flag("compile", default=False),
        compile_python=table.text("compile-python"),
        overrides=read_overrides(table.any("packages")),
        functions=read_function_settings(table.any("lambda")),
        pex=read_pex_settings(table.any("pex")),
        cases=read_test_settings(table.any("test")),
    )
    for part in (debian, verify, table):
        part.finish()
    return config


def _version(table: Table) -> str | None:
    value = table.any("python")
    if isinstance(value, float):
        raise ConfigError(
            f"tool.crossdock: python must be a string, not the number {value}", hint=f'write python = "{value}"'
        )
    return table.text("python")


def _compression(table: Table) -> Compression:
    value = table.text("compression")
    if value is None or value == "gzip":
        return "gzip"
    if value == "zstd":
        return "zstd"
    raise table.wrong("compression", '"gzip" or "zstd"')


def _layers(table: Table) -> Grouping:
    value = table.text("layers")
    if value is None or value == "grouped":
        return "grouped"
    if value == "wheel":
        return "wheel"
    raise table.wrong("layers", '"grouped" or "wheel"')


def _entrypoint(value: Any) -> str | tuple[str, ...] | None:  # noqa: ANN401
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    raise ConfigError(
        f"tool.crossdock: entrypoint cannot be {value!r}",
        hint='write the name of a console script, "module:function", or an array such as ["python", "-m", "app"]',
    )


def _env(env: dict[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise ConfigError(f"tool.crossdock.env: {name!r} is not the name of an environment variable")
        if "\0" in value:
            raise ConfigError(f"tool.crossdock.env: the value of {name} holds a NUL character")
    return env


def _markers(value: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401
    """Read marker variables: strings are for every target, a table is for the target it is named after."""
    where = "tool.crossdock.markers"
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is not a table", hint=f"write [{where}] and its keys below it")
    found = {"": {key: item for key, item in value.items() if not isinstance(item, dict)}}
    found |= {key: item for key, item in value.items() if isinstance(item, dict)}
    for target, values in found.items():
        place = f"{where}.{target!r}" if target else where
        for key, item in values.items():
            if key not in MARKER_KEYS:
                raise ConfigError(
                    f"{place}: {key!r} is not a marker variable", hint=f"there are {', '.join(MARKER_KEYS)}"
                )
            if not isinstance(item, str) or not item:
                raise ConfigError(f"{place}: {key} must be a string, not {item!r}")
    return found


def _ports(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    if value is None:
        return ()
    ports = []
    for item in value if isinstance(value, list) else [value]:
        match = _PORT.fullmatch(str(item)) if not isinstance(item, bool) else None
        if match is None or not 0 < int(match[1]) < 65536:
            raise ConfigError(
                f"tool.crossdock: ports holds {item!r}", hint='write numbers from 1 to 65535, or as in "53/udp"'
            )
        ports.append(f"{int(match[1])}/{match[2] or 'tcp'}")
    return tuple(ports)


def _user(value: Any) -> str | None:  # noqa: ANN401
    if value is None:
        return None
    text = str(value)
    if isinstance(value, (str, int)) and not isinstance(value, bool) and re.fullmatch(r"[\w.-]+(:[\w.-]+)?", text):
        return text
    raise ConfigError(f"tool.crossdock: user cannot be {value!r}", hint='write a name or ID, as in "65532:65532"')
