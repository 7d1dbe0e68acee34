"""Hubs of checked-in JSON, the test that it is current, and what modules set for single packages."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command
from tests.support.wheelmaker import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.bazelrun import Workspace

pytestmark = pytest.mark.network

MODULE = """
crossdock.lock(
    name = "pypi_json",
    json = "//hubs:crossdock.hub.json",
    lock = "//hubs:pdm.lock",
)
crossdock.lock(
    name = "pypi_less",
    lock = "//hubs:pdm.lock",
    targets = ["linux/amd64", "linux/arm64"],
)
crossdock.override(
    dependencies = ["click", "idna; platform_machine == 'aarch64'"],
    hub = "pypi_less",
    ignore_dependencies = ["idna"],
    package = "anyio",
)
crossdock.lock(
    name = "pypi_moved",
    lock = "//hubs/flat:pylock.moved.toml",
    targets = ["linux/arm64"],
)
crossdock.lock(
    name = "pypi_flat",
    lock = "//hubs/flat:requirements.txt",
    project = "//hubs/flat:pyproject.toml",
    targets = ["linux/arm64"],
)
use_repo(crossdock, "pypi_flat", "pypi_json", "pypi_less", "pypi_moved")
"""
MODULE += """
bazel_dep(name = "lib", version = "0.0.0")
local_path_override(
    module_name = "lib",
    path = "hubs/lib",
)
"""
LIB = """
module(
    name = "lib",
    version = "0.0.0",
)
bazel_dep(name = "crossdock", version = "0.1.0")
crossdock = use_extension("@crossdock//bazel:extensions.bzl", "crossdock")
crossdock.lock(
    name = "lib_pypi",
    lock = "//:pdm.lock",
    targets = ["linux/arm64"],
)
use_repo(crossdock, "lib_pypi")
"""
LIB_BUILD = """
exports_files(["pdm.lock"])
alias(
    name = "anyio",
    actual = "@lib_pypi//anyio",
    visibility = ["//visibility:public"],
)
"""
BUILD = '''\
"""Locks whose JSON is checked in."""

load("@crossdock//bazel:defs.bzl", "lock_json_test")

exports_files(["pdm.lock", "crossdock.hub.json"])

lock_json_test(
    name = "json_test",
    json = "crossdock.hub.json",
    lock = "pdm.lock",
)

lock_json_test(
    name = "flat_json_test",
    data = ["//hubs/flat:more.txt", "//hubs/flat:vendor/six-1.0-py3-none-any.whl"],
    json = "//hubs/flat:crossdock.hub.json",
    lock = "//hubs/flat:requirements.txt",
    project = "//hubs/flat:pyproject.toml",
)
'''
SETTINGS = """\
[project]
name = "flat"
version = "1"
[tool.crossdock.packages.six]
wheel = "vendor/six-1.0-py3-none-any.whl"
"""
IDNA = 'any.whl", hash = "sha256:ab'
ARM, AMD = "--platforms=@crossdock//platforms:linux_arm64", "--platforms=@crossdock//platforms:linux_x86_64"


@pytest.fixture(scope="module")
def hubs(monorepo: Workspace, shared_cache: Path) -> Iterator[Workspace]:
    """The monorepo with two hubs more, and JSON of two locks."""
    folder, command = monorepo.folder / "hubs", Command(cache=shared_cache)
    lock = (monorepo.folder / "pdm.lock").read_text()
    monorepo.write("hubs/pdm.lock", lock)
    monorepo.write("hubs/BUILD.bazel", BUILD)
    for name, text in {"MODULE.bazel": LIB, "BUILD.bazel": LIB_BUILD, "pdm.lock": lock}.items():
        monorepo.write(f"hubs/lib/{name}", text)
    pattern = re.compile(r'"(anyio|idna|typing_extensions)-([0-9.]+)-py3-none-any.whl", hash = "(sha256:[0-9a-f]+)"')
    hashes = {match[1]: match for match in pattern.finditer(lock)}
    lines = [f"{name}=={match[2]} --hash={match[3]}\n" for name, match in sorted(hashes.items())]
    assert len(lines) == 3
    (folder / "flat" / "vendor").mkdir(parents=True)
    make_wheel(folder / "flat" / "vendor", "six", "1.0", {"six.py": ""})
    six = f"six==1.0 --hash=sha256:{'0' * 64}\n"
    monorepo.write("hubs/flat/requirements.txt", "-r more.txt\n" + "".join(lines[:2]) + six)
    monorepo.write("hubs/flat/more.txt", lines[2])
    monorepo.write("hubs/flat/pyproject.toml", SETTINGS)
    # A server that has what it had no more; dependencies are told, so that nothing is asked before a wheel is needed.
    moved = 'lock-version = "1.0"\ncreated-by = "hand"\n'
    for name, needs in {"anyio": '[{ name = "idna" }]', "idna": "[]"}.items():
        version, digest = hashes[name].groups()[1:]
        url = f"http://127.0.0.1:9/{name}-{version}-py3-none-any.whl"
        moved += (
            f'[[packages]]\nname = "{name}"\nversion = "{version}"\ndependencies = {needs}\n'
            f'wheels = [{{ url = "{url}", hashes = {{ sha256 = "{digest.removeprefix("sha256:")}" }} }}]\n'
        )
    monorepo.write("hubs/flat/pylock.moved.toml", moved)
    monorepo.write("hubs/flat/BUILD.bazel", 'exports_files(glob(["**"]))\n')
    for name in ("pdm.lock", "flat/requirements.txt"):
        where = [folder / name.partition("/")[0]] if "/" in name else [folder]
        targets = ["--target", "linux/amd64", "--target", "linux/arm64"]
        made = command.run("bazel", "lock", *where, "--lock", folder / name, *targets)
        assert made.code == 0, made.stderr
    module = (monorepo.folder / "MODULE.bazel").read_text()
    monorepo.write("MODULE.bazel", module + MODULE)
    yield monorepo
    monorepo.write("MODULE.bazel", module)
    shutil.rmtree(folder)


def wheels(hubs: Workspace, label: str, platform: str) -> set[str]:
    """Give the names of the wheels that a target comes to."""
    lines = hubs.query(f"deps({label})", platform)
    return {match[1] for line in lines if (match := re.search(r"whl_(\w+)_[0-9a-f]{16}//:wheel", line))}


@contextmanager
def changed(hubs: Workspace, name: str, old: str, new: str) -> Iterator[None]:
    """Change a file of the project for a while."""
    path = hubs.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)


def refusal(hubs: Workspace, *arguments: str) -> str:
    done = hubs.run(*arguments)
    assert done.code != 0
    return done.stderr


def test_json_of_plain_targets_serves_the_flags_defaults(hubs: Workspace) -> None:
    assert wheels(hubs, "@pypi_json//anyio", ARM) == {"anyio", "idna", "typing_extensions"}


def test_what_a_module_sets_for_a_package(hubs: Workspace) -> None:
    assert wheels(hubs, "@pypi_less//anyio", AMD) == {"anyio", "click", "typing_extensions"}
    assert wheels(hubs, "@pypi_less//anyio", ARM) == {"anyio", "click", "idna", "typing_extensions"}


def test_a_wheel_that_is_not_where_the_lock_says_any_more(hubs: Workspace) -> None:
    assert wheels(hubs, "@pypi_moved//anyio", ARM) == {"anyio", "idna"}


def test_what_a_lock_is_made_of_is_watched(hubs: Workspace) -> None:
    assert wheels(hubs, "@pypi_flat//anyio", ARM) == {"anyio", "idna", "typing_extensions"}
    with changed(hubs, "hubs/flat/more.txt", "typing", "# typing"):
        assert wheels(hubs, "@pypi_flat//anyio", ARM) == {"anyio", "idna"}
    wheel = hubs.folder / "hubs" / "flat" / "vendor" / "six-1.0-py3-none-any.whl"
    before = wheel.read_bytes()
    (query,) = [line for line in hubs.query("deps(@pypi_flat//six)", ARM) if "whl_six" in line and ":wheel" in line]
    make_wheel(wheel.parent, "six", "1.0", {"six.py": "more = 1\n"})
    assert query not in hubs.query("deps(@pypi_flat//six)", ARM)
    wheel.write_bytes(before)


class TestCurrent:
    def test_both_are(self, hubs: Workspace) -> None:
        assert set(hubs.test("//hubs:all").tests.values()) == {"PASSED"}

    @pytest.mark.parametrize(
        ("name", "old", "new", "words"),
        [
            ("pdm.lock", IDNA, IDNA.replace("ab", "00"), "the package idna has other wheels"),
            ("flat/more.txt", "--hash=sha256:", "--hash=sha256:00", "is not"),
            ("flat/requirements.txt", "idna==", "idna==9.", "is older than it"),
            ("flat/pyproject.toml", "1.0-py3", "1.0-py2", "there is no file"),
            ("flat/crossdock.hub.json", '     "idna",\n', "", "it is not what its own hash is of"),
            ("crossdock.hub.json", '     "idna",\n', "", "the package anyio has other deps"),
        ],
    )
    def test_one_is_not(self, name: str, old: str, new: str, words: str, hubs: Workspace) -> None:
        with changed(hubs, f"hubs/{name}", old, new):
            test = "//hubs:flat_json_test" if "/" in name else "//hubs:json_test"
            done = hubs.run("test", test, "--test_output=errors")
        assert done.code == 3, done.stderr
        assert words in done.stdout + done.stderr


class TestTwoModules:
    def test_each_has_a_hub_of_its_own(self, hubs: Workspace) -> None:
        assert wheels(hubs, "@lib//:anyio", ARM) == {"anyio", "idna", "typing_extensions"}

    def test_the_root_may_set_something_for_another_s_hub(self, hubs: Workspace) -> None:
        with changed(hubs, "MODULE.bazel", 'hub = "pypi_less"', 'hub = "lib_pypi"'):
            assert wheels(hubs, "@lib//:anyio", ARM) == {"anyio", "click", "idna", "typing_extensions"}

    def test_no_other_may(self, hubs: Workspace) -> None:
        more = 'crossdock.override(hub = "pypi", package = "anyio", ignore_dependencies = ["idna"])\nuse_repo('
        with changed(hubs, "hubs/lib/MODULE.bazel", "use_repo(", more):
            said = refusal(hubs, "query", "@pypi//idna")
        assert "the module lib may set nothing for a hub of the module monorepo" in said

    def test_one_name_for_both(self, hubs: Workspace) -> None:
        with changed(hubs, "hubs/lib/MODULE.bazel", 'name = "lib_pypi"', 'name = "pypi"'):
            said = refusal(hubs, "query", "@pypi//idna")
        assert "is asked for twice, by the module monorepo and the module lib" in said


def test_json_that_leads_out_of_the_repository(hubs: Workspace) -> None:
    path = hubs.folder / "hubs" / "crossdock.hub.json"
    text = path.read_text()
    made: dict[str, Any] = json.loads(text)
    next(iter(made["files"].values()))["path"] = "../../passwd.whl"
    path.write_text(json.dumps(made))
    try:
        said = refusal(hubs, "query", "@pypi_json//anyio")
    finally:
        path.write_text(text)
    assert "that is not within the repository: write it again with `crossdock bazel lock`" in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('hub = "pypi_less"', 'hub = "pypi_lesss"', "there is no crossdock.lock of that name"),
        ('hub = "pypi_less"', 'hub = "pypi_json"', "which has the dependencies in it"),
        ('package = "anyio"', 'package = "anyioo"', "did you mean 'anyio'?"),
        ('["click", ', '["nonsense", ', "nonsense is not in pdm.lock"),
        ('name = "pypi_json"', 'name = "pypi"', "'pypi' is asked for twice, by the module monorepo"),
    ],
)
def test_mistakes_in_the_module(old: str, new: str, words: str, hubs: Workspace) -> None:
    with changed(hubs, "MODULE.bazel", old, new):
        said = refusal(hubs, "query", "@pypi//idna")
    assert words in said.replace('"', "'")
