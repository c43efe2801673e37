"""OCC over values: which writes make which reads stale, and what is remembered for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME
from ledger.catalog import Index, Table, table_document
from ledger.index_key import order_key
from ledger.occ import RangeRead, ReadSet, RecentWrites, key_in_common, keys_touched
from ledger.overlay import Change
from ledger.partiql.context import Document
from ledger.values import Value

TABLE = Table("t" * 22, "Vehicle", indexes=(Index.over("i" * 22, "[VIN]"),))


def document(**data: Value) -> Document:
    return Document(TABLE.table_id, "d" * 22, 3, data)


def change(before: Document | None, after: Document | None) -> Change:
    return Change(TABLE, "d" * 22, before, after, [0])


def entry(value: Value) -> tuple[str, str, bytes]:
    return ("index", "i" * 22, order_key(value))


def reads(as_of: int, *keys: object) -> ReadSet:
    found = ReadSet(as_of)
    found.keys.update(keys)  # type: ignore[arg-type]
    return found


def test_a_changed_index_key_touches_the_old_and_the_new_entry() -> None:
    touched = keys_touched([change(document(VIN="a"), document(VIN="b"))])
    assert {entry("a"), entry("b")} <= touched


def test_an_index_entry_that_stays_is_not_touched() -> None:
    touched = keys_touched([change(document(VIN="a", Year=1), document(VIN="a", Year=2))])
    assert touched == {("table", TABLE.table_id), ("document", TABLE.table_id, "d" * 22)}


def test_equal_values_of_other_types_are_one_index_entry() -> None:
    assert entry(1) not in keys_touched([change(document(VIN=1), document(VIN=1.0))])


def test_an_insert_touches_the_absent_key_that_somebody_looked_up() -> None:
    writes = RecentWrites(4)
    writes.record(5, 0.0, keys_touched([change(None, document(VIN="a"))]))
    conflict = writes.conflict(reads(4, entry("a")))
    assert conflict == (entry("a"), 5)
    assert writes.conflict(reads(4, entry("b"))) is None


def test_a_scan_is_stale_after_any_write_to_its_table_and_a_look_up_is_not() -> None:
    writes = RecentWrites(4)
    writes.record(5, 0.0, keys_touched([change(document(VIN="a"), None)]))
    assert writes.conflict(reads(4, ("table", TABLE.table_id))) is not None
    assert writes.conflict(reads(4, ("document", TABLE.table_id, "e" * 22))) is None


def test_reads_as_of_the_writing_block_or_later_hold() -> None:
    writes = RecentWrites(4)
    writes.record(5, 0.0, keys_touched([change(None, document(VIN="a"))]))
    assert writes.conflict(reads(5, entry("a"))) is None


def test_ddl_touches_the_name_and_the_catalogue() -> None:
    system = Table(SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME)
    after = Document(SYSTEM_TABLE_ID, TABLE.table_id, 0, table_document(TABLE))
    touched = keys_touched([Change(system, TABLE.table_id, None, after, [0])])
    assert {("catalog", "Vehicle"), ("table", SYSTEM_TABLE_ID)} <= touched


def test_what_is_forgotten_makes_older_reads_impossible_to_validate() -> None:
    writes = RecentWrites(-1)
    writes.record(0, 10.0, {("table", "x")})
    writes.record(1, 20.0, {("table", "x"), ("table", "y")})
    writes.forget_up_to(-1, 15.0)
    assert not writes.remembers(-1)
    assert writes.remembers(0)
    assert writes.conflict(reads(0, ("table", "x"))) == (("table", "x"), 1)


def test_forgetting_everything_moves_the_floor_to_the_head() -> None:
    writes = RecentWrites(-1)
    writes.forget_up_to(7, 0.0)
    assert writes.remembers(7)
    assert not writes.remembers(6)


COMPOSITE = Table(
    "t" * 22, "Vehicle", indexes=(Index.over("c" * 22, "[state, year]"), Index.over("e" * 22, "[owners[*]]"))
)


def reads_range(as_of: int, low: Value, high: Value, index_id: str = "i" * 22) -> ReadSet:
    found = ReadSet(as_of)
    found.ranges.append(RangeRead(index_id, order_key(low), order_key(high)))
    return found


def test_a_range_is_stale_after_a_write_into_it_and_only_then() -> None:
    inside = keys_touched([change(None, document(VIN=5))])
    beside = keys_touched([change(document(VIN=1), document(VIN=9))])
    same_entry = keys_touched([change(document(VIN=5, Year=1), document(VIN=5, Year=2))])
    writes = RecentWrites(4)
    for number, keys in enumerate([beside, same_entry, inside], start=5):
        assert (key_in_common(reads_range(4, 3, 7), keys) is not None) == (keys is inside)
        writes.record(number, 0.0, keys)
        conflict = writes.conflict(reads_range(4, 3, 7))
        assert conflict == ((entry(5), 7) if keys is inside else None)
    assert writes.conflict(reads_range(7, 3, 7)) is None, "as of the writing block it holds"
    assert writes.conflict(reads_range(4, 3, 5)) is None, "the end is not in it"
    assert writes.conflict(reads_range(4, 5, 7)) is not None, "the start is"
    assert writes.conflict(reads_range(4, 3, 7, "j" * 22)) is None, "another index"


def test_a_document_that_leaves_a_range_makes_it_stale() -> None:
    writes = RecentWrites(4)
    writes.record(5, 0.0, keys_touched([change(document(VIN=5), None)]))
    assert writes.conflict(reads_range(4, 3, 7)) is not None


def test_a_count_is_stale_after_an_insert_or_a_delete_and_not_after_an_update() -> None:
    counted = ("count", TABLE.table_id)
    assert counted in keys_touched([change(None, document(VIN="a"))])
    assert counted in keys_touched([change(document(VIN="a"), None)])
    assert counted not in keys_touched([change(document(VIN="a"), document(VIN="b"))])


def test_entries_of_several_fields_and_of_elements_are_touched_where_they_change() -> None:
    before = document(state="CA", year=1, owners=["a", "b"])
    touched = keys_touched([Change(COMPOSITE, "d" * 22, before, document(state="CA", year=2, owners=["b", "c"]), [0])])
    assert {key for key in touched if key[0] == "index"} == {
        *(("index", "c" * 22, order_key("CA") + order_key(year)) for year in (1, 2)),
        *(("index", "e" * 22, order_key(owner)) for owner in ("a", "c")),
    }


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9) | st.none()), max_size=30),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(-1, 29),
    st.integers(-1, 29),
)
def test_what_is_remembered_of_ranges_is_what_a_list_of_all_writes_says(
    written: list[tuple[int, int | None]], low: int, high: int, as_of: int, forgotten: int
) -> None:
    """Writes move a document from a key to another; some are forgotten on the way, and asked about before and after."""
    writes = RecentWrites(-1)
    for number, (old, new) in enumerate(written):
        after = None if new is None else document(VIN=new)
        writes.record(number, 0.0, keys_touched([change(document(VIN=old), after)]))
        if number == len(written) // 2:
            writes.conflict(reads_range(-1, low, high))
            writes.forget_up_to(min(forgotten, number), -1.0)
    if not writes.remembers(as_of):
        return
    expected = any(
        low <= key < high
        for old, new in written[as_of + 1 :]
        for key in {old, new} - ({old} if old == new else set())
        if key is not None
    )
    assert (writes.conflict(reads_range(as_of, low, high)) is not None) == expected
