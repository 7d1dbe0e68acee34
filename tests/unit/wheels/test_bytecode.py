"""Bytecode: what Python itself would have written, and the same bytes whatever happened before."""

from __future__ import annotations

import importlib.util
import marshal
import math
import os
import platform
import random
import signal
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.errors import BytecodeError
from crossdock.wheels import compile_worker
from crossdock.wheels.bytecode import Compiled, Compiler, CompilerSpec, Source, pyc_path
from crossdock.wheels.compile_worker import ANSWER, DONE, REQUEST, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPEC = CompilerSpec(
    path=sys.executable,
    version=platform.python_version(),
    magic=importlib.util.MAGIC_NUMBER.hex(),
    cache_tag=str(sys.implementation.cache_tag),
)
CODE = b"import os\n\ndef main(name='world'):\n    return f'hello {name}', name in {'a', 'b'}\n"


@pytest.fixture
def compiler() -> Iterator[Compiler]:
    with Compiler(SPEC, processes=1) as one:
        yield one


def compile_one(compiler: Compiler, content: bytes | str, path: str = "/app/mod.py") -> Compiled:
    (compiled,) = compiler.compile([Source(path, content.encode() if isinstance(content, str) else content)])
    return compiled


def standard_library(count: int) -> list[Source]:
    folder = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    return [
        Source(f"/lib/{path.relative_to(folder)}", path.read_bytes()) for path in random.Random(1).sample(paths, count)
    ]


def everything(code: CodeType) -> list[Any]:
    """All that a code object consists of, with what ``==`` does not compare: types, signs, line numbers."""
    names = [name for name in dir(code) if name.startswith("co_") and name not in ("co_consts", "co_lnotab")]
    parts = [(name, repr(getattr(code, name))) for name in names if not callable(getattr(code, name))]
    return [parts, list(code.co_lines()), [constant(value) for value in code.co_consts]]


def constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return everything(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    if isinstance(value, tuple):
        return [constant(item) for item in value]
    return (type(value), repr(value))


# What is in a .pyc


def test_it_is_an_unchecked_hash_based_pyc(compiler: Compiler) -> None:
    """PEP 552: flags 0b01, then the hash of the source."""
    pyc = compile_one(compiler, CODE).pyc
    magic, flags, source_hash = struct.unpack_from("<4sL8s", pyc)
    assert (magic, flags, source_hash) == (importlib.util.MAGIC_NUMBER, 0b01, importlib.util.source_hash(CODE))


def test_its_code_is_what_python_compiles_for_the_path_in_the_image(compiler: Compiler) -> None:
    path = "/app/.venv/lib/python3.11/site-packages/demo/gezählt.py"
    code = marshal.loads(compile_one(compiler, CODE, path).pyc[16:])
    assert code.co_filename == path
    assert everything(code) == everything(compile(CODE, path, "exec", dont_inherit=True, optimize=0))
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert scope["main"]("x") == ("hello x", False)


def test_assertions_and_docstrings_are_kept(compiler: Compiler) -> None:
    code = marshal.loads(compile_one(compiler, '"""Text."""\nassert False, "kept"\n').pyc[16:])
    scope: dict[str, Any] = {}
    with pytest.raises(AssertionError, match="kept"):
        exec(code, scope)
    assert scope["__doc__"] == "Text."


def test_no_setting_of_this_process_gets_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither PYTHONOPTIMIZE nor a module of the current folder that is named as one of the standard library."""
    with Compiler(SPEC) as one:
        expected = compile_one(one, "# coding: latin-1\nassert x\n")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "struct.py"))
    monkeypatch.chdir(tmp_path)
    for name in ("struct", "signal", "re", "typing", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    with Compiler(SPEC) as one:
        assert compile_one(one, "# coding: latin-1\nassert x\n") == expected


def test_the_source_is_not_executed(compiler: Compiler, tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert compile_one(compiler, f"open({str(made)!r}, 'w').close()\n").pyc
    assert not made.exists()


def test_where_python_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", None)
    for path in ("a/b/mod.py", "a/__init__.py", "a/b.c.py"):
        expected = importlib.util.cache_from_source(path, optimization="")
        assert pyc_path(path, str(sys.implementation.cache_tag)) == expected


# The same bytes


CONSTANTS = """
a = (0.0, -0.0, 1, True, 1.0, 1e999 - 1e999, 1j, -0j, None, ..., 1 << 40, -(1 << 100), 2**31, -2**31, b'', b'\\xff', '')
b = ('a_name', 'no name', 'ä', '\\ud800', 'x' * 300, 'x ' * 200, 'a_name', '1', '-')
c = x in {1, 'one', b'one', 1.5, (1, 2, ('one',)), frozenset, None}
d = x in {'one', 'two', 'three', ('one', 'two')}
e = lambda: (lambda: 0.0, lambda: 0)
"""


def test_each_constant_keeps_its_type_sign_and_value() -> None:
    code = compile(CONSTANTS, "x.py", "exec", dont_inherit=True)
    again = marshal.loads(canonical(code))
    assert everything(again) == everything(code)
    scope: dict[str, Any] = {"x": "one"}
    exec(again, scope)
    assert math.copysign(1, scope["a"][1]) == -1
    assert math.isnan(scope["a"][5])
    assert [type(item) for item in scope["a"][2:5]] == [int, bool, float]


def test_equal_constants_are_written_once() -> None:
    text = "def f():\n    return 'some text', (1.5, 'some text')\ndef g():\n    return (1.5, 'some text')\n"
    assert canonical(compile(text, "x.py", "exec")).count(b"some text") == 1


def test_what_marshal_writes_differently_is_written_alike() -> None:
    """References to objects and interned strings change what marshal writes, not what is written here."""
    text = "".join(f"name_{number} = ('text {number}', {number}.5)\n" for number in range(50))
    code = compile(text, "x.py", "exec", dont_inherit=True)
    before, expected = marshal.dumps(code), canonical(code)
    held = [sys.intern(item[0]) for item in code.co_consts if isinstance(item, tuple)]
    copies = marshal.loads(marshal.dumps(code, 2))
    assert held
    assert len({before, marshal.dumps(code), marshal.dumps(copies)}) > 1
    assert canonical(code) == canonical(copies) == expected


def compile_all(sources: Sequence[Source], *, processes: int) -> dict[str, Compiled]:
    with Compiler(SPEC, processes=processes) as one:
        return {source.path: found for source, found in zip(sources, one.compile(sources), strict=True)}


def test_order_and_number_of_processes_make_no_difference() -> None:
    sources = standard_library(80)
    expected = compile_all(sources, processes=1)
    assert sum(1 for found in expected.values() if found.pyc) > 70
    assert compile_all(list(reversed(sources)), processes=3) == expected


def test_the_seed_of_hashes_makes_no_difference() -> None:
    sources = [Source("/x.py", CONSTANTS.encode()), *standard_library(30)]
    asked = b"".join(
        REQUEST.pack(len(source.path.encode()), len(source.content)) + source.path.encode() + source.content
        for source in sources
    )
    command = [sys.executable, "-S", "-W", "ignore", "-X", "utf8", compile_worker.__file__]
    said = {
        subprocess.run(command, input=asked, capture_output=True, env={"PYTHONHASHSEED": seed}, check=True).stdout
        for seed in ("0", "1", "4000000000")
    }
    assert len(said) == 1
    (answers,) = said
    assert ANSWER.unpack_from(answers)[0] == DONE


def test_results_come_in_order_and_few_sources_are_taken_ahead() -> None:
    taken = []

    def sources() -> Iterator[Source]:
        for number in range(200):
            taken.append(number)
            yield Source(f"/{number}.py", f"x = {number}\n".encode())

    with Compiler(SPEC, processes=2) as one:
        for number, compiled in enumerate(one.compile(sources())):
            assert marshal.loads(compiled.pyc[16:]).co_filename == f"/{number}.py"
            assert len(taken) <= number + 10


# What does not compile


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{{ cookiecutter.name }} = \n", "SyntaxError: line 1"),
        (b"print 'Python 2'\n", "SyntaxError: line 1: Missing parentheses"),
        (b"x = '\0'\n", "null bytes"),
        (b"# coding: no-such-encoding\n", "unknown encoding"),
        (b"x = '\xff'\n", "SyntaxError"),
        (b"x = " + b"9" * 5000 + b"\n", "Exceeds the limit"),
        (b"x = " + b"(" * 3000 + b")" * 3000, "too many nested parentheses"),
        (b"x = " + b"+".join([b"a"] * 300_000), "RecursionError"),
        (b"x = " + b"lambda: " * 1200 + b"1", "ValueError: object too deeply nested"),
    ],
)
def test_what_the_compiler_refuses_has_no_bytecode_and_stops_nothing(
    compiler: Compiler, content: bytes, reason: str
) -> None:
    bad, good = compiler.compile([Source("/bad.py", content), Source("/good.py", CODE)])
    assert not bad.pyc
    assert reason in bad.reason
    assert good == compile_one(compiler, CODE, "/good.py")


def test_source_that_takes_too_much_is_an_error_that_names_the_file(compiler: Compiler) -> None:
    with pytest.raises(BytecodeError, match=r"^/app/deep\.py cannot be compiled") as caught:
        compile_one(compiler, "lambda: " * 20_000 + "1", "/app/deep.py")
    assert "nested too deeply" in caught.value.why
    assert "exclude" in caught.value.hint


def test_a_crash_is_an_error_that_names_the_file(compiler: Compiler) -> None:
    compile_one(compiler, CODE)
    process = compiler._workers[0]._process
    assert process is not None
    os.kill(process.pid, signal.SIGSEGV)
    process.wait()
    with pytest.raises(BytecodeError, match=r"^/app/next\.py cannot be compiled") as caught:
        compile_one(compiler, CODE, "/app/next.py")
    assert "crashed on it (Segmentation fault)" in caught.value.why


def test_source_that_keeps_the_compiler_busy_for_ever_is_given_up(tmp_path: Path) -> None:
    """The limit is the kernel's, so it holds inside the compiler too. Here it is one second."""
    quick = tmp_path / "worker.py"
    text = Path(compile_worker.__file__).read_text()
    assert "_SECONDS = 60\n" in text
    quick.write_text(text.replace("_SECONDS = 60\n", "_SECONDS = 1\n"))
    source = b"f'" + b"{a}" * 400_000 + b"'"
    asked = REQUEST.pack(4, len(source)) + b"x.py" + source
    done = subprocess.run([sys.executable, str(quick)], input=asked, capture_output=True)
    assert (done.returncode, done.stdout) == (-signal.SIGVTALRM, b"")


@pytest.mark.parametrize(
    ("script", "why"),
    [("exit 7", "exit status 7"), ("exit 3", ""), ("kill -9 $$", "Killed"), (None, "No such file or directory")],
)
def test_an_interpreter_that_does_not_start(tmp_path: Path, script: str | None, why: str) -> None:
    program = tmp_path / "python"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    spec = CompilerSpec(path=str(program), version="3.99.1", magic="", cache_tag="cpython-399")
    with Compiler(spec) as one, pytest.raises(BytecodeError) as caught:
        compile_one(one, CODE)
    expected = "writes bytecode in a form that crossdock does not know" if script == "exit 3" else str(program)
    assert expected in caught.value.what
    assert why in caught.value.why


def test_no_process_is_left_behind() -> None:
    with Compiler(SPEC, processes=2) as one:
        results = one.compile([Source(f"/{number}.py", CODE * 50) for number in range(50)])
        next(results)
        processes = [worker._process for worker in one._workers if worker._process]
    assert processes
    assert all(process.returncode is not None for process in processes)


def test_nothing_starts_before_there_is_something_to_do() -> None:
    with Compiler(SPEC) as one:
        assert list(one.compile([])) == []
        assert [worker._process for worker in one._workers if worker._process] == []
