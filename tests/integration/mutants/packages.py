"""Mutants whose distributions are not those of the lock, do not fit each other, or are not what they record."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.mutants import Table
from tests.support.treefiles import TreeFile
from tests.support.wheelmaker import record_hash

if TYPE_CHECKING:
    from tests.integration.mutants.artifacts import CleanArtifacts
    from tests.support.mutants import Bundle, Image
    from tests.support.treefiles import TreeFiles

__all__ = ["ROWS"]

_TABLE = Table()
_row = _TABLE.row
ROWS = _TABLE.rows

_SITE = "lib/python3.11/site-packages"
_MARKUP = "markupsafe *"
_IDNA = "idna *"
_IDNA_INFO = f"{_SITE}/idna-*.dist-info"


@_row("Linux environment", "package-missing", "a distribution of the lock is left out", package=_IDNA)
def distribution_of_the_lock_left_out(it: Bundle, clean: CleanArtifacts) -> None:
    it.asked.project = clean.project
    _without_idna(it.files)


@_row("PEX", "package-missing", "all its wheels are left out", package=_IDNA)
def pex_without_wheels(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove_below(".deps")


@_row("PEX", "package-missing", "the application's own wheel is left out", package="hello-fastapi *")
def pex_without_its_application(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove_below(".deps/hello_fastapi-*")


@_row(
    "Linux environment",
    "package-unknown",
    "the files of a wheel are added that the lock does not have",
    path=f"{_SITE}/pywin32_ctypes-0.2.3.dist-info",
    package="pywin32-ctypes 0.2.3",
)
def distribution_of_no_lock(it: Bundle, clean: CleanArtifacts) -> None:
    it.asked.project = clean.project
    for name, file in clean.wheel("pywin32_ctypes-0.2.3-py3-none-any.whl").files.items():
        it.files.add(f"{_SITE}/{name}", replace(file, mode=0o644))


@_row("Linux environment", "package-version", "METADATA says another version", path=_IDNA_INFO, package="idna 3.9")
def distribution_in_another_version(it: Bundle, clean: CleanArtifacts) -> None:
    it.asked.project = clean.project
    _of_version(it.files, "3.9")


@_row(
    "Linux environment",
    "package-version",
    "METADATA says another version, of a package that another one requires in exactly the lock's",
    path=f"{_SITE}/pydantic_core-*",
    package="pydantic-core 2.1",
)
def pinned_distribution_in_another_version(it: Bundle, clean: CleanArtifacts) -> None:
    it.asked.project = clean.project
    metadata = f"{_SITE}/pydantic_core-*/METADATA"
    it.files.edit(metadata, f"\nVersion: {_version(it.files, metadata)}\n", "\nVersion: 2.1\n")


@_row(
    "Linux environment",
    "package-twice",
    "the .dist-info folder of an older version is there as well",
    path=f"{_SITE}/idna-3.9.dist-info",
    package="idna 3.9",
)
def leftover_of_an_older_version(it: Bundle, _: CleanArtifacts) -> None:
    folder = f"{_SITE}/idna-3.9.dist-info"
    metadata = b"Metadata-Version: 2.1\nName: idna\nVersion: 3.9\n"
    wheel = it.files.text(f"{_IDNA_INFO}/WHEEL").encode()
    lines = [
        f"idna-3.9.dist-info/{name},{record_hash(text)},{len(text)}\n"
        for name, text in (("METADATA", metadata), ("WHEEL", wheel))
    ]
    record = "".join([*lines, "idna-3.9.dist-info/RECORD,,\n"]).encode()
    for name, text in (("METADATA", metadata), ("WHEEL", wheel), ("RECORD", record)):
        it.files.add(f"{folder}/{name}", TreeFile(text))


@_row(
    "Linux environment",
    "requirement-missing",
    "a distribution is left out that another one requires",
    path=f"{_SITE}/anyio-*",
    package="anyio *",
)
def required_distribution_left_out(it: Bundle, _: CleanArtifacts) -> None:
    _without_idna(it.files)


@_row(
    "Linux environment",
    "requirement-missing",
    "METADATA requires a version that is not there",
    path=f"{_SITE}/anyio-*",
    package="anyio *",
)
def requirement_of_a_newer_version(it: Bundle, _: CleanArtifacts) -> None:
    it.files.edit("*/anyio-*/METADATA", "Requires-Dist: idna>=2.8", "Requires-Dist: idna>=99")


@_row(
    "PEX",
    "requirement-missing",
    "the wheel for arm64 of a package is left out that another one requires",
    path=".deps/pydantic-*",
    package="pydantic *",
)
def pex_without_a_required_wheel(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove_below(".deps/pydantic_core-*_aarch64.whl")


@_row("Linux wheel", "metadata-missing", "WHEEL is left out, and out of RECORD", path="*.dist-info", package=_MARKUP)
def no_wheel_file(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("*/WHEEL")


@_row(
    "Linux environment", "metadata-missing", "METADATA is left out, and out of RECORD", path=_IDNA_INFO, package=_IDNA
)
def no_metadata(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove(f"{_IDNA_INFO}/METADATA")


@_row("Linux wheel", "metadata-missing", "its name is that of another project", package="jinja2 3.0.4")
def wheel_under_another_name(it: Bundle, _: CleanArtifacts) -> None:
    it.name = it.name.replace("markupsafe", "jinja2")


@_row("macOS wheel", "metadata-missing", "its name has another version", package="markupsafe 3.0.5")
def wheel_under_another_version(it: Bundle, _: CleanArtifacts) -> None:
    it.name = it.name.replace("3.0.4", "3.0.5")


@_row("function", "metadata-missing", "a RECORD is left out", path="*idna-*.dist-info", package=_IDNA)
def no_record(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("*idna-*.dist-info/RECORD")


@_row("Linux environment", "metadata-missing", "a RECORD is empty", path=_IDNA_INFO, package=_IDNA)
def empty_record(it: Bundle, _: CleanArtifacts) -> None:
    it.files.write(f"{_IDNA_INFO}/RECORD", b"", record=False)


@_row("Linux environment", "metadata-missing", "METADATA is empty", path=_IDNA_INFO, package=_IDNA)
def empty_metadata(it: Bundle, _: CleanArtifacts) -> None:
    it.files.write(f"{_IDNA_INFO}/METADATA", b"")


@_row(
    "Linux environment",
    "record-hash",
    "the lines of a module end as on Windows",
    path=f"{_SITE}/idna/core.py",
    package=_IDNA,
)
def ends_of_lines_of_windows(it: Bundle, _: CleanArtifacts) -> None:
    path = it.files.find("*/idna/core.py")
    it.files.write(path, it.files.files[path].content.replace(b"\n", b"\r\n"), record=False)


@_row("Linux environment", "record-hash", "a line is added to a module", path=f"{_SITE}/idna/core.py", package=_IDNA)
def changed_module(it: Bundle, _: CleanArtifacts) -> None:
    _change(it.files)


@_row("image", "record-hash", "a line is added to a module", path=f"app/.venv/{_SITE}/idna/core.py", package=_IDNA)
def changed_module_in_an_image(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer("annotated-doc", _change)


@_row("PEX", "record-hash", "a line is added to a module", path=".deps/idna-*/idna/core.py", package=_IDNA)
def changed_module_in_a_pex(it: Bundle, _: CleanArtifacts) -> None:
    _change(it.files)


@_row("Linux wheel", "record-missing", "a module is left out", path="markupsafe/_native.py", package=_MARKUP)
def module_left_out(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("*/_native.py", record=False)


@_row("Linux wheel", "record-missing", "its compiled module is left out", path="*.so", package=_MARKUP)
def compiled_module_left_out(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("*.so", record=False)


@_row(
    "image",
    "record-missing",
    "a whiteout in the last layer hides a package's modules",
    path=f"app/.venv/{_SITE}/idna",
    package=_IDNA,
)
def modules_that_are_hidden(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer("hello_fastapi-", lambda files: files.add(f"app/.venv/{_SITE}/.wh.idna", TreeFile()))


@_row(
    "Linux environment",
    "record-missing",
    "a file of data is left out",
    path=f"{_SITE}/idna/py.typed",
    package=_IDNA,
    severity="warning",
)
def data_left_out(it: Bundle, _: CleanArtifacts) -> None:
    it.files.remove("*/idna/py.typed", record=False)


@_row(
    "Linux environment",
    "file-conflict",
    "the RECORD of a distribution lists a module of another, with another hash",
    path=f"{_SITE}/idna/core.py",
    package=_IDNA,
)
def module_of_two_distributions(it: Bundle, _: CleanArtifacts) -> None:
    it.files.list_in("*/h11-*/RECORD", it.files.find("*/idna/core.py"), record_hash(b"another"), 7)


@_row("Linux environment", "record-unread", "a RECORD has hashes by MD5", path=f"{_IDNA_INFO}/RECORD", package=_IDNA)
def record_by_md5(it: Bundle, _: CleanArtifacts) -> None:
    path = it.files.find("*/idna/core.py")
    content = it.files.files[path].content
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    it.files.edit(f"{_IDNA_INFO}/RECORD", record_hash(content), f"md5={digest}", record=False)


def _change(files: TreeFiles) -> None:
    path = files.find("*/idna/core.py")
    files.write(path, files.files[path].content + b"# another line\n", record=False)


def _without_idna(files: TreeFiles) -> None:
    files.remove("bin/idna")
    for folder in ("idna", "idna-*.dist-info"):
        files.remove_below(f"{_SITE}/{folder}")


def _version(files: TreeFiles, metadata: str) -> str:
    return files.text(metadata).partition("\nVersion: ")[2].partition("\n")[0]


def _of_version(files: TreeFiles, version: str) -> None:
    metadata = f"{_IDNA_INFO}/METADATA"
    files.edit(metadata, f"\nVersion: {_version(files, metadata)}\n", f"\nVersion: {version}\n")
