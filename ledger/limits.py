"""Every limit of a ledger, in one place, with its unit and why it is what it is.

Where QLDB had a limit, its value is the default. `strandline serve --limit name=value` and `ledger.open(path, limits=...)` change them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one ledger. Sizes in bytes, times in seconds."""

    # What one transaction may ask.
    documents_per_transaction_max: int = 40
    """QLDB's. Bounds a block, and with it a kafka_tx, a consumer's memory and one client's hold on the committer."""
    statements_per_transaction_max: int = 1_000
    """One commit digest step each; a transaction with more is a load job that should be several."""
    document_bytes_max: int = 128 * 1024
    """QLDB's, in Ion binary."""
    block_bytes_max: int = 8 * 1024 * 1024
    """Checked before sealing; a block must fit one segment, and any record of it one Kafka message of the topic's size."""
    statement_characters_max: int = 100_000
    """QLDB's."""
    parameters_per_statement_max: int = 10_000
    value_depth_max: int = 64
    """Containers inside of each other; also the decoder's bound on hostile bytes."""
    request_bytes_max: int = 8 * 1024 * 1024
    """Body of one HTTP request: 40 documents of 128 KB are 5 MiB, and JSON spells some things longer than Ion."""
    expression_depth_max: int = 200
    """Nesting of PartiQL; below Python's own recursion limit with room to spare."""
    rows_per_statement_max: int = 1_000_000
    """Rows that one statement may hold in memory before it says so."""
    statement_memory_bytes_max: int = 256 * 1024 * 1024
    """Estimated bytes that the sorts, groups, DISTINCTs, hash joins, windows and subqueries of one statement may hold at a time."""
    result_bytes_max: int = 128 * 1024 * 1024
    """Estimated bytes of the rows that the statements of one transaction answer; what is larger is read as a stream."""
    visits_per_statement_max: int = 20_000_000
    """Documents, and elements of lists, that one statement may look at: some 10 to 20 s. A join without a condition ends here."""

    visits_in_committer_max: int = 5_000
    """Visits of a one-shot that the committer executes itself: every other commit waits meanwhile. What needs more runs beside it, and
    is validated afterwards as an interactive transaction is. Counted, not timed: the same statement goes the same way everywhere."""

    # How long, how many at once.
    transaction_age_s_max: float = 30.0
    """QLDB's. Recent writes are remembered for as long, so that every open transaction can be validated."""
    read_s_max: float = 60.0
    """A query, or a stream of rows: its snapshot keeps the view store from using space again."""
    open_transactions_max: int = 1_500
    """QLDB's sessions per ledger; each holds its own writes and read set in memory, nothing in the store."""
    queue_transactions_max: int = 4_096
    """Transactions waiting for the committer; beyond it the answer is 503, never a growing backlog."""
    queue_bytes_max: int = 64 * 1024 * 1024
    """Bytes of requests waiting for the committer, as they came; beyond it the answer is 503. In memory they are several times as large."""
    batch_transactions_max: int = 256
    """Transactions made durable by one fdatasync; more would only add latency (about 300 us of work each)."""
    batch_bytes_max: int = 16 * 1024 * 1024
    """What a batch writes and answers; the transaction that comes to it is the last one of its batch."""
    recent_outcomes_max: int = 10_000
    """Answers kept in memory for a client that asks again; older ones are told from the journal."""
    recent_outcomes_bytes_max: int = 32 * 1024 * 1024
    """Estimated bytes of these: an answer may hold the rows of queries."""
    occ_retries_max: int = 4
    """QLDB's drivers'."""

    # The catalogue.
    tables_max: int = 1_000
    indexes_per_table_max: int = 64
    """QLDB's was 5, and one could not go on. Each costs every insert about 5 us, and every plan a look at it."""
    index_entries_per_document_max: int = 1_000
    """Elements of a document's list in one index: about 20 us each, while every other commit waits."""
    index_build_at_once_max: int = 1_000
    """Documents of a table whose new index is built with the block that made it: some 20 ms. Larger ones are built beside the commits."""

    # The store and the journal.
    segment_bytes: int = 64 * 1024 * 1024
    """A journal's file. Recovery reads the last one whole, at 1 GB/s or so."""
    first_segment_bytes: int = 256 * 1024
    """Each segment is twice as large as the one before, up to `segment_bytes`: a small ledger is made, and stays, small; and the second
    already knows the field names that the documents have."""
    segment_symbols_max: int = 1_000
    """Field names in a segment's header; what is not there stands in each frame that needs it."""
    view_map_bytes_max: int = 256 * 1024**3
    """Address space reserved for the view store; the file grows only with what it holds."""
    view_snapshots_max: int = 4_096
    """Snapshots open at one moment, of all threads: slots of LMDB's reader table. A statement holds one; an idle session none."""
    cached_documents_max: int = 50_000
    """Decoded documents kept by the head, so that hot ones are not decoded again."""
