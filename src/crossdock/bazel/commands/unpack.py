"""``unpack``: a wheel as a folder that this machine imports from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bundles.venv.layout import Layout
from crossdock.bundles.venv.tree import plan_tree
from crossdock.bundles.venv.write import write_folder
from crossdock.errors import BadWheelError, OutputError
from crossdock.store.files import reported
from crossdock.targets import parse_python
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--wheel", required=True, metavar="FILE")
    parser.add_argument("--python", metavar="VERSION")
    parser.add_argument("--out", required=True, metavar="DIR")


def run(options: argparse.Namespace) -> int:
    """Unpack a wheel: a folder for ``sys.path``, whose scripts find it by their own place."""
    wheel, out = Path(options.wheel), Path(options.out)
    command = parse_python(options.python).command if options.python else "python3"
    scheme = replace(flat(), interpreter=f"/usr/bin/env {command}", lookup="above")
    if not wheel.is_file():
        raise BadWheelError(f"There is no wheel {wheel}")
    with reported(out, option="--out"):
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise OutputError(f"{out} already holds something", hint="name an empty or new folder with --out")
        tree = plan_tree(Layout(scheme=scheme, entries=(), os="linux"), [(wheel.name, wheel)])
        write_folder(tree, out, jobs=1)
    return 0
