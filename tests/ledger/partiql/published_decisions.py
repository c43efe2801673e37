"""Where the published PartiQL tests expect something else than QLDB did, or than we decided: reason -> the cases, by file and name.

What stands here is skipped, by name, so that a case that fails for another reason is seen.
"""

from __future__ import annotations

import re

__all__ = ["reason_of"]

_DECISIONS: tuple[tuple[str, str], ...] = (
    ("names are case sensitive (QLDB)",
     r"basic\.ion: identifierCaseMismatch|path\.ion: .*(upper|lower)case|group-by\.ion: .*(wrong case|mixed case)"),
    ("a name that is nothing is an error of the statement",
     r"group-by\.ion: (.*wrong qualifier|GROUP (BY|AS) binding referenced in)|select\.ion: selectDistinctExpression"),
    ("CAST to int truncates (QLDB)",
     r"cast\.ion: cast to int valid cases|extended/eval/primitives/basic\.ion: function call with mixed StaticType"),
    ("integers are unbounded", r"int\.ion: (int overflow|cast to int overflow)"),
    ("unnamed columns are _N by their position", r"group-by\.ion: .*qualified .*(GROUP BY|SELECT)"),
    ("NULL and MISSING are one group, returned as null",
     r"extended/.*/group-by/group-by\.ion: SELECT \* FROM (simple_1_col_1_group GROUP BY MISSING|products_sparse)"),
    ("SELECT VALUE drops MISSING rows", r"misc\.ion: selectIndexStruct|spec-tests\.ion: bag element evaluates to MISSING"),
    ("functions and operators give NULL for MISSING (QLDB)", r"spec-tests\.ion: cast and operations with missing argument"),
    ("struct[expr] looks a computed name up", r"spec-tests\.ion: tuple navigation with array notation without"),
    ("CAST of NULL and MISSING to NULL and MISSING is allowed (QLDB)", r"cast\.ion: cast to (MISSING|NULL) valid cases"),
    ("a type error on constants is an error of the statement (our decision)",
     r"limitoffset\.ion: offset (1-2|<str>|<decimal>>)|date_add\.ion: date_add (year 9999|overflow ion|year negative)"),
    ("a decimal literal keeps all its digits: it may be stored", r"basic\.ion: decimalRound(Up|Down)"),
    ("a struct's field names are quoted (QLDB)", r"exists\.ion: exists valid cases|spec-tests\.ion: coll_count without group by"),
    ("FROM is required (QLDB)", r"select\.ion: SELECT .*missing FROM"),
    ("after a dot a reserved word is a name", r"path-expression\.ion: invalid path component keyword in path"),
    ("a path goes by names, not by strings", r"path-expression\.ion: path expression on tuple with string"),
    ("() is no expression, COLL_COUNT(*) no call", r"cardinality\.ion: .*\(\)\]|coll-aggregate-function\.ion: COLL_COUNT star"),
    ("GROUP PARTIAL BY has no meaning in PartiQL yet", r"group-by\.ion: GROUP PARTIAL BY"),
    ("an alias beats a constant of the same name; only tables beat aliases", r"select\.ion: joinWithShadowedGlobal"),
    ("UNION knows no types of columns, and positions only of columns that are listed",
     r"rfc/0007\.ion: Example (2\.1 .*Without CORRESPONDING|3 . Union of|6 - Value Coercion not|7 . `engineering\.employees UNION)"),
    ("IS DECIMAL(p, s) asks whether the value fits as it is", r"is-operators\.ion: (1\.000 is DECIMAL\(3,3\)|123\.456 is DECIMAL\(7,3\))"),
    ("the unmatched side of an outer join is one null in SELECT *, whatever columns it would have", r"joins\.ion: PG_JOIN_09"),
    ("the expected rows call strings symbols", r"order-by\.ion: text types compared by lexicographical"),
)  # fmt: skip
_PATTERNS = [(reason, re.compile(pattern)) for reason, pattern in _DECISIONS]


def reason_of(case: str) -> str | None:
    """Give the reason why a case, "path: name", is not ours; None if there is none."""
    return next((reason for reason, pattern in _PATTERNS if pattern.search(case)), None)
