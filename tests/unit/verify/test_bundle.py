"""The proof of bundles: one for each system, by the header of every program and by the tags of every wheel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import distlib
import pytest
from packaging.tags import Tag, parse_tag

from crossdock.targets import parse_python, parse_target
from crossdock.verify.claim import Claim
from crossdock.verify.exceptions import Allowance
from crossdock.verify.looking import ContentsReader
from crossdock.verify.platforms import Platform
from crossdock.verify.proof import prove_bundle
from crossdock.verify.wheels import judge_wheels

if TYPE_CHECKING:
    from crossdock.verify.contents import Contents
    from crossdock.verify.report import ImageReport

X86_64, ARM64, ARM64E, X86_64H, I386 = (0x01000007, 3), (0x0100000C, 0), (0x0100000C, 2), (0x01000007, 8), (7, 3)
#: Capabilities of a subtype, which say nothing of the processor: the version of pointer authentication.
ARM64E_AS_BUILT = (0x0100000C, 0x80000002)
AMD64_PE, ARM64_PE, I386_PE = 0x8664, 0xAA64, 0x014C


def seen(files: dict[str, bytes]) -> Contents:
    reader = ContentsReader()
    for path, content in files.items():
        reader.see(path, content)
    return reader.contents()


def prove(target: str, files: dict[str, bytes], **options: Any) -> ImageReport:
    oci = parse_target(target).platform.oci
    claim = Claim(platform=Platform(os=oci["os"], architecture=oci["architecture"], variant=oci.get("variant", "")))
    return prove_bundle(claim, [seen(files)], **options)


def found(target: str, files: dict[str, bytes], **options: Any) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in prove(target, files, **options).findings]


@pytest.mark.parametrize(
    ("slices", "arm64", "amd64"),
    [
        ([ARM64], [], ["macho-machine"]),
        ([X86_64], ["macho-machine"], []),
        ([X86_64, ARM64], [], []),
        ([I386, X86_64], ["macho-machine"], []),
        ([I386], ["macho-machine"], ["macho-machine"]),
        ([ARM64E], ["macho-machine"], ["macho-machine"]),
        ([ARM64E_AS_BUILT], ["macho-machine"], ["macho-machine"]),
        ([X86_64, ARM64E], ["macho-machine"], []),
        ([X86_64, ARM64, ARM64E], [], []),
        ([X86_64H], ["macho-machine"], ["macho-machine"]),
        ([X86_64, X86_64H], ["macho-machine"], []),
    ],
)
def test_macos_needs_one_slice_for_the_target(
    make: Any, slices: list[tuple[int, int]], arm64: list[str], amd64: list[str]
) -> None:
    files = {"a.so": make.macho(*slices)}
    assert found("darwin/arm64", files) == [(code, "error") for code in arm64]
    assert found("darwin/amd64", files) == [(code, "error") for code in amd64]


def test_a_universal_file_of_one_slice_is_no_exception(make: Any) -> None:
    files = {"a.so": make.macho(X86_64, fat=True)}
    assert found("darwin/arm64", files) == [("macho-machine", "error")]
    assert found("darwin/amd64", files) == []


def test_a_wrong_slice_is_told_in_the_users_words(make: Any) -> None:
    files = {
        ".deps/a.whl/a/fast.so": make.macho(X86_64),
        ".deps/a.whl/a_b-1.0.dist-info/RECORD": b"a/fast.so,,\n",
        ".deps/a.whl/a_b-1.0.dist-info/METADATA": b"Name: a-b\nVersion: 1.0\n",
        ".deps/a.whl/a_b-1.0.dist-info/WHEEL": b"Root-Is-Purelib: false\nTag: cp312-cp312-macosx_11_0_arm64\n",
        "b.dylib": make.macho(X86_64, ARM64E),
        "c.so": make.elf(62),
        "d.so": make.macho(X86_64, ARM64)[:20],
    }
    assert [finding.sentence for finding in prove("darwin/arm64", files).findings] == [
        "a-b 1.0: .deps/a.whl/a/fast.so is an x86_64 Mach-O file, but the target darwin/arm64 needs arm64",
        "b.dylib is an x86_64+arm64e Mach-O file, but the target darwin/arm64 needs arm64",
        "c.so is an x86-64 ELF file, but the target darwin/arm64 needs Mach-O files for arm64",
        "d.so cannot be told apart: its Mach-O header is cut short, but the target darwin/arm64 needs arm64",
    ]


@pytest.mark.parametrize(
    ("machine", "amd64", "arm64", "i386"),
    [
        (AMD64_PE, [], ["pe-machine"], ["pe-machine"]),
        (ARM64_PE, ["pe-machine"], [], ["pe-machine"]),
        (I386_PE, ["pe-machine"], ["pe-machine"], []),
        (0xA641, ["pe-machine"], ["pe-machine"], ["pe-machine"]),
        (0x1C4, ["pe-machine"], ["pe-machine"], ["pe-machine"]),
    ],
)
def test_windows_needs_the_targets_machine(
    make: Any, machine: int, amd64: list[str], arm64: list[str], i386: list[str]
) -> None:
    files = {"Lib/site-packages/a/core.pyd": make.pe(machine), "Scripts/tool.exe": make.pe(machine)}
    assert found("windows/amd64", files) == [(code, "error") for code in amd64 * 2]
    assert found("windows/arm64", files) == [(code, "error") for code in arm64 * 2]
    assert found("win32", files) == [(code, "error") for code in i386 * 2]


def test_windows_programs_are_told_in_the_users_words(make: Any) -> None:
    files = {
        "a.pyd": make.pe(ARM64_PE),
        "b.so": make.macho(X86_64, ARM64),
        "d.so": make.elf(62)[:10],
    }
    sentences = [finding.sentence for finding in prove("windows/amd64", files).findings]
    wanted = "the target windows/amd64 needs"
    cut = "its ELF header is cut short or malformed"
    assert sentences == [
        f"a.pyd is an aarch64 PE (Windows) file, but {wanted} x86-64",
        f"b.so is an x86_64+arm64 Mach-O file, but {wanted} PE files for x86-64",
        f"d.so cannot be told apart: {cut}, but {wanted} PE files for x86-64",
    ]


@pytest.mark.parametrize("os", ["darwin", "windows"])
def test_what_no_processor_runs_by_itself_is_for_every_system(make: Any, os: str) -> None:
    assert found(f"{os}/arm64", {"kernel.cubin": make.elf(190), "filter.o": make.elf(247)}) == []


@pytest.mark.parametrize("os", ["linux", "darwin", "windows"])
def test_launchers_carried_for_windows_do_no_harm_anywhere(os: str) -> None:
    launchers = sorted(Path(distlib.__file__).parent.glob("*.exe"))
    assert len(launchers) > 3
    folders = [
        "python/setuptools",
        "pip/_vendor/distlib",
        ".deps/a-1.0-py3-none-any.whl/installer/_scripts",
        "lib/python3.12/site-packages/distlib",
        ".bootstrap/pex/windows/stubs",
    ]
    report = prove(
        f"{os}/arm64", {f"{folder}/{path.name}": path.read_bytes() for folder in folders for path in launchers}
    )
    own = [path for path in launchers if "arm" in path.name] if os == "windows" else []
    assert report.files == 5 * len(launchers)
    assert [finding.code for finding in report.findings] == ["pe-launcher"] * 5 * (len(launchers) - len(own))
    assert report.ok


def test_the_projects_own_launchers_must_fit(make: Any) -> None:
    """A script may have any name, also that of setuptools' launchers."""
    assert found("windows/amd64", {"Scripts/cli-64.exe": make.pe(ARM64_PE)}) == [("pe-machine", "error")]
    assert found("windows/amd64", {"Lib/site-packages/tool/run.exe": make.pe(ARM64_PE)}) == [("pe-machine", "error")]


