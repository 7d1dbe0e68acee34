"""The options that say what PEX files run and how, which every command that makes them has."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crossdock.errors import UsageError

if TYPE_CHECKING:
    from crossdock.bundles.pex.entry import EntryRequest
    from crossdock.bundles.pex.info import PexOptions
    from crossdock.projects.project import Project

__all__ = ["add_entry", "add_run", "add_start", "behaviour", "entry_of"]


def add_entry(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what a PEX runs."""
    group = parser.add_argument_group("what it runs").add_mutually_exclusive_group()
    group.add_argument(
        "-e", "--entry-point", metavar="ENTRY", help="run a module, or call a function in it, as in app.main:run"
    )
    group.add_argument("-c", "--script", metavar="NAME", help="run a console script of the project or of a dependency")
    group.add_argument("--no-entry-point", action="store_true", help="run nothing: a Python that has the packages")


def add_start(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a PEX starts."""
    group = parser.add_argument_group("how it starts")
    group.add_argument(
        "--python-shebang",
        metavar="TEXT",
        help="first line; {major}, {minor} and {patch} are those of the target's Python (default: that Python's name)",
    )
    group.add_argument(
        "--interpreter-constraint",
        action="append",
        metavar="TEXT",
        help="Pythons it runs on, as in CPython>=3.11,<3.14, with the same placeholders; may be given several times "
        "(default: the target's, as in CPython=={major}.{minor}.*)",
    )
    group.add_argument(
        "--sh-boot",
        action=argparse.BooleanOptionalAction,
        help="start by /bin/sh, which finds a Python and what is installed already faster",
    )
    group.add_argument(
        "--venv",
        nargs="?",
        const=True,
        choices=("prepend", "append"),
        help="run from a virtual environment that is made at first start; its scripts come first or last on PATH",
    )
    group.add_argument("--no-venv", action="store_true", help="run from the PEX, whatever the settings say")
    group.add_argument("--runtime-pex-root", metavar="DIR", help="where it keeps its cache on the machine it runs on")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how what a PEX runs sees its surroundings."""
    group = parser.add_argument_group("how it runs")
    group.add_argument(
        "--inherit-path",
        choices=("false", "fallback", "prefer"),
        help="whether it sees packages of the Python that runs it, after its own or before",
    )
    group.add_argument(
        "--inject-env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="environment variable to set where it is not set; may be given several times",
    )
    group.add_argument(
        "--inject-args",
        action="append",
        metavar="TEXT",
        help="arguments before those of the command line, split as a shell does; may be given several times",
    )
    group.add_argument(
        "--inject-python-args",
        action="append",
        metavar="TEXT",
        help="arguments for Python, split as a shell does; may be given several times",
    )
    group.add_argument(
        "--strip-pex-env",
        action=argparse.BooleanOptionalAction,
        help="take the variables PEX_* from what it runs, or leave them there",
    )


def entry_of(options: argparse.Namespace, project: Project) -> EntryRequest:
    """Give what is to be run: what an option says, or else the settings."""
    from crossdock.bundles.pex.entry import EntryRequest, asked_by_setting, asked_by_target

    if options.no_entry_point:
        return EntryRequest(prompt=True)
    if options.entry_point is not None:
        return asked_by_target(options.entry_point)
    if options.script is not None:
        return EntryRequest(script=options.script)
    own = project.config.pex.entrypoint
    return asked_by_setting(project.config.entrypoint if own is None else own)


def behaviour(options: argparse.Namespace, settings: PexOptions) -> PexOptions:
    """Put what the command line says in place of the settings."""
    from crossdock.projects.pex_settings import check_root, shebang_of

    plain = ("sh_boot", "include_tools", "pre_install_wheels", "strip_pex_env", "inherit_path")
    given: dict[str, Any] = {name: value for name in plain if (value := getattr(options, name)) is not None}
    if options.python_shebang is not None:
        given["shebang"] = shebang_of(options.python_shebang, "--python-shebang")
    if options.runtime_pex_root is not None:
        given["runtime_pex_root"] = check_root(options.runtime_pex_root, "--runtime-pex-root")
    if options.interpreter_constraint:
        given["constraints"] = tuple(options.interpreter_constraint)
    if options.venv and options.no_venv:
        raise UsageError("--venv and --no-venv contradict each other", hint="give one of them")
    if options.venv or options.no_venv:
        given["venv"] = "false" if options.venv is True else options.venv
    if options.inject_env:
        given["inject_env"] = {**settings.inject_env, **_variables(options.inject_env)}
    for name in ("inject_args", "inject_python_args"):
        if getattr(options, name) is not None:
            given[name] = _split(getattr(options, name), f"--{name.replace('_', '-')}")
    return replace(settings, **given)


def _variables(items: list[str]) -> dict[str, str]:
    from crossdock.projects.pex_settings import check_variable

    found = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign:
            raise UsageError(f"--inject-env cannot be {item!r}", hint="write NAME=VALUE")
        check_variable(name, value, "--inject-env")
        found[name] = value
    return found


def _split(texts: list[str], option: str) -> tuple[str, ...]:
    import shlex

    try:
        return tuple(word for text in texts for word in shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{option} cannot be split", why=str(error), hint="close its quotes") from None
