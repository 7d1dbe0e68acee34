"""Bazel as the tests run it, and what it tells of its work: which programs it started, which targets it configured.

``tests/support/setup-bazel.sh`` makes the root it runs in. Its output bases and caches are outside of the tree, in
``CROSSDOCK_TEST_CACHE``/bazel, and last: what a run has fetched, the next one finds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.e2e.builds import Command
from tests.e2e.engines import require

from crossdock.store.config import load_index_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "EXAMPLE",
    "REPOSITORY",
    "SCRIPTS",
    "Build",
    "Outcome",
    "Spawn",
    "Workspace",
    "bazel_state",
    "own_workspace",
    "tree_digests",
    "workspace",
]

REPOSITORY: Final = Path(__file__).parents[2]
EXAMPLE: Final = REPOSITORY / "examples" / "bazel"
SCRIPTS: Final = REPOSITORY / "tests" / "support" / "bazel"
#: What Bazel's tests and tools start on its own behalf.
_OWN_MNEMONICS: Final = frozenset({"TestRunner"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    def checked(self) -> Outcome:
        """Give it back, of a command that must have gone well."""
        assert self.code == 0, f"exit code {self.code}\n{self.stdout[-3000:]}\n{self.stderr[-12000:]}"
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """A program that an action started, or would have, had its result not been known: an entry of the execution log.

    Attributes:
        mnemonic: The kind of action.
        target: The label of its target.
        arguments: Its argument vector.
        runner: What ran it: ``linux-sandbox``, ``remote``, ``remote cache hit``, …
        outputs: Paths and digests of what it made.
        inputs: Paths of what it was given.
    """

    mnemonic: str
    target: str
    arguments: tuple[str, ...]
    runner: str
    outputs: Mapping[str, str]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build or test that went well.

    Attributes:
        spawns: What it ran.
        tests: The status of each test, by its label.
    """

    spawns: tuple[Spawn, ...]
    tests: Mapping[str, str]

    def of(self, *mnemonics: str) -> list[Spawn]:
        """Give the spawns of some kinds."""
        return [spawn for spawn in self.spawns if spawn.mnemonic in mnemonics]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind were run, leaving out those that run tests."""
        found: dict[str, int] = {}
        for spawn in self.spawns:
            if spawn.mnemonic not in _OWN_MNEMONICS:
                found[spawn.mnemonic] = found.get(spawn.mnemonic, 0) + 1
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A copy of a project, and Bazel on it.

    Attributes:
        folder: The project.
        state: ``BAZEL_STATE`` of the scripts.
        env: Variables on top of this process's own.
        options: Options of every command but ``shutdown`` and the like.
    """

    folder: Path
    state: Path
    env: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def run(self, command: str, *arguments: str | Path, timeout: float = 1800) -> Outcome:
        """Run a command of Bazel's."""
        done = subprocess.run(
            [SCRIPTS / "bazel.sh", command, *self.options, *arguments],
            cwd=self.folder,
            env={**os.environ, "BAZEL_STATE": str(self.state), **self.env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def build(self, *arguments: str, command: str = "build") -> Build:
        """Build, which must go well, and read Bazel's log of what was executed."""
        log, events = (self.state / f"{name}-{os.getpid()}.json" for name in ("execution", "events"))
        options = [f"--execution_log_json_file={log}", f"--build_event_json_file={events}"]
        try:
            self.run(command, *options, *arguments).checked()
            return Build(spawns=tuple(_spawns(log)), tests=_tests(events))
        finally:
            log.unlink(missing_ok=True)
            events.unlink(missing_ok=True)

    def test(self, *arguments: str) -> Build:
        """Build and run tests, which must pass."""
        return self.build(*arguments, command="test")

    def query(self, expression: str, *options: str, command: str = "cquery") -> list[str]:
        """Give the lines that a query answers with."""
        return self.run(command, *options, expression).checked().stdout.splitlines()

    def files(self, label: str, *options: str) -> list[Path]:
        """Give the files of a target, as they are on disk."""
        root = Path(self.run("info", "execution_root").checked().stdout.strip())
        return [root / line for line in self.query(label, "--output=files", *options)]

    def file(self, label: str, *options: str) -> Path:
        """Give the one file of a target."""
        (path,) = self.files(label, *options)
        return path

    def start(self, label: str, *arguments: str) -> Outcome:
        """Run a target, on this machine, with arguments of its own."""
        return self.run("run", label, "--", *arguments)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def bazel_state() -> Path:
    """Give the folder of Bazel's output bases and caches; a test is skipped, loudly, where the root is missing."""
    require("bwrap")
    named = os.environ.get("BAZEL_STATE")
    cache = os.environ.get("CROSSDOCK_TEST_CACHE") or Path.home() / ".cache" / "crossdock-test"
    state = Path(named) if named else Path(cache) / "bazel"
    state.mkdir(parents=True, exist_ok=True)
    place = f'. "{SCRIPTS}/places.sh" && echo "$BAZEL_ROOT"'
    root = Path(subprocess.run(["bash", "-c", place], capture_output=True, text=True, check=True).stdout.strip())
    if not (root / ".ready").exists():
        pytest.skip(f"there is no root with Bazel in {root}; run tests/support/setup-bazel.sh")
    return state.resolve()


@contextmanager
def workspace(name: str, cache: Path) -> Iterator[Workspace]:
    """Copy the example to where Bazel may keep what it builds of it, and end Bazel's server afterwards.

    The copy is always in the same place for this tree, so that repositories need not be fetched again; outputs of
    earlier runs are taken away. Two runs wait for each other.

    Args:
        name: What the copy is called.
        cache: crossdock's cache, for the base's packages.
    """
    state = bazel_state()
    tree = hashlib.sha256(os.fsencode(REPOSITORY)).hexdigest()[:12]
    folder = state / "workspaces" / f"{name}-{tree}"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _copy_example(folder)
        made = Workspace(folder=folder, state=state, env=_environment(cache))
        locked = Command(cache=cache).run("lock", folder, "--quiet")
        assert locked.code == 0, locked.stderr
        made.write("user.bazelrc", _settings(state))
        own = (folder / ".bazelrc").read_text(encoding="utf-8")
        made.write(".bazelrc", f"{own}import %workspace%/user.bazelrc\n")
        try:
            made.run("clean").checked()
            yield made
        finally:
            made.run("shutdown")


@contextmanager
def own_workspace(cache: Path) -> Iterator[Workspace]:
    """Run Bazel on this tree itself, which it only reads, and end its server afterwards."""
    state = bazel_state()
    options = (f"--repository_cache={state}/repositories",)
    made = Workspace(folder=REPOSITORY, state=state, env=_environment(cache), options=options)
    try:
        yield made
    finally:
        replace(made, options=()).run("shutdown")


def _copy_example(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("bazel-*", "MODULE.bazel.lock", "__pycache__", ".venv", "crossdock.lock")
    shutil.copytree(EXAMPLE, folder, ignore=ignored)


def _settings(state: Path) -> str:
    """Take crossdock from this tree, and modules it names from the root."""
    overrides = [f"crossdock={REPOSITORY}"]
    if '"rules_shell"' in (REPOSITORY / "MODULE.bazel").read_text(encoding="utf-8"):
        overrides.append("rules_shell=/usr/share/bazel/rules/shell")
    lines = [f"common --override_module={override}" for override in overrides]
    return "\n".join([*lines, f"common --repository_cache={state}/repositories", ""])


def _environment(cache: Path) -> dict[str, str]:
    """Say where wheels are, as the root's Python has no pip to ask."""
    first, *others = load_index_config().indexes()
    return {"PIP_INDEX_URL": first, "PIP_EXTRA_INDEX_URL": " ".join(others), "CROSSDOCK_CACHE": str(cache)}


def _spawns(log: Path) -> Iterator[Spawn]:
    for entry in _documents(log.read_text(encoding="utf-8")):
        yield Spawn(
            mnemonic=entry["mnemonic"],
            target=entry.get("targetLabel", ""),
            arguments=tuple(entry["commandArgs"]),
            runner=entry["runner"],
            outputs={item["path"]: item.get("digest", {}).get("hash", "") for item in entry.get("actualOutputs", [])},
            inputs=tuple(item["path"] for item in entry.get("inputs", [])),
        )


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """Read JSON documents that follow one another, as Bazel writes its execution log."""
    decoder, position = json.JSONDecoder(), 0
    while (position := _next(text, position)) < len(text):
        document, position = decoder.raw_decode(text, position)
        yield document


def _next(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _tests(events: Path) -> dict[str, str]:
    """Read the status of tests from Bazel's event log, one JSON document a line."""
    lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    return {
        event["id"]["testSummary"]["label"]: event["testSummary"]["overallStatus"]
        for event in lines
        if "testSummary" in event["id"] and "testSummary" in event
    }


def tree_digests(files: Sequence[Path]) -> dict[str, str]:
    """Hash files by their names, those of folders included."""
    found = {}
    for path in files:
        parts = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
        for part in parts:
            found[f"{path.name}/{part.relative_to(path)}"] = hashlib.sha256(part.read_bytes()).hexdigest()
    return found
