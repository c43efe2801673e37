"""Ion hash against the official vectors and against a naive second implementation; QLDB's dot and digests."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import naive_hashing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ion_values import values
from test_ion import REFUSED, nested

from ledger import hashing, ion, iontext
from ledger.errors import InvalidValueError
from ledger.hashing import dot, ion_hash
from ledger.values import Annotated, MultiStruct, Sexp, Symbol, Timestamp, Value, fields_of

VECTORS = Path(__file__).parent.parent / "vectors"
HASHES = st.binary(min_size=32, max_size=32)


def _official() -> list[tuple[Value, bytes]]:
    """Give (value, its serialisation with the identity as hash) of every official vector that has one."""
    found = []
    for case in iontext.parse_all((VECTORS / "ion_hash_tests.ion").read_text()):
        fields = dict(fields_of(case.value if isinstance(case, Annotated) else case))
        identity = fields["expect"].get("identity")
        calls = [call for call in identity or () if isinstance(call, Annotated)]
        digests = [call.value for call in calls if call.annotations[0] in ("digest", "final_digest")]
        if digests:
            found.append((_source(fields), bytes(digests[-1])))
    return found


def _source(fields: dict[str | None, Value]) -> Value:
    if "ion" in fields:
        return fields["ion"]
    return ion.decode(b"\xe0\x01\x00\xea" + bytes(fields["10n"]))


OFFICIAL = _official()


def test_the_official_vectors_are_all_there() -> None:
    assert len(OFFICIAL) > 100


@pytest.mark.parametrize(("value", "expected"), OFFICIAL)
def test_the_naive_implementation_agrees_with_the_official_vectors(value: Value, expected: bytes) -> None:
    assert naive_hashing.ion_hash(value, lambda data: data) == expected


@pytest.mark.parametrize("value", [value for value, _ in OFFICIAL])
def test_ours_agrees_with_the_naive_one_on_the_official_vectors(value: Value) -> None:
    assert ion_hash(value) == naive_hashing.ion_hash(value)


@settings(max_examples=500, deadline=None)
@given(values())
def test_ours_agrees_with_the_naive_one_on_any_value(value: Value) -> None:
    expected = naive_hashing.ion_hash(value)
    assert ion_hash(value) == expected
    assert ion_hash(ion.decode(ion.encode(value))) == expected


@pytest.mark.parametrize(
    "value", [v for v in REFUSED if not (isinstance(v, Annotated) and "$ion" in str(v.annotations))]
)
def test_what_the_codec_refuses_has_no_hash(value: object) -> None:
    for wrapped in (value, [value], {"a": value}):
        with pytest.raises(InvalidValueError):
            ion_hash(wrapped)


def test_nesting_is_hashed_as_deep_as_it_is_encoded() -> None:
    assert ion_hash(nested(ion.DEPTH_MAX)) == naive_hashing.ion_hash(nested(ion.DEPTH_MAX))
    with pytest.raises(InvalidValueError, match="deep"):
        ion_hash(nested(ion.DEPTH_MAX + 1))


def test_the_order_of_fields_does_not_matter_and_everything_else_does() -> None:
    assert ion_hash({"a": 1, "b": 2}) == ion_hash({"b": 2, "a": 1})
    different: list[Value] = [
        1, Decimal(1), Decimal("1.0"), 1.0, True, "1", Symbol("1"), b"1", [1], Sexp((1,)), {"a": 1}, {"a": "1"},
        MultiStruct((("a", 1), ("a", 1))), Annotated(("a",), 1), Annotated(("b",), 1), -1, None,
        Timestamp(2020, 1, 1), Timestamp(2020, 1, 1, offset=0), Timestamp(2020, 1, 1, fraction=Decimal("0.0")),
    ]  # fmt: skip
    assert len({ion_hash(value) for value in different}) == len(different)


def test_more_field_names_than_are_remembered_are_hashed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_NAMES_MAX", 3)
    for i in range(10):
        value: Value = {f"name {i}": i, "a": 1, "b": 2}
        assert ion_hash(value) == naive_hashing.ion_hash(value)


# dot and what is built on it


@given(HASHES, HASHES)
def test_dot_agrees_with_the_naive_one_and_commutes(a: bytes, b: bytes) -> None:
    assert dot(a, b) == dot(b, a) == naive_hashing.dot(a, b)


@given(HASHES, st.integers(0, 31), st.integers(0, 255))
def test_dot_agrees_where_only_one_byte_differs(a: bytes, at: int, byte: int) -> None:
    b = a[:at] + bytes([byte]) + a[at + 1 :]
    assert dot(a, b) == dot(b, a) == naive_hashing.dot(a, b)


def test_an_empty_operand_is_neutral() -> None:
    assert dot(b"", b"") == b""
    assert dot(b"a" * 32, b"") == dot(b"", b"a" * 32) == b"a" * 32


@pytest.mark.parametrize(("a", "b"), [(b"a", b""), (b"", b"a"), (b"a" * 31, b"b" * 32), (b"a" * 32, b"b" * 33)])
def test_what_is_no_hash_is_not_combined(a: bytes, b: bytes) -> None:
    with pytest.raises(InvalidValueError, match="32 bytes"):
        dot(a, b)


def test_parameters_are_digested_in_their_order_and_by_their_type() -> None:
    text = "UPDATE T SET a = ?, b = ?"
    expected = dot(dot(ion_hash(text), ion_hash(1)), ion_hash("x"))
    assert hashing.statement_digest(text, [1, "x"]) == expected
    assert hashing.statement_digest(text, [1, "x"]) != hashing.statement_digest(text, [Decimal(1), "x"])
    assert hashing.statement_digest(text, []) == ion_hash(text)
    assert hashing.commit_digest("id", [expected, ion_hash(1)]) == dot(dot(ion_hash("id"), expected), ion_hash(1))


def test_a_revision_is_hashed_with_its_data_or_by_its_metadata_alone() -> None:
    metadata: dict[str, Value] = {"id": "a", "version": 1, "txTime": Timestamp.of_milliseconds(0), "txId": "b"}
    data: Value = {"x": 1}
    assert hashing.revision_hash(metadata, data) == dot(ion_hash(metadata), ion_hash(data))
    assert hashing.redacted_revision_hash(metadata, ion_hash(data)) == hashing.revision_hash(metadata, data)
    assert hashing.revision_hash(metadata, None) == ion_hash(metadata)
