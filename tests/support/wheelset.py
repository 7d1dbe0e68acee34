"""Real wheels, always the same ones: what a proof must find nothing wrong with, unless a test names what is wrong.

``wheelset.txt`` lists them: the set, the size, the SHA-256 and the file name of each. They come from the package index
of the user's configuration, each once, and lie in the folder ``wheelset`` of the tests' cache. Fetched beforehand by::

    python -m tests.support.wheelset [--all]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.utils import parse_wheel_filename

from crossdock.errors import CrossdockError
from crossdock.store import FileRequest, HashQuery, HttpClient, Progress, Store, fetch, find_many, load_index_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ListedWheel", "Which", "listed", "wheels"]

Which = Literal["core", "all"]

_LIST = Path(__file__).with_suffix(".txt")
_JOBS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedWheel:
    """A wheel of the list.

    Attributes:
        filename: Its name in the index.
        sha256: Its SHA-256.
        size: Its length in bytes.
        core: Whether it is one of those that CI looks at.
    """

    filename: str
    sha256: str
    size: int
    core: bool

    @property
    def release(self) -> tuple[str, str]:
        """The project and the version."""
        name, version, _, _ = parse_wheel_filename(self.filename)
        return str(name), str(version)


@cache
def listed(which: Which = "core") -> tuple[ListedWheel, ...]:
    """Return what the list has, in its order."""
    lines = [line.split() for line in _LIST.read_text().splitlines() if line and not line.startswith("#")]
    every = (
        ListedWheel(filename=filename, sha256=sha256, size=int(size), core=group == "core")
        for group, size, sha256, filename in lines
    )
    return tuple(wheel for wheel in every if wheel.core or which == "all")


def wheels(which: Which = "core") -> list[Path]:
    """Return the wheels' files, in the list's order; those that are not here yet are fetched.

    Raises:
        RuntimeError: The index no longer has one of them; it is named.
        CrossdockError: The index cannot be read, or a file is not the one that the list means.
    """
    folder = _folder()
    wanted = listed(which)
    missing = [wheel for wheel in wanted if not _is_there(folder, wheel)]
    if missing:
        _bring(folder, missing)
    return [folder / wheel.filename for wheel in wanted]


def _folder() -> Path:
    named = os.environ.get("CROSSDOCK_TEST_CACHE")
    folder = (Path(named) if named else Path.home() / ".cache" / "crossdock-test") / "wheelset"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _is_there(folder: Path, wheel: ListedWheel) -> bool:
    try:
        return (folder / wheel.filename).stat().st_size == wheel.size
    except FileNotFoundError:
        return False


def _bring(folder: Path, missing: Sequence[ListedWheel]) -> None:
    """Fetch wheels into the store of the tests' cache, which checks them, and give them their names."""
    store = Store(folder.parent)
    _fetch(store, [wheel for wheel in missing if store.find(wheel.sha256) is None])
    for wheel in missing:
        _place(store.path(wheel.sha256), folder / wheel.filename)


def _fetch(store: Store, absent: Sequence[ListedWheel]) -> None:
    if not absent:
        return
    megabytes = sum(wheel.size for wheel in absent) // 1_000_000
    print(f"fetching {len(absent)} wheels, {megabytes} MB", file=sys.stderr, flush=True)
    config = load_index_config()
    http = HttpClient.for_config(config)
    releases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for wheel in absent:
        releases[wheel.release].append(wheel.sha256)
    queries = [
        HashQuery(name=name, version=version, sha256s=tuple(sha256s)) for (name, version), sha256s in releases.items()
    ]
    urls = {file.sha256: file.url for files in find_many(store, http, config, queries, jobs=_JOBS) for file in files}
    _check_none_gone(wheel for wheel in absent if wheel.sha256 not in urls)
    requests = [
        FileRequest(name=wheel.filename, url=urls[wheel.sha256], sha256=wheel.sha256, size=wheel.size)
        for wheel in absent
    ]
    fetch(store, requests, jobs=_JOBS, http=http, progress=Progress(sys.stderr) if sys.stderr.isatty() else None)


def _check_none_gone(wheels: Iterable[ListedWheel]) -> None:
    gone = sorted(wheel.filename for wheel in wheels)
    if gone:
        raise RuntimeError(
            "the package index does not have, or no longer has, these files of tests/support/wheelset.txt "
            f"(list files of another release instead): {', '.join(gone)}"
        )


def _place(blob: Path, path: Path) -> None:
    """Give a file of the store a name; several processes may do so at once."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        os.link(blob, temporary)
    except OSError:
        # Not every file system has links.
        shutil.copyfile(blob, temporary)
    temporary.replace(path)


def _main() -> int:
    parser = argparse.ArgumentParser(description="Fetch the wheels of tests/support/wheelset.txt.")
    parser.add_argument("--all", action="store_true", help="more than the core")
    which: Which = "all" if parser.parse_args().all else "core"
    try:
        paths = wheels(which)
    except (CrossdockError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} wheels, {size // 1_000_000} MB in {_folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
