"""How an environment is written, by what the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.errors import UsageError

if TYPE_CHECKING:
    from crossdock.bundles.venv.write import TarForm

__all__ = ["tar_form"]

_FORMS: Final[dict[str, TarForm]] = {
    ".tar": "tar",
    ".tar.gz": "tar+gzip",
    ".tgz": "tar+gzip",
    ".tar.zst": "tar+zstd",
    ".tzst": "tar+zstd",
}
#: What looks like an archive, too, and would be a folder of that name.
_OTHERS: Final = (".zip", ".txz", ".tbz2", ".whl", ".7z", ".rar", ".gz", ".zst", ".xz", ".bz2", ".pex", ".pyz", ".exe")


def tar_form(path: Path) -> TarForm | None:
    """Give the form of an archive by its name; None for a folder.

    Raises:
        UsageError: The name is that of an archive of another kind.
    """
    name = path.name.lower()
    for ending, form in _FORMS.items():
        if name.endswith(ending):
            return form
    if name.endswith(_OTHERS) or Path(name).stem.endswith(".tar"):
        raise UsageError(
            f"--output {path} is an archive of a kind that is not written",
            hint=f"name a folder, or a file that ends in {', '.join(_FORMS)}",
        )
    return None
