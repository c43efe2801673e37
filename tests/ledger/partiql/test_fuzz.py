"""Whatever the text, the answer is a plan, a StatementError or a LimitExceededError, within a second."""

from __future__ import annotations

import random
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from plain_world import PlainWorld

from ledger import iontext, partiql
from ledger.errors import AlreadyExistsError, LimitExceededError, StatementError
from ledger.partiql.lexer import RESERVED

ALLOWED = (StatementError, LimitExceededError, AlreadyExistsError)
STATEMENTS = sorted(
    {
        case["statement"]
        for path in (Path(__file__).parent / "cases").glob("*.ion")
        for group in iontext.parse_all(path.read_text(encoding="utf-8"))
        for case in group["cases"]  # type: ignore[index, call-overload, union-attr]
    }
)
TOKENS = [
    *sorted(RESERVED), "T", "U", "a", "b", "t", "x", "history", "information_schema.user_tables", "_ql_committed_T", "'x'", "''",
    "1", "0", "1.5", "-1", "1e400", "`2020T`", "`a::1`", "`null.int`", '"a b"', "?", "(", ")", "[", "]", "{", "}", "<<", ">>", ",",
    ".", ":", "@", "*", "=", "<>", "<", ">=", "||", "+", "-", "/", "%", ";", "--", "\n", "'", "`", '"', "over", "coll_sum",
]  # fmt: skip
WORLD_TABLES = {"T": [{"a": 1, "b": "x", "l": [1, {"c": 2}]}, {"a": None}, {"b": {"c": [1]}}], "U": [{"a": 1}]}


ANSWER_S = 2.5
"""A second of CPU time, on a machine whose cores are shared."""


def run(text: str) -> None:
    """Run a statement; where it seems to take long, once more, since the machine may have been busy with something else."""
    assert seconds(text) < ANSWER_S or min(seconds(text) for _ in range(3)) < ANSWER_S


def seconds(text: str) -> float:
    world = PlainWorld(WORLD_TABLES, {"T": ["a"], "U": ["a"]})
    began = time.process_time()
    try:
        statement = partiql.parse(text)
        plan = partiql.make_plan(statement, world.catalog)
        partiql.execute(plan, [1] * plan.parameter_count, world, world.limits)
    except ALLOWED:
        pass
    return time.process_time() - began


@given(st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_soups_of_tokens(text: str) -> None:
    run(text)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text(text: str) -> None:
    run(text)


@given(st.sampled_from(STATEMENTS), st.randoms(use_true_random=False))
@settings(max_examples=800, deadline=None)
def test_statements_with_something_wrong(text: str, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 1, 1, 3, 8]))
        other = chance.choice(STATEMENTS)
        piece = chance.choice(
            ["", " ", chance.choice(TOKENS), f" {chance.choice(TOKENS)} ", other[chance.randrange(len(other)) :][:12]]
        )
        text = text[:start] + piece + text[end:]
    run(text)
