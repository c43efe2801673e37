"""Follow one table's topic with aiokafka and verify each record by itself: the smallest consumer, without this framework.

    python -m consumers.samples.follow_aiokafka 127.0.0.1:9092 strandline.dmv.Vehicle

What each line proves: that the document's content, version, time and transaction are those of a revision which the block hash shown
covers. What it does NOT prove: that the block hash is the ledger's (compare it with a BLOCK_SUMMARY, a digest or a receipt that you trust),
nor that no record is missing or doubled (the block-summary topic tells; `consumers.source` checks that).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # it has no type information

from ledger import ion, iontext
from ledger.verify import RevisionRecord, verify_revision

__all__ = ["follow"]


async def follow(kafka: str, topic: str) -> AsyncIterator[RevisionRecord]:
    """Give each revision of the topic from its beginning on, verified against the block hash that it names.

    Raises:
        IntegrityError: a record's content does not lead to its block hash.
    """
    # aiokafka's own default is read_uncommitted: it would show what was never committed. Without a group it reads every partition.
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async for message in consumer:
            headers = dict(message.headers)
            if (
                headers.get("strandline-record-type") == b"REVISION_DETAILS"
            ):  # a CONTROL record says that the table was dropped, or is back
                struct: Any = ion.decode(headers["strandline-proof"])
                yield verify_revision(struct, struct["blockHash"])
    finally:
        await consumer.stop()


async def _show(kafka: str, topic: str) -> None:
    async for record in follow(kafka, topic):
        revision = record.revision
        what = "has no data" if revision.data is None else iontext.dump(revision.data)
        print(f"block {record.block_address.sequence_no}  {revision.id} version {revision.version}  {what}")
        print(f"    is covered by block hash {record.block_hash.hex()}")


if __name__ == "__main__":
    asyncio.run(_show(*sys.argv[1:]))
