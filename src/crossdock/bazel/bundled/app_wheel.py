"""An application's own files as a wheel, so that bundles take them as they take every other distribution.

In a PEX the files lie as in Bazel's runfiles, ``REPOSITORY/PATH``, in a folder of their own, and a ``.pth`` file puts
the roots of imports on ``sys.path``; so both imports and look-ups of data files find what they find under Bazel. A
function's zip, where nothing reads ``.pth`` files, has every file below each root that it can be imported from.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from crossdock.bazel.handed.sourcefiles import MAIN_REPOSITORY
from crossdock.bundles.zippart import PartRecipe
from crossdock.bundling.ready import WheelFile
from crossdock.errors import EntrypointError, ImpureProjectError, UsageError
from crossdock.headers.binary import HEAD_SIZE, identify
from crossdock.store.actions import action_key
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.bazel.handed.sourcefiles import SourceFile
    from crossdock.bundles.zippart import PartWriter
    from crossdock.store.blobs import Store
    from crossdock.targets import Target

__all__ = ["AppWheel", "distribution_name", "flat_files", "flat_wheel", "runfiles_wheel"]

_VERSION: Final = "0"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")
_FIND: Final = """\
import os

#: What lookups of data files begin with, whoever started this program and with which runfiles of its own.
RUNFILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), {folder!r})
os.environ["RUNFILES_DIR"] = RUNFILES
for name in ("RUNFILES_MANIFEST_FILE", "RUNFILES_MANIFEST_ONLY"):
    os.environ.pop(name, None)
"""
_RUN: Final = """\
import os
import runpy
import sys

from {find} import RUNFILES

if __name__ == "__main__":
    program = os.path.join(RUNFILES, *{main!r}.split("/"))
    sys.path.insert(0, os.path.dirname(program))
    runpy.run_path(program, run_name="__main__")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWheel:
    """The wheel that was made.

    Attributes:
        wheel: It, in the store.
        module: What has to be run for the program; empty without one.
    """

    wheel: WheelFile
    module: str = ""


def distribution_name(text: str) -> str:
    """Make the name of a distribution, normalised, of that of a target.

    Raises:
        UsageError: Nothing of it can be one.
    """
    name = _NOT_IN_NAMES.sub("-", text).strip("-").lower()
    if not name:
        raise UsageError(f"--name cannot be {text!r}", hint="use letters and digits")
    return name


def runfiles_wheel(
    name: str, files: Sequence[SourceFile], imports: Sequence[str], main: str, targets: Sequence[Target], store: Store
) -> AppWheel:
    """Make a wheel whose files lie as in runfiles.

    Args:
        name: The distribution's name.
        files: The files.
        imports: Folders in runfiles that are to be on ``sys.path``, behind that of the main repository.
        main: The file that is the program; empty for none.
        targets: What it is for.
        store: Where it goes.

    Raises:
        ImpureProjectError: A file is compiled, and there are several targets.
        EntrypointError: The program is not among the files.
        BazelInputError: A file cannot be read.
    """
    stem = name.replace("-", "_")
    folder, find, run = f"{stem}.runfiles", f"_{stem}_runfiles", f"_{stem}_main"
    placed = {f"{folder}/{item.path}": item for item in files}
    roots = [f"{folder}/{root}" for root in _roots(files, imports)]
    extra = {f"{find}.py": _FIND.format(folder=folder).encode()}
    if main:
        _check_main(main, files)
        extra[f"{run}.py"] = _RUN.format(find=find, main=main).encode()
    # After the folders, so that no module of theirs is taken for the one that finds them.
    extra[f"{stem}.pth"] = "".join(f"{line}\n" for line in (*roots, f"import {find}")).encode()
    wheel = _wheel(name, placed, extra, targets, store)
    wheel = replace(wheel, roots=tuple(f"{root}/" for root in roots))
    return AppWheel(wheel=wheel, module=run if main else "")


