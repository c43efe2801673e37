"""Window functions, beyond what the cases say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from plain_world import PlainWorld

from ledger.limits import Limits


def test_a_held_row_is_charged_without_the_hash_table_that_it_came_by() -> None:
    documents = [{"x": Decimal(number), "s": "a" * 100} for number in range(2_000)]
    limits = replace(Limits(), statement_memory_bytes_max=4_000_000)
    world = PlainWorld({"T": documents, "U": documents}, limits=limits)
    rows = world.rows("SELECT LAG(u.x) OVER (ORDER BY t.x) AS c FROM T AS t JOIN U AS u ON t.x = u.x")
    assert len(rows) == 2_000
