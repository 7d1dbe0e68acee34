"""From packages to one root file system."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.unit.bases.conftest import deb, locked_package

from crossdock.bases.debian.deb import read_deb
from crossdock.bases.debian.rootfs import lay_out
from crossdock.errors import DebError
from crossdock.layers.entry import Entry, directory, file, symlink

if TYPE_CHECKING:
    from crossdock.bases.debian.deb import Deb
    from crossdock.lockfile.bases import LockedPackage


def _package(
    *members: Entry, name: str = "tool", fields: str = "", extra: dict[str, str] | None = None
) -> tuple[LockedPackage, Deb]:
    control = f"Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\n{fields}"
    return locked_package(name), read_deb(deb(members, control=control, extra=extra), origin=name)


def _tree(*packages: tuple[LockedPackage, Deb]) -> dict[str, Entry]:
    return {entry.path: entry for entry in lay_out(packages)}


def test_entries_are_sorted_unique_and_below_a_folder_that_came_before() -> None:
    entries = lay_out([_package(file("./usr/lib/x/y/z", b""), file("./usr/lib/x-y", b""), file("./opt/a", b""))])
    seen: set[str] = set()
    for entry in entries:
        assert entry.path not in seen
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen
        seen.add(entry.path if entry.kind == "directory" else f"{entry.path} (no folder)")
    assert [entry.path.split("/") for entry in entries] == sorted(entry.path.split("/") for entry in entries)


def test_the_old_folders_are_links_and_their_contents_are_in_usr() -> None:
    tree = _tree(_package(directory("./lib64"), file("./lib64/ld.so", b"1"), file("./bin/tool", b"2", mode=0o755)))
    assert tree["lib64"] == symlink("lib64", "usr/lib64")
    assert tree["bin"] == symlink("bin", "usr/bin")
    assert tree["usr/lib64/ld.so"].content == b"1"
    assert tree["usr/bin/tool"].mode == 0o755
    assert not any(path.startswith(("lib64/", "bin/", "sbin/", "lib/")) for path in tree)


def test_lib64_is_there_only_where_the_architecture_has_it() -> None:
    tree = _tree(_package(symlink("./bin", "usr/bin"), file("./lib/ld-linux-aarch64.so.1", b"")))
    assert "lib64" not in tree
    assert tree["lib"] == symlink("lib", "usr/lib")


def test_manuals_caches_and_documents_stay_out_but_licences_stay_in() -> None:
    tree = _tree(
        _package(
            file("./usr/share/doc/tool/copyright", b"MIT"),
            file("./usr/share/doc/tool/changelog.gz", b""),
            file("./usr/share/man/man1/tool.1.gz", b""),
            file("./usr/share/locale/de/LC_MESSAGES/tool.mo", b""),
            file("./usr/lib/python3/__pycache__/x.pyc", b""),
            symlink("./usr/share/doc/libtool", "tool"),
            directory("./usr/share/doc/only-a-changelog"),
            file("./usr/share/doc/only-a-changelog/changelog.gz", b""),
        )
    )
    documents = sorted(path for path in tree if path.startswith("usr/share/"))
    assert documents == ["usr/share/doc", "usr/share/doc/libtool", "usr/share/doc/tool", "usr/share/doc/tool/copyright"]
    assert not any("__pycache__" in path for path in tree)


def test_there_is_a_user_who_is_not_root_with_a_home() -> None:
    tree = _tree()
    assert b"nonroot:x:65532:65532:nonroot:/home/nonroot:" in tree["etc/passwd"].content
    assert b"nonroot:x:65532:" in tree["etc/group"].content
    home = tree["home/nonroot"]
    assert (home.kind, home.uid, home.gid, home.mode) == ("directory", 65532, 65532, 0o700)


def test_places_for_temporary_files_are_open_to_all_and_mount_points_are_there() -> None:
    tree = _tree(_package(directory("./tmp", mode=0o755), directory("./var/run")))
    assert tree["tmp"].mode == tree["var/tmp"].mode == 0o1777
    assert {tree[path].kind for path in ("proc", "sys", "dev", "run", "root")} == {"directory"}
    assert tree["var/run"] == symlink("var/run", "/run")


def test_the_ca_bundle_joins_all_certificates_by_name() -> None:
    folder = "./usr/share/ca-certificates/mozilla"
    tree = _tree(
        _package(file(f"{folder}/b.crt", b"B\n"), file(f"{folder}/a.crt", b"A"), file(f"{folder}/c.txt", b"C"))
    )
    assert tree["etc/ssl/certs/ca-certificates.crt"].content == b"A\nB\n"
    assert tree["usr/lib/ssl/cert.pem"].linkname == "/etc/ssl/certs/ca-certificates.crt"
    assert "etc/ssl/certs/ca-certificates.crt" not in _tree()


def test_a_package_s_own_file_goes_before_a_generated_one() -> None:
    tree = _tree(_package(file("./etc/nsswitch.conf", b"hosts: files\n"), symlink("./etc/localtime", "/x")))
    assert tree["etc/nsswitch.conf"].content == b"hosts: files\n"
    assert tree["etc/localtime"].linkname == "/x"


def test_hard_links_become_files() -> None:
    target = Entry(path="./usr/share/man/x", content=b"data", mode=0o600)
    tree = _tree(_package(target, Entry(path="./usr/a", kind="hardlink", linkname="./usr/share/man/x")))
    assert tree["usr/a"] == Entry(path="usr/a", content=b"data", mode=0o600)
    with pytest.raises(DebError, match="leads to no file"):
        _tree(_package(Entry(path="./usr/a", kind="hardlink", linkname="./gone")))


def test_dpkg_s_records_hold_what_is_in_the_image() -> None:
    md5 = hashlib.md5(b"1").hexdigest()
    one = _package(
        file("./etc/tool.conf", b"1"),
        file("./usr/share/man/m", b""),
        fields="Multi-Arch: same\nDescription: a tool\n that does\n .\n things\n",
        extra={
            "conffiles": "/etc/tool.conf\n/usr/share/man/m\n",
            "md5sums": f"{md5}  etc/tool.conf\n{md5}  usr/share/man/m\n",
        },
    )
    tree = _tree(one, _package(name="zoo"))
    assert tree["var/lib/dpkg/status"].content.decode() == (
        "Package: tool\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\nMulti-Arch: same\n"
        f"Description: a tool\n that does\n .\n things\nConffiles:\n /etc/tool.conf {md5}\n"
        "\nPackage: zoo\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: amd64\n"
    )
    assert tree["var/lib/dpkg/info/tool:amd64.md5sums"].content.decode() == f"{md5}  etc/tool.conf\n"
    assert tree["var/lib/dpkg/info/tool:amd64.list"].content == b"/.\n/etc/tool.conf\n"
    assert tree["var/lib/dpkg/info/zoo.list"].content == b"/.\n"


def test_two_packages_with_different_files_at_one_path_are_refused() -> None:
    with pytest.raises(DebError, match="packages one and two both bring /usr/x"):
        _tree(_package(file("./usr/x", b"1"), name="one"), _package(file("./usr/x", b"2"), name="two"))
    with pytest.raises(DebError, match="both bring /usr/bin/x"):
        _tree(_package(file("./bin/x", b"1"), name="one"), _package(file("./usr/bin/x", b"2"), name="two"))


def test_the_same_file_twice_is_no_conflict_and_replaces_decides_others() -> None:
    same = file("./usr/x", b"1")
    assert _tree(_package(same, name="one"), _package(same, name="two"))["usr/x"].content == b"1"
    first = _package(file("./usr/x", b"1"), name="one")
    assert _tree(first, _package(file("./usr/x", b"2"), name="two", fields="Replaces: one (<< 2)\n"))[
        "usr/x"
    ].content == (b"2")
    replacing = _package(file("./usr/x", b"1"), name="one", fields="Replaces: two\n")
    assert _tree(replacing, _package(file("./usr/x", b"2"), name="two"))["usr/x"].content == b"1"


@pytest.mark.parametrize(
    "members",
    [
        (symlink("./usr/x", "/etc"), file("./usr/x/passwd", b"")),
        (file("./usr/x", b""), file("./usr/x/y", b"")),
        (file("./var/run/x", b""),),
        (file("./bin", b""),),
        (symlink("./etc", "/tmp"),),
    ],
)
def test_a_path_through_a_link_or_a_file_in_a_system_folder_s_place_is_refused(
    members: tuple[Entry, ...],
) -> None:
    with pytest.raises(DebError):
        _tree(_package(*members))


@pytest.mark.parametrize(
    "control",
    [
        "Package: other\nVersion: 1.0-1\nArchitecture: amd64\n",
        "Package: tool\nVersion: 1.0-2\nArchitecture: amd64\n",
        "Package: tool\nVersion: 1.0-1\nArchitecture: arm64\n",
        "Package: tool\nVersion: 1.0-1\nArchitecture: amd64\n\nPackage: hidden\nVersion: 1\n",
    ],
)
def test_a_package_that_is_not_the_locked_one_or_hides_another_is_refused(control: str) -> None:
    with pytest.raises(DebError):
        _tree((locked_package(), read_deb(deb([], control=control), origin="tool")))
