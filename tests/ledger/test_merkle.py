"""Merkle trees against the recursive definition."""

from __future__ import annotations

import naive_hashing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle
from ledger.hashing import dot

HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


@settings(max_examples=100, deadline=None)
@given(HASHES)
def test_the_root_is_that_of_the_recursive_definition(hashes: list[bytes]) -> None:
    assert merkle.root(hashes) == naive_hashing.root(hashes)


@settings(max_examples=100, deadline=None)
@given(HASHES.filter(bool), st.data())
def test_a_path_leads_from_its_leaf_to_the_root_and_no_flipped_bit_does(
    hashes: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    path = merkle.audit_path(hashes, index)
    assert path == naive_hashing.audit_path(hashes, index)
    assert merkle.fold(hashes[index], path) == merkle.root(hashes)
    if path:
        wrong = [bytearray(node) for node in path]
        at = data.draw(st.integers(0, len(path) * 256 - 1))
        wrong[at // 256][at % 256 // 8] ^= 1 << at % 8
        assert merkle.fold(hashes[index], map(bytes, wrong)) != merkle.root(hashes)


def test_the_odd_last_leaf_moves_up_unchanged() -> None:
    a, b, c = (bytes([i]) * 32 for i in range(3))
    assert merkle.root([]) == b""
    assert merkle.root([a]) == a
    assert merkle.root([a, b, c]) == dot(dot(a, b), c)
    assert merkle.audit_path([a, b, c], 2) == [dot(a, b)]
    assert merkle.audit_path([a], 0) == []


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_of_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.audit_path([bytes(32)] * 3, index)
