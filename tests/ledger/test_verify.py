"""The exact verifier: honest blocks pass, every field of a block matters, and links and sequences are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import naive_hashing
import pytest
from block_builder import BlockBuilder, sealed
from hypothesis import given, settings
from hypothesis import strategies as st
from ion_values import structs, values

from ledger import ion, merkle
from ledger.block import (
    Block,
    Revision,
    block_struct,
    header_struct,
    metadata_struct,
    revision_struct,
    summary_struct,
    tables_list,
    transaction_info_struct,
)
from ledger.block_reading import summary_of_struct
from ledger.errors import IntegrityError
from ledger.hashing import ion_hash
from ledger.seal_hashes import compute_entries
from ledger.values import Annotated, Timestamp, Value
from ledger.verify import (
    block_of_struct,
    verify_block,
    verify_chain_link,
    verify_place,
    verify_revision,
    verify_summary,
    verify_table_sequences,
)


def strand() -> list[Block]:
    """Give four blocks: two tables with three revisions, an update and a deletion, nothing written, one revision."""
    builder = BlockBuilder()
    return [
        builder.add(("Cars", "a", {"VIN": "1"}), ("Cars", "b", {"VIN": "2"}), ("People", "c", {"name": ["x", 1]})),
        builder.add(("People", "c", {"name": None}), ("Cars", "a", None)),
        builder.add(statement="SELECT * FROM Cars", parameters=()),
        builder.add(("Cars", "b", {"VIN": "3"})),
    ]


STRAND = strand()


def accepted(verify: Callable[[Any], object], attempts: Iterable[tuple[str, Value]]) -> list[str]:
    """Give where the attempts lie that the verifier did not refuse."""
    found = []
    for where, wrong in attempts:
        try:
            verify(wrong)
        except IntegrityError:
            continue
        found.append(where)
    return found


def record_struct(block: Block, number: int) -> dict[str, Value]:
    """Give the record of the block's n-th revision, as the stream's proof header has it."""
    table, sequence_no, revision = list(block.revisions())[number]
    shown = revision_struct(block, revision)
    del shown["blockAddress"]
    hashes = [each.hash for _, _, each in block.revisions()]
    path = [*merkle.audit_path(hashes, number), *merkle.audit_path(block.entries_hash_list, 1)]
    return {
        "format": 1,
        "blockAddress": summary_struct(block)["blockAddress"],
        "blockHash": block.block_hash,
        "tableId": table.table_id,
        "tableName": table.table_name,
        "tableSequenceNo": sequence_no,
        "revision": shown,
        "proof": [*path, *([block.previous_block_hash] if block.previous_block_hash else [])],
    }


def changed(value: Value) -> Iterator[tuple[str, Value]]:
    """Give (where, value) with one thing changed, taken away, or added, anywhere in the value."""
    if isinstance(value, dict):
        yield ".more", value | {"more": 1}
        for name, member in value.items():
            yield f"-{name}", {each: kept for each, kept in value.items() if each != name}
            for where, other in changed(member):
                yield f".{name}{where}", value | {name: other}
    elif isinstance(value, list):
        yield "[more]", [*value, *(value[-1:] or [1])]
        for i, member in enumerate(value):
            yield f"-[{i}]", value[:i] + value[i + 1 :]
            for where, other in changed(member):
                yield f"[{i}]{where}", [*value[:i], other, *value[i + 1 :]]
        if len(value) > 1:
            yield "[turned]", value[::-1]
    else:
        if value is not None:
            yield "", None
        yield " annotated", Annotated(("a",), value)
        if isinstance(value, bytes):
            yield " bit", bytes([value[0] ^ 1]) + value[1:] if value else bytes(32)
            yield " short", value[1:] or bytes(31)
        elif isinstance(value, str):
            yield " text", value + "x"
        elif isinstance(value, int):
            yield " number", value + 1
            yield " negative", -1 - value
            yield " type", float(value)
        elif isinstance(value, Timestamp):
            yield " time", replace(value, year=value.year + 1)
            yield " scale", replace(value, fraction=None)


@pytest.mark.parametrize("block", STRAND, ids=lambda block: str(block.sequence_no))
def test_an_honest_block_passes_as_itself_as_a_struct_and_as_bytes(block: Block) -> None:
    verify_block(block)
    again = block_of_struct(ion.decode(ion.encode(block_struct(block))))
    assert again == block
    verify_block(again)


@pytest.mark.parametrize("block", STRAND, ids=lambda block: str(block.sequence_no))
def test_whatever_is_changed_in_a_block_it_is_refused(block: Block) -> None:
    attempts = list(changed(block_struct(block)))
    assert len(attempts) > 70
    assert accepted(lambda wrong: verify_block(block_of_struct(wrong)), attempts) == []


@pytest.mark.parametrize("block", STRAND, ids=lambda block: str(block.sequence_no))
def test_whatever_is_changed_in_a_summary_it_is_refused(block: Block) -> None:
    verified = verify_summary(ion.decode(ion.encode(summary_struct(block))))
    assert (verified.address, verified.block_hash) == (block.address, block.block_hash)
    assert [(n, r.id, r.version, r.hash) for _, n, r in verified.revisions()] == [
        (n, r.id, r.version, r.hash) for _, n, r in block.revisions()
    ]
    assert accepted(verify_summary, changed(summary_struct(block))) == []


@pytest.mark.parametrize("value", [None, 1, [], {}, "block", Annotated(("a",), {})])
def test_what_is_no_block_at_all_is_refused(value: Value) -> None:
    for verify in (block_of_struct, verify_summary, lambda struct: verify_revision(struct, b"")):
        with pytest.raises(IntegrityError):
            verify(value)


@settings(max_examples=60, deadline=None)
@given(st.lists(structs(values()), min_size=1, max_size=4), st.data())
def test_blocks_of_any_documents_pass_and_one_altered_document_does_not(
    documents: list[Any], data: st.DataObject
) -> None:
    block = BlockBuilder().add(*[("T", f"document {i}", document) for i, document in enumerate(documents)])
    verify_block(block_of_struct(ion.decode(ion.encode(block_struct(block)))))
    at = data.draw(st.integers(0, len(documents) - 1))
    with pytest.raises(IntegrityError, match="hash"):
        verify_block(with_revision(block, at, data={"altered": documents[at]}))


def with_revision(block: Block, number: int, **changes: Any) -> Block:
    """Give the block with its n-th revision changed and nothing else."""
    counter = iter(range(1000))
    return replace(
        block,
        tables=tuple(
            replace(
                table, revisions=tuple(replace(r, **changes) if next(counter) == number else r for r in table.revisions)
            )
            for table in block.tables
        ),
    )


def test_a_redacted_revision_passes_with_the_hash_of_its_data_only() -> None:
    block = STRAND[0]
    data_hash = ion_hash(next(block.revisions())[2].data)
    redacted = with_revision(block, 0, data=None, data_hash=data_hash)
    verify_block(redacted)
    verify_block(block_of_struct(ion.decode(ion.encode(block_struct(redacted)))))
    for wrong in (bytes(32), b"", data_hash[:-1]):
        with pytest.raises(IntegrityError):
            verify_block(replace(redacted, tables=with_revision(block, 0, data=None, data_hash=wrong).tables))
    with pytest.raises(IntegrityError, match="at once"):
        verify_block(with_revision(block, 0, data_hash=data_hash))


def test_what_hashes_alone_cannot_tell_is_refused() -> None:
    """Blocks whose hashes are all right and whose content makes no sense."""
    block = STRAND[0]
    cars, people = block.tables
    first = cars.revisions[0]
    for wrong, why in (
        (replace(block, tables=(cars, people, replace(people, table_id="z", revisions=()))), "no revision"),
        (replace(block, tables=(cars, replace(people, table_id=cars.table_id))), "table stands twice"),
        (replace(block, tables=(replace(cars, revisions=(first, first)), people)), "document stands twice"),
        (replace(block, tables=(replace(cars, first_sequence_no=-1), people)), "negative"),
        (replace(block, sequence_no=-1), "negative"),
        (replace(block, previous_block_hash=bytes(32)), "before it"),
        (replace(STRAND[1], previous_block_hash=b""), "32 bytes"),
        (with_revision(block, 0, version=-1), "version is negative"),
        (with_revision(block, 0, statements=(1,)), "statement"),
    ):
        with pytest.raises(IntegrityError, match=why):
            verify_block(sealed(wrong))


# The entries


def test_the_entries_are_the_ion_hashes_of_the_parts_in_their_order() -> None:
    for block in STRAND:
        parts: list[Value] = [header_struct(block), transaction_info_struct(block)]
        expected = [naive_hashing.ion_hash(part) for part in parts]
        if block.tables:
            hashes = [revision.hash for _, _, revision in block.revisions()]
            expected[1:1] = [naive_hashing.root(hashes), naive_hashing.ion_hash(tables_list(block))]
        assert list(compute_entries(block)) == expected
        assert block.entries_hash == naive_hashing.root(expected)
        assert block.block_hash == naive_hashing.dot(block.entries_hash, block.previous_block_hash)
        for _, _, revision in block.revisions():
            metadata = naive_hashing.ion_hash(metadata_struct(block.block_timestamp, block.transaction_id, revision))
            data = b"" if revision.data is None else naive_hashing.ion_hash(revision.data)
            assert revision.hash == naive_hashing.dot(metadata, data)


# Chain and sequences


def test_a_strand_links_from_block_0_with_gapless_tables() -> None:
    previous, numbers = None, dict[str, int]()
    for block in STRAND:
        verify_chain_link(previous, block)
        verify_table_sequences(block, numbers)
        previous = block
    assert sorted(numbers.values()) == [2, 4]


@pytest.mark.parametrize(("previous", "block"), [(None, 1), (0, 2), (1, 1), (1, 0), (0, 3)])
def test_a_block_that_is_not_the_next_one_is_refused(previous: int | None, block: int) -> None:
    with pytest.raises(IntegrityError, match="follow"):
        verify_chain_link(None if previous is None else STRAND[previous], STRAND[block])


def test_a_block_of_another_strand_or_history_is_refused() -> None:
    other = BlockBuilder()
    other.add(("Cars", "a", {"VIN": "other"}))
    fork = other.add(("Cars", "a", None))
    with pytest.raises(IntegrityError, match="previousBlockHash"):
        verify_chain_link(STRAND[0], fork)
    with pytest.raises(IntegrityError, match="address"):
        verify_chain_link(replace(STRAND[0], strand_id="another"), STRAND[1])


def test_time_does_not_go_back() -> None:
    late = sealed(replace(STRAND[0], block_timestamp=replace(STRAND[0].block_timestamp, year=2100)))
    block = sealed(replace(STRAND[1], previous_block_hash=late.block_hash))
    with pytest.raises(IntegrityError, match="older"):
        verify_chain_link(late, block)


def test_a_gap_and_a_repetition_in_a_tables_sequence_are_refused() -> None:
    numbers: dict[str, int] = {}
    verify_table_sequences(STRAND[0], numbers)
    before = dict(numbers)
    for wrong in (STRAND[0], STRAND[3]):
        with pytest.raises(IntegrityError, match="sequence number"):
            verify_table_sequences(wrong, numbers)
        assert numbers == before


# One record alone


RECORDS = [(block, n) for block in STRAND for n in range(len(list(block.revisions())))]


@pytest.mark.parametrize(("block", "number"), RECORDS)
def test_an_honest_record_passes_against_its_block_hash_and_at_its_place(block: Block, number: int) -> None:
    record = verify_revision(ion.decode(ion.encode(record_struct(block, number))), block.block_hash)
    table, sequence_no, revision = list(block.revisions())[number]
    assert (record.table_id, record.table_sequence_no) == (table.table_id, sequence_no)
    assert replace(record.revision, statements=revision.statements) == revision
    verify_place(record, summary_of_struct(summary_struct(block)))


CLAIMS = (".blockAddress", ".tableId", ".tableName", ".tableSequenceNo")
"""What a path does not prove, and the place does."""


@pytest.mark.parametrize(("block", "number"), RECORDS)
def test_whatever_is_changed_in_a_record_it_is_refused_by_path_or_place(block: Block, number: int) -> None:
    summary = summary_of_struct(summary_struct(block))
    attempts = list(changed(record_struct(block, number)))
    alone = accepted(lambda wrong: verify_revision(wrong, block.block_hash), attempts)
    assert all(where.startswith(CLAIMS) for where in alone)
    assert accepted(lambda wrong: verify_place(verify_revision(wrong, block.block_hash), summary), attempts) == []


def test_a_record_is_refused_against_another_block_hash() -> None:
    with pytest.raises(IntegrityError, match="block hash"):
        verify_revision(record_struct(STRAND[0], 0), STRAND[1].block_hash)


def test_a_record_is_refused_at_the_place_of_another_one() -> None:
    record = verify_revision(record_struct(STRAND[0], 0), STRAND[0].block_hash)
    for wrong in (
        replace(record, table_sequence_no=1),
        replace(record, revision=replace(record.revision, version=1)),
        replace(record, revision=Revision("other", 0, record.revision.hash, record.revision.data)),
    ):
        with pytest.raises(IntegrityError):
            verify_place(wrong, STRAND[0])
    with pytest.raises(IntegrityError):
        verify_place(record, STRAND[1])
