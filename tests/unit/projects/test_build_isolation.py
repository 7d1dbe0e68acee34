"""What a build backend sees: a copy of the sources that are hashed, and nothing of the machine.

The backend here lies in the project itself and puts what it sees into its wheel.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.wheelmaker import wheel_files

from crossdock.errors import ImpureProjectError, ProjectBuildError
from crossdock.projects import sources
from crossdock.projects.firstparty import OwnWheel, build_own_wheel, check_fits
from crossdock.projects.project import load_project
from crossdock.projects.sources import source_digest
from crossdock.services import Services
from crossdock.store.blobs import Store
from crossdock.targets.platform import parse_platform
from crossdock.targets.python import parse_python
from crossdock.targets.target import Target
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and signals of POSIX")

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "demo"
"""
BACKEND = """
import json, os, sys, zipfile
FILES = {files!r}
def look():
    files = {{}}
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in (".git", "__pycache__")]
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            files[os.path.relpath(path)] = [oct(status.st_mode), int(status.st_mtime)]
    umask = os.umask(0)
    return {{
        "files": files, "environ": dict(os.environ), "umask": umask, "utf8": sys.flags.utf8_mode,
        "cwd": os.getcwd(), "home": os.listdir(os.path.expanduser("~")),
    }}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    seen = look()
    {first}
    with zipfile.ZipFile(os.path.join(folder, {name!r}), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {{**FILES, "demo/seen.json": json.dumps(seen)}}.items():
            archive.writestr(path, content)
    os.makedirs("build/lib", exist_ok=True)  # as setuptools does
    open("left-behind", "w").close()
    return {name!r}
"""


def write_project(
    root: Path,
    *,
    version: str = '"1.0"',
    name: str = "demo-1.0-py3-none-any.whl",
    first: str = "",
    points: str = "",
) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(
        PYPROJECT + (f"version = {version}\n" if version else 'dynamic = ["version"]\n')
    )
    files: dict[str, str | bytes] = {**wheel_files("demo", "1.0", {"demo/__init__.py": "x = 1\n"})}
    if points:
        files["demo-1.0.dist-info/entry_points.txt"] = points
    (root / "backend.py").write_text(BACKEND.format(files=files, name=name, first=first), encoding="utf-8")
    return root


def seen(root: Path, store: Store) -> dict[str, Any]:
    wheel = build_own_wheel(load_project(root), Services(store=store))
    with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
        (member,) = (member for member in archive.members if member.name == "demo/seen.json")
        value: dict[str, Any] = json.loads(archive.read(member))
        return value


