"""Fuzz text -> plan -> rows, led by coverage: `python tests/fuzz/fuzz_partiql_text.py [--seconds 60] [--seed 1] [TEXT-FILE ...]`.

atheris (libFuzzer) changes the statements of the cases, and keeps what reaches new code. Whatever the text, the answer is rows, or an error
of the statement or of a limit, within `--timeout` seconds. What is answered otherwise is saved to build/fuzz/ and ends the run with its
traceback; given as TEXT-FILE it is tried again, alone. Needs Linux on x86-64: there is no atheris elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent / "ledger" / "partiql"))

with atheris.instrument_imports(include=["ledger.partiql"]):
    from ledger import partiql
from plain_world import PlainWorld
from test_fuzz import ALLOWED, STATEMENTS, TOKENS, WORLD_TABLES

from ledger.limits import Limits

FOUND = Path(__file__).parents[2] / "build" / "fuzz"
TEXT_BYTES_MAX = 1_000
LIMITS = Limits(rows_per_statement_max=1_000, visits_per_statement_max=5_000)


def new_world() -> PlainWorld:
    return PlainWorld(WORLD_TABLES, {"T": ["a"], "U": ["a"]})


UNCHANGED = new_world()


def try_text(data: bytes) -> None:
    """Plan a text and run it: what is no query in a world of its own."""
    try:
        statement = partiql.parse(data.decode("utf-8", "replace"))
        world = UNCHANGED if statement.kind == "query" else new_world()
        plan = partiql.make_plan(statement, world.catalog)
        partiql.execute(plan, [1] * plan.parameter_count, world, LIMITS)
    except ALLOWED:
        pass


def write_corpus(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for text in STATEMENTS:
        data = text.encode()
        (directory / hashlib.sha256(data).hexdigest()).write_bytes(data)


def write_words(path: Path) -> None:
    """Write libFuzzer's dictionary."""
    words = {word for word in TOKENS if word.isprintable()}
    path.write_text("".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for word in sorted(words)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=10, help="seconds that one text may take")
    parser.add_argument("texts", nargs="*", type=Path, metavar="TEXT-FILE")
    given = parser.parse_args()
    corpus, words = FOUND / "corpus", FOUND / "words"
    write_corpus(corpus)
    write_words(words)
    options = {
        "max_total_time": given.seconds, "seed": given.seed, "timeout": given.timeout, "max_len": TEXT_BYTES_MAX, "dict": words,
        "artifact_prefix": f"{FOUND}/", "verbosity": 0, "print_final_stats": 1,
    }  # fmt: skip
    inputs = [str(text) for text in given.texts] or [str(corpus)]
    print(f"seed {given.seed}, {len(STATEMENTS)} statements to begin with", flush=True)
    atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), *inputs], try_text)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
