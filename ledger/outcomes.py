"""First outcomes, for a client that asks again because the answer was lost.

Recent ones are kept whole, up to a number and a size; of older ones the journal still knows the block and every document id, which is
all that a statement that wrote answered. Rows of a query inside of such a transaction are no longer known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from ledger import hashing
from ledger.block import SYSTEM_TABLE_ID, Block, StatementInfo
from ledger.errors import TransactionMismatchError
from ledger.partiql import Result, parse
from ledger.request import Outcome, Request
from ledger.sizes import estimated_size

__all__ = ["Outcomes"]

_OUTCOME_BYTES, _STATEMENT_BYTES = 800, 800
"""What an outcome, and each of its statements, takes beside texts and rows (measured: Python's heads, dicts, times, digests)."""


class _Blocks(Protocol):
    def block_of_transaction(self, transaction_id: str) -> Block | None: ...


class Outcomes:
    """The outcomes of the last transactions whose id the client gave; older ones from `blocks`."""

    def __init__(self, maximum: int, bytes_max: int, blocks: _Blocks) -> None:
        self._maximum, self._bytes_max, self._blocks = maximum, bytes_max, blocks
        self._recent: OrderedDict[str, tuple[Outcome, Sequence[StatementInfo], int]] = OrderedDict()
        self._bytes = 0

    def remember(self, outcome: Outcome, statements: Sequence[StatementInfo]) -> None:
        size = _size(outcome, statements)
        self._recent[outcome.transaction_id] = outcome, statements, size
        self._bytes += size
        while len(self._recent) > self._maximum or self._bytes > self._bytes_max:
            _, (_, _, forgotten) = self._recent.popitem(last=False)
            self._bytes -= forgotten

    def find(self, request: Request) -> Outcome | None:
        """Give the first outcome of the transaction that had the request's id; None if there was none.

        Raises:
            TransactionMismatchError: that one had other statements or parameters.
        """
        assert request.transaction_id is not None
        known = self._recent.get(request.transaction_id)
        if known is not None:
            outcome, statements, _ = known
            check_same(request, statements)
            return Outcome(outcome.transaction_id, outcome.block_address, outcome.results, replayed=True)
        block = self._blocks.block_of_transaction(request.transaction_id)
        if block is None:
            return None
        check_same(request, block.statements)
        results = [_told_again(block, number) for number in range(len(block.statements))]
        return Outcome(block.transaction_id, block.address, results, replayed=True)


def _size(outcome: Outcome, statements: Sequence[StatementInfo]) -> int:
    """Give about how many bytes an outcome takes."""
    size = _OUTCOME_BYTES
    for info in statements:
        size += _STATEMENT_BYTES + len(info.statement)
    for result in outcome.results:
        if result is not None:
            size += result.size or estimated_size(result.rows)
    return size


def check_same(request: Request, statements: Sequence[StatementInfo]) -> None:
    """Raises TransactionMismatchError: the request's statements are not those."""
    asked = [hashing.statement_digest(text, parameters) for text, parameters in request.statements]
    if asked != [info.statement_digest for info in statements]:
        raise TransactionMismatchError(
            f"transaction {request.transaction_id} was committed before with other statements or parameters:"
            f" {len(statements)} statements then, {len(asked)} now"
        )


def _told_again(block: Block, number: int) -> Result | None:
    """Give the rows of a statement that wrote; None for a query."""
    if parse(block.statements[number].statement).kind == "query":
        return None
    written = [
        (table.table_id, revision.id) for table, _, revision in block.revisions() if number in revision.statements
    ]
    field = "tableId" if any(table_id == SYSTEM_TABLE_ID for table_id, _ in written) else "documentId"
    return Result([{field: document_id} for _, document_id in written])
