"""What a base brings, read from its config and its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.baselayers import elf, glibc, layer, link, musl, program

from crossdock.bases.programs import read_program
from crossdock.bases.reading import BaseReading, read_base
from crossdock.errors import BaseMismatchError, LayerUnreadableError
from crossdock.layers.entry import Entry, directory, file, symlink

if TYPE_CHECKING:
    from crossdock.bases.rootview import Layer

GLIBC_LOADER = "/lib64/ld-linux-x86-64.so.2"
MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"

DEBIAN = layer(
    symlink("lib", "usr/lib"),
    symlink("lib64", "usr/lib64"),
    symlink("bin", "usr/bin"),
    symlink("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
    program("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
    glibc("usr/lib/x86_64-linux-gnu/libc.so.6", "2.36"),
    symlink("usr/bin/sh", "dash"),
    program("usr/bin/dash", interpreter=GLIBC_LOADER),
    file(
        "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nadmin:x:0:0::/root:/bin/sh\napp:x:1000:1000::/srv/app:/bin/sh\n"
    ),
    file("usr/lib/os-release", b'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n'),
    symlink("etc/os-release", "../usr/lib/os-release"),
)
ALPINE = layer(
    musl("lib/ld-musl-x86_64.so.1", "1.2.5"),
    symlink("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1"),
    program("bin/busybox", interpreter=MUSL_LOADER),
    symlink("bin/sh", "/bin/busybox"),
)


def read(*layers: Layer, architecture: str = "amd64", **config: Any) -> BaseReading:
    return read_base({"config": config}, layers, architecture=architecture)


def python(path: str, content: str, *, loader: str = GLIBC_LOADER, architecture: str = "amd64") -> Entry:
    return program(path, architecture, interpreter=loader, content=content.encode())


def python_of(*entries: Entry, **config: Any) -> tuple[str, str]:
    facts = read(DEBIAN, layer(*entries), **config).facts
    return facts.python_path, facts.python_version


def test_debian_with_python_is_read() -> None:
    lib = layer(
        python("usr/bin/python3.11", "\x003.11.2\0"), symlink("usr/bin/python3", "python3.11"), directory("srv")
    )
    reading = read(DEBIAN, lib)
    facts = reading.facts
    assert (facts.libc, facts.libc_version) == ("glibc", (2, 36))
    assert (facts.python_path, facts.python_version) == ("/usr/bin/python3.11", "3.11.2")
    assert facts.os_release == {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12"}
    assert reading.sources == {
        "libc": "/usr/lib/x86_64-linux-gnu/libc.so.6 (layer 1)",
        "python_path": "/usr/bin/python3.11 (layer 2)",
        "python_version": "/usr/bin/python3.11 (layer 2)",
        "os_release": "/usr/lib/os-release (layer 1)",
    }
    assert reading.notes == ()


def test_alpine_with_python_is_read() -> None:
    facts = read(ALPINE, layer(python("usr/bin/python3.12", "\x003.12.9\0", loader=MUSL_LOADER))).facts
    assert (facts.libc, facts.libc_version) == ("musl", (1, 2))
    assert (facts.python_path, facts.python_version) == ("/usr/bin/python3.12", "3.12.9")


def test_an_image_without_anything_is_no_error() -> None:
    for layers in ([], [layer(file("app", b""))]):
        reading = read(*layers)
        facts = reading.facts
        assert (facts.libc, facts.libc_version, facts.python_version, facts.python_path) == (None, (0, 0), "", "")
        assert (facts.user, facts.home, facts.os_release) == ("65532:65532", "", {})
        assert reading.sources == {}


# The C library.


def test_of_two_c_libraries_python_decides_then_the_shell() -> None:
    both = [DEBIAN, layer(musl("usr/lib/x86_64-linux-musl/libc.so", "1.2.3"))]
    loader = layer(symlink("usr/lib/ld-musl-x86_64.so.1", "x86_64-linux-musl/libc.so"))
    assert read(*both, loader).facts.libc == "glibc"
    needy = layer(python("usr/bin/python3.12", "\x003.12.9\0", loader=MUSL_LOADER))
    assert read(*both, loader, needy).facts.libc == "musl"
    on_alpine = layer(
        glibc("lib64/libc.so.6", "2.31"), program("lib64/ld-linux-x86-64.so.2"), musl("opt/libc.so", "1.1.24")
    )
    facts = read(ALPINE, on_alpine).facts
    assert (facts.libc, facts.libc_version) == ("musl", (1, 2))


def test_of_two_glibcs_the_one_beside_the_loader_counts() -> None:
    old = layer(program("opt/old/lib/ld-linux-x86-64.so.2"), glibc("opt/old/lib/libc.so.6", "2.17"))
    assert read(old, DEBIAN).facts.libc_version == (2, 36)
    user = layer(python("usr/bin/python3.12", "\x003.12.9\0", loader="/opt/old/lib/ld-linux-x86-64.so.2"))
    assert read(old, DEBIAN, user).facts.libc_version == (2, 17)


def test_libc_of_a_name_with_its_version_is_found_through_the_link() -> None:
    bullseye = layer(
        symlink("lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-2.31.so"),
        program("lib/x86_64-linux-gnu/ld-2.31.so"),
        glibc("lib/x86_64-linux-gnu/libc-2.31.so", "2.31"),
        symlink("lib/x86_64-linux-gnu/libc.so.6", "libc-2.31.so"),
        program("bin/bash", interpreter=GLIBC_LOADER),
    )
    reading = read(bullseye)
    assert reading.facts.libc_version == (2, 31)
    assert reading.sources["libc"] == "/lib/x86_64-linux-gnu/libc-2.31.so (layer 1)"


def test_a_newer_libc_in_a_higher_layer_counts() -> None:
    newer = layer(glibc("lib/x86_64-linux-gnu/libc.so.6", "2.39"))
    assert read(DEBIAN, newer).facts.libc_version == (2, 39)
    gone = layer(file("usr/lib/x86_64-linux-gnu/.wh.libc.so.6", b""))
    assert read(DEBIAN, gone).facts.libc is None


def test_a_libc_of_another_architecture_is_refused_but_one_more_of_it_is_not() -> None:
    with pytest.raises(BaseMismatchError, match="said to be for arm64, but holds programs for x86-64") as caught:
        read(DEBIAN, architecture="arm64")
    assert "/usr/lib/x86_64-linux-gnu/libc.so.6" in caught.value.why
    assert read(DEBIAN, layer(glibc("usr/lib/aarch64-linux-gnu/libc.so.6", "2.39", "arm64"))).facts.libc_version == (
        2,
        36,
    )


def test_the_linker_script_of_libc_and_scripts_are_no_libraries() -> None:
    script = layer(file("usr/lib/libc.so", b"/* GNU ld script */ GNU C Library (x) stable release version 9.9."))
    assert read(script).facts.libc is None


# Python.


def test_path_decides_which_python() -> None:
    entries = [
        python("usr/bin/python3.11", "\x003.11.2\0"),
        symlink("usr/bin/python3", "python3.11"),
        python("usr/local/bin/python3.12", "\x003.12.7\0"),
        symlink("usr/local/bin/python", "python3.12"),
        python("opt/bin/python3.13", "\x003.13.0\0"),
        link("opt/bin/python3", "opt/bin/python3.13"),
    ]
    assert python_of(*entries) == ("/usr/bin/python3.11", "3.11.2")
    assert python_of(*entries, Env=["PATH=/usr/local/bin"]) == ("/usr/local/bin/python3.12", "3.12.7")
    assert python_of(*entries, Env=["PATH=bin::/none:/opt/bin/:/usr/bin"]) == ("/opt/bin/python3", "3.13.0")
    assert python_of(*entries, Env=["PATH="]) == ("", "")


def test_links_into_alternatives_and_environments_are_followed() -> None:
    assert python_of(
        python("usr/local/bin/python3.12", "\x003.12.7\0"),
        symlink("opt/venv/bin/python3", "/etc/alternatives/python3"),
        symlink("etc/alternatives/python3", "../../usr/local/bin/python3.12"),
        Env=["PATH=/opt/venv/bin:/usr/bin"],
    ) == ("/usr/local/bin/python3.12", "3.12.7")


@pytest.mark.parametrize("version", ["3.12.7", "3.14.0rc1", "3.13.0a6+", "3.13.1+", "3.9.0b10"])
def test_versions_may_be_of_any_form_that_python_uses(version: str) -> None:
    minor = ".".join(version.split(".")[:2])
    assert python_of(python(f"usr/bin/python{minor}", f"\0{version}\0"))[1] == version


def test_a_shared_build_says_its_version_in_libpython_of_its_own_prefix() -> None:
    entries = [
        python("usr/local/bin/python3.12", "\0/usr/local/lib\0"),
        symlink("usr/local/bin/python3", "python3.12"),
        program("usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0", content=b"\x003.12.3\0"),
        program("usr/local/lib/libpython3.12.so.1.0", content=b"\x003.12.7\0"),
        program("usr/local/lib/libpython3.so", content=b"\x003.12.1\0"),
        program("opt/lib/libpython3.12.so.1.0", content=b"\x003.12.0\0"),
    ]
    assert python_of(*entries) == ("/usr/local/bin/python3.12", "3.12.7")
    assert python_of(*entries[:3]) == ("/usr/local/bin/python3.12", "3.12.3")
    assert python_of(*entries[:2]) == ("", "")


def test_versions_of_other_things_in_a_static_build_do_not_confuse() -> None:
    noise = "\x003.45.3\x003.0.15\0OpenSSL 3.12.99x\x0013.12.4\x003.12.4.1\0x3.12.5.6\x00"
    assert python_of(python("usr/bin/python3.12", f"{noise}\x003.12.7\0"))[1] == "3.12.7"


def test_a_version_that_shares_the_end_of_a_path_counts_where_nothing_surer_is_there() -> None:
    entry = python("opt/py/bin/python3.12", "\0/versions/3.12.7\0")
    path = {"Env": ["PATH=/opt/py/bin"]}
    assert python_of(entry, **path)[1] == "3.12.7"
    header = file("opt/py/include/python3.12/patchlevel.h", b'#define PY_VERSION   "3.12.8"\n')
    assert python_of(entry, header, **path)[1] == "3.12.8"
    assert python_of(python("opt/py/bin/python3.12", "\x003.12.6\0"), header, **path)[1] == "3.12.6"


def test_package_databases_decide_where_the_program_is_silent() -> None:
    silent = python("usr/bin/python3.13", "\x003.13.1\x003.13.2\0")
    status = b"Package: python3\nVersion: 3.13.9-1\n\nPackage: python3.13-minimal\nA: b\nVersion: 3.13.0~rc2-1\n\n"
    assert python_of(silent, file("var/lib/dpkg/status", status))[1] == "3.13.0rc2"
    assert python_of(silent, file("lib/apk/db/installed", b"C:x\nP:python3\nV:3.13.4-r0\n\n"))[1] == "3.13.4"
    assert python_of(silent, file("lib/apk/db/installed", b"P:python3\nV:3.13.0_beta2-r0\n\n"))[1] == "3.13.0b2"
    distroless = file("var/lib/dpkg/status.d/python3.13-minimal", b"Package: python3.13-minimal\nVersion: 3.13.5-2\n")
    assert python_of(silent, distroless)[1] == "3.13.5"
    reading = read(DEBIAN, layer(silent))
    assert reading.facts.python_version == ""
    assert reading.notes == ("/usr/bin/python3.13 does not say which version of Python it is",)


def test_the_minor_version_comes_from_the_library_folder_where_the_name_lacks_it() -> None:
    entry = python("usr/bin/python3", "\x003.12.7\x003.45.1\0")
    assert python_of(entry, file("usr/lib/python3.12/os.py", b"")) == ("/usr/bin/python3", "3.12.7")
    assert python_of(python("usr/bin/python3", "\x003.12.7\0")) == ("/usr/bin/python3", "3.12.7")


def test_the_only_python_with_its_version_in_its_name_will_do() -> None:
    assert python_of(python("usr/bin/python3.12", "\x003.12.7\0"))[0] == "/usr/bin/python3.12"
    two = layer(python("usr/bin/python3.12", "\x003.12.7\0"), python("usr/bin/python3.13", "\x003.13.7\0"))
    reading = read(DEBIAN, two)
    assert reading.facts.python_path == ""
    assert "there are /usr/bin/python3.12, /usr/bin/python3.13" in reading.notes[0]


def test_what_is_no_cpython_is_not_taken_and_named() -> None:
    cpython = [python("usr/bin/python3.11", "\x003.11.2\0"), symlink("usr/bin/python3", "python3.11")]
    pypy = [python("opt/pypy/bin/pypy3.10", "\x003.10.14\0"), symlink("opt/pypy/bin/python3", "pypy3.10")]
    reading = read(DEBIAN, layer(*cpython, *pypy), Env=["PATH=/opt/pypy/bin:/usr/bin"])
    assert reading.facts.python_path == ""
    assert reading.notes == ("/opt/pypy/bin/pypy3.10 is not CPython",)


def test_scripts_and_broken_links_on_the_way_are_passed_over() -> None:
    entries = [
        file("a/python3", b"#!/bin/sh\nexec pyenv", mode=0o755),
        symlink("b/python3", "/nowhere"),
        file("c/python3", elf(), mode=0o644),
        directory("d/python3"),
        python("e/python2.7", "\x003.11.2\0"),
        symlink("e/python3", "python2.7"),
        python("usr/bin/python3.11", "\x003.11.2\0"),
        symlink("usr/bin/python3", "python3.11"),
    ]
    reading = read(DEBIAN, layer(*entries), Env=["PATH=/a:/b:/c:/d:/e:/usr/bin"])
    assert reading.facts.python_path == "/usr/bin/python3.11"
    assert [note.split(" ")[0] for note in reading.notes] == ["/a/python3", "/c/python3", "/d/python3", "/e/python3"]


def test_a_python_without_its_loader_is_none() -> None:
    reading = read(DEBIAN, layer(python("usr/bin/python3.12", "\x003.12.9\0", loader=MUSL_LOADER)))
    assert reading.facts.python_path == ""
    assert reading.facts.libc == "glibc"
    assert reading.notes == (f"/usr/bin/python3.12 cannot run: it needs {MUSL_LOADER}, which is not there",)


def test_a_static_python_is_none_as_it_loads_no_modules() -> None:
    static = bytearray(elf(interpreter=GLIBC_LOADER, content=b"\x003.12.9\0"))
    static[0x40] = 1  # PT_LOAD in place of PT_INTERP
    reading = read(DEBIAN, layer(Entry(path="usr/bin/python3.12", mode=0o755, content=bytes(static))))
    assert reading.facts.python_path == ""
    assert reading.notes == ("/usr/bin/python3.12 is linked statically, and so cannot load compiled modules",)


def test_a_free_threaded_python_is_none_as_wheels_are_for_the_other_kind() -> None:
    threaded = layer(python("usr/bin/python3.13t", "\x003.13.1\0"), symlink("usr/bin/python3", "python3.13t"))
    reading = read(DEBIAN, threaded)
    assert reading.facts.python_path == ""
    assert ["is a free-threaded build" in note for note in reading.notes] == [True]


@pytest.mark.parametrize(("user", "noted"), [("", True), ("root", True), ("0:0", True), ("app", False), ("7:7", False)])
def test_a_python_in_roots_own_folder_is_noted_where_another_user_takes_roots_place(user: str, noted: bool) -> None:
    entries = layer(
        Entry(path="root", kind="directory", mode=0o700),
        directory("root/py/bin"),
        python("root/py/bin/python3.12", "\x003.12.9\0"),
        symlink("usr/bin/python3", "/root/py/bin/python3.12"),
    )
    reading = read(DEBIAN, entries, User=user)
    assert reading.facts.python_path == "/root/py/bin/python3.12"
    note = "65532:65532, in root's place, may not run it: /root is for its owner alone"
    assert reading.notes == ((note,) if noted else ())
    assert read(DEBIAN, entries, layer(Entry(path="root", kind="directory", mode=0o755)), User=user).notes == ()


def test_a_version_of_no_form_of_pythons_own_does_not_count() -> None:
    header = file("usr/include/python3.12/patchlevel.h", b'#define PY_VERSION "3.12.8+own"\n')
    assert python_of(python("usr/bin/python3.12", "\x003.12.8+own\0"), header) == ("", "")


def test_a_python_of_another_architecture_is_refused() -> None:
    foreign = layer(python("usr/bin/python3.12", "\x003.12.9\0", architecture="arm64"))
    with pytest.raises(BaseMismatchError, match="said to be for amd64, but holds programs for aarch64"):
        read(DEBIAN, foreign)


@pytest.mark.parametrize("before", [0, 4095, 4096, 300_000, 266_100, 266_235, 266_236, 266_237, 266_240, 524_380])
def test_texts_are_found_wherever_pieces_end(before: int) -> None:
    content = bytes(before) + b"\x003.12.7\0" + bytes(5)
    assert python_of(Entry(path="usr/bin/python3.12", mode=0o755, content=elf(content=content)))[1] == "3.12.7"
    far = elf(interpreter=GLIBC_LOADER, at=before + 200)
    pieces = [far]

    def step(size: int) -> bytes:
        given, pieces[0] = pieces[0][:size], pieces[0][size:]
        return given

    seen = read_program(step, "shell")
    assert seen is not None
    assert seen.interpreter == GLIBC_LOADER


# The config.


def test_env_labels_and_stop_signal_come_from_the_config() -> None:
    facts = read(
        Env=["A=1", "B=x=y", "EMPTY=", "no equals sign", "=nothing", 7, None, "A=2", "N=\0", "U=\ud800", "L=1\n2"],
        Labels={"a": "b", "n": 1, "": "x", "u": "\ud800"},
        StopSignal="SIGRTMIN+3",
    ).facts
    assert facts.env == {"A": "2", "B": "x=y", "EMPTY": "", "L": "1\n2"}
    assert facts.labels == {"a": "b"}
    assert facts.stop_signal == "SIGRTMIN+3"


@pytest.mark.parametrize("config", [None, [], "x", {"Env": "A=1", "Labels": [], "StopSignal": 9, "User": 5}])
def test_a_malformed_config_counts_as_none(config: object) -> None:
    facts = read_base({"config": config}, [], architecture="amd64").facts
    assert (facts.env, facts.labels, facts.stop_signal, facts.user) == ({}, {}, "", "65532:65532")


@pytest.mark.parametrize(
    ("user", "expected", "home"),
    [
        ("", "65532:65532", ""),
        ("root", "65532:65532", ""),
        ("0", "65532:65532", ""),
        ("00:5", "65532:65532", ""),
        ("root:app", "65532:65532", ""),
        ("admin", "65532:65532", ""),
        ("app", "app", "/srv/app"),
        ("1000", "1000", "/srv/app"),
        ("1000:0", "1000:0", "/srv/app"),
        ("app:staff", "app:staff", "/srv/app"),
        ("4711:4711", "4711:4711", ""),
        ("a b", "65532:65532", ""),
        ("app\n", "65532:65532", ""),
        ("-x", "65532:65532", ""),
        ("\u0661", "65532:65532", ""),
    ],
)
def test_the_user_is_the_configs_unless_that_is_root(user: str, expected: str, home: str) -> None:
    facts = read(DEBIAN, User=user).facts
    assert (facts.user, facts.home) == (expected, home)


def test_the_home_of_the_default_user_is_known_where_it_exists() -> None:
    nonroot = layer(file("etc/passwd", b"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"))
    assert read(DEBIAN, nonroot).facts.home == "/home/nonroot"


def test_an_os_release_of_unreasonable_size_is_left_alone() -> None:
    assert read(layer(file("etc/os-release", b"ID=debian\n" * 10_000))).facts.os_release == {}


def test_paths_that_would_garble_a_terminal_are_neither_taken_nor_written_as_they_are() -> None:
    for folder in ("a\x1b[2J", "a\nb", "a\udcff"):
        reading = read(
            DEBIAN, layer(python(f"{folder}/python3.12", "\x003.12.7\0"), symlink("b", f"/{folder}")), Env=["PATH=/b"]
        )
        assert reading.facts.python_path == ""
        assert [note.isprintable() and "no script can name" in note for note in reading.notes] == [True]


@pytest.mark.parametrize("place", [file("app/.venv/pyvenv.cfg", b""), symlink("app/.venv", "/usr"), file("app/x", b"")])
def test_something_in_the_environments_place_is_told(place: Entry) -> None:
    assert read(DEBIAN, layer(place)).facts.has_environment == (place.path != "app/x")


def test_a_python_that_the_environment_would_hide_is_none() -> None:
    path = {"Env": ["PATH=/app/.venv/bin:/usr/bin"]}
    own = python("usr/bin/python3.11", "\x003.11.2\0")
    assert python_of(own, symlink("app/.venv/bin/python3", "/usr/bin/python3.11"), **path)[0] == "/usr/bin/python3.11"
    assert python_of(own, python("app/.venv/bin/python3", "\x003.11.2\0"), **path) == ("", "")


def test_os_release_is_unquoted() -> None:
    text = b"""# comment
ID=fedora
NAME="A \\"B\\" \\$C \\\\ \\`d\\`"
VERSION='39 (x)'
EMPTY=
BROKEN
ESC=\x1b[2J
 1X=y
\xff=z
"""
    release = read(layer(file("etc/os-release", text))).facts.os_release
    assert release == {"ID": "fedora", "NAME": 'A "B" $C \\ `d`', "VERSION": "39 (x)", "EMPTY": ""}


@pytest.mark.parametrize(
    ("config", "what"),
    [({"os": "windows"}, "windows"), ({"architecture": "arm64"}, "arm64"), ({"architecture": ["amd64"]}, "amd64")],
)
def test_a_config_for_another_platform_is_refused(config: dict[str, Any], what: str) -> None:
    with pytest.raises(BaseMismatchError, match="is not for linux/amd64") as caught:
        read_base(config, [], architecture="amd64", name="registry.example/base")
    assert what in caught.value.why


def test_errors_name_the_base_and_the_layer() -> None:
    with pytest.raises(LayerUnreadableError, match=r"layer 2 of registry\.example/base cannot be read: "):
        read_base({}, [DEBIAN, layer(file("../x", b""))], architecture="amd64", name="registry.example/base")
