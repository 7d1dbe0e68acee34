"""An extension module's name says which interpreters import it."""

from __future__ import annotations

import pytest
from tests.unit.verify.rules.loadtrees import GLIBC, SITE, claim, contents, distribution, found, image, judged, so

from crossdock.headers.linking import Linking
from crossdock.verify.rules.suffixes import Suffix, judge_suffixes, split_suffix


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("_core.cpython-312-x86_64-linux-gnu.so", Suffix("_core", "cpython-312", "x86_64-linux-gnu", "so")),
        ("_core.cpython-313t-darwin.so", Suffix("_core", "cpython-313t", "darwin", "so")),
        ("_core.cp312-win_amd64.pyd", Suffix("_core", "cp312", "win_amd64", "pyd")),
        ("_core.pypy311-pp73-x86_64-linux-gnu.so", Suffix("_core", "pypy311-pp73", "x86_64-linux-gnu", "so")),
        ("_core.abi3.so", Suffix("_core", "abi3", "", "so")),
        ("_core.abi3t-aarch64-linux-musl.so", Suffix("_core", "abi3t", "aarch64-linux-musl", "so")),
        ("_core.so", Suffix("_core", "", "", "so")),
        ("libfoo.so.1", None),
        ("libfoo-1.2.so", None),
    ],
)
def test_a_name_is_taken_apart(name: str, parts: Suffix | None) -> None:
    assert split_suffix(name) == parts


@pytest.mark.parametrize(
    ("name", "platform", "python", "fits"),
    [
        ("m.cpython-312-x86_64-linux-gnu.so", "linux/amd64", "3.12", True),
        ("m.cpython-311-x86_64-linux-gnu.so", "linux/amd64", "3.12", False),
        ("m.cpython-312-aarch64-linux-gnu.so", "linux/amd64", "3.12", False),
        ("m.cpython-312-x86_64-linux-musl.so", "linux/amd64", "3.12", False),
        ("m.cpython-312-x86_64-linux-musl.so", "linux/amd64+musl", "3.12", True),
        ("m.cpython-312-x86_64-linux-gnu.so", "linux/amd64+musl", "3.12", False),
        ("m.cpython-39-x86_64-linux-gnu.so", "linux/amd64+musl", "3.9", True),
        ("m.cpython-313t-x86_64-linux-gnu.so", "linux/amd64", "3.13", False),
        ("m.cpython-313t-x86_64-linux-gnu.so", "linux/amd64", "3.13t", True),
        ("m.cpython-313-x86_64-linux-gnu.so", "linux/amd64", "3.13t", False),
        ("m.abi3.so", "linux/amd64", "3.12", True),
        ("m.abi3.so", "linux/amd64", "3.14t", False),
        ("m.abi3.so", "linux/amd64", "pypy3.11", False),
        ("m.abi3-x86_64-linux-gnu.so", "linux/amd64", "3.14", False),
        ("m.abi3-x86_64-linux-gnu.so", "linux/amd64", "3.15", True),
        ("m.abi3t.so", "linux/amd64", "3.15t", True),
        ("m.abi3t-x86_64-linux-gnu.so", "linux/amd64", "3.15", True),
        ("m.abi3t-aarch64-linux-gnu.so", "linux/amd64", "3.15t", False),
        ("m.abi3t.so", "linux/amd64", "3.14t", False),
        ("m.so", "linux/amd64", "3.14t", True),
        ("m.pypy311-pp73-x86_64-linux-gnu.so", "linux/amd64", "pypy3.11-7.3.19", True),
        ("m.pypy311-pp80-x86_64-linux-gnu.so", "linux/amd64", "pypy3.11-7.3.19", False),
        ("m.cpython-312-darwin.so", "darwin/amd64", "3.12", True),
        ("m.cpython-312-x86_64-linux-gnu.so", "darwin/amd64", "3.12", False),
        ("m.cp312-win_amd64.pyd", "windows/amd64", "3.12", True),
        ("m.cp312-win32.pyd", "windows/amd64", "3.12", False),
        ("m.cp313-win_amd64.pyd", "windows/amd64", "3.12", False),
        ("m.pyd", "windows/amd64", "3.12", True),
    ],
)
def test_what_a_target_imports(name: str, platform: str, python: str, fits: bool) -> None:
    binary = {"darwin": "macho", "windows": "pe"}.get(platform.partition("/")[0], "elf")
    part = contents({f"pkg/{name}": Linking(type="shared")}, binary=binary)
    expected = [] if fits else [("extension-suffix", "error", f"pkg/{name}")]
    assert judged(judge_suffixes, claim(platform, python), part) == expected


