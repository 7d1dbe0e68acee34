"""Which extras and groups count: what uv's users know, but without development groups unless asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crossdock.choosing.request import Parts, Request
from crossdock.errors import UnknownExtraError
from crossdock.locks import Lock
from crossdock.projects.config import Config

LOCK = Lock(
    path=Path("uv.lock"),
    format="uv.lock",
    packages=(),
    roots=(),
    optional={"images": (), "web": ()},
    groups={"dev": (), "docs": (), "test": ()},
)
WITH_DEFAULTS = Lock(
    path=Path("pylock.toml"),
    format="pylock.toml",
    packages=(),
    roots=(),
    groups={"dev": (), "docs": ()},
    default_groups=("dev", "docs"),
)


def parts(request: Request, config: Config | None = None, lock: Lock = LOCK) -> Parts:
    return request.parts(config or Config(), lock)


def test_nothing_is_added_unless_asked() -> None:
    assert parts(Request()) == Parts(extras=(), groups=())


def test_what_is_asked_comes_on_top_of_the_settings() -> None:
    config = Config(extras=("web",), groups=("docs",))
    assert parts(Request(extras=("images",), groups=("test",)), config) == Parts(
        extras=("web", "images"), groups=("docs", "test")
    )


def test_all_of_them() -> None:
    assert parts(Request(all_extras=True, all_groups=True)) == Parts(
        extras=("images", "web"), groups=("dev", "docs", "test")
    )


def test_all_but_some() -> None:
    assert parts(Request(all_groups=True, no_groups=("dev", "DOCS"))).groups == ("test",)


def test_a_group_to_leave_out_must_be_there_but_for_dev() -> None:
    with pytest.raises(UnknownExtraError, match="'tset' to leave out"):
        parts(Request(all_groups=True, no_groups=("tset",)))
    assert parts(Request(no_groups=("dev",)), lock=replace(LOCK, groups={})).groups == ()


def test_default_groups_of_the_lock_count_until_settings_name_some() -> None:
    assert parts(Request(), lock=WITH_DEFAULTS).groups == ("dev", "docs")
    assert parts(Request(), Config(groups=()), WITH_DEFAULTS).groups == ()


def test_default_groups_can_be_left_out() -> None:
    assert parts(Request(no_default_groups=True, groups=("docs",)), lock=WITH_DEFAULTS).groups == ("docs",)
    assert parts(Request(no_groups=("dev",)), lock=WITH_DEFAULTS).groups == ("docs",)


@pytest.mark.parametrize("config", [Config(), Config(extras=("web",), groups=("docs",))])
def test_only_groups_leave_the_project_and_all_defaults_out(config: Config) -> None:
    assert parts(Request(only_groups=("test",)), config) == Parts(extras=(), groups=("test",), include_project=False)
