"""The decoder on bytes that somebody made to hurt: it answers with a value or with InvalidValueError, soon, and with nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ion_values import values

from ledger import ion, iontext
from ledger.errors import InvalidValueError
from ledger.hashing import ion_hash
from ledger.ion.symbols import IVM, append_table
from ledger.values import MultiStruct, Symbol, Value, identical

VECTORS = Path(__file__).parent.parent / "vectors"


positions: list[tuple[int | None, int]] = []
"""Of each refusal: where, and how long the stream was."""


def survives(data: bytes) -> list[Value] | None:
    """Decode; None if refused. Whatever is accepted can be encoded, hashed, written as text, and read again as the same."""
    try:
        found = ion.decode_all(data)
    except InvalidValueError as error:
        positions.append((error.position, len(data)))
        return None
    for value in found:
        ion_hash(value)
        assert identical(ion.decode(ion.encode(value)), value)
        assert identical(iontext.parse(iontext.dump([value])), [value])
    return found


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    survives(IVM + data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30))
def test_bytes_that_do_not_begin_with_the_version_are_refused(data: bytes) -> None:
    if data[:4] != IVM:
        with pytest.raises(InvalidValueError, match="E0 01 00 EA"):
            ion.decode_all(data)


def damaged(good: bytes, data: st.DataObject) -> bytes:
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        kind = data.draw(st.integers(0, 2))
        if kind == 0 and at < len(changed):
            changed[at] = data.draw(st.integers(0, 255))
        elif kind == 1:
            del changed[at : at + data.draw(st.integers(1, 3))]
        else:
            changed[at:at] = data.draw(st.binary(min_size=1, max_size=3))
    return bytes(changed)


@settings(max_examples=400, deadline=None)
@given(values(), st.data())
def test_damaged_streams_are_read_or_refused(value: Value, data: st.DataObject) -> None:
    survives(IVM + damaged(ion.encode(value), data)[4:])


def valid_streams() -> list[bytes]:
    lines = (VECTORS / "ion_tests_binary.txt").read_text().splitlines()
    good = [bytes.fromhex(line.split()[2]) for line in lines if line.startswith("good")]
    return [data for data in good if len(data) < 500] + [
        ion.encode({"a": [1, "x" * 20, {"b": Symbol("c")}], "d": b"blob"})
    ]


def test_every_stream_cut_at_every_byte_is_read_or_refused() -> None:
    cuts = [data[:at] for data in valid_streams() for at in range(4, len(data))]
    assert len(cuts) > 2500
    for cut in cuts:
        survives(cut)
    assert all(at is not None and 0 <= at <= size for at, size in positions)


def test_one_value_cut_at_any_byte_is_refused() -> None:
    data = valid_streams()[-1]
    for at in range(len(data)):
        with pytest.raises(InvalidValueError):
            ion.decode(data[:at])
        with pytest.raises(InvalidValueError):
            ion.decode_part(data[4:at], ion.SYSTEM)
    with pytest.raises(InvalidValueError, match="there are 2"):
        ion.decode(data + b"\x0f")


def test_every_byte_of_every_stream_may_be_any_other_byte() -> None:
    for data in valid_streams()[::7]:
        for at in range(4, min(len(data), 40)):
            for byte in range(0, 256, 5):
                survives(data[:at] + bytes([byte]) + data[at + 1 :])


def test_the_bytes_on_which_amazon_ion_hangs_are_refused() -> None:
    with pytest.raises(InvalidValueError):
        ion.decode(bytes.fromhex("e00100eabe9700c205409f220100"))


REFUSED = [
    ("30", "negative zero", "a negative zero of length 0"),
    ("3100", "negative zero", "one of length 1"),
    ("320000", "negative zero", "a padded one"),
    ("12", "descriptor", "a bool has no length"),
    ("1e80", "descriptor", "nor a longer one"),
    ("41ff", "descriptor", "a float of 1 byte"),
    ("49" + "00" * 9, "descriptor", "a float of 9 bytes"),
    ("60", "descriptor", "a timestamp of nothing"),
    ("61c0", "end", "a timestamp without a year"),
    ("63c00fdb8e", "end", "a second value cut off"),
    ("67c00fdb818181", "left", "a timestamp longer than the stream"),
    ("66c00fdb818180", "hour without", "an hour without minutes"),
    ("65c00fdb8280", "no such time", "day 0"),
    ("65c00fdb829e", "no such time", "30 February"),
    ("67800fdb82819880", "no such time", "hour 24"),
    ("68800fdb81818080bc", "no such time", "second 60"),
    ("6a800fdb8181808080c10a", "fraction", "a fraction of 1.0"),
    ("6a800fdb8181808080c181", "fraction", "a fraction of -0.1"),
    ("6a800fdb81818080808001", "fraction", "a fraction of 1d0"),
    ("680ba00fdb81818080", "offset", "an offset of a day"),
    ("64c04f8f81", "no such time", "year 10127"),
    ("520101", "end", "an exponent that does not end"),
    ("540100c001", "exponent", "an exponent beyond the bound"),
    ("710a", "not in the table", "a symbol that nobody named"),
    ("d38a2101", "not in the table", "a field that nobody named"),
    ("e3818a0f", "not in the table", "an annotation that nobody named"),
    ("81ff", "UTF-8", "not UTF-8"),
    ("83eda080", "UTF-8", "a surrogate"),
    ("82c080", "UTF-8", "an overlong NUL"),
    ("84f4908080", "UTF-8", "beyond Unicode"),
    ("b1", "left", "a list that is not there"),
    ("b121", "left", "a member longer than its list"),
    ("d180", "no field", "an ordered struct of length 0"),
    ("d184", "left", "an ordered struct that is not there"),
    ("d18686208420", "left", "one longer than the stream"),
    ("d18486208420", "after", "an ordered struct out of order"),
    ("d24444", "end", "a field name that does not end"),
    ("d184000000b4", "value", "a field without value"),
    ("d284", "left", "a struct longer than the stream"),
    ("e0", "1.0", "a version marker cut off"),
    ("e00101ea", "1.0", "Ion 1.1"),
    ("b4e00100ea", "descriptor", "a version marker in a list"),
    ("e180", "descriptor", "annotations of 1 byte"),
    ("e28184", "descriptor", "annotations of 2 bytes"),
    ("e380840f", "annotations", "no annotation"),
    ("e3828484", "no value", "annotations without a value"),
    ("e3818400", "padding", "padding annotated"),
    ("e68184e3818420", "annotated again", "annotations in annotations"),
    ("e481842020", "exactly one", "two values annotated"),
    ("f0", "descriptor", "type 15"),
    ("ff", "descriptor", "type 15, null"),
    ("ef", "descriptor", "a null annotation"),
    ("8e", "end", "a length that is not there"),
    ("8e00000000000000000080", "end", "a length of more than 8 bytes"),
    ("8e7f7f7f7f7f7f7fff", "left", "a length of 2**56"),
    ("0e85", "left", "padding cut off"),
    ("2e0dfa" + "00" * 1786, "integer", "an integer beyond the bound"),
    ("e78183d487b38161", "left", "a table whose list is cut off"),
]


@pytest.mark.parametrize(("body", "why", "what"), REFUSED, ids=[f"{body[:16]} {what}" for body, _, what in REFUSED])
def test_bytes_that_are_no_ion_are_refused_with_their_position(body: str, why: str, what: str) -> None:
    with pytest.raises(InvalidValueError, match=why) as caught:
        ion.decode_all(IVM + bytes.fromhex(body))
    assert caught.value.position is not None
    assert caught.value.position >= 4


# Symbol tables from outside


def table(fields: str) -> str:
    """Give a local symbol table of the struct's fields in hex (below 120 bytes)."""
    size = len(fields) // 2
    return f"ee{0x80 + size + 4:02x}8183de{0x80 + size:02x}{fields}"


