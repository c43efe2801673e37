"""Taking a stream over: what a publisher does before it writes a block, literally in this order.

    fence        open_producer: every earlier publisher of this stream is out, its open kafka_tx is ended
    settings     of every topic: none that would lose history                              TopicSettingsError
    read         the position from block-summary, once its last stable offset is its end
    compare      strand and block hash with the journal's                                  ForkError
    inspect      the partitions against what was recorded of them                          streams.inspection
    own, mend    write that it is ours, and what Kafka lost                                streams.stream_writer

To read before fencing would be wrong: the one before could publish after it. Nothing is written before everything was compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.block import Block
from ledger.journal import JournalReader
from streams.broker import Broker, KafkaTx, Partition, Patience
from streams.errors import ForkError
from streams.inspection import history_lost, inspect
from streams.position import Position, control_of, read_position
from streams.stream_ends import StreamEnds
from streams.stream_writer import Options, StreamWriter
from streams.topic_reader import first_record
from streams.topics import TopicNames, check_partitions, check_settings

__all__ = ["take_over"]


def take_over(
    broker: Broker, journal: JournalReader, names: TopicNames, options: Options, patience: Patience
) -> StreamWriter:
    """Become the stream's writer. `patience` is called while Kafka, or the end of a foreign kafka_tx, is awaited.

    Raises:
        ForkError, ForeignStreamError, TopicSettingsError, HistoryLostError: nothing was written.
        KafkaUnavailableError, BrokerError, ProducerFencedError: try again.
    """
    transactional_id = f"{names.prefix}.{names.ledger}.{journal.strand_id}"
    tx = broker.open_producer(transactional_id, options.message_bytes_max, patience)
    ends = StreamEnds(broker, names, options.message_bytes_max)
    ends.make_topics({names.block_summary: 1, names.catalog_changes: 1})
    _check_settings(broker, names, options.message_bytes_max)
    position = _read_position(broker, names, tx, patience)
    _compare(position, journal)
    recorded = {topic: len(of_topic) for topic, of_topic in (position.ends or {}).items()}
    ends.make_topics(recorded)  # those that are gone
    counts = _topics_there(broker, names)
    for topic, expected in (recorded | {names.block_summary: 1, names.catalog_changes: 1}).items():
        check_partitions(topic, expected, counts.get(topic, 0), broker.bootstrap_servers)
    partitions = [Partition(topic, number) for topic, count in counts.items() for number in range(count)]
    log_ends = _decided_ends(broker, tx, partitions, patience)
    inspection = inspect(broker, lambda number: _blocks(journal, number), names, counts, log_ends, position)
    ends.found(log_ends, inspection.ends)
    writer = StreamWriter(journal, names, options, tx, ends, inspection, position.sequence_no)
    writer.own(first=position.ends is None)
    writer.mend()
    return writer


def _check_settings(broker: Broker, names: TopicNames, message_bytes_max: int) -> None:
    for topic, settings in broker.settings(_topics_there(broker, names)).items():
        check_settings(topic, settings, message_bytes_max, broker.bootstrap_servers)


def _read_position(broker: Broker, names: TopicNames, tx: KafkaTx, patience: Patience) -> Position:
    block_summary = Partition(names.block_summary, 0)
    end = _decided_ends(broker, tx, [block_summary], patience)[block_summary]
    start = broker.starts([block_summary])[block_summary]
    if 0 < start < end:  # emptied on purpose and begun again, or cut off by retention?
        first = first_record(broker, block_summary, start)
        if first is not None and (control_of(first) or {}).get("controlRecordType") != "CREATED":
            raise history_lost(block_summary, start, broker.bootstrap_servers)
    return read_position(broker, block_summary, start, end)


def _compare(position: Position, journal: JournalReader) -> None:
    """Refuse to go on where stream and journal tell different histories."""
    strand_id = journal.strand_id
    if position.strand_id is not None and position.strand_id != strand_id:
        raise ForkError("another strand", published=position.strand_id, journal=strand_id)
    if position.address is None:
        return
    tip = journal.tip_sequence_no()
    if tip < position.sequence_no:
        raise ForkError(
            "the journal is behind its own stream (a restored backup?)",
            published=f"block {position.address} with hash {position.block_hash.hex()}",
            journal=f"{tip} as its last block",
        )
    block = next(iter(_blocks(journal, position.sequence_no)))
    if (block.address, block.block_hash) != (position.address, position.block_hash):
        raise ForkError(
            f"two histories of block {position.sequence_no}",
            published=f"{position.address} with hash {position.block_hash.hex()}",
            journal=f"{block.address} with hash {block.block_hash.hex()}",
        )


def _decided_ends(broker: Broker, tx: KafkaTx, partitions: list[Partition], patience: Patience) -> dict[Partition, int]:
    """Give the ends once nothing before them is undecided. Our own kafka_tx can be ended; others we can only await."""
    ends, stable = broker.ends(partitions), broker.stable_ends(partitions)
    if hanging := [partition for partition in partitions if stable[partition] < ends[partition]]:
        tx.end_what_hangs(hanging)
    while (ends := broker.decided_ends(partitions, patience)) != broker.ends(partitions):
        pass
    return ends


def _topics_there(broker: Broker, names: TopicNames) -> dict[str, int]:
    """Give this stream's topics on the cluster, and how many partitions each has."""
    return {topic: count for topic, count in broker.topics().items() if names.is_ours(topic)}


def _blocks(journal: JournalReader, from_sequence_no: int) -> Iterator[Block]:
    return (block for block, _ in journal.blocks(from_sequence_no))
