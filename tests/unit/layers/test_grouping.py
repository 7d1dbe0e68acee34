"""Which wheels share a layer."""

from __future__ import annotations

from crossdock.layers.grouping import LARGE, MAX_LARGE_LAYERS, Grouping, SizedWheel, group_wheels


def wheel(name: str, size: int, *, pure: bool = True) -> SizedWheel:
    return SizedWheel(name=name, version="1", filename=f"{name}-1-x.whl", sha256=name, size=size, pure=pure)


def names(wheels: list[SizedWheel], grouping: Grouping = "grouped") -> list[str]:
    return ["+".join(item.name for item in group.wheels) for group in group_wheels(wheels, grouping)]


SOME = [
    wheel("tiny", 10),
    wheel("big", LARGE),
    wheel("almost", LARGE - 1),
    wheel("fast", 20, pure=False),
    wheel("any", 30),
    wheel("core", 40, pure=False),
]


def test_large_wheels_come_first_and_small_ones_share() -> None:
    assert names(SOME) == ["big", "almost+any+tiny", "core+fast"]


def test_each_wheel_alone() -> None:
    assert names(SOME, "wheel") == ["almost", "any", "big", "core", "fast", "tiny"]


def test_beyond_the_limit_the_smallest_share() -> None:
    many = [wheel(f"w{number:03}", 100 + number, pure=number % 2 == 0) for number in range(MAX_LARGE_LAYERS + 3)]
    found = names(many, "wheel")
    assert len(found) == MAX_LARGE_LAYERS + 2
    assert found[-2:] == ["w000+w002", "w001"]


def test_the_order_they_come_in_does_not_matter() -> None:
    assert names(list(reversed(SOME))) == names(SOME)
    assert names(list(reversed(SOME)), "wheel") == names(SOME, "wheel")


def test_nothing() -> None:
    assert names([]) == names([], "wheel") == []
