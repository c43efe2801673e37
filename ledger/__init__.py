"""Strandline's ledger: a database whose every commit is a hash-chained block.

    import ledger

    with ledger.open("data/vehicles") as db:
        db.execute("CREATE TABLE Vehicle")
        db.execute("INSERT INTO Vehicle ?", {"VIN": "1N4AL11D75C109151", "Color": "Silver"})
        db.execute_lambda(lambda txn: txn.execute_statement("UPDATE Vehicle SET Color = 'Red' WHERE VIN = ?", "1N4AL11D75C109151"))
        print(db.digest())

The names load when they are first used: an auditor who imports `ledger.verify`, or a consumer, loads no database.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.database import Database
    from ledger.database import open_ledger as open  # noqa: A004  # ledger.open() reads as what it is
    from ledger.interactive import InteractiveTransaction
    from ledger.limits import Limits
    from ledger.partiql import Result
    from ledger.request import Outcome

__all__ = ["Database", "InteractiveTransaction", "Limits", "Outcome", "Result", "open"]

_HOME = {
    "Database": ("ledger.database", "Database"),
    "open": ("ledger.database", "open_ledger"),
    "InteractiveTransaction": ("ledger.interactive", "InteractiveTransaction"),
    "Limits": ("ledger.limits", "Limits"),
    "Result": ("ledger.partiql", "Result"),
    "Outcome": ("ledger.request", "Outcome"),
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ledger' has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(importlib.import_module(module), attribute)
