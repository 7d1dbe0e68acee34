"""Forms of archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.bundles.venv.forms import tar_form
from crossdock.errors import UsageError


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("env.tar", "tar"),
        ("ENV.TAR.GZ", "tar+gzip"),
        ("env.tgz", "tar+gzip"),
        ("env.tar.zst", "tar+zstd"),
        ("env.tzst", "tar+zstd"),
        ("env", None),
        ("env.d", None),
        ("env-1.0", None),
        (".venv", None),
    ],
)
def test_the_form_follows_from_the_name(name: str, form: str | None) -> None:
    assert tar_form(Path("out") / name) == form


@pytest.mark.parametrize(
    "name", ["env.zip", "env.tar.xz", "env.tar.lz4", "env.Tar.Z", "env.gz", "env.zst", "env.whl", "env.rar"]
)
def test_archives_of_other_kinds_are_not_taken_for_folders(name: str) -> None:
    with pytest.raises(UsageError, match="archive of a kind that is not written") as error:
        tar_form(Path(name))
    assert ".tar.gz" in error.value.hint
