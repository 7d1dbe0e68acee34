"""assert_cross_compiled: passes on what is compiled for its platform, and says plainly what is wrong with all else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import TargetError, UsageError
from crossdock.testing import assert_cross_compiled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.testing.conftest import Install


def refused(artifact: Path | str, **options: object) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_cross_compiled(artifact, **options)  # type: ignore[arg-type]
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_what_is_compiled_for_its_platform_passes_and_is_told(install: Install) -> None:
    install.compiled("fast_core")
    seen = assert_cross_compiled(install.pure("slow"), package="Fast.Core", targets=["linux/arm64"])
    assert dict(seen.natives) == {"linux/arm64": 1}
    assert seen.packages == {"linux/arm64": {"fast-core": 1}}
    assert seen.files == seen.report.images[0].files == 9


def test_what_it_is_for_is_read_from_its_wheels_unless_it_is_said(install: Install) -> None:
    app = install.compiled("fast")
    assert assert_cross_compiled(app).packages == {"linux/arm64": {"fast": 1}}
    assert "REFUSED" in refused(app, targets=["linux/amd64"])


def test_a_program_for_another_machine_fails_with_the_table_and_the_package(install: Install) -> None:
    text = refused(install.compiled("fast", "x86_64", tagged="aarch64"), package="fast", targets=["linux/arm64"])
    assert text.startswith(f"REFUSED: {install.root}\nPLATFORM")
    assert "error [elf-machine] fast 1.0: fast/_core.abi3.so is an x86-64 ELF file" in text
    assert "native-missing" not in text  # one fault, one finding


def test_a_package_that_is_not_there_fails(install: Install) -> None:
    text = refused(install.compiled("fast"), packages=["fast", "fasd"])
    assert "error [package-missing] fasd is not there, but it was asked for" in text
    assert "hint: did you mean 'fast'?" in text


def test_a_pure_package_that_is_named_fails_and_the_message_says_so(install: Install) -> None:
    install.compiled("fast")
    text = refused(install.pure("slow"), packages=["fast", "slow"])
    assert "error [native-missing] slow has no native file for linux/arm64" in text
    assert "if it is pure Python, do not name it" in text


def test_a_program_that_no_record_lists_is_no_packages(install: Install) -> None:
    install.compiled("fast")
    app = install.pure("slow")
    (app / "slow" / "_core.so").write_bytes((app / "fast" / "_core.abi3.so").read_bytes())
    assert "[native-missing] slow" in refused(app, package="slow")


def test_nothing_compiled_is_a_failure_unless_none_is_wanted(install: Install) -> None:
    app = install.pure("slow")
    text = refused(app, targets=["linux/arm64"])
    assert "a test of cross-compilation that saw nothing compiled shows nothing" in text
    assert assert_cross_compiled(app, packages=[], targets=["linux/arm64"]).packages == {"linux/arm64": {}}


@pytest.mark.parametrize("named", [{}, {"packages": []}, {"package": "fast"}])
def test_an_empty_folder_is_a_failure_whatever_is_asked(named: dict[str, object], tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no file was looked at" in refused(tmp_path / "empty", targets=["linux/arm64"], **named)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"\x1f\x8b\x08 no gzip", os.urandom(2000)])
def test_what_cannot_be_read_is_a_failure_with_a_reason_and_no_traceback(
    content: bytes, tmp_path: Path, cache: Path
) -> None:
    for name in ("app.pex", "app.tar", "app"):
        (tmp_path / name).write_bytes(content)
        text = refused(tmp_path / name, package="fast", targets=["linux/arm64"])
        assert str(tmp_path / name) in text or name in text
    assert "there is nothing at" in refused(tmp_path / "absent.pex")


def test_a_path_is_no_reference(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is nothing at" in refused(tmp_path.__class__("team/app"))


def test_mistakes_in_the_call_are_no_failures_of_the_artifact(install: Install) -> None:
    app = install.compiled("fast")
    with pytest.raises(TargetError):
        assert_cross_compiled(app, targets=["linux/nonsense"])
    with pytest.raises(UsageError, match="fast>=1"):
        assert_cross_compiled(app, package="fast>=1")


def test_allowed_paths_may_be_as_they_are(install: Install) -> None:
    install.compiled("fast")
    app = install.compiled("other", "x86_64", tagged="aarch64")
    assert "other 1.0" in refused(app, package="fast")
    assert assert_cross_compiled(app, package="fast", allow=["other/*"]).packages == {"linux/arm64": {"fast": 1}}


def test_the_plugin_imports_nothing_of_crossdock_until_a_test_asks(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n\n"
        "def test_nothing():\n"
        "    loaded = {name for name in sys.modules if name.startswith('crossdock')}\n"
        "    assert loaded == {'crossdock', 'crossdock.testing', 'crossdock.testing.plugin'}\n"
    )
    folder = str(tmp_path)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "crossdock.testing.plugin", "--rootdir", folder, folder]
    done = subprocess.run(
        run, capture_output=True, text=True, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, timeout=60
    )
    assert done.returncode == 0, done.stdout