def test_a_sibling_of_the_right_name_will_do() -> None:
    part = contents({"p/m.cpython-311-x86_64-linux-gnu.so": so(), "p/m.cpython-312-x86_64-linux-gnu.so": so()})
    assert judged(judge_suffixes, claim("linux/amd64", "3.12"), part) == []


def test_what_is_for_debuggers_is_not_imported() -> None:
    path = "p/m.cpython-311-darwin.so.dSYM/Contents/Resources/DWARF/m.cpython-311-darwin.so"
    part = contents({path: Linking(type="other")}, machine="arm64", binary="macho")
    assert judged(judge_suffixes, claim("darwin/arm64", "3.12"), part) == []


def test_a_module_in_python_stands_in() -> None:
    part = contents({"p/m.cpython-311-x86_64-linux-gnu.so": so()}, files=["p/m.py"])
    assert [severity for _, severity, _ in judged(judge_suffixes, claim("linux/amd64", "3.12"), part)] == ["warning"]


def test_any_of_several_targets_will_do() -> None:
    part = contents({"p/m.cpython-311-x86_64-linux-gnu.so": so(), "p/n.cpython-310-x86_64-linux-gnu.so": so()})
    [finding] = found(judge_suffixes, claim("linux/amd64", "3.11", "3.12"), part)
    assert finding.sentence == (
        "p/n.cpython-310-x86_64-linux-gnu.so is named for cpython-310-x86_64-linux-gnu, "
        "but Python 3.11 or Python 3.12 on linux/amd64 does not import modules of such a name"
    )


def test_an_image_says_its_python_by_the_folder_of_its_packages() -> None:
    module, stdlib = "m.cpython-311-x86_64-linux-gnu.so", "usr/lib/python3.11/lib-dynload"
    part = image(
        {f"{SITE}/{module}": so(), f"{stdlib}/{module}": so(), f"usr/lib/python3/dist-packages/{module}": so()}
    )
    assert judged(judge_suffixes, claim(subject="image"), part) == [("extension-suffix", "error", f"{SITE}/{module}")]


@pytest.mark.parametrize(
    ("tag", "codes"),
    [
        ("cp311-cp311-manylinux_2_17_x86_64", []),
        ("cp312-cp312-manylinux_2_17_x86_64", ["extension-suffix"]),
        ("py3-none-manylinux_2_17_x86_64", []),
    ],
)
def test_a_wheel_says_its_python_by_its_tags(tag: str, codes: list[str]) -> None:
    path = "m.cpython-311-x86_64-linux-gnu.so"
    part = contents({path: so()}, texts=distribution("m", [path], tag))
    claimed = claim(subject="wheel", wheel=f"m-1.0-{tag}.whl")
    assert [code for code, _, _ in judged(judge_suffixes, claimed, part)] == codes


def test_what_is_for_the_other_c_library_is_not_told_of_twice() -> None:
    paths = ["m/a.cpython-312-x86_64-linux-musl.so", "m/b.cpython-312-x86_64-linux-musl.so"]
    natives = {paths[0]: so("libc.so"), paths[1]: so()}
    part = contents(natives, texts=distribution("m", paths, "cp312-cp312-musllinux_1_2_x86_64"))
    assert judged(judge_suffixes, claim("linux/amd64", "3.12", libc=GLIBC), part) == []
