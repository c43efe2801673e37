"""history(), AS OF and the committed view: documents as their revisions, or as they were.

    {blockAddress: {strandId, sequenceNo}, hash, data, metadata: {id, version, txTime, txId}}

Rules:
- A deletion is a revision without `data`; a redacted revision has `dataHash` instead. What this transaction has written and not
  yet committed has only `data` and `metadata.{id, version}`.
- A revision is active from its transaction's time to that of the next revision of the document. `history(T, start, end)` gives
  the revisions that were active at some time from `start` to `end`, both included: at exactly a change both revisions are.

- `T AS OF n` gives the documents as they were after block n, `T AS OF time` as after the last block whose blockTimestamp (which is
  the txTime of its revisions) is not later. Beyond the last block nothing has happened yet: that is the last block. A time in the
  future is an error, as in history(). What this transaction has not yet committed is in neither.

Source: QLDB developer guide, "Querying revision history".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from ledger.block import address_struct
from ledger.catalog import Table
from ledger.errors import EvaluationError
from ledger.partiql.code import Env, Evaluate
from ledger.partiql.comparison import a_type_of, bare, is_absent, shown
from ledger.partiql.context import Document
from ledger.query_values import QueryValue
from ledger.values import Timestamp, Value

__all__ = ["AsOf", "Interval", "committed_struct"]


_END_OF_TIME = (10**18, Decimal(0))
"""Not the transaction's own time: a clock that lags behind the last block must not hide it."""


def committed_struct(document: Document) -> dict[str, Value]:
    """Give a document as the committed view and history() show it."""
    metadata: dict[str, Value] = {"id": document.document_id, "version": document.version}
    data: dict[str, Value] = {} if document.data is None else {"data": document.data}
    commit = document.commit
    if commit is None:
        return {**data, "metadata": metadata}
    if not data and commit.data_hash is not None:
        data = {"dataHash": commit.data_hash}
    metadata |= {"txTime": commit.tx_time, "txId": commit.tx_id}
    return {"blockAddress": address_struct(commit.block_address), "hash": commit.hash, **data, "metadata": metadata}


@dataclass(frozen=True, slots=True)
class Interval:
    """The times of history(); None where the statement gives none: from the beginning, until now."""

    start: Evaluate | None = None
    end: Evaluate | None = None

    def documents(self, env: Env, table: Table, document_id: str | None) -> Iterator[Document]:
        """Give the revisions that were active in the interval, of one document or of all: by document id, then by version.

        Raises:
            EvaluationError: a bound is no timestamp, the end is in the future or before the start.
        """
        documents: Iterator[Document] = env[0].context.history(table, document_id)
        if self.start is None:
            return documents
        documents, start = _counted(env, documents), _moment(self.start, env)
        if self.end is None:
            return _active(documents, start.instant(), _END_OF_TIME)
        end, now = _moment(self.end, env), env[0].context.now
        if end.instant() > now.instant():
            raise EvaluationError(f"history() ends in the future: {end}, now is {now}")
        if end.instant() < start.instant():
            raise EvaluationError(f"history() ends before it starts: {end}, started at {start}")
        return _active(documents, start.instant(), end.instant())


def _counted(env: Env, documents: Iterator[Document]) -> Iterator[Document]:
    """Count also those revisions as work that are passed over."""
    visit = env[0].visit
    for document in documents:
        visit()
        yield document


_Instant: TypeAlias = "tuple[int, Decimal]"


def _active(documents: Iterator[Document], start: _Instant, end: _Instant) -> Iterator[Document]:
    before: Document | None = None
    for document in documents:
        if before is not None:
            ends = document if document.document_id == before.document_id else None
            if _overlaps(before, ends, start, end):
                yield before
        before = document
    if before is not None and _overlaps(before, None, start, end):
        yield before


def _overlaps(document: Document, following: Document | None, start: _Instant, end: _Instant) -> bool:
    begins = _instant(document)
    if begins is None or begins > end:
        return False
    ends = None if following is None else _instant(following)
    return ends is None or ends >= start


def _instant(document: Document) -> _Instant | None:
    return None if document.commit is None else document.commit.tx_time.instant()


def _moment(bound: Evaluate, env: Env) -> Timestamp:
    value = bound(env)
    plain = None if is_absent(value) else bare(value)
    if not isinstance(plain, Timestamp):
        raise EvaluationError(f"history() takes timestamps, not {a_type_of(value)}")
    return plain


@dataclass(frozen=True, slots=True)
class AsOf:
    """The moment of AS OF: a block's sequence number, or a time."""

    moment: Evaluate

    def documents(self, env: Env, table: Table, document_id: str | None) -> Iterator[Document]:
        """Give the document, or all, as they were at that moment, if they were there; by document id.

        Raises:
            EvaluationError: the moment is neither, or in the future.
        """
        context = env[0].context
        moment = self.check(self.moment(env), context.now)
        for version in context.as_of(table, document_id, moment):
            if version is not None and version.data is not None:
                yield version
            else:
                env[0].visit()  # what is passed over is work too

    @staticmethod
    def check(moment: QueryValue, now: Timestamp | None) -> int | Timestamp:
        """Give the moment. Raises EvaluationError: it is none."""
        plain = bare(moment)
        if type(plain) is int:
            if plain < 0:
                raise EvaluationError(f"AS OF takes the sequence number of a block, 0 or more, not {shown(plain)}")
            return plain
        if not isinstance(plain, Timestamp):
            raise EvaluationError(f"AS OF takes a timestamp or the sequence number of a block, not {a_type_of(moment)}")
        if now is not None and plain.instant() > now.instant():
            raise EvaluationError(f"AS OF a time in the future: {plain}, now is {now}")
        return plain
