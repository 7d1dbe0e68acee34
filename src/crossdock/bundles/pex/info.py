"""PEX-INFO: what a PEX says of itself, and the hash that it is known by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.bundles.pex.dist import Distribution
    from crossdock.bundles.pex.requirements import Requirements

__all__ = ["EntryPoint", "InheritPath", "Layout", "PexInfo", "PexOptions", "VenvPath", "pex_info"]

Layout = Literal["zipapp", "packed", "loose"]
InheritPath = Literal["false", "fallback", "prefer"]
VenvPath = Literal["false", "prepend", "append"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """What a PEX runs.

    Attributes:
        target: ``module`` or ``module:function``; empty for a Python prompt, or with a script.
        script: Name of a script that a wheel brings as a file; empty without one.
        arguments: Given to it before those of the command line.
    """

    target: str = ""
    script: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PexOptions:
    """How a PEX behaves; the names are those of pex's own options.

    Attributes:
        shebang: First line, with placeholders; None for the target's Python.
        constraints: Which Pythons it runs on, with placeholders; empty for the target's minor version.
        inherit_path: Whether packages of the Python that runs it are seen, and before or after its own.
        inject_env: Environment variables that are set where they are not.
        inject_args: Arguments given before those of the command line.
        inject_python_args: Arguments for Python.
        venv: Run from a virtual environment made at first start, and whether the folder of its scripts comes first on
            PATH, last, or not at all; None to run from what is unpacked.
        venv_copies: Copy the interpreter into it.
        venv_site_packages_copies: Copy the packages into it.
        venv_system_site_packages: Let it see the packages of the Python it is made of.
        venv_hermetic_scripts: Keep its scripts from what is outside.
        sh_boot: Be started by ``/bin/sh``, which finds a Python faster than Python does.
        include_tools: Include pex's tools.
        strip_pex_env: Take the variables ``PEX_*`` from what is run.
        emit_warnings: Let pex warn when it starts.
        runtime_pex_root: Where it keeps its cache; empty for pex's own choice.
        pre_install_wheels: Hold wheels as they are when installed, not as files.
        max_install_jobs: How many wheels are installed at a time, at first start.
    """

    shebang: str | None = None
    constraints: tuple[str, ...] = ()
    inherit_path: InheritPath = "false"
    inject_env: Mapping[str, str] = field(default_factory=dict)
    inject_args: tuple[str, ...] = ()
    inject_python_args: tuple[str, ...] = ()
    venv: VenvPath | None = None
    venv_copies: bool = False
    venv_site_packages_copies: bool = False
    venv_system_site_packages: bool = False
    venv_hermetic_scripts: bool = True
    sh_boot: bool = False
    include_tools: bool = False
    strip_pex_env: bool = True
    emit_warnings: bool = True
    runtime_pex_root: str = ""
    pre_install_wheels: bool = True
    max_install_jobs: int = 1

    @property
    def tools(self) -> bool:
        """Whether pex's tools are included: a virtual environment is made by them."""
        return self.include_tools or self.venv is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PexInfo:
    """PEX-INFO, and the hash in it.

    Attributes:
        content: The file.
        pex_hash: What pex knows the PEX by.
    """

    content: bytes
    pex_hash: str


def pex_info(
    empty: Mapping[str, Any],
    options: PexOptions,
    entry: EntryPoint,
    constraints: Sequence[str],
    distributions: Sequence[Distribution],
    requirements: Requirements,
) -> PexInfo:
    """Make PEX-INFO of what pex wrote for a PEX that holds nothing.

    Args:
        empty: That.
        options: How the PEX behaves.
        entry: What it runs.
        constraints: Which Pythons it runs on.
        distributions: Its wheels.
        requirements: What of them is to be found when it starts.
    """
    values: dict[str, Any] = {name: value for name, value in empty.items() if name != "pex_hash"}
    values |= {
        "distributions": {item.filename: item.fingerprint for item in distributions},
        "requirements": sorted(requirements.roots),
        "excluded": sorted(requirements.excluded),
        "overridden": sorted(requirements.overridden),
        "interpreter_constraints": sorted(constraints),
        "inherit_path": options.inherit_path,
        "inject_env": dict(options.inject_env),
        "inject_args": [*entry.arguments, *options.inject_args],
        "inject_python_args": list(options.inject_python_args),
        "venv": options.venv is not None,
        "venv_bin_path": options.venv or "false",
        "venv_copies": options.venv_copies,
        "venv_site_packages_copies": options.venv_site_packages_copies,
        "venv_system_site_packages": options.venv_system_site_packages,
        "venv_hermetic_scripts": options.venv_hermetic_scripts,
        "includes_tools": options.tools,
        "strip_pex_env": options.strip_pex_env,
        "emit_warnings": options.emit_warnings,
        "deps_are_wheel_files": not options.pre_install_wheels,
        "max_install_jobs": options.max_install_jobs,
    }
    if entry.target:
        values["entry_point"] = entry.target
    if entry.script:
        values["script"] = entry.script
    if options.runtime_pex_root:
        values["pex_root"] = options.runtime_pex_root
    # As pex does: the hash is that of all the rest.
    pex_hash = hashlib.sha1(_dumped(values), usedforsecurity=False).hexdigest()
    return PexInfo(content=_dumped(values | {"pex_hash": pex_hash}), pex_hash=pex_hash)


def _dumped(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
