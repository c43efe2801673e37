from __future__ import annotations

import copy
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_world import PlainWorld
from statements_at_random import CHANGES, DOCUMENTS, QUERIES

from ledger import partiql
from ledger.errors import EvaluationError, LimitExceededError, StatementError
from ledger.limits import Limits
from ledger.values import Struct


def test_a_plan_is_made_once_for_a_text_and_a_catalogue() -> None:
    world = PlainWorld({"T": [{"a": 1}]})
    cache = partiql.PlanCache()
    plan = cache.plan("SELECT * FROM T WHERE a = ?", world.catalog)
    assert cache.plan("SELECT * FROM T WHERE a = ?", world.catalog) is plan
    assert plan.scans == ("T",)
    world.create_index(world.catalog.by_name["T"], (("a",),), unique=False)
    again = cache.plan("SELECT * FROM T WHERE a = ?", world.catalog)
    assert again is not plan
    assert again.scans == ()
    assert cache.parse("SELECT * FROM T WHERE a = ?") is cache.parse("SELECT * FROM T WHERE a = ?")


def test_the_cache_is_bounded_and_forgets_the_least_recently_used() -> None:
    world = PlainWorld({"T": []})
    cache = partiql.PlanCache()
    first, second = (cache.plan(f"SELECT * FROM T WHERE a = {i}", world.catalog) for i in (0, 1))
    for i in range(2, 513):
        cache.plan("SELECT * FROM T WHERE a = 0", world.catalog)
        cache.plan(f"SELECT * FROM T WHERE a = {i}", world.catalog)
    assert cache.plan("SELECT * FROM T WHERE a = 0", world.catalog) is first
    assert cache.plan("SELECT * FROM T WHERE a = 1", world.catalog) is not second


def test_long_texts_are_not_kept() -> None:
    cache = partiql.PlanCache()
    text = "SELECT 1 FROM << 0 >> WHERE 'x' = '" + "y" * 5_000 + "'"
    assert cache.parse(text) is not cache.parse(text)


def test_a_plan_holds_no_state_between_executions_and_threads() -> None:
    world = PlainWorld({"T": [{"a": i, "l": [i, i + 1]} for i in range(50)]}, {"T": ["a"]})
    text = "SELECT VALUE x FROM T AS t, @t.l AS x WHERE t.a IN (SELECT VALUE ? FROM << 0 >>)"
    plan = partiql.make_plan(partiql.parse(text), world.catalog)
    wrong: list[object] = []

    def run(start: int) -> None:
        for i in range(start, start + 200):
            rows = partiql.execute(plan, (i % 50,), world, world.limits).rows
            if rows != [i % 50, i % 50 + 1]:
                wrong.append((i, rows))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@given(DOCUMENTS, st.one_of(QUERIES, CHANGES))
@settings(max_examples=150, deadline=None)
def test_documents_that_were_read_are_never_changed(documents: list[Struct], statement: str) -> None:
    world = PlainWorld({"T": documents, "U": documents}, {"T": ["a"]})
    before = {
        d.document_id: (d.data, copy.deepcopy(d.data)) for t in world.revisions.values() for r in t.values() for d in r
    }
    try:
        world.rows(statement)
    except StatementError:
        return
    for data, was in before.values():
        assert repr(data) == repr(was)


def test_rows_that_a_statement_holds_are_bounded() -> None:
    world = PlainWorld({"T": [{"a": i} for i in range(20)]}, limits=Limits(rows_per_statement_max=10))
    for statement in (
        "SELECT * FROM T",
        "SELECT VALUE a FROM T ORDER BY a LIMIT 1",
        "SELECT a FROM T GROUP BY a LIMIT 1",
        "SELECT DISTINCT a FROM T",
        "SELECT COUNT(*) FROM (SELECT * FROM T) AS x",
        "SELECT a FROM T EXCEPT SELECT a FROM T",
    ):
        with pytest.raises(LimitExceededError, match="rows_per_statement_max"):
            world.rows(statement)
    assert len(world.rows("SELECT * FROM T LIMIT 10")) == 10
    assert world.rows("SELECT COUNT(*) AS c FROM T") == [{"c": 20}]


def test_work_is_bounded() -> None:
    world = PlainWorld(
        {"T": [{"a": i, "l": list(range(20))} for i in range(20)]}, limits=Limits(visits_per_statement_max=1_000)
    )
    for statement in (
        "SELECT COUNT(*) FROM T AS x, T AS y, T AS z",
        "SELECT COUNT(*) FROM T AS t, @t.l AS x, @t.l AS y",
        "SELECT COUNT(*) FROM T AS x, T AS y FULL JOIN T AS z ON false",
        "DELETE FROM T WHERE (SELECT COUNT(*) AS c FROM T AS x, T AS y, T AS z) = 0",
    ):
        with pytest.raises(LimitExceededError, match="visits_per_statement_max"):
            world.rows(statement)


def test_documents_that_a_statement_changes_are_bounded_before_the_first_write() -> None:
    world = PlainWorld({"T": [{"a": i} for i in range(50)]})
    for statement in ("UPDATE T SET a = 0", "DELETE FROM T", "INSERT INTO T SELECT * FROM T"):
        with pytest.raises(LimitExceededError, match="documents_per_transaction_max"):
            world.rows(statement)
    assert not {"update", "delete"} & set(world.calls)
    assert len(world.documents("T")) == 50


def test_a_statement_that_fails_on_one_document_writes_none() -> None:
    world = PlainWorld({"T": [{"a": 1}, {"a": "x"}]})
    with pytest.raises(EvaluationError, match="cannot be computed"):
        world.rows("UPDATE T SET a = a + 1")
    assert world.documents("T") == [{"a": 1}, {"a": "x"}]
