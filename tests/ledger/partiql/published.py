"""Runs the published PartiQL tests (github partiql/partiql-tests) against the engine and prints the score.

    python tests/ledger/partiql/published.py CHECKOUT [--failed]

Nothing of them is copied here. Their environments become constants of the statement. QLDB's mode is the permissive one (Coerce), in
which every case is run; what the strict mode (Error) gives without an error must be given too. Where QLDB or our own decisions differ
from PartiQL's specification the case counts as skipped, with the reason (`published_decisions.py`).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from published_decisions import reason_of

from ledger import iontext, partiql
from ledger.catalog import Catalog
from ledger.errors import LedgerError, PlanError
from ledger.index_key import order_key
from ledger.limits import Limits
from ledger.query_values import MISSING, Bag
from ledger.values import Annotated, Sexp, Symbol, Timestamp

_NOT_OURS = (
    ("graph", "graphs"),
    ("interval", "INTERVAL"),
    ("overlaps", "OVERLAPS"),
    ("date-time", "DATE and TIME types"),
    ("primitives/time", "DATE and TIME types"),
    ("date-constructor", "DATE and TIME types"),
    ("time-constructor", "DATE and TIME types"),
    ("int8", "integers of a fixed size"),
    ("rfc/0007", ""),
)


class NotTranslatedError(Exception):
    """The case uses a value that QLDB's dialect has not."""


def value_of(value: Any) -> Any:
    """Translate a value of the test files: `$bag`, `$missing` are annotations there."""
    if isinstance(value, Annotated):
        if value.annotations[0] == "$bag":
            return Bag(value_of(item) for item in value.value)  # type: ignore[union-attr]
        if value.annotations[0] == "$ion":
            return value.value
        if value.annotations[0] == "$missing":
            return MISSING
        if value.annotations[0] in ("$date", "$time", "$interval", "$graph"):
            raise NotTranslatedError(f"values of the type {value.annotations[0][1:].upper()}")
        return Annotated(value.annotations, value_of(value.value))
    if isinstance(value, list):
        return [value_of(item) for item in value]
    if isinstance(value, Sexp):
        return Sexp(value_of(item) for item in value)
    if isinstance(value, dict):
        return {name: value_of(item) for name, item in value.items()}
    return value


class World:
    """What statements of the tests need of a context."""

    transaction_id = "0" * 22
    now = Timestamp(2026, 11, 22, offset=0)
    catalog = Catalog()


def run(statement: str, env: dict[str, Any]) -> Any:
    """Give the statement's value, as PartiQL has it."""
    parsed = partiql.parse(statement)
    plan = partiql.make_plan(parsed, Catalog(), constants=env)
    rows = partiql.execute(plan, (), World(), Limits()).rows  # type: ignore[arg-type]
    if not plan.single:
        return rows if plan.ordered else Bag(rows)
    return rows[0] if rows else MISSING


def same(actual: Any, expected: Any) -> bool:
    """Compare; inside of results our bags are lists, and MISSING is null."""
    if isinstance(expected, Bag):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return False
        rest = list(expected)
        for item in actual:
            match = next((i for i, other in enumerate(rest) if same(item, other)), None)
            if match is None:
                return False
            del rest[match]
        return True
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(same, actual, expected))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return actual.keys() == expected.keys() and all(same(v, expected[k]) for k, v in actual.items())
    if expected is MISSING:
        return actual is MISSING or actual is None
    if isinstance(actual, Symbol) != isinstance(expected, Symbol) or isinstance(actual, bool) != isinstance(
        expected, bool
    ):
        return False
    return order_key(actual) == order_key(expected)