def test_an_appended_table_goes_on_and_a_new_one_begins_again() -> None:
    one, more, new = table("87b28161"), table("86710387b28162"), table("87b28163")
    assert ion.decode_all(bytes.fromhex("e00100ea" + one + "710a" + more + "710a710b" + new + "710a")) == [
        Symbol("a"), Symbol("a"), Symbol("b"), Symbol("c"),
    ]  # fmt: skip
    with pytest.raises(InvalidValueError, match="symbol 11"):
        ion.decode_all(bytes.fromhex("e00100ea" + one + more + new + "710b"))
    with pytest.raises(InvalidValueError, match="symbol 10"):
        ion.decode_all(bytes.fromhex("e00100ea" + one + "e00100ea" + "710a"))


def test_what_is_no_string_in_a_table_is_a_symbol_without_text() -> None:
    assert ion.decode_all(bytes.fromhex("e00100ea" + table("87b3" + "20" + "8161") + "710a710b")) == [
        Symbol(None), Symbol("a"),
    ]  # fmt: skip


def test_symbols_of_an_unknown_shared_table_have_no_text() -> None:
    shared = table("86b7" + "d6" + "848178" + "882102" + "87b28161")
    found = ion.decode_all(bytes.fromhex("e00100ea" + shared + "710a710b710c" + "d38a2101"))
    assert found == [Symbol(None), Symbol(None), Symbol("a"), MultiStruct(((None, 1),))]


