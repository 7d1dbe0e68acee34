"""The package index is the one the user has told uv or pip; nothing has to be said twice."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import IndexConfigError
from crossdock.store import IndexConfig, load_index_config
from crossdock.store.config import default_index_url
from crossdock.store.places import Host

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = (f"https://{name}.example/simple/" for name in ("one", "two", "three"))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pip and uv look elsewhere on other systems")


def load(tmp_path: Path, project: Path | None = None, /, **environ: str) -> IndexConfig:
    folders = {name: tmp_path / name for name in ("home", "system", "prefix")}
    return load_index_config(project, host=Host(environ=environ, **folders))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_configuration_it_is_the_public_index(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config == IndexConfig()
    assert config.indexes() == (default_index_url(),)
    assert default_index_url().startswith("https://")
    assert default_index_url().endswith("/simple/")


@pytest.mark.parametrize("variable", ["CROSSDOCK_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
def test_the_environment_can_name_it(tmp_path: Path, variable: str) -> None:
    assert load(tmp_path, None, **{variable: ONE}).index_url == ONE


def test_the_sources_have_an_order(tmp_path: Path) -> None:
    sources = ["CROSSDOCK_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
    environ = {source: f"https://{number}.example/" for number, source in enumerate(sources)}
    write(tmp_path / "project" / "pyproject.toml", '[tool.uv]\nindex-url = "https://4.example/"')
    write(tmp_path / "home" / ".config" / "uv" / "uv.toml", 'index-url = "https://5.example/"')
    write(tmp_path / "system" / "uv" / "uv.toml", 'index-url = "https://6.example/"')
    write(tmp_path / "home" / ".config" / "pip" / "pip.conf", "[global]\nindex-url = https://7.example/")
    seen = []
    for source in [
        *sources,
        "project/pyproject.toml",
        "home/.config/uv/uv.toml",
        "system/uv/uv.toml",
        "home/.config/pip",
    ]:
        seen.append(load(tmp_path, tmp_path / "project", **environ).index_url)
        environ.pop(source, None)
        (tmp_path / source).unlink() if (tmp_path / source).is_file() else None
    assert seen == [f"https://{number}.example/" for number in range(8)]


def test_the_environment_can_name_several_places(tmp_path: Path) -> None:
    uv = load(tmp_path, UV_INDEX=f"one={ONE} {TWO}", UV_EXTRA_INDEX_URL=THREE, UV_FIND_LINKS="/a, /b c")
    assert (uv.extra_index_urls, uv.find_links) == ((ONE, TWO, THREE), ("/a", "/b c"))
    pip = load(tmp_path, PIP_EXTRA_INDEX_URL=f"{ONE}\n{TWO}", PIP_FIND_LINKS="/a https://links.example/")
    assert (pip.extra_index_urls, pip.find_links) == ((ONE, TWO), ("/a", "https://links.example/"))


def test_settings_come_from_different_sources(tmp_path: Path) -> None:
    write(tmp_path / "system" / "pip.conf", f"[global]\nextra-index-url =\n    {ONE}\n    {TWO}\ncert = /ca.pem\n")
    config = load(tmp_path, UV_DEFAULT_INDEX=THREE, PIP_FIND_LINKS="/wheels")
    assert config.urls() == (THREE, ONE, TWO, "/wheels")
    assert config.ca_bundle == "/ca.pem"


def test_pips_files_override_each_other_as_pip_says(tmp_path: Path) -> None:
    named = tmp_path / "named.conf"
    files = [
        tmp_path / "system" / "xdg" / "pip" / "pip.conf",
        tmp_path / "system" / "pip.conf",
        tmp_path / "home" / ".pip" / "pip.conf",
        tmp_path / "home" / ".config" / "pip" / "pip.conf",
        tmp_path / "prefix" / "pip.conf",
        named,
    ]
    for number, path in enumerate(files):
        write(path, f"[global]\nindex-url = https://{number}.example/\nfind_links = /{number}\n")
        config = load(tmp_path, None, **({"PIP_CONFIG_FILE": str(named)} if path == named else {}))
        assert (config.index_url, config.find_links) == (f"https://{number}.example/", (f"/{number}",))
    assert load(tmp_path, PIP_CONFIG_FILE="/dev/null").find_links == ()


def test_a_named_pip_file_hides_the_users(tmp_path: Path) -> None:
    write(tmp_path / "home" / ".config" / "pip" / "pip.conf", "[global]\nfind-links = /user\n")
    named = write(tmp_path / "named.conf", f"[global]\nindex-url = {ONE}\n")
    assert load(tmp_path, PIP_CONFIG_FILE=str(named)).urls() == (ONE,)


def test_uvs_named_indexes(tmp_path: Path) -> None:
    text = f"""