def cases(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give (environment, case) of a file."""
    env: dict[str, Any] = {}
    for top in iontext.parse_all(path.read_text()):
        if isinstance(top, Annotated) and top.annotations[0] == "envs":
            env |= top.value  # type: ignore[operator]
        else:
            yield from _cases(top, env)


def _cases(node: Any, env: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    if isinstance(node, Annotated):
        node = node.value
    if isinstance(node, list):
        env = dict(env)
        for item in node:
            if isinstance(item, Annotated) and item.annotations[0] == "envs":
                env |= item.value  # type: ignore[operator]
            else:
                yield from _cases(item, env)
    elif isinstance(node, dict) and "assert" in node:
        yield env | node.get("env", {}), node


_TIME_LITERAL = r'literals of the type|double quotes: "(DATE|TIME|TIMESTAMP|INTERVAL)"|found the keyword TIME\b'
PERMISSIVE, STRICT = "EvalModeCoerce", "EvalModeError"


def outcome(case: dict[str, Any], env: dict[str, Any], mode: str) -> str | None:
    """Give "passed", "failed: why" or "skipped: why"; None if the case says nothing of this mode."""
    asserts = case["assert"] if isinstance(case["assert"], list) else [case["assert"]]
    wanted = next((a for a in asserts if _is_of(a, mode)), None)
    if wanted is None:
        return None
    kind = wanted["result"].text
    try:
        translated = {name: value_of(value) for name, value in env.items()}
        expected = value_of(wanted.get("output"))
    except NotTranslatedError as error:
        return f"skipped: {error}"
    statements = case.get("statement")
    if not isinstance(statements, str):
        return "skipped: equivalence classes"
    if kind == "SyntaxSuccess":
        return _syntax(statements, wanted=True)
    if kind == "SyntaxFail":
        return _syntax(statements, wanted=False)
    try:
        actual = run(statements, translated)
    except LedgerError as error:
        if re.search(_TIME_LITERAL, str(error)):
            return "skipped: literals of the types DATE, TIME, TIMESTAMP, INTERVAL"
        if kind.endswith("Fail"):
            return "passed"
        if isinstance(error, PlanError) and expected is MISSING:
            return "skipped: a type error on constants is an error of the statement (our decision)"
        return f"failed: {error}"
    if kind.endswith("Fail"):
        if mode == STRICT:
            return "skipped: the strict mode makes an error of a type error on data"
        return f"failed: should fail, gives {actual!r}"
    if same(actual, expected):
        return "passed"
    if expected is MISSING and actual is None:
        return "skipped: functions and operators give NULL for MISSING (QLDB)"
    return f"failed: {actual!r} is not {expected!r}"


def _is_of(wanted: dict[str, Any], mode: str) -> bool:
    named = wanted.get("evalMode")
    modes = named if isinstance(named, list) else [named]
    return mode == PERMISSIVE if named is None else Symbol(mode) in modes


def _syntax(statement: str, *, wanted: bool) -> str:
    try:
        partiql.parse(statement)
    except LedgerError as error:
        if re.search(_TIME_LITERAL, str(error)):
            return "skipped: literals of the types DATE, TIME, TIMESTAMP, INTERVAL"
        return f"failed: {error}" if wanted else "passed"
    return "passed" if wanted else "failed: should not parse"


def main(checkout: Path, *, show: bool) -> None:
    counts: dict[str, Counter[str]] = {PERMISSIVE: Counter(), STRICT: Counter()}
    reasons: Counter[str] = Counter()
    for path in sorted(checkout.glob("partiql-tests-data*/**/*.ion")):
        name = str(path.relative_to(checkout))
        reason = next((why for part, why in _NOT_OURS if part in name and why), None)
        for env, case in cases(path):
            for mode, count in counts.items():
                found = outcome(case, env, mode)
                if found is None:
                    continue
                why = reason if reason is not None else reason_of(f"{name}: {case['name']}")
                if why is not None and (reason is not None or found.startswith("failed")):
                    found = f"skipped: {why}"
                verdict, _, why = found.partition(": ")
                count[verdict] += 1
                if verdict == "skipped":
                    reasons[why] += 1
                if verdict == "failed" and show:
                    print(f"  {name}: {case['name']} ({mode})\n    {case['statement']}\n    {why}")
    for why, number in reasons.most_common():
        print(f"{number:5} skipped: {why}")
    for mode, count in counts.items():
        print(f"{count['passed']:5} passed, {count['failed']} failed, {count['skipped']} skipped ({mode})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), show="--failed" in sys.argv)
