"""Debian's Python over an image: only over the same suite, and without touching what the image decides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.bases.conftest import locked_package

from crossdock.bases.interpreter.debian import SCRATCH, check_suite, debian_over_facts, over_entries
from crossdock.errors import InterpreterError
from crossdock.layers.entry import Entry, directory, file, symlink
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.bases import LockedDebianBase

IMAGE = BaseFacts(
    libc="glibc",
    libc_version=(2, 35),
    python_version="",
    python_path="",
    user="app",
    home="/srv",
    env={"MODE": "x"},
    os_release={"ID": "debian", "VERSION_CODENAME": "bookworm", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"},
)
EMPTY = BaseFacts(libc=None, libc_version=(0, 0), python_version="", python_path="", user="", home="")
LOCKED = LockedDebianBase(
    name="debian:bookworm",
    architecture="amd64",
    requested=(),
    packages=(
        locked_package("libc6", "2.36-9+deb12u10"),
        locked_package("python3", "3.11.2-1+b1"),
        locked_package("python3.11-minimal", "3.11.2-6+deb12u6"),
    ),
)


def test_over_the_same_suite_the_image_gets_debians_python_and_keeps_the_rest() -> None:
    found = debian_over_facts(IMAGE, LOCKED, base_name="app:1")
    assert found == replace(IMAGE, libc_version=(2, 36), python_version="3.11.2", python_path="/usr/bin/python3.11")


def test_on_scratch_it_is_the_debian_base() -> None:
    found = debian_over_facts(EMPTY, LOCKED, base_name=SCRATCH)
    assert (found.libc, found.python_path, found.user) == ("glibc", "/usr/bin/python3.11", "65532:65532")


@pytest.mark.parametrize(
    ("os_release", "why", "hint"),
    [
        (
            {"ID": "debian", "VERSION_CODENAME": "trixie"},
            "app:1 is Debian trixie; files of the two systems would be mixed",
            'write interpreter = "debian:trixie"',
        ),
        ({"ID": "alpine", "PRETTY_NAME": "Alpine Linux v3.20"}, "app:1 is Alpine Linux v3.20;", "standalone Python"),
        ({"ID": "ubuntu", "VERSION_CODENAME": "bookworm"}, "app:1 is ubuntu;", "standalone Python"),
        ({}, "app:1 does not say in /etc/os-release that it is Debian bookworm", "standalone Python"),
    ],
)
def test_over_another_system_it_is_refused(os_release: dict[str, str], why: str, hint: str) -> None:
    with pytest.raises(InterpreterError) as caught:
        check_suite("bookworm", "app:1", replace(IMAGE, os_release=os_release))
    assert why in caught.value.why
    assert hint in caught.value.hint


def test_an_empty_image_that_is_not_called_scratch_is_refused() -> None:
    with pytest.raises(InterpreterError):
        check_suite("bookworm", "empty:1", EMPTY)


STATUS = b"Package: libc6\nStatus: install ok installed\n\nPackage: python3\nStatus: install ok installed\n"


def test_only_programs_libraries_and_records_come_over_an_image() -> None:
    given = [
        symlink("bin", "usr/bin"),
        directory("etc"),
        file("etc/passwd", b"root"),
        directory("etc/python3.11"),
        file("etc/python3.11/sitecustomize.py", b"#"),
        directory("etc/ssl"),
        file("etc/ssl/certs/ca-certificates.crt", b"cert"),
        Entry(path="home/nonroot", kind="directory", mode=0o700, uid=65532, gid=65532),
        directory("tmp", mode=0o1777),
        directory("usr"),
        directory("usr/bin"),
        file("usr/bin/python3.11", b"\x7fELF", mode=0o755),
        file("usr/lib/os-release", b"ID=debian"),
        symlink("usr/lib/ssl/certs", "/etc/ssl/certs"),
        symlink("usr/lib/python3.11/sitecustomize.py", "/etc/python3.11/sitecustomize.py"),
        file("usr/share/ca-certificates/mozilla/a.crt", b"cert"),
        file("var/lib/dpkg/status", STATUS),
        file("var/lib/dpkg/info/libc6:amd64.list", b"/."),
        symlink("var/run", "/run"),
    ]
    found = list(over_entries(given))
    assert [entry.path for entry in found if entry.kind != "directory"] == [
        "etc/python3.11/sitecustomize.py",
        "usr/bin/python3.11",
        "usr/lib/python3.11/sitecustomize.py",
        "var/lib/dpkg/status.d/libc6",
        "var/lib/dpkg/status.d/python3",
    ]
    paths = [entry.path for entry in found]
    assert all(path.rpartition("/")[0] in {"", *paths[:place]} for place, path in enumerate(paths))
    assert {(entry.mode, entry.uid) for entry in found if entry.kind == "directory"} == {(0o755, 0)}
    assert found[-1].content == b"Package: python3\nStatus: install ok installed\n"