def listing(root: Path) -> dict[str, tuple[int, int]]:
    """Every file under a folder, .git included, with its size and time of change."""
    return {
        str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder temporary files go to."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@posix
def test_the_build_has_exactly_the_files_that_are_hashed(tmp_path: Path, store: Store) -> None:
    root = write_project(tmp_path / "project")
    for name in (
        "build/lib/deleted.py",
        "demo.egg-info/SOURCES.txt",
        ".tox/x",
        "demo/__pycache__/a.pyc",
        "env/pyvenv.cfg",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("no source")
    for name in (".gitignore", "demo/.gitignore", "demo/.hidden", "demo/.data/x", "demo/build/x", "tool.sh"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "tool.sh").chmod(0o4770)
    before = listing(root)
    files = seen(root, store)["files"]
    taken = {".gitignore", "demo/.gitignore", "demo/.hidden", "demo/.data/x", "demo/build/x", "tool.sh"}
    assert set(files) == taken | {"pyproject.toml", "backend.py"}
    assert {name: mode for name, (mode, _) in files.items() if mode != "0o100644"} == {"tool.sh": "0o100755"}
    assert {time for _, time in files.values()} == {315532800}
    assert listing(root) == before


@posix
def test_a_project_that_cannot_be_written_to_is_built(tmp_path: Path, store: Store) -> None:
    root = write_project(tmp_path / "project")
    for path in (root / "pyproject.toml", root / "backend.py", root):
        path.chmod(path.stat().st_mode & 0o555)
    try:
        assert seen(root, store)["cwd"] != str(root)
    finally:
        root.chmod(0o755)


@posix
def test_what_links_lead_to_is_built_and_hashed_as_if_it_were_there(tmp_path: Path, store: Store) -> None:
    root = write_project(tmp_path / "project")
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/a.py").write_text("one")
    (root / "demo").symlink_to(outside)
    (root / "again").symlink_to("demo/deep")
    (root / "file.py").symlink_to("demo/deep/a.py")
    (root / "dangling").symlink_to("nowhere")
    (root / "self").symlink_to("self")
    (outside / "loop").symlink_to(root)
    files = seen(root, store)["files"]
    assert set(files) == {"pyproject.toml", "backend.py", "demo/deep/a.py", "again/a.py", "file.py"}
    assert all(mode == "0o100644" for mode, _ in files.values())
    before = source_digest(root)
    (outside / "deep/a.py").write_text("two")
    assert source_digest(root) != before


@posix
def test_a_link_to_everything_is_refused(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_MOST_FILES", 50)
    root = write_project(tmp_path / "project")
    (root / "all").symlink_to("/")
    with pytest.raises(ProjectBuildError, match="more than 50 files") as caught:
        build_own_wheel(load_project(root), Services(store=store))
    assert "links that lead out" in caught.value.hint


@posix
def test_a_name_that_cannot_be_copied_is_an_error(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path / "project")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("crossdock.projects.sources.shutil.copyfile", full)
    with pytest.raises(ProjectBuildError, match="The files of demo cannot be read or copied") as caught:
        build_own_wheel(load_project(root), Services(store=store))
    assert "No space left on device" in caught.value.why


def test_variables_locale_zone_and_umask_are_the_same_everywhere(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = {"SETUPTOOLS_SCM_PRETEND_VERSION", "HATCH_BUILD_HOOKS_ENABLE", "GIT_DIR", "PYTHONHASHSEED", "CFLAGS"}
    # How to reach the network, and with which passwords, is for pip to know.
    secret = {"PIP_INDEX_URL", "UV_INDEX_URL", "https_proxy"}
    for name in changing | secret:
        monkeypatch.setenv(name, "7")
    for name, value in {"TZ": "Asia/Tokyo", "LC_ALL": "C"}.items():
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    try:
        found = seen(write_project(tmp_path / "project"), store)
    finally:
        os.umask(before)
    assert (changing | secret) & set(found["environ"]) == {"PYTHONHASHSEED"}
    fixed = {"PYTHONHASHSEED": "0", "PIP_NO_INDEX": "1"}
    fixed |= {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "315532800"}
    assert {**found["environ"], **fixed} == found["environ"]
    if sys.platform != "win32":
        assert found["umask"] == 0o022


def test_a_backend_has_an_empty_home(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".pydistutils.cfg").write_text("[bdist_wheel]\npython_tag = py36\n")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    assert seen(write_project(tmp_path / "project"), store)["home"] == []


def test_names_and_texts_that_are_not_ascii_need_no_locale(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    monkeypatch.setenv("PYTHONUTF8", "0")
    root = write_project(
        tmp_path / "project", first="print('größe', open('größe.txt').read().encode('ascii', 'strict'))"
    )
    (root / "größe.txt").write_text("plain")
    found = seen(root, store)
    assert (found["utf8"], "größe.txt" in found["files"]) == (1, True)


@pytest.mark.parametrize("first", ["", "raise SystemExit('no')"])
def test_nothing_temporary_stays_behind(tmp_path: Path, store: Store, temporary: Path, first: str) -> None:
    environ = dict(os.environ)
    root = write_project(tmp_path / "project", first=f"assert os.getcwd().startswith({str(temporary)!r}); {first}")
    try:
        build_own_wheel(load_project(root), Services(store=store))
        assert first == ""
    except ProjectBuildError:
        assert first
    assert (list(temporary.iterdir()), tempfile.tempdir, dict(os.environ)) == ([], str(temporary), environ)


@posix
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary, started = tmp_path / "temporary", tmp_path / "started"
    temporary.mkdir()
    root = write_project(
        tmp_path / "project", first=f"open({str(started)!r}, 'w').close(); import time; time.sleep(60)"
    )
    code = (
        "import sys; from pathlib import Path; from crossdock.projects.project import load_project;"
        "from crossdock.projects.firstparty import build_own_wheel; from crossdock.store.blobs import Store;"
        "from crossdock.services import Services;"
        "build_own_wheel(load_project(Path(sys.argv[1])), Services(store=Store(Path(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "store")]
    environ = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not started.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(list(temporary.iterdir())) == 1
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert list(temporary.iterdir()) == []


POINTS = "[console_scripts]\nserve = demo:serve\nadmin = demo:admin\n"


def test_scripts_are_those_of_the_wheel_also_when_it_was_built_before(tmp_path: Path, store: Store) -> None:
    project = load_project(write_project(tmp_path / "project", points=POINTS))
    wheel = build_own_wheel(project, Services(store=store))
    assert wheel.scripts == ("admin", "serve")
    assert build_own_wheel(project, Services(store=store)) == wheel


def test_a_wheel_nobody_can_install_is_refused(tmp_path: Path, store: Store) -> None:
    project = load_project(write_project(tmp_path / "project", points="[console_scripts]\n../x = demo:serve\n"))
    with pytest.raises(ProjectBuildError, match="built no usable wheel") as caught:
        build_own_wheel(project, Services(store=store))
    assert "a script is NAME = MODULE:FUNCTION" in caught.value.why


def wheel_for(tag: str) -> OwnWheel:
    return OwnWheel(filename=f"demo-1.0-{tag}.whl", sha256="0" * 64, scripts=())


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("cp312-none-any", True),
        ("cp311-none-any", False),
        ("py313-none-any", False),
    ],
)
def test_a_wheel_for_another_python_does_not_fit(tag: str, fits: bool) -> None:
    target = Target(parse_platform("linux/arm64"), parse_python("3.12"))
    if fits:
        check_fits(wheel_for(tag), target)
    else:
        with pytest.raises(ImpureProjectError, match="does not fit linux/arm64") as caught:
            check_fits(wheel_for(tag), target)
        assert tag in caught.value.why
