"""Which packages are chosen, and which version of each."""

from __future__ import annotations

import pytest

from crossdock.bases.debian.packages import Dependency, PackageIndex, parse_dependencies, satisfies
from crossdock.bases.debian.resolve import LEFT_OUT, PYTHON_BASE, resolve
from crossdock.errors import ArchiveTrustError, ResolutionError


def _stanza(name: str, version: str = "1.0", architecture: str = "amd64", **fields: str) -> str:
    lines = [f"Package: {name}", f"Version: {version}", f"Architecture: {architecture}"]
    lines += [f"{key.replace('_', '-').title()}: {value}" for key, value in fields.items()]
    if "filename" not in fields:
        lines.append(f"Filename: pool/main/{name[0]}/{name}/{name}_{version.partition(':')[2] or version}.deb")
    return "\n".join([*lines, "Size: 10", f"SHA256: {'0' * 64}"]) + "\n"


def _index(*stanzas: str) -> PackageIndex:
    return PackageIndex([("debian", "\n".join(stanzas).encode())], architecture="amd64")


def _names(index: PackageIndex, *wanted: str) -> list[str]:
    return [package.name for package in resolve(index, wanted)]


def test_depends_and_pre_depends_are_followed_and_recommends_are_not() -> None:
    index = _index(
        _stanza("app", depends="lib (>= 1.0), data", pre_depends="loader", recommends="docs"),
        _stanza("data", architecture="all"),
        _stanza("docs"),
        _stanza("lib", depends="app"),
        _stanza("loader"),
    )
    assert _names(index, "app") == ["app", "data", "lib", "loader"]


def test_the_newest_version_of_all_suites_wins_in_dpkg_s_order() -> None:
    old = _stanza("lib", "1.10-1").encode()
    updates = _stanza("lib", "1.9-1+deb12u1").encode() + b"\n" + _stanza("lib", "1.10-1~rc1").encode()
    security = _stanza("lib", "1:0.5").encode()
    index = PackageIndex([("debian", old), ("debian", updates)], architecture="amd64")
    assert [package.version for package in resolve(index, ["lib"])] == ["1.10-1"]
    index = PackageIndex([("debian", old), ("debian-security", security)], architecture="amd64")
    assert [(p.version, p.locked.archive) for p in resolve(index, ["lib"])] == [("1:0.5", "debian-security")]


def test_of_equal_versions_the_first_archive_s_is_taken() -> None:
    same = _stanza("lib").encode()
    index = PackageIndex([("debian", same), ("debian-security", same)], architecture="amd64")
    assert resolve(index, ["lib"])[0].locked.archive == "debian"


def test_packages_of_other_architectures_do_not_count() -> None:
    index = _index(_stanza("lib", "1.0"), _stanza("lib", "2.0", architecture="arm64"))
    assert resolve(index, ["lib"])[0].version == "1.0"


def test_of_alternatives_the_first_that_exists_is_taken_unless_another_is_there_already() -> None:
    stanzas = [_stanza("app", depends="missing | one | two"), _stanza("one"), _stanza("two")]
    assert _names(_index(*stanzas), "app") == ["app", "one"]
    assert _names(_index(*stanzas), "app", "two") == ["app", "two"]


def test_an_alternative_of_the_wrong_version_is_passed_over() -> None:
    index = _index(_stanza("app", depends="one (>= 2) | two"), _stanza("one"), _stanza("two"))
    assert _names(index, "app") == ["app", "two"]


def test_a_virtual_package_is_met_by_a_provider_of_the_best_priority_then_by_name() -> None:
    index = _index(
        _stanza("app", depends="mail-agent"),
        _stanza("aaa", provides="mail-agent", priority="extra"),
        _stanza("bbb", provides="other, mail-agent", priority="optional"),
        _stanza("ccc", provides="mail-agent", priority="optional"),
    )
    assert _names(index, "app") == ["app", "bbb"]
    assert _names(index, "app", "ccc") == ["app", "ccc"]


