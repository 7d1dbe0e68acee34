"""[tool.crossdock.packages.NAME]: every key, every mistake, and nothing but overrides or a ConfigError."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import ConfigError
from crossdock.locks.overrides import ExtraDependency, Override
from crossdock.projects.config import read_config
from crossdock.projects.overrides import read_overrides

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(text: str) -> Mapping[str, Override]:
    return read_config(tomllib.loads(text)).overrides


def one(text: str) -> Override:
    (override,) = read(f"[packages.demo]\n{text}").values()
    return override


def test_every_key_is_read() -> None:
    overrides = read("""
[packages.My_Package]
wheel = "wheels/my_package-1.0-py3-none-any.whl"
index = "inner"
exclude = ["my_package/tests/**", "*.txt", "docs/"]
dependencies = ["Other", "more[Fast]==1.0; python_version < '3.13'"]
ignore-dependencies = ["Un_Needed"]
patches = ["fix.patch", "fix2.patch"]
from-source = "never"
""")
    assert overrides == {
        "my-package": Override(
            name="my-package",
            wheels=("wheels/my_package-1.0-py3-none-any.whl",),
            index="inner",
            exclude=("my_package/tests/**", "*.txt", "docs/"),
            dependencies=(
                ExtraDependency(name="other"),
                ExtraDependency(name="more", version="1.0", marker='python_version < "3.13"', extras=("fast",)),
            ),
            ignore_dependencies=("un-needed",),
            patches=("fix.patch", "fix2.patch"),
            from_source="never",
        )
    }


def test_several_wheels_are_an_array() -> None:
    assert one('wheel = ["a.whl", "b.whl"]').wheels == ("a.whl", "b.whl")


def test_an_index_is_not_shown_as_its_url_may_hold_a_password() -> None:
    assert "secret" not in repr(one('index = "https://user:secret@index.example/simple"'))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("packages = 1", "tool.crossdock.packages is not a table"),
        ('packages = ["libpq5"]', "Debian packages are named in"),
        ("packages.demo = 1", "tool.crossdock.packages.demo is not a table"),
        ("[packages.demo]", "is empty"),
        ('[packages."a b"]\nindex = "x"', "'a b' is not the name of a package"),
        ('[packages.a-b]\nindex = "x"\n[packages.A_B]\nindex = "x"', "two tables for a-b"),
        ('[packages.demo]\nexcludes = ["a"]', "did you mean 'exclude'?"),
        ("[packages.demo]\nfrom_source = 'auto'", "did you mean 'from-source'?"),
        ("[packages.demo]\nzzz = 1", "the settings are exclude, dependencies, "),
    ],
)
def test_what_is_no_setting_is_told(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wheel = 1", "wheel must be the path of a wheel"),
        ("wheel = []", "wheel must be the path of a wheel"),
        ('wheel = ["a.whl", 1]', "wheel must be the path of a wheel"),
        ('wheel = ["a.whl", "a.whl"]', "names a file twice"),
        ("wheel = ''", "wheel must be"),
        ("index = 1", "index must be a string"),
        ("exclude = 'a'", "exclude must be an array of strings"),
        ("exclude = []", "exclude is empty"),
        ("exclude = ['a', 'a']", "exclude names something twice"),
        ("exclude = ['/a']", "can match no file"),
        ("exclude = ['a/../b']", "can match no file"),
        ("exclude = ['./a']", "can match no file"),
        ("exclude = ['a//b']", "can match no file"),
        ("exclude = ['a\\b']", "can match no file"),
        ("exclude = ['a/**b']", 'within a name write "*"'),
        ("dependencies = [1]", "dependencies must be an array of strings"),
        ("dependencies = ['a b']", "cannot be read"),
        ("dependencies = ['a; nonsense']", "cannot be read"),
        ("dependencies = ['a>1']", "the lock decides on the version"),
        ("dependencies = ['a==1.*']", "the lock decides on the version"),
        ("dependencies = ['a @ https://index.example/a.whl']", "name it alone"),
        ("dependencies = [\"a; extra == 'x'\"]", "asks for an extra"),
        ("ignore-dependencies = ['-']", "is not the name of a package"),
        ("patches = []", "patches is empty"),
        ("from-source = true", 'from-source must be "auto" or "allow" or "never"'),
        ("from-source = 'always'", 'from-source must be "auto" or "allow" or "never"'),
        ("from-source = []", 'from-source must be "auto" or "allow" or "never"'),
    ],
)
def test_wrong_values_are_told_with_their_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        one(text)
    assert str(caught.value).startswith("tool.crossdock.packages.demo")
    assert words in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["wheel", "index", "exclude", "dependencies", "ignore-dependencies", "patches", "from-source", "x"]
)


@given(st.dictionaries(st.text(max_size=10), st.dictionaries(KEYS, VALUES, max_size=4), max_size=3) | VALUES)
def test_no_value_gives_anything_but_overrides_or_a_config_error(value: object) -> None:
    try:
        overrides = read_overrides(value)
    except ConfigError:
        return
    assert all(name == item.name for name, item in overrides.items())