[[tool.uv.index]]
name = "first"
url = "{ONE}"
[[tool.uv.index]]
name = "base"
url = "{TWO}"
default = true
[[tool.uv.index]]
name = "special-one"
url = "{THREE}"
explicit = true
[[tool.uv.index]]
name = "links"
url = "https://links.example/"
format = "flat"
[tool.uv]
find-links = ["wheels", "/opt/more"]
"""
    project = write(tmp_path / "project" / "pyproject.toml", text).parent
    config = load(tmp_path, project, UV_INDEX_SPECIAL_ONE_USERNAME="me", UV_INDEX_SPECIAL_ONE_PASSWORD="p@ss")
    assert config.index_url == TWO
    # An explicit index is asked for the packages assigned to it alone.
    assert config.extra_index_urls == (ONE,)
    assert config.resolve_index("special-one") == "https://me:p%40ss@three.example/simple/"
    assert config.resolve_index("special-one") in config.urls()
    assert config.find_links == (str(project / "wheels"), "/opt/more", "https://links.example/")
    assert "p%40ss" not in repr(config)


def test_a_workspace_member_uses_the_workspaces_index(tmp_path: Path) -> None:
    write(tmp_path / "work" / "pyproject.toml", f'[tool.uv]\nindex-url = "{ONE}"')
    member = write(tmp_path / "work" / "apps" / "one" / "pyproject.toml", "[project]\nname = 'one'").parent
    assert load(tmp_path, member).index_url == ONE


def test_a_uv_toml_hides_the_pyproject_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "project" / "pyproject.toml", f'[tool.uv]\nindex-url = "{ONE}"')
    write(tmp_path / "project" / "uv.toml", f'index-url = "{TWO}"')
    assert load(tmp_path, tmp_path / "project").index_url == TWO


def test_uv_can_be_told_to_use_no_file_or_one(tmp_path: Path) -> None:
    write(tmp_path / "project" / "uv.toml", f'index-url = "{ONE}"')
    named = write(tmp_path / "named.toml", f'index-url = "{TWO}"')
    assert load(tmp_path, tmp_path / "project", UV_NO_CONFIG="1").indexes() == (default_index_url(),)
    assert load(tmp_path, tmp_path / "project", UV_CONFIG_FILE=str(named)).index_url == TWO


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("home/.config/pip/pip.conf", "index-url = https://user:secret@one.example/"),
        ("home/.config/pip/pip.conf", "[global]\nhttps://user:secret@one.example/\n[global]\n"),
        ("home/.config/uv/uv.toml", "index-url = secret"),
        ("home/.config/uv/uv.toml", "index-url = ['secret']"),
        ("home/.config/uv/uv.toml", "find-links = 'secret'"),
        ("home/.config/uv/uv.toml", "index = ['secret']"),
        ("home/.config/uv/uv.toml", "no-index = 'secret'"),
        ("home/.config/uv/uv.toml", "keyring-provider = ['secret']"),
    ],
)
def test_a_file_that_is_not_understood_is_named(tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(IndexConfigError) as caught:
        load(tmp_path)
    assert str(path) in caught.value.what
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://user:secret@one.example/", "git+ssh://one.example/", "https://[", "file://x/y"])
def test_what_is_no_index_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(IndexConfigError) as caught:
        load(tmp_path, PIP_INDEX_URL=url)
    assert "secret" not in str(caught.value)


def test_names_and_urls_of_indexes(tmp_path: Path) -> None:
    text = f'[[tool.uv.index]]\nname = "one"\nurl = "{ONE}"\n[[tool.uv.index]]\nname = "here"\nurl = "simple"\n'
    project = write(tmp_path / "project" / "pyproject.toml", text).parent
    config = load(tmp_path, project, UV_INDEX=f"two={TWO} one={THREE}")
    # uv's variables come before its files.
    assert config.resolve_index("one") == THREE
    assert config.resolve_index("two") == TWO
    assert config.resolve_index("here") == str(project / "simple")
    assert config.resolve_index("https://other.example/simple/") == "https://other.example/simple/"
    with pytest.raises(IndexConfigError, match="'three'") as caught:
        config.resolve_index("three")
    assert caught.value.why == "these are known: here, one, two"
    with pytest.raises(IndexConfigError, match=r"ftp://one\.example") as caught:
        config.resolve_index("ftp://user:secret@one.example/")
    assert "secret" not in str(caught.value)
    with pytest.raises(IndexConfigError, match="no index has a name"):
        IndexConfig().resolve_index("three")


def test_packages_with_an_index_of_their_own(tmp_path: Path) -> None:
    text = f"""
