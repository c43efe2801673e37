"""Actions: what shall happen in the world because of what was committed, decided from the records' own state.

    record ──> handler ──> row in `outbox` ──(same transaction: position)──> sender ──> a folder, a Kafka topic

Rules:
- An action calls nobody: it yields effects, which become rows of the outbox together with the position. `consumers.sender` delivers
  them afterwards, at least once, under their idempotency key `<documentId>:<version>:<action>[:<part>]`.
- The key is a function of the revision alone, so a replay makes the same rows and no new effect.
- Whether an effect was delivered is the sender's knowledge, not the projection's: it stands in another table, which no rebuild compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from consumers.errors import OutboxConflictError
from consumers.projection import Projection, Rows
from consumers.revision import Revision
from consumers.table import Table
from ledger.values import Value
from streams.formats.json import dumps

__all__ = ["OUTBOX", "Effect", "action"]

OUTBOX = Table(
    "outbox",
    {"key": "text", "action": "text", "block": "integer", "content": "json"},
    key="key",
)
"""`block` is the sequence number of the block that caused the effect. Delivered in order of (block, key)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing to do. `content` is what the receiver gets, as JSON; `part` tells several effects of one action apart."""

    content: Mapping[str, Value]
    part: str = ""


def action(
    projection: Projection, name: str, *, on: str
) -> Callable[[Callable[[Rows, Revision], Iterable[Effect]]], Callable[[Rows, Revision], Iterable[Effect]]]:
    """Make a function, which yields effects for a revision of table `on`, an action of the projection."""
    projection.tables.setdefault(OUTBOX.name, OUTBOX)

    def register(decide: Callable[[Rows, Revision], Iterable[Effect]]) -> Callable[[Rows, Revision], Iterable[Effect]]:
        @projection.on(on)
        def write_outbox(rows: Rows, revision: Revision) -> None:
            for effect in decide(rows, revision):
                _write(rows, revision, name, effect)

        write_outbox.__name__ = name
        return decide

    return register


def _write(rows: Rows, revision: Revision, name: str, effect: Effect) -> None:
    key = f"{revision.document_id}:{revision.version}:{name}" + (f":{effect.part}" if effect.part else "")
    content = dumps(dict(effect.content)).decode()
    known = rows.get(OUTBOX.name, key)
    if known is not None:
        raise OutboxConflictError(f"effect {key} twice", expected=known["content"], actual=content)
    rows.put(OUTBOX.name, {"key": key, "action": name, "block": revision.block.sequence_no, "content": content})