def test_on_linux_a_program_of_windows_may_lie_among_packages_only(make: Any) -> None:
    wheel = ".deps/tool-1.0-py3-none-any.whl"
    assert found("linux/arm64", {f"{wheel}/tool/run.exe": make.pe()}) == [("pe-launcher", "note")]
    assert found("linux/arm64", {f"{wheel}/tool/run.pyd": make.pe()}) == [("pe", "error")]
    assert found("linux/arm64", {"tool/run.exe": make.pe()}) == [("pe", "error")]


@pytest.mark.parametrize("target", ["darwin/arm64", "windows/amd64"])
def test_net_assemblies_are_told_and_not_refused(make: Any, target: str) -> None:
    """One for any processor has the machine i386 in its header."""
    assert found(target, {"a.dll": make.pe(I386_PE, managed=True)}) == [("pe-managed", "warning")]


def test_a_net_assembly_for_the_target_is_like_any_program(make: Any) -> None:
    assert found("windows/amd64", {"a.dll": make.pe(AMD64_PE, managed=True)}) == []


def test_exceptions_by_path_count_on_every_system(make: Any) -> None:
    files = {"data/linux.so": make.elf(62), "data/i386.dll": make.pe(I386_PE), "data/old.dylib": make.macho(I386)}
    for target in ("darwin/arm64", "windows/amd64"):
        codes = found(target, files, allow=[Allowance(path="data/*"), Allowance(path="none/*")])
        assert [severity for _, severity in codes] == ["warning"] * len(codes)
        assert codes[-1] == ("allow-unused", "warning")
        assert len(codes) == 4


