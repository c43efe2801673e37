"""A server that lies with genuine hashes: each trick keeps what a check by membership looks at, and the exact verifier refuses it.

The server cannot change the block's hash (it is chained, or in a digest that somebody kept), but `dot` commutes, trees have no separation
between leaves and nodes, and whoever only asks "is this hash in the list?" can be shown another order, another count, another list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from block_builder import BlockBuilder, sealed
from test_verify import record_struct, with_revision

from ledger import imported, merkle
from ledger.block import Block, block_struct, summary_struct
from ledger.errors import IntegrityError
from ledger.hashing import dot, ion_hash
from ledger.verify import block_of_struct, verify_block, verify_chain_link, verify_revision, verify_summary


def honest() -> Block:
    """Give block 1 of a strand: two tables, two revisions each."""
    builder = BlockBuilder()
    builder.add(("Cars", "a", {"n": 0}), ("Cars", "b", {"n": 0}), ("People", "c", {"n": 0}), ("People", "d", {"n": 0}))
    return builder.add(
        ("Cars", "a", {"n": 1}), ("Cars", "b", {"n": 2}), ("People", "c", {"n": 3}), ("People", "d", {"n": 4})
    )


BLOCK = honest()
Struct = dict[str, Any]


def shown(**changes: Any) -> Struct:
    return block_struct(BLOCK) | changes


def entries(*hashes: bytes) -> Struct:
    """Show another entriesHashList with the same root."""
    assert merkle.root(hashes) == BLOCK.entries_hash
    return shown(entriesHashList=list(hashes))


HEADER, REVISIONS, TABLES, INFO = BLOCK.entries_hash_list
HASHES = [revision.hash for _, _, revision in BLOCK.revisions()]


def swapped_siblings() -> Struct:
    return entries(REVISIONS, HEADER, TABLES, INFO)


def swapped_halves() -> Struct:
    return entries(TABLES, INFO, HEADER, REVISIONS)


def inner_nodes_as_entries() -> Struct:
    return entries(dot(HEADER, REVISIONS), dot(TABLES, INFO))


def the_root_as_only_entry() -> Struct:
    return entries(BLOCK.entries_hash)


def extra_entry() -> Struct:
    return shown(entriesHashList=[HEADER, REVISIONS, TABLES, INFO, bytes(32)])


def missing_entry() -> Struct:
    return shown(entriesHashList=[HEADER, REVISIONS, TABLES])


def swapped_revisions() -> Struct:
    """Two neighbours of the revisions' tree: their root is the same."""
    first, second, *rest = block_struct(BLOCK)["revisions"]
    assert merkle.root([HASHES[1], HASHES[0], *HASHES[2:]]) == REVISIONS
    return shown(revisions=[second, first, *rest])


def swapped_revisions_and_tables_entry() -> Struct:
    """The same, with a `tables` entry that agrees."""
    cars, people = BLOCK.tables
    other = replace(BLOCK, tables=(replace(cars, revisions=cars.revisions[::-1]), people))
    return block_struct(other)


def reordered_tables() -> Struct:
    """Whole halves of the revisions' tree, with a `tables` entry that agrees."""
    other = replace(BLOCK, tables=BLOCK.tables[::-1])
    assert merkle.root([revision.hash for _, _, revision in other.revisions()]) == REVISIONS
    return block_struct(other)


def inner_nodes_as_revisions() -> Struct:
    """Two hashes where four revisions are: the root is the same, and so is what a summary of QLDB shows."""
    nodes = [{"hash": dot(HASHES[0], HASHES[1])}, {"hash": dot(HASHES[2], HASHES[3])}]
    assert merkle.root([node["hash"] for node in nodes]) == REVISIONS
    return shown(revisions=nodes)


def hashes_only() -> Struct:
    return shown(revisions=[{"hash": value} for value in HASHES])


def one_revision_withheld() -> Struct:
    return shown(revisions=block_struct(BLOCK)["revisions"][:-1])


def all_revisions_withheld() -> Struct:
    return {name: value for name, value in block_struct(BLOCK).items() if name != "revisions"}


def writes_withheld_altogether() -> Struct:
    """As if the transaction had only read: no tables, no revisions, and only the entries of such a block."""
    other = replace(BLOCK, tables=())
    return block_struct(replace(other, entries_hash_list=(HEADER, INFO)))


def one_revision_twice() -> Struct:
    revisions: Any = block_struct(BLOCK)["revisions"]
    return shown(revisions=[*revisions, revisions[-1]])


def data_shown_as_a_deletion() -> Struct:
    return block_struct(with_revision(BLOCK, 0, data=None))


def a_deletion_with_the_data_hash_of_nothing() -> Struct:
    return block_struct(with_revision(BLOCK, 0, data=None, data_hash=b""))


def another_version() -> Struct:
    return block_struct(with_revision(BLOCK, 1, version=7))


def another_table_sequence() -> Struct:
    cars, people = BLOCK.tables
    return block_struct(replace(BLOCK, tables=(replace(cars, first_sequence_no=9), people)))


def another_table_name() -> Struct:
    cars, people = BLOCK.tables
    return block_struct(replace(BLOCK, tables=(replace(cars, table_name="Cats"), people)))


