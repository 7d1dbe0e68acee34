"""One fault brings one finding, where several rules could tell of it. See also tests/integration/mutants."""

from __future__ import annotations

import struct

import pytest
from tests.support.seentree import SITE, dist, found, make_case, target

from crossdock.headers.describe import describe
from crossdock.headers.source import BytesSource
from crossdock.verify.rules.packages import judge_lock, judge_metadata, judge_requirements


def of_windows(*, relocations: int = 0x40, signature: bytes = b"") -> bytes:
    """The MS-DOS header of a program for Windows, and what is where it says that the PE header is."""
    head = bytearray(b"MZ".ljust(0x80, b"\0")) + signature.ljust(0x100, b"\0")
    struct.pack_into("<H", head, 24, relocations)
    struct.pack_into("<I", head, 60, 0x80)
    return bytes(head)


def test_a_program_for_windows_without_its_pe_header_is_undecided() -> None:
    for data in (of_windows(signature=b"XX\0\0"), of_windows()[:0x80]):
        binary = describe(BytesSource(data))
        assert binary is not None
        assert (binary.format, binary.machines, binary.undecided) == (
            "pe",
            (),
            "its PE header is not where it should be",
        )


@pytest.mark.parametrize(
    "data",
    [
        of_windows(relocations=0x1E),
        of_windows(signature=b"NE"),
        of_windows(signature=b"LE"),
        b"MZ is where this text begins, and it is long enough for an MS-DOS header to fit in.\n" * 2,
        b"MZ",
    ],
    ids=["MS-DOS", "16-bit Windows", "VxD", "text", "short"],
)
def test_what_starts_with_the_same_letters_is_none(data: bytes) -> None:
    assert describe(BytesSource(data)) is None


@pytest.mark.parametrize(("there", "code"), [({}, "package-missing"), (dist("beta", "0.9"), "package-version")])
def test_what_differs_from_the_lock_is_not_missed_again(there: dict[str, str], code: str) -> None:
    case = make_case(
        {**dist("alpha", requires=["beta==1.0"]), **there}, lock={"alpha": "1.0", "beta": "1.0"}, targets=(target(),)
    )
    assert [finding for finding, *_ in found(judge_lock, case)] == [code]
    assert found(judge_requirements, case) == []


def test_what_the_lock_itself_lacks_is_missed() -> None:
    def missed(**lock: str) -> list[str]:
        case = make_case(dist("alpha", requires=["beta>=1"]), lock={"alpha": "1.0", **lock}, targets=(target(),))
        return [code for code, *_ in found(judge_requirements, case)]

    assert missed() == missed(beta="0.9") == ["requirement-missing"]


def test_a_wheel_that_the_target_does_not_take_is_not_missed_again() -> None:
    def requirements(tag: str) -> list[tuple[str, str, str]]:
        files = {
            **dist("alpha", site=".deps/alpha-1.0-py3-none-any.whl", tag="py3-none-any", requires=["beta"]),
            **dist("beta", site=f".deps/beta-1.0-{tag}.whl", tag=tag),
        }
        return found(judge_requirements, make_case(files, subject="bundle", targets=(target(),)))

    assert requirements("py3-none-any") == requirements("py3-none-win_amd64") == []


@pytest.mark.parametrize("name", ["RECORD", "METADATA"])
def test_metadata_that_says_nothing_is_as_good_as_none(name: str) -> None:
    files = dist("alpha")
    path = f"{SITE}/alpha-1.0.dist-info/{name}"
    assert found(judge_metadata, make_case(files)) == []
    (finding,) = judge_metadata(make_case({**files, path: ""}))
    assert (finding.code, finding.found) == ("metadata-missing", f"has no {name}")
