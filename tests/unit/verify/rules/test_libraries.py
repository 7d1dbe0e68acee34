"""Who brings the libraries that programs need, and where they are looked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.verify.rules.loadtrees import (
    ALPINE,
    ALPINE_LINKS,
    GLIBC,
    LIB,
    MUSL,
    SITE,
    claim,
    contents,
    distribution,
    found,
    image,
    judged,
    so,
)

from crossdock.headers.linking import Linking
from crossdock.verify.claim import ImageConfig
from crossdock.verify.rules.libraries import judge_folders, judge_libraries, judge_memory
from crossdock.verify.systems import is_driver, is_grafted, is_of_cluster, is_system_dll

IMAGE = claim(subject="image")


@pytest.mark.parametrize(
    ("name", "libc", "severities"),
    [
        ("libc.so.6", GLIBC, []),
        ("libstdc++.so.6", GLIBC, []),
        ("libGL.so.1", GLIBC, []),
        ("ld-linux-x86-64.so.2", GLIBC, []),
        ("libcuda.so.1", GLIBC, []),
        ("libibverbs.so.1", GLIBC, ["note"]),
        ("libtbb.so.12", GLIBC, ["warning"]),
        ("libssl-81259c47.so.1.1.1k", GLIBC, ["error"]),
        ("libc.musl-x86_64.so.1", MUSL, []),
        ("libz.so.1", MUSL, []),
        ("libstdc++.so.6", MUSL, ["warning"]),
    ],
)
def test_a_bundle_may_rely_on_what_every_system_has(name: str, libc: Any, severities: list[str]) -> None:
    result = judged(judge_libraries, claim(libc=libc), contents({"a.so": so(name)}))
    assert result == [("library-missing", severity, "a.so") for severity in severities]


@pytest.mark.parametrize(
    ("name", "severities"),
    [
        ("libc.so.6", []),
        ("libstdc++.so.6", []),
        ("libGL.so.1", ["error"]),
        ("libtbb.so.12", ["warning"]),
        ("libcuda.so.1", []),
        ("libmpi.so.40", ["note"]),
    ],
)
def test_an_image_has_to_have_it_itself(name: str, severities: list[str]) -> None:
    path = f"{SITE}/a.so"
    result = judged(judge_libraries, IMAGE, image({path: so(name), f"{LIB}/libsystem.so.1": so("libnothing.so.1")}))
    assert result == [("library-missing", severity, path) for severity in severities]


def test_without_its_libraries_a_python_does_not_start() -> None:
    result = judged(judge_libraries, IMAGE, image({"usr/bin/python3.12": so("libexpat.so.1", "libc.so.6")}))
    assert result == [("library-missing", "error", "usr/bin/python3.12")]


def test_musl_has_no_libraries_of_glibc() -> None:
    part = contents({**ALPINE, f"{SITE}/a.so": so("libc.musl-x86_64.so.1")}, links=ALPINE_LINKS)
    assert judged(judge_libraries, IMAGE, part) == []


def test_one_library_is_one_finding_for_each_distribution() -> None:
    paths = ["a/one.so", "a/two.so", "a/three.so"]
    natives = dict.fromkeys(paths, so("libtbb.so.12")) | {"b.so": so("libtbb.so.12")}
    part = contents(natives, texts=distribution("a", paths, "cp312-cp312-manylinux_2_17_x86_64"))
    first, second = found(judge_libraries, claim(libc=GLIBC), part)
    assert first.sentence.startswith(
        "a 1.0: a/one.so needs the library libtbb.so.12, as do 2 more, but nothing provides"
    )
    assert (second.package, second.path) == (None, "b.so")


GRAFTED = "libx-0123abcd.so.1"


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ({"rpath": ("$ORIGIN/../a.libs",)}, []),
        ({"runpath": ("${ORIGIN}/../a.libs",)}, []),
        ({"rpath": ("$ORIGIN/../a.libs",), "runpath": ("$ORIGIN",)}, ["library-missing"]),
        ({"rpath": ("$ORIGIN/../b.libs",)}, ["library-missing"]),
        ({}, ["library-missing"]),
    ],
)
def test_a_grafted_library_has_to_be_where_it_is_looked_for(said: dict[str, Any], codes: list[str]) -> None:
    part = contents({"a/m.so": so(GRAFTED, **said), f"a.libs/{GRAFTED}": so(name=GRAFTED)})
    assert [code for code, _, _ in judged(judge_libraries, claim(libc=GLIBC), part)] == codes


def test_what_a_program_has_loaded_its_libraries_need_not_find() -> None:
    natives = {
        "a/m.so": so("liby-0123abcd.so", rpath=("$ORIGIN/../a.libs",)),
        "a.libs/liby-0123abcd.so": so(GRAFTED, name="liby-0123abcd.so"),
        f"a.libs/{GRAFTED}": so(name=GRAFTED),
    }
    assert judged(judge_libraries, claim(libc=GLIBC), contents(natives)) == []


def test_packages_load_libraries_of_their_own_before_they_are_needed() -> None:
    part = contents({"torchvision/_C.so": so("libc10.so"), "torch/lib/libc10.so": so(name="libc10.so")})
    assert judged(judge_libraries, claim(libc=GLIBC), part) == []


def test_the_environment_of_an_image_names_folders() -> None:
    config = ImageConfig(env={"LD_LIBRARY_PATH": "/opt/x/lib"})
    part = image({f"{SITE}/a.so": so("libx-0123abcd.so"), "opt/x/lib/libx-0123abcd.so": so()})
    assert judged(judge_libraries, claim(subject="image", config=config), part) == []
    assert len(judged(judge_libraries, IMAGE, part)) == 1


def test_folders_of_ld_so_conf_count_once_there_is_a_cache() -> None:
    natives = {f"{SITE}/a.so": so("libatomic.so.1"), "usr/x/libatomic.so.1": so(name="libatomic.so.1")}
    conf = {"etc/ld.so.conf.d/x.conf": "# ours\n/usr/x\n"}
    assert judged(judge_libraries, IMAGE, image(natives, texts=conf, files=["etc/ld.so.cache"])) == []
    assert len(judged(judge_libraries, IMAGE, image(natives, texts=conf))) == 1


def test_a_loader_passes_over_libraries_for_other_machines() -> None:
    other = contents({f"{LIB}/libz.so.1": so(name="libz.so.1")}, machine="386")
    assert len(judged(judge_libraries, IMAGE, image({f"{SITE}/a.so": so("libz.so.1")}), other)) == 1


def test_of_a_summary_nothing_is_missed() -> None:
    part = contents({"a.so": so("libx-0123abcd.so")}, whole=False)
    assert judged(judge_libraries, claim(libc=GLIBC), part) == []


def test_a_part_alone_may_need_what_others_bring() -> None:
    texts = distribution("a", ["a.so"], "cp312-cp312-manylinux_2_17_x86_64")
    texts["a-1.0.dist-info/METADATA"] += "Requires-Dist: torch\n"
    part = contents({"a.so": so("libtorch.so")}, texts=texts)
    assert judged(judge_libraries, claim(libc=GLIBC, subject="layer"), part)[0][1] == "note"
    assert judged(judge_libraries, claim(libc=GLIBC, subject="bundle"), part)[0][1] == "warning"


@pytest.mark.parametrize(
    ("name", "severities"),
    [
        ("/usr/lib/libSystem.B.dylib", []),
        ("/System/Library/Frameworks/Security.framework/Security", []),
        ("@loader_path/.dylibs/libx.dylib", []),
        ("@rpath/libx.dylib", []),
        ("@loader_path/../.dylibs/libx.dylib", ["error"]),
        ("@rpath/liby.dylib", ["warning"]),
        ("/opt/homebrew/lib/liby.dylib", ["warning"]),
    ],
)
def test_libraries_of_macos(name: str, severities: list[str]) -> None:
    natives = {"a/m.so": Linking(needed=(name,), rpath=("@loader_path/.dylibs",)), "a/.dylibs/libx.dylib": Linking()}
    part = contents(natives, machine="arm64", binary="macho")
    result = judged(judge_libraries, claim("darwin/arm64+macos11.0"), part)
    assert result == [("library-missing", severity, "a/m.so") for severity in severities]


@pytest.mark.parametrize(
    ("name", "severities"),
    [
        ("KERNEL32.dll", []),
        ("api-ms-win-crt-runtime-l1-1-0.dll", []),
        ("python312.dll", []),
        ("VCRUNTIME140_1.dll", []),
        ("libx-0123456789abcdef0123456789abcdef.dll", []),
        ("liby-0123456789abcdef0123456789abcdef.dll", ["error"]),
        ("MSVCP140.dll", ["note"]),
        ("libiomp5md.dll", ["warning"]),
    ],
)
def test_libraries_of_windows(name: str, severities: list[str]) -> None:
    grafted = "a.libs/LIBX-0123456789abcdef0123456789abcdef.dll"
    part = contents({"a/m.pyd": Linking(needed=(name,)), grafted: Linking()}, binary="pe")
    result = judged(judge_libraries, claim("windows/amd64"), part)
    assert result == [("library-missing", severity, "a/m.pyd") for severity in severities]


@pytest.mark.parametrize(
    ("folder", "code"),
    [
        ("$ORIGIN/lib", None),
        ("$ORIGIN/../nowhere", "rpath-nowhere"),
        ("/opt/built/here", "rpath-nowhere"),
        ("/root/built/here", "rpath-nowhere"),
        (f"/{LIB}", None),
        ("", "rpath-unsafe"),
        ("lib", "rpath-unsafe"),
        ("/tmp/build/lib", "rpath-unsafe"),
        ("/home/me/lib", "rpath-unsafe"),
        ("/homestead/lib", "rpath-nowhere"),
    ],
)
def test_folders_that_libraries_are_looked_for_in(folder: str, code: str | None) -> None:
    path = f"{SITE}/a.so"
    part = image({path: so(runpath=(folder,)), f"{SITE}/lib/x.so": so(), f"{LIB}/s.so": so(rpath=("/tmp/x",))})
    severity = "warning" if code == "rpath-unsafe" else "note"
    assert judged(judge_folders, IMAGE, part) == ([(code, severity, path)] if code else [])


def test_what_protects_memory() -> None:
    part = image({f"{SITE}/a.so": so(executable_stack=True), f"{SITE}/b.so": so(text_relocations=True)})
    assert judged(judge_memory, IMAGE, part) == [
        ("executable-stack", "warning", f"{SITE}/a.so"),
        ("text-relocations", "warning", f"{SITE}/b.so"),
    ]


def test_a_glibc_that_refuses_executable_stacks() -> None:
    libc = so(name="libc.so.6", defines=("GLIBC_2.2.5", "GLIBC_2.41", "GLIBC_PRIVATE"))
    natives = {
        f"{LIB}/libc.so.6": libc,
        f"{SITE}/a.so": so(executable_stack=True),
        "opt/tool": Linking(type="executable", interpreter="/lib64/ld-linux-x86-64.so.2", executable_stack=True),
    }
    assert [severity for _, severity, _ in judged(judge_memory, IMAGE, contents(natives))] == ["error", "warning"]


@pytest.mark.parametrize(
    ("name", "grafted"),
    [
        ("libscipy_openblas64_-4b78795a.so", True),
        ("libavcodec-c4204469.so.62.28.101", True),
        ("libopenblasp-r0-59ffcd50.3.15.so", True),
        ("msvcp140-a4c2229bdc2a2a630acdc095b4d86008.dll", True),
        ("libstdc++.so.6", False),
        ("libglib-2.0.so.0", False),
        ("libtorch-cpu.so", False),
    ],
)
def test_the_names_of_grafted_libraries(name: str, grafted: bool) -> None:
    assert is_grafted(name) is grafted


def test_names_of_systems_libraries() -> None:
    assert is_driver("libcuda.so.1")
    assert is_driver("libnvidia-ml.so.1")
    assert not is_driver("libcudart.so.12")
    assert is_of_cluster("libmlx5.so.1")
    assert is_of_cluster("libucp.so.0")
    assert not is_of_cluster("libmpifoo.so.1")
    assert is_system_dll("WINSPOOL.DRV")
    assert not is_system_dll("zlib1.dll")


def test_musl_is_looked_for_by_its_loaders_name_and_has_many() -> None:
    # As Debian's package has it: the loader is a link to the library.
    link = {"lib/ld-musl-x86_64.so.1": "/usr/lib/x86_64-linux-musl/libc.so"}
    natives = {
        "usr/lib/x86_64-linux-musl/libc.so": so(),
        "usr/lib/gnu/libz.so.1": so(),
        f"{SITE}/alpha/a.so": so("libc.musl-x86_64.so.1", "libm.so", "libz.so.1"),
    }
    texts = distribution("alpha", ["alpha/a.so"], "cp312-cp312-musllinux_1_2_x86_64", site=SITE)
    musl = claim("linux/amd64+musl", subject="image")
    [finding] = found(judge_libraries, musl, contents(natives, links=link, texts=texts))
    assert "libz.so.1" in finding.found
    searched = contents(natives, links=link, texts={**texts, "etc/ld-musl-x86_64.path": "/lib:/usr/lib/gnu\n"})
    assert found(judge_libraries, musl, searched) == []