@pytest.mark.parametrize("target", ["linux/arm64", "darwin/arm64", "windows/arm64"])
def test_a_proof_that_looked_at_nothing_fails(target: str) -> None:
    assert found(target, {}) == [("nothing-read", "error")]
    assert not prove(target, {}).ok


def test_a_report_names_the_target(make: Any) -> None:
    report = prove("darwin/arm64", {"a.so": make.macho(X86_64, ARM64)}, digest="sha256:1234")
    assert (str(report.platform), report.digest, report.machines) == (
        "darwin/arm64",
        "sha256:1234",
        {"x86_64+arm64 Mach-O": 1},
    )


# Headers behind the beginning


@pytest.mark.parametrize("offset", [64, 5_000, 60_000, 100_000])
def test_a_pe_header_is_found_behind_a_large_stub(make: Any, offset: int) -> None:
    assert found("windows/amd64", {"a.dll": make.pe(ARM64_PE, offset=offset)}) == [("pe-machine", "error")]
    assert found("windows/amd64", {"a.dll": make.pe(AMD64_PE, offset=offset)}) == []


@pytest.mark.parametrize("size", [6_000, 100_000])
def test_a_text_that_begins_like_a_program_is_none(size: int) -> None:
    assert found("linux/amd64", {"MZ.txt": b"MZ is how this text begins. ".ljust(size, b"x")}) == []


# Tags


def tags_of(target: str, python: str = "3.12") -> tuple[Tag, ...]:
    return parse_target(target).target(parse_python(python)).tags


@pytest.mark.parametrize(
    ("filename", "targets"),
    [
        ("a-1.0-py3-none-any.whl", "linux/amd64 linux/arm64 darwin/arm64 windows/amd64"),
        ("a-1.0-2-py2.py3-none-any.whl", "linux/amd64 linux/arm64 darwin/arm64 windows/amd64"),
        ("a-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "linux/amd64"),
        ("a-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", ""),
        ("a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", ""),
        ("a-1.0-cp38-abi3-manylinux_2_17_aarch64.whl", "linux/arm64"),
        ("a-1.0-cp312-cp312-musllinux_1_1_aarch64.whl", ""),
        ("a-1.0-cp312-cp312-macosx_10_9_universal2.whl", "darwin/arm64"),
        ("a-1.0-cp312-cp312-macosx_14_0_arm64.whl", ""),
        ("a-1.0-cp312-cp312-win_amd64.whl", "windows/amd64"),
    ],
)
def test_a_wheel_needs_one_tag_that_the_target_takes(filename: str, targets: str) -> None:
    for target in ("linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"):
        codes = [finding.code for finding in judge_wheels([filename], tags_of(target))]
        assert codes == ([] if target in targets.split() else ["wheel-tags"]), target


def test_a_wheel_that_is_not_for_the_target_is_told_in_the_users_words() -> None:
    names = ["Fast_Code-2.1-cp312-cp312-win_amd64.whl", "a-1.0-py3-none-any.whl", "setup.py"]
    first, second = judge_wheels(reversed(names), tags_of("linux/arm64"))
    assert first.sentence == (
        "fast-code 2.1: Fast_Code-2.1-cp312-cp312-win_amd64.whl is for cp312-cp312-win_amd64, "
        "but the target takes none of these tags"
    )
    assert second.sentence == "setup.py is not the file name of a wheel, but what a wheel is for is told by its name"
    assert {first.severity, second.severity} == {"error"}
    assert first.hint


@pytest.mark.parametrize(
    "filename",
    ["", "a.whl", "../a-1.0-py3-none-any.whl.zip", "a-1.0-" + ".".join(["py3"] * 50) + "-a.b.c.d-e.f.g.h.i.j.k.whl"],
)
def test_a_name_that_is_none_is_refused(filename: str) -> None:
    (finding,) = judge_wheels([filename], parse_tag("py3-none-any"))
    assert (finding.code, finding.severity) == ("wheel-tags", "error")


def test_a_name_for_very_many_tags_is_not_taken_apart() -> None:
    many = ".".join(f"p{n}" for n in range(30))
    (finding,) = judge_wheels([f"a-1.0-{many}-{many}-{many}.whl"], parse_tag("p1-p1-p1"))
    assert finding.found == "is not the file name of a wheel"


def test_the_proof_of_a_bundle_judges_its_wheels_too(make: Any) -> None:
    wheels = ["a-1.0-cp312-cp312-win_amd64.whl", "b-1.0-py3-none-any.whl"]
    assert found("linux/arm64", {"a.so": make.elf(183)}, wheels=wheels, tags=tags_of("linux/arm64")) == [
        ("wheel-tags", "error")
    ]
