"""Installs what a build backend runs on by unpacking it: an action needs no pip, and no ensurepip."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bundles.venv.layout import Layout
from crossdock.bundles.venv.tree import plan_tree
from crossdock.bundles.venv.write import write_folder
from crossdock.errors import BuildRequirementsError, BundleError, WheelError
from crossdock.sdists.pip import Pip
from crossdock.wheels.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.sdists.pip import BuildEnvironment

__all__ = ["UnpackingPip"]


class UnpackingPip(Pip):
    """Installs wheels that are pinned; on Windows, where scripts need launchers, pip does."""

    def __init__(self) -> None:
        super().__init__(Path(tempfile.gettempdir()) / "pip")

    def install(self, environment: BuildEnvironment, wheels: Mapping[Path, str]) -> None:
        """Install wheels; arguments and errors as those of pip's."""
        if os.name == "nt":
            super().install(environment, wheels)
            return
        root = Path(environment.scripts).parent
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        scheme = Scheme(
            prefix="",
            site_packages=f"lib/python{python}/site-packages",
            scripts="bin",
            data="",
            headers=f"include/site/python{python}",
            interpreter=environment.python_executable,
        )
        try:
            tree = plan_tree(Layout(scheme=scheme, entries=(), os="linux"), [(path.name, path) for path in wheels])
            write_folder(tree, root, jobs=1)
        except (BundleError, WheelError, OSError) as error:
            raise BuildRequirementsError("What a build requires cannot be installed", why=str(error)) from None
