"""A finished action is remembered by all its inputs; a damaged record counts as absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.store import action_key
from crossdock.store.actions import decode_record, encode_record

if TYPE_CHECKING:
    from crossdock.store import JSON, Store

KEY = action_key("layer/1", wheel="a", options={"b": 1, "a": [1, 2]})
VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_key_depends_on_the_kind_and_all_inputs_but_not_their_order() -> None:
    assert action_key("layer/1", options={"a": [1, 2], "b": 1}, wheel="a") == KEY
    others = [
        action_key("layer/2", wheel="a", options={"b": 1, "a": [1, 2]}),
        action_key("layer/1", wheel="b", options={"b": 1, "a": [1, 2]}),
        action_key("layer/1", wheel="a", options={"b": 1, "a": [2, 1]}),
        action_key("layer/1", wheel="a"),
        action_key("layer/1", wheel="a", options={"b": "1", "a": [1, 2]}),
    ]
    assert len({KEY, *others}) == 6


def test_an_input_may_have_any_name() -> None:
    assert action_key("x", kind="y") != action_key("y", kind="x")


def test_values_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        action_key("x", number=float("nan"))


def test_a_record_comes_back_and_can_be_replaced(store: Store) -> None:
    assert store.action(KEY) is None
    store.record(KEY, {"layer": ["é", 1, None]})
    assert store.action(KEY) == {"layer": ["é", 1, None]}
    store.record(KEY, 2)
    assert store.action(KEY) == 2
    assert list((store.root / "tmp").iterdir()) == []


def test_a_damaged_record_counts_as_absent(store: Store) -> None:
    store.record(KEY, {"layer": "abc"})
    path = store.root / "actions" / KEY[:2] / f"{KEY}.json"
    whole = path.read_bytes()
    for damaged in (b"", whole[:-3], whole.replace(b"abc", b"abd"), b"[" * 100_000, b"{}", b"[]", b"null", b"\xff"):
        path.write_bytes(damaged)
        assert store.action(KEY) is None
    path.write_bytes(whole)
    assert store.action(KEY) == {"layer": "abc"}


@given(VALUES)
def test_every_json_value_survives(value: JSON) -> None:
    assert decode_record(encode_record(value)) == value
