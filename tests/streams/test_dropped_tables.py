"""Tables that are dropped, taken back, and created again, on a real broker: what their topics tell, whatever happens meanwhile."""

from __future__ import annotations

import pytest
from stream_world import World, delete_records, delete_topic

from ledger.block import SYSTEM_TABLE_NAME
from ledger.catalog import Table, table_document
from ledger.ids import id_of_text
from ledger.journal import JournalReader
from ledger.values import Struct
from streams.position import control_of
from streams.rebuild import rebuild_ledger
from streams.records import RECORD_TYPE_HEADER

pytestmark = pytest.mark.kafka


def change(world: World, table: str, status: str, *writes: tuple[str, str, Struct | None]) -> None:
    world.journal.append([world.builder.change_table(table, status, *writes)])


def told(world: World, partition: int, table: str = "Cars") -> list[tuple[str, str]]:
    """Give what a partition of the table's topic tells, in order: (revision, table id), or (TABLE_DROPPED, table id)."""
    found = []
    for record in world.read(world.table_topic(table), partition):
        if record.headers[RECORD_TYPE_HEADER] == b"CONTROL":
            control = control_of(record)
            assert control is not None
            found.append((str(control["controlRecordType"]), str(control["tableId"])))
        else:
            found.append(("revision", ""))
    return found


def controls(world: World, table: str = "Cars") -> list[list[str]]:
    return [[kind for kind, _ in told(world, p, table) if kind != "revision"] for p in range(3)]


def test_a_table_that_is_dropped_and_created_again_is_two_tables_on_one_topic(world: World) -> None:
    """With a publisher of its own for each step: what one has not seen, the next one finds in Kafka."""
    world.commit(10)
    world.publish()
    change(world, "Cars", "INACTIVE", ("Cars", "last", {"n": 0}))
    world.publish()
    world.commit(10, table="Cars#2")
    world.publish()
    change(world, "Cars#2", "INACTIVE", ("Cars#3", "at once", {"n": 0}))
    world.publish()
    world.check()
    for partition in range(3):
        kinds = [found for found in told(world, partition) if found[0] != "revision"]
        assert kinds == [("TABLE_DROPPED", id_of_text("Cars")), ("TABLE_DROPPED", id_of_text("Cars#2"))]
    rebuilt = rebuild_ledger(world.broker, world.names, world.data / "rebuilt")
    assert rebuilt.blocks == 22
    reader = JournalReader.open(world.data / "rebuilt")
    assert [block for block, _ in reader.blocks()] == world.blocks()
    reader.close()


def test_a_table_that_is_back_says_so_before_its_next_revision(world: World) -> None:
    world.commit(10)
    change(world, "Cars", "INACTIVE")
    change(world, "Cars", "ACTIVE", *(("Cars", f"new {i}", {"n": i}) for i in range(12)))
    world.publish()
    world.check()
    for partition in range(3):
        kinds = [kind for kind, _ in told(world, partition)]
        back = kinds.index("TABLE_UNDROPPED")
        assert kinds[back - 1] == "TABLE_DROPPED"
        assert "revision" in kinds[back:], "some of the new documents lie in each partition"


def test_a_table_that_never_had_a_document_gets_its_topic_when_it_is_dropped(world: World) -> None:
    change(world, "Boats", "INACTIVE")
    world.publish()
    assert controls(world, "Boats") == [["TABLE_DROPPED"]] * 3
    world.commit(5, table="Boats#2")
    world.publish()
    world.check()


def test_tables_of_several_names_dropped_by_one_block(world: World) -> None:
    world.commit(3)
    world.commit(3, table="Boats")
    boats = Table(id_of_text("Boats"), "Boats", "INACTIVE", status_tx_id=world.builder.next_transaction_id)
    change(world, "Cars", "INACTIVE", (SYSTEM_TABLE_NAME, "Boats", table_document(boats)))
    world.publish()
    assert controls(world) == controls(world, "Boats") == [["TABLE_DROPPED"]] * 3
    world.check()


@pytest.mark.parametrize("lost", ["the topic", "the records of a partition", "block-summary"])
def test_what_is_told_of_a_table_comes_again_in_its_place_when_kafka_lost_it(world: World, lost: str) -> None:
    world.commit(10)
    change(world, "Cars", "INACTIVE")
    world.commit(10, table="Cars#2")
    world.publish()
    before = [told(world, p) for p in range(3)]
    if lost == "the topic":
        delete_topic(world, world.table_topic())
    elif lost == "block-summary":
        delete_topic(world, world.names.block_summary)
    else:
        delete_records(world, world.table_topic(), 1, -1)
    change(world, "Cars#2", "INACTIVE")
    world.publish()
    assert [told(world, p) for p in range(3)] == [[*kinds, ("TABLE_DROPPED", id_of_text("Cars#2"))] for kinds in before]
    world.check()
    world.publish()
    world.check()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["begin", "flush", "commit"])
def test_a_publisher_that_is_killed_over_a_drop_tells_it_once(world: World, when: str, step: str) -> None:
    world.commit(5)
    world.publish()
    change(world, "Cars", "INACTIVE", ("Cars", "last", {"n": 0}))
    world.commit(2, table="Cars#2")
    change(world, "Boats", "INACTIVE")  # its topic is made by the publisher that dies, or by the next
    with world.running("KILL", when, step, 2) as doomed:  # the first kafka_tx is that of OWNER
        doomed.wait(60)
    world.publish()
    assert controls(world) == controls(world, "Boats") == [["TABLE_DROPPED"]] * 3
    world.check()
