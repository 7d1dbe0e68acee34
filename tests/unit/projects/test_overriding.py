"""Settings for packages that name files: which are read, and which are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.choosing.overriding import overridden, override_json, read_patches
from crossdock.errors import BadWheelError, IndexConfigError, OverrideError
from crossdock.locks import Dependency, Lock, Package, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.projects.project import Project

    Make = Callable[[str], Project]

CHANGE = "--- a/demo/x.py\n+++ b/demo/x.py\n@@ -1 +1 @@\n-a\n+b\n"


def project_with(make_project: Make, settings: str, index: str = "") -> Project:
    return make_project(f'[project]\nname = "app"\n{index}\n[tool.crossdock.packages.demo]\n{settings}\n')


def lock_of(project: Project) -> Lock:
    package = Package(name="demo", version="1.0", source=Source(kind="registry"), hashes=frozenset({"0" * 64}))
    return Lock(
        path=project.root / "requirements.txt",
        format="requirements.txt",
        packages=(package,),
        roots=(Dependency(name="demo", index=0),),
    )


def apply(project: Project) -> Package:
    return overridden(project, lock_of(project)).packages[0]


def test_without_settings_the_lock_is_the_lock(make_project: Make) -> None:
    project = make_project('[project]\nname = "app"')
    lock = lock_of(project)
    assert overridden(project, lock) is lock
    assert override_json(project, lock, "demo") is None


@pytest.mark.parametrize("where", ["wheels", "../outside"])
def test_a_local_wheel_is_the_file_with_the_hash_it_has_now(where: str, make_project: Make) -> None:
    project = project_with(make_project, f'wheel = "{where}/demo-1.0-py3-none-any.whl"')
    folder = project.root / where
    folder.mkdir(parents=True)
    path = make_wheel(folder, "demo", "1.0", {"demo/x.py": "a\n"})
    (file,) = apply(project).files
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (file.filename, file.sha256, file.size) == (path.name, digest, path.stat().st_size)
    assert Path(file.path or "").resolve() == path.resolve()
    shown = override_json(project, overridden(project, lock_of(project)), "demo")
    assert shown is not None
    assert shown["wheel"] == [{"path": f"{where}/demo-1.0-py3-none-any.whl", "sha256": digest}]


def test_a_wheel_has_to_be_there(make_project: Make) -> None:
    project = project_with(make_project, 'wheel = "demo-1.0-py3-none-any.whl"')
    with pytest.raises(OverrideError, match="wheel: there is no file demo-1"):
        apply(project)


def test_a_folder_is_no_wheel(make_project: Make) -> None:
    project = project_with(make_project, 'wheel = "demo-1.0-py3-none-any.whl"')
    (project.root / "demo-1.0-py3-none-any.whl").mkdir()
    with pytest.raises(OverrideError, match="there is no file"):
        apply(project)


@pytest.mark.parametrize("name", ["demo-1.0.tar.gz", "démo-1.0-py3-none-any.whl", "x.zip"])
def test_another_name_is_no_wheel(name: str, make_project: Make) -> None:
    project = project_with(make_project, f'wheel = "{name}"')
    (project.root / name).write_bytes(b"x")
    with pytest.raises(OverrideError, match="wheel: "):
        apply(project)


def test_another_content_is_no_wheel(make_project: Make) -> None:
    project = project_with(make_project, 'wheel = "demo-1.0-py3-none-any.whl"')
    (project.root / "demo-1.0-py3-none-any.whl").write_bytes(b"x")
    with pytest.raises(BadWheelError, match="not a readable wheel"):
        apply(project)


def test_the_content_has_to_be_of_the_name(make_project: Make) -> None:
    project = project_with(make_project, 'wheel = "demo-1.0-py3-none-any.whl"')
    make_wheel(project.root, "other", "1.0", {}).rename(project.root / "demo-1.0-py3-none-any.whl")
    with pytest.raises(BadWheelError, match="holds another distribution"):
        apply(project)


def test_patches_are_read_in_their_order_with_their_hashes(make_project: Make) -> None:
    project = project_with(make_project, 'patches = ["b.patch", "a.patch"]\nexclude = ["demo/y.py"]')
    for name in ("a.patch", "b.patch"):
        (project.root / name).write_text(CHANGE.replace("-a", f"-{name}"), newline="")
    item = project.config.overrides["demo"]
    assert [patch.name for patch in read_patches(project, item)] == ["b.patch", "a.patch"]
    assert override_json(project, lock_of(project), "demo") == {
        "wheel": [],
        "index": None,
        "exclude": ["demo/y.py"],
        "patches": [
            {"path": name, "sha256": hashlib.sha256((project.root / name).read_bytes()).hexdigest()}
            for name in ("b.patch", "a.patch")
        ],
        "dependencies": [],
        "ignore_dependencies": [],
        "from_source": None,
    }


@pytest.mark.parametrize(
    ("content", "words"), [(None, "there is no file fix.patch"), ("x", "fix.patch is not a patch")]
)
def test_a_patch_is_read_when_planning(content: str | None, words: str, make_project: Make) -> None:
    project = project_with(make_project, 'patches = ["fix.patch"]')
    if content is not None:
        (project.root / "fix.patch").write_text(content)
    with pytest.raises(OverrideError, match=words):
        apply(project)


INDEX = '[[tool.uv.index]]\nname = "inner"\nurl = "https://user:secret@inner.example/simple"\nexplicit = true'


def test_an_index_is_found_by_its_name_or_url(make_project: Make) -> None:
    url = "https://index.example/simple"
    assert apply(project_with(make_project, f'index = "{url}"')).source.location == url
    named = project_with(make_project, 'index = "inner"', INDEX)
    assert apply(named).source.location == "https://user:secret@inner.example/simple"


def test_a_password_in_an_index_is_not_shown(make_project: Make) -> None:
    project = project_with(make_project, 'index = "https://user:secret@inner.example/simple"')
    shown = override_json(project, lock_of(project), "demo")
    assert shown is not None
    assert shown["index"] == "https://inner.example/simple"


def test_an_index_that_is_unknown_or_no_web_address_is_refused(make_project: Make) -> None:
    with pytest.raises(IndexConfigError, match="there is no index with the name 'outer'"):
        apply(project_with(make_project, 'index = "outer"', INDEX))
    with pytest.raises(OverrideError, match="index is not one on the web"):
        apply(project_with(make_project, 'index = "file:///srv/simple"'))
