"""What is read of a Python: version, machine, C library; and every archive that cannot serve, told apart."""

from __future__ import annotations

import tarfile

import pytest
from tests.unit.bases.interpreter.conftest import Files, Shelf, member, python_files
from tests.unit.bases.interpreter.elfmaker import elf

from crossdock.bases.interpreter.reading import PythonFacts, read_python
from crossdock.errors import InterpreterError

EXE = "python/bin/python3.12"
LIBRARY = "python/lib/libpython3.12.so.1.0"
HEADER = "python/include/python3.12/patchlevel.h"


def read(shelf: Shelf, files: Files, architecture: str = "amd64") -> PythonFacts:
    with shelf.open(files) as tree:
        return read_python(tree, architecture)


def refusal(shelf: Shelf, files: Files, architecture: str = "amd64") -> str:
    with pytest.raises(InterpreterError) as caught:
        read(shelf, files, architecture)
    assert caught.value.hint
    return str(caught.value)


def without(path: str) -> Files:
    return {name: content for name, content in python_files().items() if name != path}


def test_version_machine_and_libc_are_read(shelf: Shelf) -> None:
    assert read(shelf, python_files()) == PythonFacts(
        version="3.12.8", path="/opt/python/bin/python3.12", libc="glibc", libc_version=(2, 17)
    )


def test_the_newest_symbol_of_any_of_its_files_counts(shelf: Shelf) -> None:
    module = "python/lib/python3.12/lib-dynload/_y.so"
    files = {**python_files(), module: elf(loader="", versions={"libm.so.6": ["GLIBC_2.29"]})}
    assert read(shelf, files).libc_version == (2, 29)


@pytest.mark.parametrize(
    ("machine", "loader", "architecture", "libc"),
    [
        (183, "/lib/ld-linux-aarch64.so.1", "arm64", "glibc"),
        (62, "/lib/ld-musl-x86_64.so.1", "amd64", "musl"),
        (183, "/lib/ld-musl-aarch64.so.1", "arm64", "musl"),
        (62, "/usr/lib64/ld-linux-x86-64.so.2", "amd64", "glibc"),
    ],
)
def test_the_loader_tells_the_c_library(shelf: Shelf, machine: int, loader: str, architecture: str, libc: str) -> None:
    files = python_files(machine=machine, loader=loader)
    assert read(shelf, files, architecture).libc == libc


@pytest.mark.parametrize("version", ["3.12.0", "3.12.0rc2", "3.12.13"])
def test_a_version_is_full(shelf: Shelf, version: str) -> None:
    assert read(shelf, python_files(version=version)).version == version


def test_the_version_is_found_without_headers_or_only_in_them(shelf: Shelf) -> None:
    assert read(shelf, without(HEADER)).version == "3.12.8"
    assert read(shelf, {**python_files(), LIBRARY: elf(loader="")}).version == "3.12.8"


def test_a_static_interpreter_holds_its_version_itself(shelf: Shelf) -> None:
    files = without(LIBRARY)
    del files[HEADER]
    files[EXE] = elf(versions={"libc.so.6": ["GLIBC_2.17"]}, data=b"\x003.12.4\0x\x003.12.4\0")
    assert read(shelf, files).version == "3.12.4"


def test_other_versions_in_the_text_do_not_count(shelf: Shelf) -> None:
    files = without(HEADER)
    files[LIBRARY] = elf(loader="", data=b"\x003.12.8\0 3.12.9 \x003.11.2\0\x003.12.7-1\0\x003.12\0")
    assert read(shelf, files).version == "3.12.8"


def test_a_version_that_cannot_be_told_is_an_error(shelf: Shelf) -> None:
    files = without(HEADER)
    files[LIBRARY] = elf(loader="", data=b"\x003.12.8\0\x003.12.9\0")
    assert "names 3.12.8 and 3.12.9" in refusal(shelf, files)
    files[LIBRARY] = elf(loader="")
    assert "names none" in refusal(shelf, files)


def test_headers_of_another_version_are_an_error(shelf: Shelf) -> None:
    files = {**python_files(), HEADER: b'#define PY_VERSION "3.12.7"\n'}
    assert "the interpreter is 3.12.8, its include/python3.12/patchlevel.h says 3.12.7" in refusal(shelf, files)


def test_another_machine_is_an_error_that_names_both(shelf: Shelf) -> None:
    said = refusal(shelf, python_files(machine=183), "amd64")
    assert "is not a Python for linux/amd64" in said
    assert "bin/python3.12 is aarch64 ELF" in said


def test_an_extension_module_of_another_machine_is_an_error(shelf: Shelf) -> None:
    files = {**python_files(), "python/lib/python3.12/lib-dynload/_y.so": elf(machine=183, loader="")}
    assert "lib-dynload/_y.so is aarch64 ELF" in refusal(shelf, files)


def test_32_bits_are_another_machine(shelf: Shelf) -> None:
    assert "is not a Python for linux/amd64" in refusal(shelf, {**python_files(), EXE: elf(bits=32)})


def test_a_static_python_cannot_load_extension_modules(shelf: Shelf) -> None:
    said = refusal(shelf, python_files(loader=""))
    assert "holds a statically linked Python" in said
    assert "no wheel with compiled code would work" in said


def test_a_python_built_for_one_machine_alone_is_refused(shelf: Shelf) -> None:
    loader = "/nix/store/abc-glibc-2.38/lib/ld-linux-x86-64.so.2"
    assert f"it asks for the loader {loader}" in refusal(shelf, python_files(loader=loader))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "it has no python/bin/python3.…"),
        ({"python/PYTHON.json": b"{}", "python/install/bin/python3.12": b""}, "it is a full archive"),
        ({"python/python.exe": b"MZ"}, "it is for Windows"),
        ({**python_files(), "python/bin/python3.13": b""}, "it has bin/python3.12, bin/python3.13"),
        ({EXE: member("", kind=tarfile.SYMTYPE, link="python3")}, "it has no python/bin/python3.…"),
        ({EXE: b"#!/bin/sh\n"}, "it is not an ELF file"),
        ({EXE: b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01" + bytes(24)}, "bin/python3.12 is arm64 Mach-O"),
        ({EXE: elf()[:-40]}, "leads out of the file"),
        ({EXE: b"\x7fELF"}, "its ELF header is cut short or malformed"),
    ],
    ids=["empty", "full", "windows", "two", "a link", "a script", "macos", "half", "no header"],
)
def test_what_is_no_such_archive_is_told_apart(shelf: Shelf, files: Files, why: str) -> None:
    assert why in refusal(shelf, {"python/README": b"", **files})


def test_free_threaded_and_debug_builds_are_not_taken_for_the_default_one(shelf: Shelf) -> None:
    for flag, kind in (("t", "a free-threaded build"), ("d", "a debug build")):
        assert f"is {kind}" in refusal(shelf, {f"python/bin/python3.13{flag}": elf()})
        # Those that also have the plain name have libraries of the other kind all the same.
        assert f"is {kind}" in refusal(shelf, {"python/bin/python3.13": elf(), f"python/bin/python3.13{flag}": elf()})
