"""PartiQL, QLDB's dialect: text -> tokens -> tree -> plan -> rows, a line of pure modules.

parse      text -> Statement                    lexer, parser
make_plan  Statement + Catalog -> Plan          planner: names become slots, expressions closures, conjuncts look-ups
execute    Plan + parameters + context -> rows  executor; the world is touched through `context.StatementContext` alone
"""

from ledger.partiql.executor import Result, Statistics, execute
from ledger.partiql.parser import parse
from ledger.partiql.planner import Plan, PlanCache, make_plan
from ledger.partiql.tree.statements import Statement

__all__ = ["Plan", "PlanCache", "Result", "Statement", "Statistics", "execute", "make_plan", "parse"]
