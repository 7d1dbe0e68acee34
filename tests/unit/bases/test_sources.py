"""Where the mirror is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.bases.debian import DebianConfig
from crossdock.bases.debian.sources import (
    AptSource,
    Mirrors,
    choose_mirrors,
    mirrors_from_apt,
    parse_deb822_sources,
    parse_one_line_sources,
    read_apt_sources,
    suite_sources,
)
from crossdock.errors import MirrorError

if TYPE_CHECKING:
    from pathlib import Path

_ONE_LINE = """\
# deb https://index.example/commented bookworm main
deb [arch=amd64 signed-by=/keyrings/debian-archive-keyring.gpg] https://index.example/debian/ bookworm main contrib
deb-src https://index.example/debian bookworm main
deb https://index.example/debian-security bookworm-security main # trailing comment
"""
_DEB822 = """\
Types: deb deb-src
# a comment inside
URIs: https://index.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: https://index.example/off
Suites: bookworm
Components: main

Types: deb-src
URIs: https://index.example/src
Suites: bookworm
Components: main
"""


def _source(uri: str, suite: str, component: str = "main", signed_by: str = "") -> AptSource:
    return AptSource(uri=uri, suite=suite, components=(component,), signed_by=signed_by)


def test_one_line_sources_are_read_without_comments_and_sources_of_sources() -> None:
    assert parse_one_line_sources(_ONE_LINE) == [
        AptSource(
            uri="https://index.example/debian",
            suite="bookworm",
            components=("main", "contrib"),
            signed_by="/keyrings/debian-archive-keyring.gpg",
        ),
        _source("https://index.example/debian-security", "bookworm-security"),
    ]


def test_deb822_sources_are_read_without_what_is_disabled() -> None:
    sources = parse_deb822_sources(_DEB822)
    assert [(source.uri, source.suite) for source in sources] == [
        ("https://index.example/debian", "bookworm"),
        ("https://index.example/debian", "bookworm-updates"),
    ]


def test_both_formats_are_found_below_apts_folder(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text("deb https://index.example/a bookworm main\n")
    (folder / "b.sources").write_text(_DEB822)
    (folder / "c.list").write_text("deb https://index.example/c bookworm main\n")
    (folder / "d.list.disabled").write_text("deb https://index.example/d bookworm main\n")
    uris = [source.uri.rpartition("/")[2] for source in read_apt_sources(tmp_path)]
    assert uris == ["a", "debian", "debian", "c"]
    assert read_apt_sources(tmp_path / "missing") == []


def test_third_parties_and_other_systems_are_not_taken_for_debian() -> None:
    sources = [
        _source("https://index.example/vendor", "bookworm", signed_by="/usr/share/keyrings/vendor.gpg"),
        _source("https://index.example/other", "bookworm", component="stable"),
        _source("https://index.example/ubuntu", "noble"),
        _source("cdrom:[disc]/debian", "bookworm"),
        _source("https://index.example/unsigned-vendor", "bookworm"),
        _source("https://index.example/debian", "bookworm"),
        _source("https://index.example/debian-security", "bookworm-security"),
    ]
    assert mirrors_from_apt(sources) == Mirrors(
        main="https://index.example/debian", security="https://index.example/debian-security"
    )
    assert mirrors_from_apt(sources[:4]) is None


def test_the_configuration_goes_before_the_environment_before_apt() -> None:
    apt = [
        _source("https://index.example/apt/debian", "bookworm"),
        _source("https://index.example/apt/security", "bookworm-security"),
    ]
    environ = {"CROSSDOCK_DEBIAN_MIRROR": "https://index.example/env/"}
    from_env = DebianConfig().with_environment(environ)
    assert choose_mirrors(from_env, apt) == Mirrors(main="https://index.example/env", security=None)
    configured = DebianConfig(mirror="https://index.example/config").with_environment(environ)
    assert choose_mirrors(configured, apt).main == "https://index.example/config"
    assert choose_mirrors(DebianConfig(), apt).security == "https://index.example/apt/security"
    security_only = DebianConfig(security_mirror="https://index.example/s")
    assert choose_mirrors(security_only, apt) == Mirrors(
        main="https://index.example/apt/debian", security="https://index.example/s"
    )


def test_without_any_mirror_the_error_says_how_to_name_one() -> None:
    with pytest.raises(MirrorError) as caught:
        choose_mirrors(DebianConfig(), [])
    assert "CROSSDOCK_DEBIAN_MIRROR" in caught.value.hint


@pytest.mark.parametrize("url", ["ftp://index.example/debian", "index.example/debian", "https://", "http://[bad/x"])
def test_a_mirror_that_is_not_a_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(MirrorError) as caught:
        choose_mirrors(DebianConfig(mirror=url), [])
    assert url not in str(caught.value).replace("https://mirror.example", "")


def test_a_suite_is_read_with_its_updates_and_security_fixes() -> None:
    mirrors = Mirrors(main="https://index.example/debian", security="https://index.example/security")
    found = [(source.suite, source.archive, source.required) for source in suite_sources(mirrors, "trixie")]
    assert found == [
        ("trixie", "debian", True),
        ("trixie-updates", "debian", False),
        ("trixie-security", "debian-security", False),
    ]
    assert len(suite_sources(Mirrors(main="https://index.example/debian"), "trixie")) == 2


@pytest.mark.parametrize("suite", ["", "../etc", "book worm", "a/b", "Bookworm?"])
def test_a_suite_that_is_no_name_is_refused(suite: str) -> None:
    with pytest.raises(MirrorError):
        suite_sources(Mirrors(main="https://index.example/debian"), suite)
