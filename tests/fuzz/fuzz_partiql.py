"""Fuzz text -> rows for as long as you like: `python tests/fuzz/fuzz_partiql.py [--seconds 60] [--seed 1]`.

Soups of tokens, and statements of the cases with pieces exchanged. Whatever the text, the answer is rows or an error of the statement, the
same rows with look-ups and without, and rows that are Ion. Prints the seed and the text of whatever goes wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "ledger" / "partiql"))

from plain_world import PlainWorld
from test_fuzz import ALLOWED, STATEMENTS, TOKENS, WORLD_TABLES

from ledger import ion, partiql
from ledger.errors import InvalidValueError
from ledger.index_key import order_key


def mutated(chance: random.Random) -> str:
    if chance.random() < 0.3:
        return " ".join(chance.choice(TOKENS) for _ in range(chance.randrange(30)))
    text = chance.choice(STATEMENTS)
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 1, 1, 3, 8, 20]))
        other = chance.choice(STATEMENTS)
        cut = chance.randrange(len(other))
        token = chance.choice(TOKENS)
        piece = chance.choice(
            ["", " ", token, f" {token} ", other[cut : cut + chance.choice([5, 12, 40])], f"({other})"]
        )
        text = text[:start] + piece + text[end:]
    return text


def check(text: str) -> bool:
    """Run one text; tell whether it was a statement that gave rows."""
    indexes = {"T": ["a", "b, a", "l[*]", "l[*].c"], "U": ["a", "b"]}
    planned, naive = PlainWorld(WORLD_TABLES, indexes, counted=True), PlainWorld(WORLD_TABLES, indexes, naive=True)
    try:
        statement = partiql.parse(text)
        parameters = [1] * statement.parameter_count
        rows = planned.rows(text, *parameters)
    except ALLOWED:
        return False
    try:
        ion.encode(rows)
    except InvalidValueError:
        return True  # such as a number beyond what Ion is read back with
    exact = statement.kind == "query" and not any(word in text.lower() for word in ("limit", "offset", "over"))
    if exact and sorted(map(order_key, rows)) != sorted(map(order_key, naive.rows(text, *parameters))):
        raise AssertionError("another answer without look-ups")
    return True


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    chance = random.Random(given.seed)
    end = time.monotonic() + given.seconds
    texts = statements = 0
    while time.monotonic() < end:
        text = mutated(chance)
        texts += 1
        try:
            statements += check(text)
        except BaseException:
            print(f"seed {given.seed}, text {texts}: {text!r}")
            raise
    print(f"{texts} texts, of which {statements} were statements: nothing wrong")


if __name__ == "__main__":
    main()
