"""Exceptions to the proof: what is wrong in a wheel is refused, or let through for a reason and for a time."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.imagework import program_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.bazelrun import Workspace

pytestmark = pytest.mark.network

MODULE = """
crossdock.lock(
    name = "pypi_plugins",
    lock = "//excepted:pylock.toml",
    targets = [
        "linux/amd64+glibc2.28 3.11",
        "linux/arm64+glibc2.28 3.11",
    ],
)
use_repo(crossdock, "pypi_plugins")
"""
LOCK = """\
lock-version = "1.0"
created-by = "a test"
requires-python = ">=3.11"

[[packages]]
name = "plugins"
version = "1.0"
wheels = [{name = "%s", path = "%s", hashes = {sha256 = "%s"}}]
"""
BUILD = '''\
"""An application with a wheel for every machine that has a program for one."""

load("@crossdock//bazel:defs.bzl", "cross_compilation_test", "multiplatform_image", "multiplatform_py_binary")
load("@crossdock//bazel:defs.bzl", "py_lambda_zip", "py_pex_binary")

exports_files(["pylock.toml"])

EXCEPTIONS = [{
    "expires": "%s",
    "package": "plugins",
    "reason": "it is for the machine that is asked",
}]

multiplatform_py_binary(
    name = "app",
    srcs = ["app.py"],
    deps = ["@pypi_plugins//plugins"],
)

[multiplatform_image(
    name = name + "_image",
    binary = ":app",
    exceptions = exceptions,
    registry = "127.0.0.1:9",
    repository = "team/app",
) for name, exceptions in [("refused", []), ("allowed", EXCEPTIONS)]]

[py_pex_binary(
    name = name + "_pex",
    binary = ":app",
    exceptions = exceptions,
    platform = "linux/amd64",
) for name, exceptions in [("refused", []), ("allowed", EXCEPTIONS)]]

[py_lambda_zip(
    name = name + "_zip",
    binary = ":app",
    exceptions = exceptions,
    platform = "linux/amd64",
    runtime = "aws-lambda-python3.11",
) for name, exceptions in [("refused", []), ("allowed", EXCEPTIONS)]]

cross_compilation_test(
    name = "images_test",
    images = [":allowed_image"],
)

cross_compilation_test(
    name = "artifacts_test",
    artifacts = [
        ":allowed_pex",
        ":allowed_zip",
    ],
)

cross_compilation_test(
    name = "dated_test",
    exceptions = EXCEPTIONS,
    images = [":allowed_image_arm64"],
)
'''


@pytest.fixture(scope="module")
def excepted(monorepo: Workspace) -> Iterator[Workspace]:
    """The monorepo with an application of that wheel, whose exceptions have ended long ago."""
    module = (monorepo.folder / "MODULE.bazel").read_text()
    monorepo.write("excepted/app.py", "import plugins\n")
    wheel = make_wheel(monorepo.folder / "excepted", "plugins", "1.0", {"plugins/core.so": program_for("arm64")})
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monorepo.write("excepted/pylock.toml", LOCK % (wheel.name, wheel.name, sha256))
    monorepo.write("excepted/BUILD.bazel", BUILD % "2001-02-03")
    monorepo.write("MODULE.bazel", module + MODULE)
    yield monorepo
    monorepo.write("MODULE.bazel", module)


@pytest.mark.parametrize("kind", ["image_amd64", "pex", "zip"])
def test_a_finding_is_refused_without_an_exception(excepted: Workspace, kind: str) -> None:
    refused = excepted.run("build", f"//excepted:refused_{kind}")

    assert refused.code != 0
    assert "(Exit 91)" in refused.stderr, refused.stderr
    assert "plugins/core.so is an aarch64 ELF file" in refused.stderr, refused.stderr


def test_an_exception_lets_it_through_and_its_day_counts_in_tests_and_pushes(excepted: Workspace) -> None:
    excepted.build("//excepted:allowed_image", "//excepted:allowed_pex", "//excepted:allowed_zip")

    for test in ("images_test", "artifacts_test"):
        failed = excepted.run("test", f"//excepted:{test}", "--test_output=all")
        assert failed.code == 3, failed.stderr
        assert "exception-expired" in failed.stdout + failed.stderr, failed.stderr
    pushed = excepted.start("//excepted:allowed_image_push")
    assert pushed.code == 108, pushed.stderr
    assert "refused since 2001-02-03" in pushed.stderr

    excepted.write("excepted/BUILD.bazel", BUILD % "9999-12-31")
    assert set(excepted.test("//excepted:images_test", "//excepted:artifacts_test").tests.values()) == {"PASSED"}
    pushed = excepted.start("//excepted:allowed_image_push")
    assert pushed.code == 120, pushed.stderr

    # A test that says itself that the day counts is run again, others are not.
    for _ in range(2):
        again = excepted.test("//excepted:images_test", "//excepted:dated_test")
        assert [spawn.target for spawn in again.of("TestRunner")] == ["//excepted:dated_test"]


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        ('{"package": "a", "expires": "never"}', "it has no reason"),
        ('{"package": "a", "reason": "b"}', "it has no expires"),
        ('{"pakage": "a", "reason": "b", "expires": "never"}', 'there is no key "pakage"'),
        ('"*.so"', "it is no dict"),
    ],
)
def test_an_exception_that_is_none_is_told_where_it_is_written(excepted: Workspace, exception: str, said: str) -> None:
    excepted.write(
        "wrong/BUILD.bazel",
        'load("@crossdock//bazel:defs.bzl", "py_pex_binary")\n\n'
        f'py_pex_binary(\n    name = "wrong",\n    binary = "//excepted:app",\n    exceptions = [{exception}],\n)\n',
    )

    refused = excepted.run("query", "//wrong:all")
    shutil.rmtree(excepted.folder / "wrong")

    assert refused.code != 0
    assert f'py_pex_binary(name = "wrong") in //wrong: exceptions, number 1: {said}' in refused.stderr, refused.stderr
