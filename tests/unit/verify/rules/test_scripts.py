"""What starts an application: scripts, environments, entrypoints, and the interpreters that these name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.seentree import SITE, VENV, Link, dist, found, make_case, target

from crossdock.verify.claim import ImageConfig
from crossdock.verify.rules.scripts import judge_foreign_scripts, judge_interpreters, judge_versions_of_python

if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON = {"usr/local/bin/python3.12": b"\x7fELF", "usr/local/bin/python3": Link("python3.12")}
SYSTEM = {**PYTHON, "usr/bin/env": "", "bin": Link("usr/bin"), "usr/bin/sh": ""}
CONFIG = {f"{VENV}/pyvenv.cfg": "home = /usr/local/bin\nversion = 3.12.1\n"}
OWN = {
    **CONFIG,
    **dist("alpha"),
    f"{VENV}/bin/python": Link("/usr/local/bin/python3.12"),
    f"{VENV}/bin/python3": Link("python"),
    f"{VENV}/bin/alpha": f"#!/{VENV}/bin/python\n",
    f"{VENV}/bin/activate": "# no script\n",
}
RULES = (judge_foreign_scripts, judge_interpreters, judge_versions_of_python)


def judge(files: Mapping[str, Any], **claim: Any) -> list[tuple[str, str, str]]:
    case = make_case(dict(files), **claim)
    return [item for rule in RULES for item in found(rule, case)]


def config(*entrypoint: str, path: str = f"/{VENV}/bin:/usr/local/bin:/usr/bin:/bin", folder: str = "/app") -> Any:
    return ImageConfig(env={"PATH": path}, entrypoint=entrypoint, working_dir=folder)


def script(line: str, name: str = "tool") -> dict[str, Any]:
    return {**SYSTEM, **OWN, f"{VENV}/bin/{name}": f"#!{line}\nrun\n"}


def test_an_image_whose_parts_are_there() -> None:
    claim = {"config": config(f"/{VENV}/bin/python", "-m", "alpha"), "targets": (target(),)}
    assert judge({**SYSTEM, **OWN}, **claim) == []


@pytest.mark.parametrize(
    "line",
    [
        "/bin/sh",
        "/usr/bin/env python3",
        "/usr/bin/env -S python3 -I",
        "/usr/bin/env -S A=b python3",
        "/usr/local/bin/python3 -E",
        f"/{VENV}/bin/python3",
    ],
)
def test_interpreters_that_are_there(line: str) -> None:
    assert judge(script(line), config=config()) == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/opt/python/bin/python3", "is run by /opt/python/bin/python3, but the image has no such program"),
        ("/usr/bin/env python2", "is run by python2, but the image has no such program on its PATH"),
        ("/bin/bash -e", "is run by /bin/bash, but the image has no such program"),
        ("/usr/local/bin", "is run by /usr/local/bin, but the image has no such program"),
    ],
)
def test_interpreters_that_are_not_there(line: str, sentence: str) -> None:
    [finding] = judge_interpreters(make_case(script(line), config=config()))
    assert (finding.code, finding.severity) == ("interpreter-missing", "error")
    assert finding.sentence == f"{VENV}/bin/tool {sentence}"


def test_many_scripts_with_one_fault_are_one_finding() -> None:
    files = script("/opt/python3", "b") | {f"{VENV}/bin/c": "#!/opt/python3\n", f"{VENV}/bin/a": "#!/opt/python3\n"}
    [finding] = judge_interpreters(make_case(files))
    assert (finding.path, finding.found) == (f"{VENV}/bin/a", "is run by /opt/python3, as do 2 more scripts")


@pytest.mark.parametrize("path", ["usr/share/doc/x/run", f"{SITE}/alpha/bin/run", "usr/bin/perl-tool", "etc/init.d/x"])
def test_scripts_that_are_not_the_applications_are_not_asked(path: str) -> None:
    assert judge({**SYSTEM, **OWN, path: "#!/nowhere/perl\n"}, config=config()) == []


def test_scripts_of_packages_without_an_environment() -> None:
    site = "usr/local/lib/python3.12/site-packages"
    files = {**SYSTEM, **dist("alpha", site=site), "usr/local/bin/alpha": "#!/usr/bin/python3\n"}
    files[f"{site}/alpha-1.0.dist-info/RECORD"] += b"../../../bin/alpha,,\n"
    assert judge(files) == [("interpreter-missing", "error", "usr/local/bin/alpha")]


def test_a_link_that_leads_nowhere_is_the_one_fault() -> None:
    """All scripts, and the entrypoint, are run by it."""
    for entrypoint in (f"/{VENV}/bin/python", "python", f"/{VENV}/bin/alpha"):
        assert judge(OWN, config=config(entrypoint)) == [("interpreter-missing", "error", f"{VENV}/bin/python")]


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        (["alpha"], []),
        (["python3", "-m", "x"], []),
        (["./run.sh"], []),
        (["run.sh"], [("interpreter-missing", "error", "run.sh")]),
        (["/start"], [("interpreter-missing", "error", "start")]),
        (["gunicorn", "x:y"], [("interpreter-missing", "error", "gunicorn")]),
        ([], []),
        ([""], []),
    ],
)
def test_what_an_image_starts(entrypoint: list[str], expected: list[tuple[str, str, str]]) -> None:
    files = {**SYSTEM, **OWN, "app/run.sh": "#!/bin/sh\n"}
    assert judge(files, config=config(*entrypoint)) == expected


def test_the_script_that_an_image_starts_needs_its_interpreter() -> None:
    files = {**SYSTEM, **OWN, "start.sh": "#!/bin/bash\n", "other.sh": "#!/bin/bash\n"}
    assert judge(files, config=config("/start.sh")) == [("interpreter-missing", "error", "start.sh")]


@pytest.mark.parametrize("link", ["/usr/bin/python3.12", "/opt/python/bin/python3"])
def test_an_environment_for_elsewhere_brings_no_python(link: str) -> None:
    files = {**OWN, f"{VENV}/bin/python": Link(link), f"{VENV}/bin/tool": "#!/opt/python/bin/python3\n"}
    assert judge(files, subject="bundle", targets=(target(),)) == []


def test_a_link_within_an_environment_has_to_lead_somewhere() -> None:
    files = {**OWN, f"{VENV}/bin/python": Link("python3.12")}
    assert judge(files, subject="bundle") == [("interpreter-missing", "error", f"{VENV}/bin/python")]


WINDOWS = r"C:\Python\python.exe"


@pytest.mark.parametrize("line", [WINDOWS, f'"{WINDOWS}" -E', r"\\server\python.exe", "python.exe", "C:/p/python.exe"])
def test_a_script_for_windows(line: str) -> None:
    for claim in ({}, {"subject": "bundle"}, {"subject": "bundle", "os_": "darwin"}):
        assert judge(script(line), **claim) == [("script-foreign", "error", f"{VENV}/bin/tool")]
    assert judge({"alpha-1.0.data/scripts/tool": f"#!{line}\n"}, subject="wheel") == [
        ("script-foreign", "error", "alpha-1.0.data/scripts/tool")
    ]


def test_an_environment_of_another_system() -> None:
    windows = {"pyvenv.cfg": "home = C:\\Python312\nversion = 3.12.1\n"}
    linux = {"pyvenv.cfg": "home = /usr/bin\n", "bin/tool": "#!/usr/bin/python3\n"}
    expected = [("script-foreign", "error", "pyvenv.cfg")]
    assert judge(windows, subject="bundle") == judge(linux, subject="bundle", os_="windows") == expected
    assert judge(windows, subject="bundle", os_="windows") == judge(linux, subject="bundle") == []


def test_what_a_wheel_has_its_installer_rewrites() -> None:
    files = {"alpha-1.0.data/scripts/a": "#!python\n", "alpha-1.0.data/scripts/b": "#!/usr/bin/env python\n"}
    assert judge(files, subject="wheel") == []


def with_version(version: str, key: str = "version") -> dict[str, Any]:
    return {**SYSTEM, **OWN, f"{VENV}/pyvenv.cfg": f"home = /usr/local/bin\n{key} = {version}\n"}


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (with_version("3.12.9"), ""),
        (with_version("3.12.0.final.0", "version_info"), ""),
        (with_version("3.11.4"), f"{VENV}/pyvenv.cfg"),
        (with_version("3.13.1", "version_info"), f"{VENV}/pyvenv.cfg"),
        (
            {**SYSTEM, **OWN, "usr/local/bin/python3.12": Link("python3.11"), "usr/local/bin/python3.11": b"\x7fELF"},
            f"{VENV}/bin/python",
        ),
        (
            {**SYSTEM, **OWN, f"{VENV}/bin/python": Link("/usr/bin/pypy3.10"), "usr/bin/pypy3.10": b"\x7fELF"},
            f"{VENV}/bin/python",
        ),
    ],
)
def test_an_interpreter_of_another_version(files: dict[str, Any], path: str) -> None:
    assert judge(files) == ([("interpreter-version", "error", path)] if path else [])


def test_an_environment_for_another_python_than_the_target() -> None:
    for claim in ({}, {"subject": "bundle"}):
        case = make_case({**SYSTEM, **OWN}, targets=(target(python="3.13"),), **claim)
        [finding] = judge_versions_of_python(case)
        assert finding.sentence == (
            f"{VENV}/pyvenv.cfg is that of an environment for Python 3.12, but the target has Python 3.13"
        )
    both = (target(python="3.13"), target(python="3.12"))
    assert judge({**SYSTEM, **OWN}, targets=both) == []


def test_a_script_of_a_package_for_another_version() -> None:
    site = "usr/local/lib/python3.11/site-packages"
    files = {**SYSTEM, **dist("alpha", site=site), "usr/local/bin/alpha": "#!/usr/local/bin/python3\n"}
    files[f"{site}/alpha-1.0.dist-info/RECORD"] += b"../../../bin/alpha,,\n"
    assert judge(files) == [("interpreter-version", "error", "usr/local/bin/alpha")]
