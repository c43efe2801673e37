"""Compare with DuckDB for as long as you like: `python tests/fuzz/fuzz_against_duckdb.py [--seconds 60] [--seed 1]`.

Tables and queries at random, planned and naive, as in tests/ledger/partiql/test_against_duckdb.py. Prints the seed of whatever differs, and
goes on.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "ledger" / "partiql"))

import duckdb
from test_against_duckdb import check

from ledger.errors import LedgerError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="the first one; each query has the next")
    given = parser.parse_args()
    end, seed, rows, different = time.monotonic() + given.seconds, given.seed, 0, 0
    while time.monotonic() < end:
        try:
            rows += check(random.Random(seed))
        except (AssertionError, LedgerError, duckdb.Error) as error:
            different += 1
            print(f"seed {seed}: {error}")
        seed += 1
    print(f"{seed - given.seed} queries with {rows} rows: {different} answered differently")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
