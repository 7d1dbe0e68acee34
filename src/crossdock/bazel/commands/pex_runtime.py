"""``pex-runtime``: pex's own code as PEX files have it, once for all of them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.bundled.inputs import scratch_store
from crossdock.bazel.bundled.pex_release import pex_on_path, runtime_json
from crossdock.bundles.pex.runtime import RuntimeOptions, pex_runtime
from crossdock.errors import UsageError
from crossdock.projects.pex_settings import check_root
from crossdock.store.files import reported, write_whole

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--pex-wheel", metavar="FILE")
    parser.add_argument("--os", choices=("linux", "darwin", "windows"), default="linux")
    parser.add_argument("--inherit-path", choices=("false", "fallback", "prefer"), default="false")
    parser.add_argument("--venv", nargs="?", const="false", choices=("false", "prepend", "append"))
    parser.add_argument("--include-tools", action="store_true")
    parser.add_argument("--inject-python-args", metavar="TEXT", action="append", default=[])
    parser.add_argument("--runtime-pex-root", metavar="DIR")
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--metadata", required=True, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Have pex write its runtime, and keep it."""
    try:
        arguments = tuple(word for text in options.inject_python_args for word in shlex.split(text))
    except ValueError as error:
        raise UsageError("--inject-python-args cannot be split", why=str(error), hint="close its quotes") from None
    root = options.runtime_pex_root
    wanted = RuntimeOptions(
        os=options.os,
        root="" if root is None else check_root(root, "--runtime-pex-root"),
        venv=options.venv is not None,
        inherits=options.inherit_path != "false",
        tools=options.include_tools or options.venv is not None,
        python_args=arguments,
    )
    out, metadata = Path(options.out), Path(options.metadata)
    with scratch_store() as store:
        with pex_on_path(options.pex_wheel, store.root.parent):
            runtime = pex_runtime(wanted, store)
        with reported(out, option="--out"):
            write_whole(out, store.path(runtime.part.digest), f"sha256:{runtime.part.digest}")
        with reported(metadata, option="--metadata"):
            write_whole(metadata, runtime_json(wanted, runtime).encode())
    return 0
