"""Feeds the header readers with bytes that atheris makes up; what is found interesting can be kept as a corpus.

    python -m tests.support.fuzz_headers FORMAT [FOLDER] [-- OPTION-OF-LIBFUZZER …]

FORMAT is a key of `TARGETS`. FOLDER is where to begin from and where to write to, beside ``tests/fuzz/corpus/FORMAT``,
which is only read. atheris is in the dependency group ``fuzz``, for those Pythons that it exists for. Without it,
``tests/unit/headers/test_fuzzed.py`` replays the corpus, and random changes to it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.headers.linking import Linking

__all__ = ["CORPUS", "TARGETS"]

CORPUS: Final = Path(__file__).parents[1] / "fuzz" / "corpus"

_MOST_TEXT: Final = 16 << 20
_OPTIONS: Final = ("-timeout=3", "-rss_limit_mb=1024", "-max_len=16384", "-print_final_stats=1")


def fuzz_elf(data: bytes) -> None:
    """Read bytes as ELF: these have its magic number whatever came before."""
    _look(b"\x7fELF" + data[4:])


def fuzz_macho(data: bytes) -> None:
    """Read bytes as Mach-O, thin or fat: only the corpus and chance give them one of its magic numbers."""
    _look(data)


def fuzz_pe(data: bytes) -> None:
    """Read bytes as PE, its load configuration too."""
    from crossdock.headers.linking import DamagedHeaderError
    from crossdock.headers.pe import read_pe_hybrid
    from crossdock.headers.source import BytesSource

    data = b"MZ" + data[2:]
    _look(data)
    with suppress(DamagedHeaderError):
        assert read_pe_hybrid(BytesSource(data)) in ("", "arm64ec", "arm64x")


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"elf": fuzz_elf, "macho": fuzz_macho, "pe": fuzz_pe}


def _look(data: bytes) -> None:
    """Describe a file, and check what holds of every description; whatever is raised is a defect."""
    from crossdock.headers.describe import describe
    from crossdock.headers.source import BytesSource

    binary = describe(BytesSource(data))
    if binary is None:
        return
    if binary.undecided or binary.damaged or not binary.hosted:
        assert not binary.linking, "something is believed of a file that is not"
        return
    assert len(binary.linking) == len(binary.machines), "a machine without linking"
    assert sum(_text(linking) for linking in binary.linking) < _MOST_TEXT, "more text than is bounded"


def _text(linking: Linking) -> int:
    names = [linking.interpreter, linking.name, linking.minimum, linking.system, *linking.defines]
    names += [*linking.needed, *linking.weak, *linking.rpath, *linking.runpath]
    names += [name for pair in linking.versions for name in pair]
    text = "".join(names)
    text.encode()
    return len(text)


def _main() -> None:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    ours, _, theirs = " ".join(sys.argv[1:]).partition("-- ")
    name, *folders = ours.split()
    with atheris.instrument_imports(include=["crossdock.headers"]):
        import crossdock.headers.describe
        import crossdock.headers.macho
        import crossdock.headers.pe  # noqa: F401
    seeds = CORPUS / name
    arguments = [sys.argv[0], *_OPTIONS, *theirs.split(), *folders, str(seeds)]
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    _main()