def test_a_shared_table_without_max_id_and_one_too_large_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="max_id"):
        ion.decode_all(bytes.fromhex("e00100ea" + table("86b4" + "d3" + "848178")))
    with pytest.raises(InvalidValueError, match="reserve over"):
        ion.decode_all(bytes.fromhex("e00100ea" + table("86b9" + "d8" + "848178" + "8823ffffff")))


# What must not take long


def repeated(prefix: str, unit: str, size: int = 400_000) -> bytes:
    return bytes.fromhex("e00100ea" + prefix) + bytes.fromhex(unit) * (size // (len(unit) // 2))


LARGE_TABLE = append_table([""] * 500_000).hex()
FLOODS = {
    "lists in lists without end": repeated("", "be"),
    "lists in lists": repeated("", "b1"),
    "empty structs": repeated("", "d0"),
    "padding": repeated("", "00"),
    "long padding": repeated("", "0e8000"),
    "nulls": repeated("", "0f"),
    "version markers": repeated("", "e00100ea"),
    "tables that append to a large one": repeated(LARGE_TABLE, table("86710387b180")),
    "tables that begin again": repeated("", table("87b180")),
    "tables that import": repeated("", "e00100ea" + table("86b7d6" + "848178" + "882203e8")),
    "annotations": bytes.fromhex("e00100ea" + "ee0618fe" + "0618fa") + b"\x84" * 100_000 + b"\x0f",
    "fields of one name": bytes.fromhex("e00100ea" + "de061aa0") + b"\x84\x20" * 50_000,
    "zeros": repeated("", "20"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_read_or_refused_in_time_that_grows_with_its_size_only(name: str) -> None:
    """0.4 MB each: about half a second at worst on a slow machine; anything quadratic takes minutes."""
    began = time.process_time()
    try:
        ion.decode_all(FLOODS[name])
    except InvalidValueError as error:
        positions.append((error.position, len(FLOODS[name])))
    assert time.process_time() - began < 8


def test_a_length_costs_nothing_before_its_bytes_are_there() -> None:
    for unit in ("8e", "be", "de", "9e", "ae", "2e", "5e", "6e", "7e"):
        with pytest.raises(InvalidValueError, match=r"left|table"):
            ion.decode_all(bytes.fromhex("e00100ea" + unit + "7f7f7f7f7fff"))
