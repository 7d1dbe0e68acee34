"""A layer with bytecode: the layer without it, and behind that what Python would have written on first use."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import marshal
import platform
import subprocess
import sys
import tarfile
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.errors import BytecodeError, FileCollisionError
from crossdock.layers import bytecode as layer_bytecode
from crossdock.layers.cached import wheel_recipe
from crossdock.layers.wheels import write_wheels
from crossdock.store.blobs import Store
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.bytecode import CompilerSpec
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHORT = ".".join(platform.python_version_tuple()[:2])
TAG = str(sys.implementation.cache_tag)
SPEC = CompilerSpec(
    path=sys.executable, version=platform.python_version(), magic=importlib.util.MAGIC_NUMBER.hex(), cache_tag=TAG
)
SCHEME = posix_venv("app/.venv", SHORT)
SITE = f"app/.venv/lib/python{SHORT}/site-packages"
FILES: dict[str, str | bytes] = {
    "demo/__init__.py": "def main():\n    return 'demo'\n",
    "demo/sub/mod.py": "x = 1\n" * 100,
    "demo/empty.py": "",
    "top.py": "y = 2\n",
    "demo/data.txt": "text",
    "demo-1.0.data/purelib/pure.py": "z = 3\n",
    "demo-1.0.data/scripts/tool.py": "#!python\nprint('tool')\n",
    "demo-1.0.data/data/share/example.py": "print('example')\n",
}
COMPILED = {"demo/__pycache__/__init__", "demo/sub/__pycache__/mod", "demo/__pycache__/empty", "__pycache__/top"}


def layer(paths: Sequence[Path], spec: CompilerSpec | None = SPEC, warned: list[str] | None = None) -> bytes:
    out = io.BytesIO()
    warnings = [] if warned is None else warned
    with ExitStack() as stack:
        archives = [stack.enter_context(WheelArchive(path, path.name)) for path in paths]
        compiler = stack.enter_context(spec.start()) if spec else None
        diff_id = write_wheels(archives, SCHEME, out, compiler, warnings.append)
    assert hashlib.sha256(gzip.decompress(out.getvalue())).hexdigest() == diff_id
    if warned is None:
        assert warnings == []
    return out.getvalue()


def tree(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        return {info.name: opened.extractfile(info).read() for info in opened if info.isreg()}  # type: ignore[union-attr]


def pycs(files: dict[str, bytes]) -> set[str]:
    return {name.removeprefix(f"{SITE}/") for name in files if name.endswith(".pyc")}


def test_every_module_in_site_packages_has_bytecode_and_nothing_else(tmp_path: Path) -> None:
    files = tree(layer([make_wheel(tmp_path, "demo", "1.0", FILES)]))
    assert pycs(files) == {f"{name}.{TAG}.pyc" for name in (*COMPILED, "__pycache__/pure")}
    for path, content in files.items():
        if path.endswith(".pyc"):
            folder, _, name = path.rpartition("/__pycache__/")
            source = f"{folder}/{name.split('.')[0]}.py"
            assert marshal.loads(content[16:]).co_filename == f"/{source}"
            assert content[8:16] == importlib.util.source_hash(files[source])


def test_all_else_is_as_without_bytecode(tmp_path: Path) -> None:
    """RECORD too: it need not list bytecode."""
    wheel = make_wheel(tmp_path, "demo", "1.0", FILES)
    without, with_bytecode = gzip.decompress(layer([wheel], None)), gzip.decompress(layer([wheel]))
    assert with_bytecode.startswith(without[:-1024])
    assert layer([wheel], None) != layer([wheel])


def test_entries_hold_nothing_of_the_machine_and_parents_come_first(tmp_path: Path) -> None:
    seen = {""}
    data = layer([make_wheel(tmp_path, "demo", "1.0", FILES)])
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        for info in opened:
            assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "", "", 0)
            assert info.name not in seen
            assert info.name.rpartition("/")[0] in seen
            seen.add(info.name)
            if "__pycache__" in info.name:
                assert info.mode == (0o755 if info.isdir() else 0o644)


def test_gnu_tar_and_gzip_read_it_and_bytecode_is_compressed(tmp_path: Path) -> None:
    text = "".join(f"def function_{number}(x):\n    return x + {number}\n" for number in range(9000))
    data = layer([make_wheel(tmp_path, "demo", "1.0", {**FILES, "demo/big.py": text})])
    subprocess.run(["gzip", "-t"], input=data, check=True)
    done = subprocess.run(["tar", "-tzf", "-"], input=data, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    size = len(tree(data)[f"{SITE}/demo/__pycache__/big.{TAG}.pyc"])
    assert size > 1 << 20
    assert len(data) < size / 2


def test_the_bytes_are_the_same_each_time_and_for_each_order_of_members(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    wheel = make_wheel(tmp_path, "demo", "1.0", FILES)
    reverse = make_wheel(tmp_path / "other", "demo", "1.0", dict(reversed(FILES.items())), reverse=True)
    assert len({layer([wheel]), layer([wheel]), layer([reverse])}) == 1


def test_python_uses_it_and_does_not_look_at_the_source(tmp_path: Path) -> None:
    """With its own -v as the witness; and a source that was changed afterwards changes nothing."""
    data = layer([make_wheel(tmp_path, "demo", "1.0", FILES)])
    subprocess.run(["tar", "-xzf", "-", "-C", str(tmp_path)], input=data, check=True)
    site = tmp_path / SITE
    (site / "demo/__init__.py").write_text("def main():\n    return 'changed'\n")
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import demo, pure; print(demo.main(), demo.main.__code__)"
    done = subprocess.run([sys.executable, "-I", "-v", "-c", code], capture_output=True, text=True)
    assert f"{site}/demo/__pycache__/__init__.{TAG}.pyc matches {site}/demo/__init__.py" in done.stderr
    assert f"{site}/__pycache__/pure.{TAG}.pyc matches" in done.stderr
    assert "wrote" not in done.stderr
    assert done.stdout.startswith("demo ")


def test_bytecode_that_a_wheel_brings_stays_as_it_is(tmp_path: Path) -> None:
    own = {f"demo/__pycache__/__init__.{TAG}.pyc": b"the wheel's own", f"__pycache__/top.{TAG}.pyc/x": b"a folder"}
    files = tree(layer([make_wheel(tmp_path, "demo", "1.0", {**FILES, **own})]))
    assert files[f"{SITE}/demo/__pycache__/__init__.{TAG}.pyc"] == b"the wheel's own"
    assert pycs(files) >= {f"demo/sub/__pycache__/mod.{TAG}.pyc"}
    assert f"{SITE}/__pycache__/top.{TAG}.pyc" not in files


def test_also_when_another_wheel_of_the_layer_brings_it(tmp_path: Path) -> None:
    first = make_wheel(tmp_path, "demo", "1.0", FILES)
    second = make_wheel(tmp_path, "other", "1.0", {f"__pycache__/top.{TAG}.pyc": b"the other's"})
    assert tree(layer([first, second]))[f"{SITE}/__pycache__/top.{TAG}.pyc"] == b"the other's"


def test_a_file_where_the_folder_for_bytecode_has_to_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileCollisionError, match="__pycache__ is a file"):
        layer([make_wheel(tmp_path, "demo", "1.0", {**FILES, "demo/__pycache__": b"a file"})])


def test_a_module_that_two_wheels_share_is_compiled_once(tmp_path: Path) -> None:
    shared = {"shared/__init__.py": "a = 1\n"}
    wheels = [make_wheel(tmp_path, name, "1.0", {**shared, f"shared/{name}.py": "b = 2\n"}) for name in ("one", "two")]
    expected = {f"shared/__pycache__/{name}.{TAG}.pyc" for name in ("__init__", "one", "two")}
    assert pycs(tree(layer(wheels))) == expected


def test_what_does_not_compile_is_told_once_for_each_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"demo/template.py": "{{ name }} = {%", "demo/python2.py": "print 'x'\n", "demo/large.py": "x = 1\n" * 1000}
    monkeypatch.setattr(layer_bytecode, "LARGEST_SOURCE", 5000)
    wheel = make_wheel(tmp_path, "demo", "1.0", {**FILES, **bad})
    warned: list[str] = []
    files = tree(layer([wheel], SPEC, warned))
    assert pycs(files) == {f"{name}.{TAG}.pyc" for name in (*COMPILED, "__pycache__/pure")}
    assert warned == [
        f"demo-1.0-py3-none-any.whl: no bytecode for {SITE}/demo/large.py: it has 6,000 bytes (and 2 more)"
    ]


# The recipe


def test_a_layer_is_known_by_the_compilers_version_and_not_by_where_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    wheels = [("demo-1.0-py3-none-any.whl", "0" * 64)]

    def key(spec: CompilerSpec | None) -> str:
        return wheel_recipe(store, wheels, SCHEME, compile=spec).key

    assert key(SPEC) == key(replace(SPEC, path="/elsewhere/python"))
    assert key(None) == wheel_recipe(store, wheels, SCHEME).key
    others = [replace(SPEC, version="3.99.2"), replace(SPEC, magic="00"), replace(SPEC, cache_tag="cpython-399"), None]
    assert len({key(SPEC), *map(key, others)}) == 5


def test_the_recipe_makes_it_and_warns(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    wheel = make_wheel(tmp_path, "demo", "1.0", {**FILES, "demo/bad.py": "print 'x'"})
    with store.writer() as writer:
        writer.write(wheel.read_bytes())
        sha256 = writer.commit()
    warned: list[str] = []
    recipe = wheel_recipe(store, [(wheel.name, sha256)], SCHEME, compile=SPEC, warn=warned.append)
    made = recipe.make(store)
    assert len(warned) == 1
    assert store.path(made.digest).read_bytes() == layer([wheel], SPEC, [])
    assert recipe.make(store) == made
    assert len(warned) == 1


def test_after_an_error_nothing_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    wheel = make_wheel(tmp_path, "demo", "1.0", {**FILES, "demo/deep.py": "lambda: " * 20_000 + "1"})
    with store.writer() as writer:
        writer.write(wheel.read_bytes())
        sha256 = writer.commit()
    recipe = wheel_recipe(store, [(wheel.name, sha256)], SCHEME, compile=SPEC)
    with pytest.raises(BytecodeError, match=r"/demo/deep\.py cannot be compiled"):
        recipe.make(store)
    assert recipe.find(store) is None
    blobs = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert [path.name for path in blobs if sha256[2:] not in path.name] == []
