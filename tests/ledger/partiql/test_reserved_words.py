"""Reserved words: as names they stand in double quotes, whatever their case."""

from __future__ import annotations

import pytest

from ledger.errors import ParseError
from ledger.partiql import parse
from ledger.partiql.lexer import RESERVED


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_reserved_word_is_a_name_in_quotes_only(word: str) -> None:
    for spelled in (word, word.upper()):
        with pytest.raises(ParseError):
            parse(f"SELECT 1 AS {spelled} FROM << 0 >>")
        with pytest.raises(ParseError):
            parse(f"CREATE TABLE {spelled}")
    parse(f'SELECT t."{word}" AS "{word}" FROM T AS t')


@pytest.mark.parametrize(
    "word", ["excluded", "returning", "old", "new", "offset", "let", "of", "replace", "upsert", "explain"]
)
def test_words_of_later_dialects_are_no_names_taken_from_qldb(word: str) -> None:
    """`of` was reserved by QLDB already; the others may stand as names there, quoted at least."""
    assert (word in RESERVED) is (word == "of")
    parse(f'SELECT t.{word}, "{word}" FROM T AS t')
