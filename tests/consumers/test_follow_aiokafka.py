"""The smallest consumer: one topic, aiokafka, each record verified by itself."""

from __future__ import annotations

import asyncio

import pytest
from publishing import Stream

from consumers.samples.follow_aiokafka import follow
from ledger.block_reading import RevisionRecord
from ledger.errors import IntegrityError
from streams.records import PROOF_HEADER

pytestmark = pytest.mark.kafka


def followed(stream: Stream, count: int) -> list[RevisionRecord]:
    async def take() -> list[RevisionRecord]:
        records = follow(stream.kafka, stream.names.of_table("any", "Cars"))
        try:
            return [await anext(records) for _ in range(count)]
        finally:
            await records.aclose()

    return asyncio.run(take())


def test_it_gives_committed_records_verified_against_their_block_hash(stream: Stream) -> None:
    blocks = [stream.strand.add(("Cars", name, {"VIN": name})) for name in ("a", "b")]
    stream.publish(blocks[0])
    stream.send(stream.records_of(blocks[1])[:1], commit=False)
    stream.publish(blocks[1])
    records = sorted(followed(stream, 2), key=lambda record: record.table_sequence_no)
    assert [(r.block_hash, r.revision.data) for r in records] == [
        (block.block_hash, block.tables[0].revisions[0].data) for block in blocks
    ]


def test_what_is_told_of_a_dropped_table_is_no_document(stream: Stream) -> None:
    stream.create_topics(stream.names.of_table("any", "Cars"), partitions=1)
    stream.publish(stream.strand.add(("Cars", "a", {"n": 1})), stream.strand.change_table("Cars", "INACTIVE"))
    stream.publish(stream.strand.add(("Cars#2", "a", {"n": 2})))
    assert [record.revision.data for record in followed(stream, 2)] == [{"n": 1}, {"n": 2}]


def test_it_refuses_a_record_whose_content_does_not_lead_to_its_block_hash(stream: Stream) -> None:
    record, _ = stream.records_of(stream.strand.add(("Cars", "a", {"VIN": "genuine"})))
    altered = [
        (name, value.replace(b"genuine", b"altered") if name == PROOF_HEADER else value)
        for name, value in record.headers
    ]
    stream.send([record._replace(headers=altered)])
    with pytest.raises(IntegrityError, match="revision hash"):
        followed(stream, 1)