def test_a_bound_is_met_only_by_a_provision_with_a_version() -> None:
    unversioned = _index(_stanza("app", depends="abi (>= 2)"), _stanza("lib", provides="abi"))
    with pytest.raises(ResolutionError, match=r"app 1.0 needs abi \(>= 2\)"):
        resolve(unversioned, ["app"])
    versioned = _index(_stanza("app", depends="abi (>= 2)"), _stanza("lib", provides="abi (= 2.1)"))
    assert _names(versioned, "app") == ["app", "lib"]


def test_what_only_maintainer_scripts_use_is_left_out_unless_wanted() -> None:
    index = _index(
        _stanza("app", depends="debconf (>= 0.5) | debconf-2.0, dpkg (>= 1.15), openssl"),
        _stanza("debconf"),
        _stanza("dpkg"),
        _stanza("openssl", depends="lib"),
        _stanza("lib"),
    )
    assert _names(index, "app") == ["app"]
    assert _names(index, "app", "openssl") == ["app", "lib", "openssl"]


def test_no_python_base_package_is_left_out_and_no_shell_is_in_it() -> None:
    assert not LEFT_OUT & set(PYTHON_BASE)
    assert not {"bash", "dash", "busybox"} & set(PYTHON_BASE)


def test_the_order_of_wanting_does_not_matter() -> None:
    index = _index(
        _stanza("app", depends="one | two"), _stanza("bpp", depends="two | one"), _stanza("one"), _stanza("two")
    )
    assert _names(index, "bpp", "app") == _names(index, "app", "bpp", "app") == ["app", "bpp", "one"]


def test_a_missing_dependency_names_who_needs_it_and_what_there_is() -> None:
    with pytest.raises(ResolutionError) as caught:
        resolve(_index(_stanza("app", depends="lib (>= 2) | gone"), _stanza("lib", "1.5")), ["app"])
    assert caught.value.what == "app 1.0 needs lib (>= 2) | gone, which the archive lacks"
    assert caught.value.why == "the newest lib is 1.5; there is no gone"


def test_a_misspelt_name_gets_a_suggestion_and_a_virtual_one_its_providers() -> None:
    index = _index(_stanza("libpq5", provides="postgres-client-library"))
    with pytest.raises(ResolutionError, match="no package libpg5") as caught:
        resolve(index, ["libpg5"])
    assert "libpq5" in caught.value.hint
    with pytest.raises(ResolutionError, match="virtual") as caught:
        resolve(index, ["postgres-client-library"])
    assert "libpq5" in caught.value.why


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pool/main/a/app/app_1.0.deb", "pool/../../etc/app.deb"),
        ("pool/main/a/app/app_1.0.deb", "/etc/app.deb"),
        ("pool/main/a/app/app_1.0.deb", "https://index.example/app.deb"),
        ("Size: 10", "Size: many"),
        ("Size: 10", "Size: -1"),
        ("0" * 64, "0" * 63),
        ("Version: 1.0", "Version: one\nX: 1.0"),
        ("Architecture: amd64", "Architecture: amd64\nDepends: !!"),
    ],
)
def test_a_malformed_or_escaping_stanza_is_refused(old: str, new: str) -> None:
    stanza = _stanza("app")
    assert old in stanza
    with pytest.raises(ArchiveTrustError, match="app"):
        resolve(_index(stanza.replace(old, new)), ["app"])


def test_a_broken_stanza_that_nobody_wants_does_no_harm() -> None:
    assert _names(_index("Package: odd\nnothing else\n", _stanza("app")), "app") == ["app"]


def test_dependency_fields_are_read_with_alternatives_bounds_and_qualifiers() -> None:
    assert parse_dependencies("a:any (>= 1:2~rc1) |\n b, c(<<3) [amd64],") == (
        (Dependency(name="a", operator=">=", version="1:2~rc1"), Dependency(name="b")),
        (Dependency(name="c", operator="<<", version="3"),),
    )


@pytest.mark.parametrize(
    ("operator", "fits"), [("<<", False), ("<=", True), ("=", True), (">=", True), (">>", False), ("", True)]
)
def test_bounds_mean_what_policy_says(operator: str, *, fits: bool) -> None:
    assert satisfies("1:1.0-1", Dependency(name="a", operator=operator, version="1:1.0-1")) is fits
