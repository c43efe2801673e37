"""Queries in one process, a process of its own: Strandline, SQLite and DuckDB take turns at the same documents.

python queries.py '{"directory": "...", "documents": 100000, "large": 1000000, "rounds": 5, "seconds": 0.5}'   prints one JSON object
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from engines import CASES, ENGINES, VEHICLES_OF_A_PERSON, Engine, Strandline, documents
from machine import Watch

from ledger.catalog import Catalog
from ledger.partiql import make_plan, parse
from ledger.transaction import Transaction
from ledger.values import Timestamp

SMALL = 1_000
LOOK_UP, UPDATE = "look-up by unique index", "UPDATE by unique index, durable"
PARSED = {
    "a look-up": CASES[LOOK_UP]["strandline"],
    "a join with groups": "SELECT p.Name, COUNT(*) AS n FROM Person AS p JOIN Vehicle AS v ON v.Owner = p.PersonId"
    " WHERE p.City = ? AND v.Mileage > 10 GROUP BY p.Name HAVING COUNT(*) > 1 ORDER BY n DESC LIMIT 10",
}


@dataclass(frozen=True)
class Settings:
    directory: str
    documents: int
    large: int
    rounds: int
    seconds: float


def parameters_of(case: str, count: int, chance: random.Random) -> list[object]:
    number = chance.randrange(count)
    match case:
        case "look-up by unique index":
            return [f"VIN{number:014d}"]
        case "range of an index, 100 rows":
            return [number, number + 99]
        case "index join, 100 x 10 rows":
            return [f"City {number // VEHICLES_OF_A_PERSON // 100}"]
        case "UPDATE by unique index, durable":
            return [f"Type {number}", f"VIN{number:014d}"]
    return []


def timed(call: Callable[[], object], seconds: float) -> float:
    """Give the microseconds of a call, on average over at least `seconds`; wall time, as a caller waits for it."""
    count, began = 0, time.perf_counter()
    while True:
        call()
        count += 1
        passed = time.perf_counter() - began
        if passed >= seconds:
            return passed / count * 1e6


def compare(engines: list[Engine], settings: Settings) -> list[dict[str, Any]]:
    """Measure each case in each engine, taking turns, and check that they find the same number of rows."""
    found: list[dict[str, Any]] = []
    for case, statements in CASES.items():
        runs: dict[str, list[float]] = {engine.name: [] for engine in engines}
        rows: dict[str, int] = {}
        watch = Watch()
        for round_ in range(settings.rounds):
            for engine in engines:
                statement, chance = statements[engine.name], random.Random(round_)
                rows[engine.name] = engine.run(statement, parameters_of(case, settings.documents, random.Random(0)))
                call = lambda: engine.run(statement, parameters_of(case, settings.documents, chance))  # noqa: B023, E731  # called here
                runs[engine.name].append(timed(call, settings.seconds))
        assert case == UPDATE or len(set(rows.values())) == 1, (case, rows)
        times = {name: median(each) for name, each in runs.items()}
        found.append(
            {"case": case, "us": times, "rows": rows["strandline"], "runs": runs, "steal": watch.steal_percent()}
        )
    return found


def above_the_store(ours: Strandline, settings: Settings) -> dict[str, float]:
    """Take the look-up by unique index apart, in microseconds: the whole, and what the store alone costs for it."""
    database, chance = ours.database, random.Random(1)
    with database._views.snapshot() as snapshot:
        table = snapshot.catalog.by_name["Vehicle"]
        index = next(index for index in table.indexes if index.keys == (("VIN",),))
    now = Timestamp.of_milliseconds(0)

    def store() -> None:
        with database._views.snapshot() as snapshot:
            transaction = Transaction("0" * 22, snapshot, snapshot.sequence_no, now, lambda: "", database.limits)
            list(transaction.look_up(table, index, [f"VIN{chance.randrange(settings.documents):014d}"]))

    def whole() -> None:
        ours.run(CASES[LOOK_UP]["strandline"], parameters_of(LOOK_UP, settings.documents, chance))

    both = [(timed(whole, settings.seconds), timed(store, settings.seconds)) for _ in range(settings.rounds)]
    return {
        "whole": median(each for each, _ in both),
        "store": median(each for _, each in both),
        "above": median(whole - store for whole, store in both),
    }


def planning(ours: Strandline, settings: Settings) -> dict[str, float]:
    """Give what parsing and planning cost, in microseconds, without any cache."""
    with ours.database._views.snapshot() as snapshot:
        catalog = snapshot.catalog
    found = {}
    for name, text in PARSED.items():
        rounds = range(settings.rounds)
        found[f"parse {name}"] = median(timed(partial(parse, text), settings.seconds) for _ in rounds)
        both = partial(_parse_and_plan, text, catalog)
        found[f"parse and plan {name}"] = median(timed(both, settings.seconds) for _ in rounds)
    return found


def _parse_and_plan(text: str, catalog: Catalog) -> None:
    make_plan(parse(text), catalog)


def sizes(ours: Strandline, settings: Settings) -> dict[str, Any]:
    """A look-up in a table of many documents and of few, taking turns."""
    filled = 0.0
    for table, count in (("Few", SMALL), ("Many", settings.large)):
        ours.database.execute(f"CREATE TABLE {table}")
        ours.database.execute(f"CREATE UNIQUE INDEX ON {table} (VIN)")
        began = time.monotonic()
        ours.insert(table, documents(count))
        filled = time.monotonic() - began
    runs: dict[str, list[float]] = {"Few": [], "Many": []}
    chance = random.Random(2)
    for _ in range(settings.rounds):
        for table, count in (("Few", SMALL), ("Many", settings.large)):
            statement = f"SELECT * FROM {table} WHERE VIN = ?"
            call = lambda: ours.run(statement, [f"VIN{chance.randrange(count):014d}"])  # noqa: B023, E731  # called here
            runs[table].append(timed(call, settings.seconds))
    few, many = median(runs["Few"]), median(runs["Many"])
    return {
        "few": SMALL,
        "many": settings.large,
        "fewUs": few,
        "manyUs": many,
        "ratio": many / few,
        "fillSeconds": filled,
    }


def measure(settings: Settings) -> dict[str, Any]:
    engines: list[Engine] = [make(Path(settings.directory)) for make in ENGINES]
    try:
        for engine in engines:
            engine.fill(settings.documents)
        ours = engines[0]
        assert isinstance(ours, Strandline)
        found: dict[str, Any] = {"documents": settings.documents, "cases": compare(engines, settings)}
        found["lookUp"] = above_the_store(ours, settings)
        found["planning"] = planning(ours, settings)
        found["sizes"] = sizes(ours, settings)
    finally:
        for engine in engines:
            engine.close()
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Settings(**json.loads(sys.argv[1])))))
