"""OCC over values: which writes make which reads stale, and what is remembered for how long."""

from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME
from ledger.catalog import Index, Table, table_document
from ledger.index_key import index_key
from ledger.occ import ReadSet, RecentWrites, keys_touched
from ledger.overlay import Change
from ledger.partiql.context import Document
from ledger.values import Value

TABLE = Table("t" * 22, "Vehicle", indexes=(Index.over("i" * 22, "[VIN]"),))


def document(**data: Value) -> Document:
    return Document(TABLE.table_id, "d" * 22, 3, data)


def change(before: Document | None, after: Document | None) -> Change:
    return Change(TABLE, "d" * 22, before, after, [0])


def entry(value: Value) -> tuple[str, str, bytes]:
    key = index_key(value)
    assert key is not None
    return ("index", "i" * 22, key)


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
