"""The header readers on what fuzzing found, and on random changes to it: they raise nothing, and end soon."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from tests.support.fuzz_headers import CORPUS, TARGETS

MUTATIONS = 6000
"""For each format."""

_TELLING = [0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63, 2**64 - 1]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Change some places: mostly to numbers at which counts and offsets go wrong, and often near the beginning."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(min(len(result), chance.choice((256, 1 << 20))))
        match chance.randrange(6):
            case 0:
                result[place] = chance.randrange(256)
            case 1:
                result[place] ^= 1 << chance.randrange(8)
            case 2 | 3:
                width = chance.choice((2, 4, 8))
                number = chance.choice((*_TELLING, len(data), place, chance.randrange(len(data) + 1)))
                place -= place % width
                changed = (number % (1 << 8 * width)).to_bytes(width, chance.choice(("little", "big")))
                result[place : place + width] = changed
            case 4:
                source = chance.randrange(len(result))
                result[place : place + 16] = result[source : source + 16]
            case _:
                del result[max(place, 4) :]
                break
    return bytes(result)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_was_found_and_changes_to_it(name: str) -> None:
    kept = [path.read_bytes() for path in sorted(Path(CORPUS / name).iterdir())]
    assert len(kept) >= 4
    chance = random.Random(name)
    slowest = 0.0
    for data in [*kept, *(mutated(chance.choice(kept), chance) for _ in range(MUTATIONS))]:
        started = time.process_time()
        TARGETS[name](data)
        slowest = max(slowest, time.process_time() - started)
    assert slowest < 2