[tool.uv.sources]
My_Package = {{ index = "one" }}
torch = [{{ index = "one", marker = "sys_platform == 'linux'" }}, {{ index = "two" }}, {{ index = "unknown" }}]
other = {{ git = "https://git.example/other" }}
[[tool.uv.index]]
name = "one"
url = "{ONE}"
explicit = true
[[tool.uv.index]]
name = "two"
url = "{TWO}"
explicit = true
"""
    config = load(tmp_path, write(tmp_path / "project" / "pyproject.toml", text).parent)
    assert config.indexes() == (default_index_url(),)
    assert config.indexes_of("my-package") == (ONE,)
    assert config.indexes_of("torch") == (ONE, TWO)
    assert config.indexes_of("other") == ()


def test_no_index_is_said_by_whoever_comes_first(tmp_path: Path) -> None:
    for environ in ({"UV_NO_INDEX": "1", "UV_DEFAULT_INDEX": ONE}, {"PIP_NO_INDEX": "yes"}, {"PIP_NO_INDEX": "True"}):
        assert load(tmp_path, **environ, PIP_EXTRA_INDEX_URL=TWO, UV_FIND_LINKS="/wheels").urls() == ("/wheels",)
    assert load(tmp_path, CROSSDOCK_INDEX_URL=ONE, PIP_NO_INDEX="1").indexes() == (ONE,)
    write(tmp_path / "home" / ".config" / "pip" / "pip.conf", f"[global]\nno-index = true\nindex-url = {ONE}\n")
    assert load(tmp_path).indexes() == ()
    assert load(tmp_path, UV_NO_INDEX="0").indexes() == (ONE,)
    assert load(tmp_path, UV_DEFAULT_INDEX=TWO).indexes() == (TWO,)


def test_a_keyring_is_used_only_where_somebody_says_so(tmp_path: Path) -> None:
    assert not load(tmp_path).keyring
    assert not load(tmp_path, UV_KEYRING_PROVIDER="disabled", PIP_KEYRING_PROVIDER="subprocess").keyring
    assert load(tmp_path, PIP_KEYRING_PROVIDER="import").keyring
    write(tmp_path / "home" / ".config" / "uv" / "uv.toml", 'keyring-provider = "subprocess"')
    assert load(tmp_path).keyring
    with pytest.raises(IndexConfigError, match="'kwallet' is not a keyring provider"):
        load(tmp_path, UV_KEYRING_PROVIDER="kwallet")
