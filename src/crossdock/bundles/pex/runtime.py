"""The runtime of a PEX, as the pinned release of pex writes it.

pex's own command line is run for a PEX that holds nothing, once for all options that change what it writes; the result
is kept in the store. Nothing of the machine gets into it: pex runs without variables, settings, cache or network, and
the few places where it would write down the Python it runs on are given, or left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bundles.pex.boot import BootTexts, with_installed_path
from crossdock.bundles.pex.dist import parents
from crossdock.bundles.zippart import PartRecipe
from crossdock.errors import PexRuntimeError
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.bundles.zippart import MadePart, PartWriter
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.targets import Python

__all__ = [
    "BOOTSTRAP",
    "PEX_VERSION",
    "KnownRuntime",
    "PexRuntime",
    "RuntimeOptions",
    "check_pex",
    "pex_runtime",
    "runtime_recipe",
]

#: The release whose runtime PEX files boot by.
PEX_VERSION = "2.105.2"
#: The folder, or the archive, of pex's code in a PEX.
BOOTSTRAP = ".bootstrap"

#: Part of every key: raised whenever the same release gives other bytes.
_VERSION = 2
#: What that release says its code is, without its tools and with them. Another says that what is installed was changed.
_BOOTSTRAP_HASHES = {
    False: "a88f6cd9c4de6209a3c542b22909786089eb207b",
    True: "d1081be040921c39f9480950286a43b507e7837d",
}
_TIMEOUT = 300
#: pex is published twice, and only that for Pythons before 3.12 has this: for packages that share a namespace by
#: pkg_resources, and do not say so. What a PEX holds must not depend on the Python that crossdock runs on.
_LEFT_OUT = f"{BOOTSTRAP}/pex/vendor/_vendored/setuptools/"
#: Any Python that crossdock runs on is one of these: the constraint is given so that pex writes code for a PEX that has
#: some, and what they are comes from PEX-INFO.
_ANY_PYTHON = ">=3.8"
#: Where pex keeps its cache on each system; given, as it would write down that of the system it runs on.
_ROOTS = {"linux": "~/.cache/pex", "darwin": "~/Library/Caches/pex", "windows": "~/AppData/Local/pex/Cache"}
#: Which pex writes only on some systems, and only for readers of old.
_OLD_PEX_PATH = {"pex_path": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """What changes the files that pex writes, beside PEX-INFO.

    Attributes:
        os: Operating system that the PEX is for.
        root: Where the PEX keeps its cache; empty for pex's own choice.
        venv: Whether it runs from a virtual environment that it makes.
        hermetic_scripts: Whether that environment's scripts are kept from what is outside.
        inherits: Whether it sees packages of the Python that runs it.
        tools: Whether pex's tools are included.
        python_args: Arguments for Python.
        pythons: For a start by ``/bin/sh``: the Pythons looked for first. Empty where Python is started at once.
        shebang: For a start by ``/bin/sh``: the Python named by the user; empty if none is.
        folder: For a start by ``/bin/sh``: whether the PEX is a folder.
    """

    os: str = "linux"
    root: str = ""
    venv: bool = False
    hermetic_scripts: bool = True
    inherits: bool = False
    tools: bool = False
    python_args: tuple[str, ...] = ()
    pythons: tuple[Python, ...] = ()
    shebang: str = ""
    folder: bool = False

    def arguments(self) -> list[str]:
        """Give them as pex takes them."""
        found = ["--runtime-pex-root", self.root or _ROOTS[self.os], "--no-compress", "--no-compile"]
        found += ["--venv"] if self.venv else []
        found += [] if self.hermetic_scripts else ["--non-hermetic-venv-scripts"]
        found += ["--inherit-path=prefer"] if self.inherits else []
        found += ["--include-tools"] if self.tools else []
        return [*found, *(f"--inject-python-args={shlex.quote(argument)}" for argument in self.python_args)]

    def to_json(self) -> dict[str, Any]:
        """Give all of them, for keys."""
        pythons = [{**asdict(item), "version": list(item.version)} for item in self.pythons]
        return {**asdict(self), "python_args": list(self.python_args), "pythons": pythons}


@dataclass(frozen=True, slots=True, kw_only=True)
class PexRuntime:
    """The runtime of a PEX.

    Attributes:
        part: pex's code.
        texts: What is different for each PEX.
    """

    part: MadePart
    texts: BootTexts


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRuntime:
    """A runtime that was made before, and is in the store.

    Attributes:
        options: What it was made with, as `to_json` of `RuntimeOptions` gives it.
        runtime: The runtime; its code is no archive of its own.
    """

    options: JSON
    runtime: PexRuntime

    def fits(self, options: RuntimeOptions) -> bool:
        """Say whether it is the one for some options."""
        return self.options == options.to_json()


def pex_runtime(options: RuntimeOptions, store: Store, *, packed: bool = False) -> PexRuntime:
    """Give a runtime, which is made only once; arguments and errors as `runtime_recipe`."""
    part = runtime_recipe(options, packed=packed).make(store)
    return PexRuntime(part=part, texts=BootTexts.from_json(part.note))


def runtime_recipe(options: RuntimeOptions, *, packed: bool = False) -> PartRecipe:
    """Give the recipe of a runtime's code; `pex_runtime` adds the texts that are made with it.

    Args:
        options: What it is like.
        packed: Whether its code is an archive of its own.

    The recipe's ``write`` raises PexRuntimeError if pex fails.

    Raises:
        PexRuntimeError: pex is missing, or of another release.
    """
    version, record = check_pex()
    key = action_key(
        f"pex-runtime/{_VERSION}", version=version, record=record, options=options.to_json(), packed=packed
    )

    def write(out: PartWriter) -> JSON:
        files, texts = _written(options)
        prefix = "" if packed else f"{BOOTSTRAP}/"
        paths = {path.removeprefix(f"{BOOTSTRAP}/"): data for path, data in files.items() if _is_code(path)}
        for folder in parents(prefix + path for path in sorted(paths)):
            out.folder(folder)
        for path in sorted(paths):
            out.add(prefix + path, paths[path], compress=True)
        return texts.to_json()

    return PartRecipe(key, write)


def check_pex() -> tuple[str, str]:
    """Give the release of pex that is installed, and a digest of what was installed.

    Raises:
        PexRuntimeError: pex is missing, or of another release.
    """
    hint = f"install it beside crossdock: pip install 'crossdock[pex]', or pex=={PEX_VERSION}"
    try:
        found = metadata.distribution("pex")
    except metadata.PackageNotFoundError:
        raise PexRuntimeError(
            "A PEX boots by the runtime of pex, and pex is not installed",
            why=f"{sys.executable} has no package of that name",
            hint=hint,
        ) from None
    if found.version != PEX_VERSION:
        raise PexRuntimeError(
            f"pex {found.version} is installed, but crossdock is made for pex {PEX_VERSION}",
            why="each release writes another runtime, and the same inputs have to give the same PEX",
            hint=hint,
        )
    record = found.read_text("RECORD") or ""
    return found.version, hashlib.sha256(record.encode()).hexdigest()


def _written(options: RuntimeOptions) -> tuple[dict[str, bytes], BootTexts]:
    """Have pex write a PEX that holds nothing."""
    constrained = [*options.arguments(), "--interpreter-constraint", _ANY_PYTHON]
    with tempfile.TemporaryDirectory(prefix="crossdock-pex-") as scratch:
        folder = Path(scratch)
        files, _ = _read(_run(folder, "one", [*constrained, "--python-shebang", "/usr/bin/env python3"]))
        info = json.loads(files["PEX-INFO"])
        if info.get("bootstrap_hash") != _BOOTSTRAP_HASHES[options.tools]:
            raise PexRuntimeError(
                f"The code of pex {PEX_VERSION} that is installed is not what was released",
                why=f"its bootstrap_hash is {info.get('bootstrap_hash')}",
                hint=f"install it anew: pip install --force-reinstall pex=={PEX_VERSION}",
            )
        texts = BootTexts(
            info=_OLD_PEX_PATH | {name: value for name, value in info.items() if name != "pex_root"},
            code=files["__pex__/__init__.py"].decode(),
            main=files["__main__.py"].decode(),
        )
        if not options.pythons:
            return files, texts
        start = ["--sh-boot", *(["--python-shebang", options.shebang] if options.shebang else [])]
        platforms = [item for python in options.pythons for item in ("--complete-platform", _platform(python))]
        layout = ["--layout", "loose"] if options.folder else []
        # By a constraint, pex would name the Pythons of this machine first; without one, it would name the path of the
        # Python it runs on.
        named, named_hash = _header(_run(folder, "two", [*options.arguments(), *start, *platforms, *layout]))
        placed, placed_hash = _header(_run(folder, "three", [*constrained, *start, *layout]))
        header = with_installed_path(named.replace(named_hash, placed_hash), placed)
        return files, BootTexts(
            info=texts.info, code=texts.code, main=texts.main, header=header, header_hash=placed_hash
        )


def _run(folder: Path, name: str, arguments: Sequence[str]) -> Path:
    """Run pex's command line."""
    out = folder / f"{name}.pex"
    (folder / "empty").mkdir(exist_ok=True)
    command = [sys.executable, "-s", "-m", "pex", "--output-file", str(out), *arguments]
    environment = {
        # The pex that was found is the one that runs, wherever it was installed.
        "PYTHONPATH": str(metadata.distribution("pex").locate_file("")),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": str(folder / "empty"),
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "TMPDIR": str(folder),
        "TEMP": str(folder),
        "PEX_ROOT": str(folder / "root"),
        "PEX_IGNORE_RCFILES": "1",
        "LC_ALL": "C.UTF-8",
        # Without it, no Python starts on Windows.
        **{name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},
    }
    try:
        done = subprocess.run(
            command,
            cwd=folder / "empty",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PexRuntimeError("pex cannot be run", why=str(error)) from None
    if done.returncode or not out.exists():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise PexRuntimeError(
            f"pex failed with exit code {done.returncode}", why=" ".join(lines[-5:])[-1000:] or "it said nothing"
        )
    return out


def _read(path: Path) -> tuple[dict[str, bytes], bytes]:
    """Read a PEX that is one file: its files by path, and what is before the archive."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        files = {info.filename: archive.read(info) for info in infos if not info.is_dir()}
        start = min(info.header_offset for info in infos)
    with path.open("rb") as file:
        return files, file.read(start)


def _header(path: Path) -> tuple[str, str]:
    """Read the header for ``/bin/sh`` of a PEX, and the hash in it."""
    if path.is_file():
        files, before = _read(path)
        return before.decode(), json.loads(files["PEX-INFO"])["pex_hash"]
    main = (path / "__main__.py").read_text(encoding="utf-8")
    code = (path / "__pex__" / "__init__.py").read_text(encoding="utf-8")
    info = json.loads((path / "PEX-INFO").read_text(encoding="utf-8"))
    # Between header and code is what else pex has in a __main__.py, an empty line.
    header = main.removesuffix(code)
    return header.removesuffix("\n"), info["pex_hash"]


def _platform(python: Python) -> str:
    """Describe a Python so that pex need not look for one; nothing but its name gets into what pex writes."""
    # What pex calls a CPython without the global interpreter lock.
    name = "PyPy" if python.implementation == "pypy" else "CPython+t" if python.free_threaded else "CPython"
    environment: Mapping[str, str] = {
        "implementation_name": python.implementation,
        "implementation_version": python.implementation_version,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": name,
        "platform_system": "Linux",
        "python_full_version": python.full_version,
        "python_version": python.short,
        "sys_platform": "linux",
    }
    tags = [f"{python.interpreter}-{python.abi}-linux_x86_64"]
    return json.dumps({"marker_environment": environment, "compatible_tags": tags}, sort_keys=True)


def _is_code(path: str) -> bool:
    return path.startswith(f"{BOOTSTRAP}/") and not path.startswith(_LEFT_OUT)
