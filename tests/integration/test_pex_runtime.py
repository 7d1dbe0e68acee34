"""The runtime of a PEX: written by the pex that is installed, and by nothing of the machine."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from crossdock.bundles.pex.runtime import PEX_VERSION, RuntimeOptions, check_pex, pex_runtime
from crossdock.errors import PexRuntimeError
from crossdock.store import Store
from crossdock.targets import parse_python

#: A Python that this machine has not, and one that no machine has.
FREE = parse_python("3.15t")
PYPY = parse_python("pypy3.10")
SH = RuntimeOptions(pythons=(FREE, PYPY), venv=True, tools=True, shebang="#!/opt/my/bin/python3.15")


def copy_of_pex(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a copy of pex in front of the real one."""
    site = Path(str(metadata.distribution("pex").locate_file("")))
    for path in (*site.glob("pex"), *site.glob("pex-*.dist-info")):
        shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_it_is_the_same_whatever_is_set_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pex_runtime(SH, Store(tmp_path / "one"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".pexrc").write_text("PEX_VERBOSE=9\n")
    for name, value in {
        "HOME": str(tmp_path / "home"),
        "PEX_ROOT": str(tmp_path / "nowhere"),
        "PEX_VENV": "1",
        "PEX_PYTHON": "python2.7",
        "PEX_INHERIT_PATH": "prefer",
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "PATH": "/usr/bin",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    second = pex_runtime(SH, Store(tmp_path / "two"))
    assert (second.part, second.texts) == (first.part, first.texts)
    assert not (tmp_path / "nowhere").exists()


def test_nothing_of_the_machine_is_in_it(tmp_path: Path) -> None:
    runtime = pex_runtime(SH, Store(tmp_path / "store"))
    assert runtime.texts.header is not None
    written = runtime.texts.header + runtime.texts.code + json.dumps(dict(runtime.texts.info))
    for part in (str(Path.home()), str(tmp_path), str(Path(__file__).parents[2]), "/usr/", metadata.__file__):
        assert part not in written
    names = [line.strip(' \\"') for line in runtime.texts.header.splitlines() if line.startswith('"')]
    assert names[:2] == ["python3.15t", "pypy3.10"]
    assert 'DEFAULT_PYTHON="/opt/my/bin/python3.15"' in runtime.texts.header
    assert runtime.texts.info["pex_path"] == ""
    assert "pex_root" not in runtime.texts.info
    assert "has_interpreter_constraints=True" in runtime.texts.code


@pytest.mark.parametrize(
    ("options", "root"),
    [
        (RuntimeOptions(), "~/.cache/pex"),
        (RuntimeOptions(os="darwin"), "~/Library/Caches/pex"),
        (RuntimeOptions(os="darwin", root="/var/pex"), "/var/pex"),
    ],
)
def test_the_cache_is_where_the_targets_system_has_it(options: RuntimeOptions, root: str, tmp_path: Path) -> None:
    assert f"pex_root={root!r}" in pex_runtime(options, Store(tmp_path)).texts.code


def test_another_release_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of_pex(tmp_path, monkeypatch)
    (information,) = folder.glob("pex-*.dist-info")
    about = information / "METADATA"
    about.write_text(about.read_text().replace(f"Version: {PEX_VERSION}", "Version: 2.105.1"))
    with pytest.raises(PexRuntimeError, match=r"pex 2\.105\.1 is installed") as caught:
        check_pex()
    assert f"pex=={PEX_VERSION}" in caught.value.hint


def test_a_release_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of_pex(tmp_path / "site", monkeypatch)
    (folder / "pex" / "of-mine.py").write_text("x = 1\n")
    with pytest.raises(PexRuntimeError, match="is not what was released"):
        pex_runtime(RuntimeOptions(), Store(tmp_path / "store"))


def test_a_pex_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_of_pex(tmp_path / "site", monkeypatch)
    (folder / "pex" / "__main__.py").write_text("raise SystemExit('no pex today')\n")
    with pytest.raises(PexRuntimeError, match="pex failed with exit code 1") as caught:
        pex_runtime(RuntimeOptions(), Store(tmp_path / "store"))
    assert "no pex today" in caught.value.why


def test_without_pex_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(PexRuntimeError, match="pex is not installed") as caught:
        check_pex()
    assert "crossdock[pex]" in caught.value.hint
