"""Which runtimes a function is built for: those asked for, those of the settings, or the usual ones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from packaging.specifiers import SpecifierSet

from crossdock.bundles.functions.kinds import AWS, KINDS
from crossdock.choosing.targeting import DEFAULT_TARGETS, check_requires_python, plain_targets, wanted_python
from crossdock.errors import PythonChoiceError, TargetError
from crossdock.targets import parse_python, parse_target
from crossdock.targets.runtimes import runtimes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.bundles.functions.kinds import FunctionKind
    from crossdock.choosing.request import Request
    from crossdock.projects.project import Project
    from crossdock.targets import Platform, Python, Target, TargetSpec

__all__ = ["function_targets", "kind_of"]

_PREFIX = "aws-lambda-python"


def function_targets(project: Project, request: Request) -> list[Target]:
    """Say which runtimes are meant.

    A plain platform, such as linux/arm64, stands for AWS Lambda on it, with the Python asked for, the project's, or
    the newest that the project runs on. Of ``targets`` in ``[tool.crossdock]``, which may be for images, those that
    stand for no runtime are passed over.

    Raises:
        TargetError: A target asked for names no runtime of functions, or one with another Python.
        PythonChoiceError: AWS Lambda has no Python that is asked for, or the project does not run on it.
    """
    asked = request.targets or project.config.functions.targets
    if asked:
        wanted = [item for text in asked for item in _named(project, request, parse_target(text, project.root))]
    else:
        specs = [parse_target(item, project.root) for item in project.config.targets or ()]
        usable = [spec for spec in specs if _kind(spec) is not None or _is_plain(spec)]
        usable = usable or [parse_target(item) for item in DEFAULT_TARGETS]
        wanted = [item for spec in usable for item in _named(project, request, spec)]
    distinct = dict(reversed(wanted))
    return [_complete(project, request, name, distinct[name]) for name in dict.fromkeys(name for name, _ in wanted)]


def _complete(project: Project, request: Request, name: str, python: Python) -> Target:
    """Give a runtime as a target; it has the Python that is known more exactly than by its series, if one is."""
    anywhere = replace(project, requires_python=SpecifierSet())  # it is asked of the exact Python below
    (target,) = plain_targets(anywhere, replace(request, targets=(name,), pythons=()), None, _no_facts)
    hint = "name another runtime"
    if project.requires_python.contains(f"{python.short}.99"):
        hint += f", or the patch version that {name} has, as in --python {python.short}.9"
    check_requires_python(project, python, f"Python {python.full_version} of {name}", hint)
    return replace(target, python=python)


def _no_facts(_: Platform) -> NoReturn:
    raise AssertionError("a runtime has no base")


def kind_of(target: Target) -> FunctionKind:
    """Give the cloud of a target that `function_targets` gave."""
    return KINDS[runtimes()[target.name.partition("/")[0]].family]


def _named(project: Project, request: Request, spec: TargetSpec) -> Iterator[tuple[str, Python]]:
    """Give the name and the Python of each runtime that a target stands for."""
    if _kind(spec) is not None:
        pythons = [spec.target(parse_python(text)).python for text in request.pythons]
        python = spec.target().python
        with suppress(PythonChoiceError):  # what is written there need not be any Python, as the runtime has its own
            wanted = wanted_python(project)
            if wanted is not None and wanted.command == python.command:
                pythons.append(wanted)
        yield spec.name, (*pythons, python)[0]
        return
    if not _is_plain(spec):
        raise TargetError(
            f"{spec.text} is no place that functions run in",
            why="a function runs in a runtime of its cloud, which has its own C library and Python",
            hint=f"name one, as {_examples()} (`crossdock targets` lists them)",
        )
    for python in _pythons(project, request):
        yield f"{_lambda_runtime(python)}/{spec.platform.arch}", python


def _kind(spec: TargetSpec) -> FunctionKind | None:
    runtime = runtimes().get(spec.name.partition("/")[0]) if spec.given_tags is None else None  # else it is a file
    return KINDS.get(runtime.family) if runtime is not None and runtime.python is not None else None


def _is_plain(spec: TargetSpec) -> bool:
    """Whether a target is a platform that AWS Lambda has, with nothing said that Lambda decides."""
    platform = spec.platform
    return (
        not spec.name
        and (str(platform) in DEFAULT_TARGETS)
        and platform.libc is not None
        and platform.libc.kind == "glibc"
        and not platform.libc_named
    )


def _pythons(project: Project, request: Request) -> list[Python]:
    if request.pythons:
        return [parse_python(text) for text in request.pythons]
    wanted = wanted_python(project)
    if wanted is not None:
        return [wanted]
    known = [parse_python(name.removeprefix(_PREFIX)) for name in _lambda_names()]
    fitting = [python for python in known if project.requires_python.contains(python.full_version, prereleases=True)]
    if not fitting:
        raise PythonChoiceError(
            f"{project.name} does not run on any Python of AWS Lambda",
            why=f"requires-python is {str(project.requires_python)!r}, and Lambda has "
            f"{', '.join(python.short for python in known)}",
            hint="change requires-python, or build a container image: crossdock image --profile lambda",
        )
    return [max(fitting, key=lambda python: python.version)]


def _lambda_names() -> list[str]:
    return [name for name, runtime in runtimes().items() if runtime.family == AWS.family and name.startswith(_PREFIX)]


def _examples() -> str:
    """Name the newest runtime of each cloud, on every architecture it has."""
    newest = {runtime.family: runtime for runtime in runtimes().values() if runtime.family in KINDS}
    return " or ".join(f"{runtime.name}/{arch}" for runtime in newest.values() for arch in runtime.archs)


def _lambda_runtime(python: Python) -> str:
    name = f"{_PREFIX}{python.short}"
    if name not in _lambda_names() or python.command != f"python{python.short}":
        raise PythonChoiceError(
            f"AWS Lambda has no runtime for {python.command}",
            why=f"its runtimes have Python {', '.join(item.removeprefix(_PREFIX) for item in _lambda_names())}",
            hint="name one of these with --python, or build a container image: crossdock image --profile lambda",
        )
    return name
