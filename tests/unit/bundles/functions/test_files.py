"""What can be asked of wheels without unpacking them: modules, sizes, requirements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.functions.files import Importable, check_apart, package_sizes, required_names
from crossdock.bundles.functions.included import IncludedFile
from crossdock.bundles.functions.sizes import PackageSize
from crossdock.errors import FileCollisionError
from crossdock.store.blobs import Store
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel in the store."""

    name: str
    version: str
    filename: str
    sha256: str
    own: bool


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def wheel(store: Store, folder: Path, name: str, files: dict[str, str | bytes], *, own: bool = False) -> Wheel:
    path = make_wheel(folder, name, "1.0", files)
    return Wheel(name=name, version="1.0", filename=path.name, sha256=store.add_file(path), own=own)


def test_modules_are_found_where_an_installer_puts_them(store: Store, tmp_path: Path) -> None:
    own = wheel(store, tmp_path, "shop", {"shop/web.py": "a = 1", "shop-1.0.data/purelib/extra.py": "b = 2"}, own=True)
    other = wheel(
        store,
        tmp_path,
        "lib",
        {"lib.py": "c = 3", "lib-1.0.data/scripts/run.py": "d = 4", "lib-1.0.data/data/data.py": ""},
    )
    include = IncludedFile(path="main.py", content=b"e = 5")

    files = Importable(store, [own, other], [include])

    assert {path for path in files.paths if path.endswith(".py")} == {
        *("shop/web.py", "extra.py", "lib.py", "main.py", "data.py", "bin/run.py"),
    }
    assert {path for path in files.own if path.endswith(".py")} == {"shop/web.py", "extra.py", "main.py"}
    assert [files.read(path) for path in ("shop/web.py", "extra.py", "lib.py", "main.py")] == [
        b"a = 1",
        b"b = 2",
        b"c = 3",
        b"e = 5",
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("lib/a.py", "lib/a.py is in the wheel of lib, and include"),
        ("bin/tool", "bin/tool is in the wheel of lib, and include"),
        ("lib", "lib is a file and a folder: one of them in the wheel of lib"),
        ("lib/a.py/b", "lib/a.py is a file and a folder: one of them in the wheel of lib"),
        ("lib/b.py", None),
        ("library", None),
    ],
)
def test_what_the_project_adds_cannot_be_where_a_wheel_has_something(
    path: str, words: str | None, store: Store, tmp_path: Path
) -> None:
    lib = wheel(store, tmp_path, "lib", {"lib/a.py": "", "lib-1.0.data/scripts/tool": "#!python\n"})
    included = [IncludedFile(path="a.json", content=b""), IncludedFile(path=path, content=b"")]

    for scheme, beside in ((flat(), True), (flat("python"), False)):
        if words and beside:
            with pytest.raises(FileCollisionError) as caught:
                check_apart(store, [lib], scheme, included)
            assert words in caught.value.what
        else:
            check_apart(store, [lib], scheme, included)


def test_a_file_too_large_for_a_module_is_not_read(store: Store, tmp_path: Path) -> None:
    large = wheel(store, tmp_path, "large", {"large.py": bytes((16 << 20) + 1)})

    assert Importable(store, [large]).read("large.py") is None


def test_sizes_are_those_of_all_files(store: Store, tmp_path: Path) -> None:
    made = wheel(store, tmp_path, "data", {"data/a.bin": bytes(1000), "data/b.bin": bytes(234)})
    bare = wheel(store, tmp_path, "bare", {})

    data, nothing = package_sizes(store, [made, bare])
    assert (data.name, nothing.name) == ("data 1.0", "bare 1.0")
    # Their metadata differ by the two lines that RECORD has for the data.
    assert 1234 < data.size - nothing.size < 1234 + 200
    included = [IncludedFile(path="a", content=b"12"), IncludedFile(path="b", content=b"345")]
    assert package_sizes(store, [], included) == [PackageSize(name="files of the project", size=5)]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([], set()),
        (["urllib3<3,>=1.21.1"], {"urllib3"}),
        (["Python.Dateutil (>=2.1)"], {"python-dateutil"}),
        (['pysocks; extra == "socks"', 'six; python_version < "3"'], {"pysocks", "six"}),
        (["requests[security,socks] >= 2.0"], {"requests"}),
        (["name @ https://index.example/name.whl"], {"name"}),
        (["!!!", "six"], {"six"}),
    ],
)
def test_what_a_wheel_requires_whatever_the_marker(
    lines: list[str], names: set[str], store: Store, tmp_path: Path
) -> None:
    metadata = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n" + "".join(f"Requires-Dist: {line}\n" for line in lines)

    made = wheel(store, tmp_path, "a", {"a-1.0.dist-info/METADATA": metadata + "\nRequires-Dist: in-the-text\n"})

    assert required_names(store, made) == names
