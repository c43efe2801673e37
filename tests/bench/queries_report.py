"""The part `queries` as a table, and its goals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

__all__ = ["queries_goals", "queries_table"]


def queries_table(found: Mapping[str, Any]) -> Table:
    """Give the cases beside SQLite and DuckDB, and what only we were asked."""
    title = (
        f"Queries over {found['documents']:,} documents, microseconds (median of the rounds), JSON in SQLite and DuckDB"
    )
    table = Table(title=title, title_justify="left")
    for column in ("query", "rows", "Strandline", "SQLite", "ratio", "DuckDB", "ratio", "steal %"):
        table.add_column(column, justify="left" if column == "query" else "right")
    for case in found["cases"]:
        ours, sqlite, duckdb = (case["us"][name] for name in ("strandline", "sqlite", "duckdb"))
        table.add_row(
            case["case"], f"{case['rows']:,}", f"{ours:,.0f}", f"{sqlite:,.0f}", f"{ours / sqlite:.2f}x", f"{duckdb:,.0f}",
            f"{ours / duckdb:.2f}x", f"{case['steal']}",
        )  # fmt: skip
    for name, microseconds in found["planning"].items():
        table.add_row(name, "", f"{microseconds:,.0f}")
    look_up, sizes = found["lookUp"], found["sizes"]
    table.add_row("look-up, plan cached: the whole", "1", f"{look_up['whole']:,.1f}")
    table.add_row("  what the store costs for it", "1", f"{look_up['store']:,.1f}")
    for count in ("few", "many"):
        table.add_row(f"look-up among {sizes[count]:,} documents", "1", f"{sizes[count + 'Us']:,.1f}")
    return table


def queries_goals(found: Mapping[str, Any]) -> Iterable[tuple[str, float, float, bool]]:
    """Give (goal, bound, measured, more is better)."""
    grouped = next(case["us"] for case in found["cases"] if case["case"].startswith("GROUP BY"))
    yield "cached look-up by unique index above the store, us", 60, found["lookUp"]["above"], False
    yield "parse and plan a usual statement, us", 1_000, found["planning"]["parse and plan a join with groups"], False
    yield (
        f"GROUP BY over {found['documents']:,} documents against SQLite (ratio)",
        10,
        grouped["strandline"] / grouped["sqlite"],
        False,
    )
    sizes = found["sizes"]
    yield f"look-up among {sizes['many']:,} documents against {sizes['few']:,} (ratio)", 2, sizes["ratio"], False
