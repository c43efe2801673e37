"""Values and names that are rare: stored and read back as they were written, or refused wherever they come in."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import ledger
from ledger.check import check_ledger
from ledger.errors import InvalidValueError
from ledger.values import Annotated, Clob, Symbol, Timestamp, Value, identical

DOCUMENTS: list[dict[str, Value]] = [
    {"x": Annotated(("$ion_symbol_table",), {"symbols": ["a"]})},
    {"Größe": 1, "b": 2},
    {"": "empty", "b": 3},
    {"price": Decimal("1.50"), "at": Timestamp(2026), "state": Symbol("NY"), "n": 2**80},
]


def test_what_is_stored_is_what_was_written_also_when_it_is_read_from_the_disk_in_part(tmp_path: Path) -> None:
    with ledger.open(tmp_path / "odd") as db:
        db.execute("CREATE TABLE T")
        for data in DOCUMENTS:
            db.execute("INSERT INTO T ?", data)
    with ledger.open(tmp_path / "odd") as db:
        found = db.execute("SELECT * FROM T").rows
        assert all(any(identical(row, data) for row in found) for data in DOCUMENTS)
        for name in {name for data in DOCUMENTS for name in data}:
            values = db.execute(f'SELECT VALUE t."{name}" FROM T AS t').rows
            expected = [data[name] for data in DOCUMENTS if name in data]
            assert len(values) == len(expected)
            assert all(any(identical(value, other) for other in values) for value in expected)
    check_ledger(tmp_path / "odd")


@pytest.mark.parametrize(
    "parameter",
    ["\ud800", Decimal("NaN"), Decimal("1E+10001"), 256**1785, Timestamp(2026, 13), Annotated((), 1), Clob("x")],  # type: ignore[arg-type]
    ids=lambda value: repr(value)[:30],
)
def test_a_parameter_that_is_no_ion_value_is_refused_by_queries_too(db: ledger.Database, parameter: Value) -> None:
    for text in (
        "SELECT VALUE ? FROM << 0 >>",
        "SELECT VALUE 1 FROM Vehicle ORDER BY ?",
        "INSERT INTO Vehicle VALUE {'v': ?}",
    ):
        with pytest.raises(InvalidValueError):
            db.execute(text, parameter)
    with pytest.raises(InvalidValueError):
        db.stream("SELECT VALUE ? FROM << 0 >>", parameter)
    with pytest.raises(InvalidValueError):
        db.execute('SELECT t."\ud800" FROM Vehicle AS t')