def a_revision_moved_to_another_table() -> Struct:
    """The order of the hashes stays, only the border between the tables moves."""
    cars, people = BLOCK.tables
    moved = replace(people, revisions=(cars.revisions[1], *people.revisions))
    other = replace(BLOCK, tables=(replace(cars, revisions=cars.revisions[:1]), moved))
    assert [revision.hash for _, _, revision in other.revisions()] == HASHES
    return block_struct(other)


def another_time() -> Struct:
    return shown(blockTimestamp=replace(BLOCK.block_timestamp, year=2025))


def another_number() -> Struct:
    return block_struct(replace(BLOCK, sequence_no=2))


def another_transaction() -> Struct:
    return block_struct(replace(BLOCK, transaction_id="0" * 22))


def another_statement() -> Struct:
    (statement,) = BLOCK.statements
    return block_struct(replace(BLOCK, statements=(replace(statement, statement="SELECT 1"),)))


LIES: list[Callable[[], Struct]] = [
    swapped_siblings, swapped_halves, inner_nodes_as_entries, the_root_as_only_entry, extra_entry,
    missing_entry, swapped_revisions, swapped_revisions_and_tables_entry, reordered_tables, inner_nodes_as_revisions, hashes_only,
    one_revision_withheld, all_revisions_withheld, writes_withheld_altogether, one_revision_twice, data_shown_as_a_deletion,
    a_deletion_with_the_data_hash_of_nothing, another_version, another_table_sequence, another_table_name,
    a_revision_moved_to_another_table, another_time, another_number, another_transaction, another_statement,
]  # fmt: skip


def test_the_honest_block_is_accepted() -> None:
    verify_block(block_of_struct(shown()))


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_the_exact_verifier_refuses(lie: Callable[[], Struct]) -> None:
    with pytest.raises(IntegrityError):
        verify_block(block_of_struct(lie()))


FOOLED = [swapped_siblings, swapped_halves, swapped_revisions, inner_nodes_as_revisions, hashes_only, all_revisions_withheld,
          another_time, another_number]  # fmt: skip


@pytest.mark.parametrize("lie", FOOLED, ids=lambda lie: lie.__name__)
def test_a_check_by_membership_would_have_been_fooled(lie: Callable[[], Struct]) -> None:
    """What QLDB's own verifier accepts: the reason why there are two."""
    imported.verify_block(lie())


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_no_lie_of_a_summary_is_accepted_as_the_summary_of_this_block(lie: Callable[[], Struct]) -> None:
    struct = lie()
    summary = {name: value for name, value in struct.items() if name != "revisions"}
    if summary == summary_struct(BLOCK):
        return  # the lie is in the documents, which a summary does not show
    with pytest.raises(IntegrityError):
        verify_summary(summary)


def test_a_second_list_of_revisions_has_no_place_in_a_block() -> None:
    """A server that seals a block with two revisions' roots, to show either one: there is one place for one root."""
    other = sealed(with_revision(BLOCK, 0, hash=ion_hash("another revision")))
    two = [*BLOCK.entries_hash_list, other.entries_hash_list[1], other.entries_hash_list[2]]
    entries_hash = merkle.root(two)
    block_hash = dot(entries_hash, BLOCK.previous_block_hash)
    struct = shown(entriesHashList=two, entriesHash=entries_hash, blockHash=block_hash)
    imported.verify_block(struct)
    with pytest.raises(IntegrityError, match="entriesHashList"):
        verify_block(block_of_struct(struct))


def test_a_block_sealed_anew_does_not_link_to_the_next_one() -> None:
    """Whoever changes a block and all hashes in it has another block hash, which the next block does not have."""
    builder = BlockBuilder()
    first = builder.add(("Cars", "a", {"n": 0}))
    second = builder.add(("Cars", "a", {"n": 1}))
    other = BlockBuilder().add(("Cars", "a", {"n": 99}))
    verify_block(other)
    verify_chain_link(first, second)
    with pytest.raises(IntegrityError, match="previousBlockHash"):
        verify_chain_link(other, second)


# Records


def record_lies() -> list[tuple[str, Struct]]:
    record: Struct = record_struct(BLOCK, 0)
    other: Struct = record_struct(BLOCK, 2)
    node = dot(HASHES[0], HASHES[1])
    return [
        (
            "an inner node as revision",
            record | {"revision": record["revision"] | {"hash": node}, "proof": record["proof"][1:]},
        ),
        ("a hash alone", record | {"revision": {"hash": node}, "proof": record["proof"][1:]}),
        ("the revision of another path", record | {"revision": other["revision"]}),
        ("the path of another revision", record | {"proof": other["proof"]}),
        ("a path cut short", record | {"proof": record["proof"][:-1]}),
        ("a path with a node twice", record | {"proof": [*record["proof"], record["proof"][-1]]}),
        ("another data", record | {"revision": record["revision"] | {"data": {"n": 5}}}),
        ("data and dataHash", record | {"revision": record["revision"] | {"dataHash": bytes(32)}}),
    ]


@pytest.mark.parametrize(("name", "struct"), record_lies(), ids=[name for name, _ in record_lies()])
def test_a_record_that_lies_is_refused(name: str, struct: Struct) -> None:
    with pytest.raises(IntegrityError):
        verify_revision(struct, BLOCK.block_hash)
