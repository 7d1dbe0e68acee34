"""What environments are called, and how they are written, by what the user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.bundles.venv.write import TarForm
    from crossdock.targets import Target

__all__ = ["names", "tar_form"]

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


def names(project: str, targets: Sequence[Target]) -> list[str]:
    """Give the name of each target's environment: ``app_linux_arm64``, and more of the target where that is no name.

    Raises:
        UsageError: Two targets differ in nothing that a name could tell.
    """
    places = [_place(target) for target in targets]
    full = [
        f"{place}_{target.python.command}" if places.count(place) > 1 else place
        for place, target in zip(places, targets, strict=True)
    ]
    for number, place in enumerate(full):
        if place in full[:number]:
            raise UsageError(
                f"two environments would have the name {project}_{place}",
                why=f"{targets[full.index(place)]} and {targets[number]} differ in nothing that the name tells",
                hint="build them one by one, with --output for each",
            )
    return [f"{project}_{place}" for place in full]


def _place(target: Target) -> str:
    libc = target.platform.libc
    return str(target.platform).replace("/", "_") + ("_musl" if libc and libc.kind == "musl" else "")