def flat_files(files: Sequence[SourceFile], imports: Sequence[str]) -> dict[str, SourceFile]:
    """Give where files are found by: their paths below each root that is on ``sys.path``; the first root wins."""
    repositories = dict.fromkeys(item.path.partition("/")[0] for item in files)
    found: dict[str, SourceFile] = {}
    for root in dict.fromkeys((*_roots(files, imports), *repositories)):
        for item in files:
            if item.path.startswith(f"{root}/"):
                found.setdefault(item.path.removeprefix(f"{root}/"), item)
    return found


def flat_wheel(name: str, files: Mapping[str, SourceFile], target: Target, store: Store) -> WheelFile:
    """Make a wheel of files that lie as they are imported; see `flat_files`.

    Raises:
        BazelInputError: A file cannot be read.
    """
    return _wheel(name, files, {}, [target], store)


def _roots(files: Sequence[SourceFile], imports: Sequence[str]) -> list[str]:
    given = [text.strip("/") for text in imports]
    main = [] if MAIN_REPOSITORY in given else [MAIN_REPOSITORY]
    return [
        root
        for root in dict.fromkeys((*main, *given))
        if root and any(item.path.startswith(f"{root}/") for item in files)
    ]


def _check_main(main: str, files: Sequence[SourceFile]) -> None:
    programs = sorted(item.path for item in files if item.path.endswith(".py"))
    if main not in {item.path for item in files}:
        raise EntrypointError(
            f"The program {main} is not among the application's files",
            why=f"those that it could be are {', '.join(programs[:12]) or 'none'}",
            hint="name one of them, or add the file to srcs",
        )


def _is_compiled(content: bytes) -> bool:
    return identify(content[:HEAD_SIZE]) is not None


def _tag_of(targets: Sequence[Target], path: str) -> str:
    """Give the tag of a wheel that has a program for one machine.

    Raises:
        ImpureProjectError: There are several machines, or such wheels are not for this one.
    """
    if len(targets) != 1:
        raise ImpureProjectError(
            f"{path} is compiled, and there are {len(targets)} targets",
            why="it is for one of them at most, and the application's files go to all",
            hint="build a PEX for each target",
        )
    tags = [tag for tag in targets[0].tags if tag.interpreter.startswith("py") and tag.platform != "any"]
    if not tags:
        raise ImpureProjectError(
            f"{path} is compiled, and {targets[0]} takes no wheel of any Python for its machine",
            why="none of its tags is for all Pythons and one platform",
            hint="add such a tag to the target's file of tags, or leave the file out of srcs and data",
        )
    return str(tags[0])


def _wheel(
    name: str,
    placed: Mapping[str, SourceFile],
    extra: Mapping[str, bytes],
    targets: Sequence[Target],
    store: Store,
) -> WheelFile:
    """Write a wheel, the same for the same files."""
    contents = {path: item.read() for path, item in placed.items()} | dict(extra)
    programs = {path for path, item in placed.items() if item.runs}
    compiled = next((path for path, content in contents.items() if _is_compiled(content)), "")
    tag = _tag_of(targets, compiled) if compiled else "py3-none-any"
    pure = "false" if compiled else "true"
    stem = name.replace("-", "_")
    info = f"{stem}-{_VERSION}.dist-info"
    filename = f"{stem}-{_VERSION}-{tag}.whl"
    files = dict(sorted(contents.items())) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {_VERSION}\n".encode(),
        f"{info}/WHEEL": (f"Wheel-Version: 1.0\nGenerator: crossdock\nRoot-Is-Purelib: {pure}\nTag: {tag}\n").encode(),
    }
    rows = [(path, _record_hash(content), str(len(content))) for path, content in files.items()]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*rows, (f"{info}/RECORD", "", "")])
    files[f"{info}/RECORD"] = text.getvalue().encode()

    def write(out: PartWriter) -> None:
        for path, content in files.items():
            out.add(path, content, executable=path in programs, compress=True)

    made = PartRecipe(action_key("bazel-app-wheel/1", record=text.getvalue(), programs=sorted(programs)), write).make(
        store
    )
    with WheelArchive(store.path(made.digest), filename):  # which refuses what no zip should hold
        pass
    return WheelFile(name=name, version=_VERSION, filename=filename, sha256=made.digest, own=True)


def _record_hash(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
