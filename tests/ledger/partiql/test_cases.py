"""The cases of `cases/*.ion`: a statement, its tables, and what must come out, with the source of the expectation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plain_world import PlainWorld

from ledger import errors, iontext
from ledger.values import Value, identical

CASES = [
    pytest.param(group, case, id=f"{path.stem}: {case['statement'][:90]}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.ion"))
    for group in iontext.parse_all(path.read_text(encoding="utf-8"))
    for case in group["cases"]  # type: ignore[index, call-overload, union-attr]
]


def same_bag(actual: list[Value], expected: list[Value]) -> bool:
    rest = list(expected)
    for value in actual:
        match = next((i for i, other in enumerate(rest) if identical(value, other)), None)
        if match is None:
            return False
        del rest[match]
    return not rest


@pytest.mark.parametrize("naive", [False, True], ids=["planned", "naive"])
@pytest.mark.parametrize(("group", "case"), CASES)
def test_a_statement_gives_what_its_source_says(group: dict[str, Any], case: dict[str, Any], naive: bool) -> None:
    world = PlainWorld(group.get("tables"), group.get("indexes"), naive=naive)
    for statement in group.get("before", ()):
        world.rows(statement)
    parameters = case.get("parameters", ())
    if "error" in case:
        with pytest.raises(getattr(errors, case["error"])) as raised:
            world.rows(case["statement"], *parameters)
        assert case["message"] in str(raised.value)
        return
    result = world.execute(case["statement"], *parameters)
    if "rows" in case:
        if case.get("ordered"):
            assert len(result.rows) == len(case["rows"]), result.rows
            assert all(map(identical, result.rows, case["rows"])), result.rows
        else:
            assert same_bag(result.rows, case["rows"]), result.rows
    if "row_count" in case:
        assert len(result.rows) == case["row_count"]
    assert result.statistics.type_errors == case.get("type_errors", 0)
    for name, documents in case.get("after", {}).items():
        assert same_bag(world.documents(name), documents), world.documents(name)
