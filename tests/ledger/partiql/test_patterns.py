from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.partiql.patterns import like


def naive(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(naive(text[i:], pattern[1:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and naive(text[1:], pattern[1:])


@given(st.text("ab\n.\\", max_size=8), st.text("ab%_.\n", max_size=7))
@settings(max_examples=500)
def test_like_is_what_a_naive_matcher_says(text: str, pattern: str) -> None:
    assert like(text, pattern) is naive(text, pattern)


@given(st.text("a%_!", max_size=6), st.text("a%_!", max_size=6))
def test_an_escaped_pattern_matches_itself_only(text: str, other: str) -> None:
    pattern = "".join("!" + c if c in "%_!" else c for c in text)
    assert like(other, pattern, "!") is (other == text)


@pytest.mark.parametrize("pattern", ["%" + "a%" * 2_000 + "b", "%" + "_a%" * 2_000 + "b", "%" + "a" * 500 + "b%"])
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.process_time()
    assert like("a" * 100_000, pattern) is False
    assert time.process_time() - began < 1.0
