"""What a statement that had to scan tells people: the index that would have served, the field that nobody has."""

from __future__ import annotations

import pytest
from plain_world import PlainWorld

from ledger import partiql
from ledger.values import Struct

PEOPLE: list[Struct] = [
    {"n": i, "name": f"p{i}", "home": {"city": "X", "street": i}, "cars": [{"plate": f"P{i}"}]} for i in range(5)
]


@pytest.fixture
def world() -> PlainWorld:
    return PlainWorld({"P": PEOPLE, "Odd name": PEOPLE}, {"P": ["n"]})


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ("SELECT * FROM P WHERE name = 'p1'", ("CREATE INDEX ON P (name)",)),
        ("SELECT * FROM P AS p WHERE p.home.street > 1 AND p.home.city = 'X'", ("CREATE INDEX ON P (home.city, home.street)",)),
        ("SELECT * FROM P WHERE name LIKE 'p%'", ("CREATE INDEX ON P (name)",)),
        ("SELECT * FROM _ql_committed_P AS p WHERE p.data.name = 'p1'", ("CREATE INDEX ON P (name)",)),
        ("SELECT * FROM P AS p, @p.cars AS c WHERE c.plate = 'P1'", ("CREATE INDEX ON P (cars[*].plate)",)),
        ("SELECT * FROM P AS p WHERE 'P1' IN p.cars[*].plate", ("CREATE INDEX ON P (cars[*].plate)",)),
        ("SELECT * FROM P AS p WHERE EXISTS(SELECT 1 FROM @p.cars AS c WHERE c.plate = 'P1')", ("CREATE INDEX ON P (cars[*].plate)",)),
        ("SELECT * FROM P AS p WHERE p.name = 'p1' OR p.home.city = 'X'", ("CREATE INDEX ON P (name)", "CREATE INDEX ON P (home.city)")),
        ("SELECT * FROM \"Odd name\" WHERE \"name\" = 'p1'", ("CREATE INDEX ON \"Odd name\" (name)",)),
        ("UPDATE P SET n = 1 WHERE name = 'p1'", ("CREATE INDEX ON P (name)",)),
        ("SELECT * FROM P WHERE n = 1 AND name = 'p1'", ()),
        ("SELECT * FROM P WHERE name <> 'p1'", ()),
        ("SELECT * FROM P", ()),
        ("SELECT * FROM P WHERE n = 1 OR n <> 2", ()),
    ],
)  # fmt: skip
def test_a_scan_names_the_index_that_would_have_served(
    world: PlainWorld, statement: str, advice: tuple[str, ...]
) -> None:
    assert world.execute(statement).statistics.hints == advice


def test_the_advice_helps(world: PlainWorld) -> None:
    statement = "SELECT * FROM P AS p, @p.cars AS c WHERE c.plate = 'P1' AND p.home.city = 'X'"
    (advice,) = world.execute(statement).statistics.hints
    assert advice == "CREATE INDEX ON P (cars[*].plate, home.city)"
    plan = partiql.make_plan(partiql.parse(advice), world.catalog)
    partiql.execute(plan, [], world, world.limits)
    result = world.execute(statement)
    assert (result.statistics.documents_read, result.statistics.scans, result.statistics.hints) == (1, (), ())


def test_the_advice_can_be_typed_where_names_are_reserved_words() -> None:
    world = PlainWorld({"T": [{"Year": 2011, "cars": [{"Key": {"Value": 1}}]}]})
    statement = 'SELECT 1 FROM T AS t, @t.cars AS c WHERE t.Year = 2011 AND c.Key."Value" = 1'
    (advice,) = world.execute(statement).statistics.hints
    assert advice == 'CREATE INDEX ON T ("Year", cars[*]."Key"."Value")'
    partiql.execute(partiql.make_plan(partiql.parse(advice), world.catalog), [], world, world.limits)
    assert world.execute(statement).statistics.scans == ()


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("SELECT * FROM P WHERE Name = 'p1'", "no field Name in the documents of P; did you mean name?"),
        ("SELECT * FROM P AS p WHERE p.home.town = 'X'", "no field home.town in the documents of P"),
        ("SELECT * FROM P AS p WHERE p.house.city = 'X'", "no field house in the documents of P; did you mean home?"),
        ("SELECT * FROM P AS p, @p.cars AS c WHERE c.Plate = 'P1'", "no field cars[*].Plate in the documents of P; did you mean plate?"),
        ("SELECT * FROM P WHERE Name = 'p1' OR Name LIKE 'x%'", "no field Name in the documents of P; did you mean name?"),
    ],
)  # fmt: skip
def test_a_field_that_no_document_has_is_told_when_nothing_was_found(
    world: PlainWorld, statement: str, hint: str
) -> None:
    assert world.execute(statement).statistics.hints[-1] == hint


def test_of_a_large_table_the_first_documents_are_looked_at() -> None:
    world = PlainWorld({"T": [{"a": i} for i in range(150)]})
    assert (
        world.execute("SELECT * FROM T WHERE b = 1").statistics.hints[-1]
        == "no field b in the first 100 documents of T"
    )
    assert "no field" not in str(world.execute("SELECT * FROM T WHERE a = -1").statistics.hints)
    assert "no field" not in str(world.execute("SELECT * FROM T WHERE b = 1 OR a = 3").statistics.hints)
