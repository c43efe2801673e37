"""Payloads: every block comes back as it was, and what is no payload is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from block_builder import STRAND_ID, BlockBuilder, sealed
from hypothesis import example, given
from hypothesis import strategies as st

from ledger import ion
from ledger.block import Block, Revision, StatementInfo
from ledger.errors import IntegrityError, InvalidValueError
from ledger.journal.field_names import FieldNames
from ledger.journal.payload import BlockEncoder, decode_block
from ledger.values import Annotated, Clob, IonType, MultiStruct, Sexp, Symbol, Timestamp, TypedNull, Value, identical

scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(allow_nan=False, allow_infinity=False), st.text(),
    st.binary(), st.text().map(Symbol), st.binary().map(Clob), st.just(TypedNull(IonType.STRUCT)),
    st.just(Timestamp(2026, 11, 22, 1, 2, 3, Decimal("0.120"), -90)),
)  # fmt: skip
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(Sexp),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        inner.filter(lambda value: not isinstance(value, Annotated)).map(lambda value: Annotated(("a", "b"), value)),
    ),
    max_leaves=8,
)
documents = st.one_of(
    st.dictionaries(st.text(max_size=5), values, max_size=4),
    st.lists(st.tuples(st.text(max_size=3), values), max_size=3).map(
        lambda fields: MultiStruct((*fields, ("twice", 1), ("twice", 2)))
    ),
)
symbol_tables = st.lists(st.text(max_size=5), max_size=4, unique=True).map(ion.SymbolTable)


def encoder(symbols: ion.SymbolTable = ion.SYSTEM) -> BlockEncoder:
    return BlockEncoder(symbols, FieldNames(symbols, 100))


def round_trip(block: Block, symbols: ion.SymbolTable = ion.SYSTEM) -> Block:
    return decode_block(encoder(symbols).encode(block), symbols, block.strand_id, block.sequence_no)


@given(st.lists(documents, min_size=1, max_size=3), symbol_tables)
@example([{}], ion.SYSTEM)
def test_documents_come_back_identical(data: list[dict[str, Value]], symbols: ion.SymbolTable) -> None:
    block = BlockBuilder().add(*((f"T{i % 2}", f"document {i}", value) for i, value in enumerate(data)))
    back = round_trip(block, symbols)
    for (_, _, expected), (_, _, actual) in zip(block.revisions(), back.revisions(), strict=True):
        assert identical(expected.data, actual.data)


def test_everything_of_a_block_comes_back() -> None:
    builder = BlockBuilder()
    builder.add(("Cars", "a", {"n": 1}), ("Owners", "b", {"n": 2}))
    block = builder.add(("Cars", "a", None), ("Owners", "c", {"x": Decimal("1.10")}), ("Cars", "d", {"n": 3}))
    cars, owners = block.tables
    redacted = Revision("r" * 22, 4, b"h" * 32, None, b"d" * 32, (0, 2, 1))
    block = replace(
        block,
        tables=(replace(cars, revisions=(*cars.revisions, redacted, replace(redacted, statements=()))), owners),
        statements=(*block.statements, StatementInfo("SELECT ü", Timestamp.of_milliseconds(0), b"")),
    )
    assert round_trip(block) == block
    assert round_trip(replace(block, tables=(), statements=())) == replace(block, tables=(), statements=())


def test_first_block_has_no_previous_hash() -> None:
    block = BlockBuilder().add(("Cars", "a", {}))
    assert block.previous_block_hash == b""
    assert round_trip(block) == block


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(2026, 11, 22, 1, 2, 3, None, 0),
        Timestamp(2026, 11, 22, 1, 2, 3, Decimal("0.12"), 0),
        Timestamp(2026, 11, 22, 1, 2, 3, Decimal("0.1234"), 0),
        Timestamp(2026, 11, 22, 1, 2, 3, Decimal("0.123"), 60),
        Timestamp(2026, 11, 22, 1, 2, 3, Decimal("0.123"), None),
    ],
    ids=str,
)
def test_time_that_milliseconds_cannot_say_is_refused_before_anything_is_written(time: Timestamp) -> None:
    block = sealed(replace(BlockBuilder().add(("Cars", "a", {"n": 1})), block_timestamp=time))
    with pytest.raises(InvalidValueError, match="milliseconds"):
        encoder().encode(block)


def test_field_names_in_the_table_make_payloads_shorter_and_are_not_needed_again() -> None:
    blocks = BlockBuilder().add_many(3)
    names = FieldNames(ion.SYSTEM, 100)
    first = [BlockEncoder(ion.SYSTEM, names).encode(block) for block in blocks]
    symbols = names.table()
    assert set(symbols.names) == {"VIN", "n", "note"}
    second = [encoder(symbols).encode(block) for block in blocks]
    assert all(len(b) < len(a) for a, b in zip(first, second, strict=True))
    assert b"VIN" not in second[0]


@given(st.binary(max_size=60), st.integers(0, 1000))
def test_payload_that_is_none_is_an_integrity_error(junk: bytes, cut: int) -> None:
    payload = encoder().encode(BlockBuilder().add(("Cars", "a", {"n": 1})))
    at = cut % len(payload)
    for damaged in (junk, payload[:at] + junk + payload[at + len(junk) + 1 :], payload[:at]):
        if damaged == payload:
            continue
        assert error_of(lambda data=damaged: decode_block(data, ion.SYSTEM, STRAND_ID, 5)) in (None, f"{STRAND_ID}/5")


def error_of(read: Callable[[], object]) -> str | None:
    """Give the address that a refusal names; None: the damage says something else that is as well formed."""
    try:
        read()
    except IntegrityError as error:
        return str(error.address)
    return None
