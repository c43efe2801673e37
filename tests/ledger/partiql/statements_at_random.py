"""Random documents, and random statements over them that are right: for comparing plans."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from ledger.values import IonType, Symbol, TypedNull, Value

FIELDS = ("a", "b", "c")
PATHS = (*FIELDS, "n.k", "n.m")
# Few values, so that look-ups hit; some are equal in other types, some to nothing at all.
VALUES: st.SearchStrategy[Value] = st.sampled_from(
    [1, 2, 3, Decimal("1.0"), 2.0, "1", "x", Symbol("x"), None, TypedNull(IonType.INT), True, [1], {"k": 1}]
)
_NESTED = st.one_of(st.fixed_dictionaries({}, optional={"k": VALUES, "m": VALUES}), VALUES)
_ELEMENTS = st.one_of(st.lists(st.one_of(_NESTED, VALUES), max_size=3), _NESTED)
DOCUMENTS = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES) | {"n": _NESTED, "l": _ELEMENTS}),
    min_size=3,
    max_size=7,
)
LITERALS = st.sampled_from(
    ["1", "2", "3", "1.0", "`2e0`", "'1'", "'x'", "`x`", "null", "missing", "true", "[1]", "{'k': 1}", "`nan`"]
)


def expressions(aliases: tuple[str, ...]) -> st.SearchStrategy[str]:
    """A value: a literal, or a field of one of the aliases (an empty alias: bare names)."""
    fields = st.builds(
        lambda alias, field: f"{alias}.{field}" if alias else field, st.sampled_from(aliases), st.sampled_from(PATHS)
    )
    return st.one_of(fields, fields, fields, LITERALS)


_PATTERNS = ("'%x'", "'x'", "'x%'", "'1_'", "'%'", "'x!%%' ESCAPE '!'", "''", "null")


def _comparisons(aliases: tuple[str, ...]) -> st.SearchStrategy[str]:
    value = expressions(aliases)
    return st.one_of(
        st.builds("{} = {}".format, value, value),
        st.builds("{} = {}".format, value, value),
        st.builds("{} IN ({}, {})".format, value, value, value),
        st.builds("{} IN [{}]".format, value, value),
        st.builds("{} {} {}".format, value, st.sampled_from(["<", "<=", ">", ">=", "<>"]), value),
        st.builds("{} IS {}".format, value, st.sampled_from(["NULL", "MISSING", "NOT NULL", "INT", "STRING"])),
        st.builds("{} BETWEEN {} AND {}".format, value, value, value),
        st.builds("{} LIKE {}".format, value, st.sampled_from(_PATTERNS)),
        st.builds("{} IN {}l".format, value, st.sampled_from([f"{alias}." if alias else "" for alias in aliases])),
        st.builds("{} IN {}l[*].k".format, value, st.sampled_from([f"{alias}." if alias else "" for alias in aliases])),
    )


def conditions(*aliases: str) -> st.SearchStrategy[str]:
    return st.recursive(
        _comparisons(aliases),
        lambda inner: st.one_of(
            st.builds("({} AND {})".format, inner, inner),
            st.builds("({} AND {} AND {})".format, inner, inner, inner),
            st.builds("({} OR {})".format, inner, inner),
            st.builds("NOT ({})".format, inner),
        ),
        max_leaves=5,
    )


_ELEMENTS_MEET = st.one_of(
    st.builds("o {} {}".format, st.sampled_from(["=", "=", "<", ">="]), LITERALS),
    st.builds("o.k {} {}".format, st.sampled_from(["=", "=", "<", ">="]), LITERALS),
    st.builds("o.m = {} AND o.k > {}".format, LITERALS, LITERALS),
    st.builds("(o.k = {} OR t.a = {})".format, LITERALS, LITERALS),
    st.just("o.k = t.b"),
)
_OR_EXISTS = "SELECT VALUE t FROM T AS t WHERE {} AND (EXISTS(SELECT 1 FROM @t.l AS o WHERE {}) OR {})"
_RANGE_JOIN = "SELECT VALUE [t, u] FROM T AS t, U AS u WHERE u.{} {} t.{} AND {}"
_OPERATORS = st.sampled_from(["<", ">=", "="])
_JOINS = st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
_PATHS_OF_T = st.sampled_from([f"t.{path}" for path in PATHS])
_WHERES = st.one_of(st.just(""), st.builds("WHERE {}".format, conditions("t")))
_COUNTED = st.sampled_from(["T", "_ql_committed_T", "T WHERE a > 1", "T, U", "T AS t, @t.l AS o"])
QUERIES = st.one_of(
    st.builds("SELECT * FROM T WHERE {}".format, conditions("")),
    st.builds("SELECT t.a, d FROM T AS t BY d WHERE {}".format, conditions("t")),
    st.builds("SELECT t.a AS ta, u.* FROM T AS t, U AS u WHERE {}".format, conditions("t", "u")),
    st.builds("SELECT * FROM T AS t, U AS u WHERE t.a = u.{} AND {}".format, st.sampled_from(FIELDS), conditions("t", "u")),
    st.builds("SELECT * FROM T AS t {} U AS u ON {} WHERE {}".format, _JOINS, conditions("t", "u"), conditions("t", "u")),
    st.builds(
        "SELECT VALUE [t, u, v] FROM T AS t JOIN U AS u ON {} {} T AS v ON v.{} = u.a AND {}".format,
        conditions("t", "u"), _JOINS, st.sampled_from(FIELDS), conditions("t", "v"),
    ),
    st.builds("SELECT VALUE [t, o] FROM T AS t, @t.l AS o WHERE {}".format, _ELEMENTS_MEET),
    st.builds("SELECT VALUE [t, o] FROM T AS t, @t.l AS o WHERE {} AND {}".format, _ELEMENTS_MEET, conditions("t", "o")),
    st.builds("SELECT VALUE t FROM T AS t, @t.l AS o, @t.l AS p WHERE {} AND p.k > 1 AND p.k < 3".format, _ELEMENTS_MEET),
    st.builds("SELECT VALUE t FROM _ql_committed_T AS c, @c.data.l AS o, @c.data AS t WHERE {}".format, _ELEMENTS_MEET),
    st.builds("SELECT VALUE t FROM T AS t WHERE EXISTS(SELECT 1 FROM @t.l AS o WHERE {})".format, _ELEMENTS_MEET),
    st.builds(_OR_EXISTS.format, conditions("t"), _ELEMENTS_MEET, conditions("t")),
    st.builds(_RANGE_JOIN.format, st.sampled_from(PATHS), _OPERATORS, st.sampled_from(PATHS), conditions("t", "u")),
    st.builds("SELECT VALUE t FROM T AS t WHERE EXISTS(SELECT 1 FROM U AS u WHERE {})".format, conditions("t", "u")),
    st.builds("SELECT VALUE t FROM T AS t WHERE t.a IN (SELECT u.b FROM U AS u WHERE {})".format, conditions("u")),
    st.builds("SELECT VALUE (SELECT u.c FROM U AS u WHERE u.a = t.b AND {}) FROM T AS t".format, conditions("t", "u")),
    st.builds("SELECT VALUE c.data FROM _ql_committed_T AS c WHERE c.data.a = {} AND {}".format, LITERALS, conditions("c.data")),
    st.builds("SELECT VALUE u FROM T AS t BY d, _ql_committed_U AS u BY e WHERE e = d OR {}".format, conditions("t")),
    st.builds("SELECT VALUE [t, u] FROM T AS t, U AS u BY e WHERE u.c = e AND {}".format, conditions("t", "u")),
    st.builds("SELECT {}({}) AS m FROM T AS t {}".format, st.sampled_from(["MIN", "MAX"]), _PATHS_OF_T, _WHERES),
    st.builds("SELECT COUNT(*) AS n FROM {}".format, _COUNTED),
    st.builds("SELECT a, COUNT(*) AS n, MAX(b) AS m FROM T WHERE {} GROUP BY a HAVING COUNT(*) > 1".format, conditions("")),
)  # fmt: skip
_DIRECTIONS = st.sampled_from(["", " ASC", " DESC", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
_LIMITS = st.sampled_from(["", "", " LIMIT 1", " LIMIT 3 OFFSET 1", " LIMIT 0"])
ORDERED = st.one_of(
    st.builds("SELECT VALUE [[{0}], t] FROM T AS t {2} ORDER BY {0}{1}|{3}".format, _PATHS_OF_T, _DIRECTIONS, _WHERES, _LIMITS),
    st.builds(
        "SELECT VALUE [[{0}, {2}], t] FROM T AS t {4} ORDER BY {0}{1}, {2}{3}|{5}".format,
        _PATHS_OF_T, _DIRECTIONS, _PATHS_OF_T, _DIRECTIONS, _WHERES, _LIMITS,
    ),
    st.builds(
        "SELECT VALUE [[{0}, {2}], t] FROM T AS t WHERE t.b = {4} ORDER BY {0}{1}, {2}{1}|{3}".format,
        _PATHS_OF_T, _DIRECTIONS, _PATHS_OF_T, _LIMITS, LITERALS,
    ),
    st.builds(
        "SELECT VALUE [[{0}], t] FROM T AS t, U AS u WHERE {2} AND u.a = t.b ORDER BY {0}{1}|{3}".format,
        _PATHS_OF_T, _DIRECTIONS, conditions("t", "u"), _LIMITS,
    ),
    st.builds("SELECT VALUE [[{0}], t] FROM T AS t, @t.l AS o ORDER BY {0}{1}|{2}".format, _PATHS_OF_T, _DIRECTIONS, _LIMITS),
)  # fmt: skip
"""`SELECT VALUE [[sort keys], ...] ... ORDER BY ...|LIMIT ...`: what stands after the bar says how many of the rows."""
CHANGES = st.one_of(
    st.builds("UPDATE T SET b = {} WHERE {}".format, expressions(("",)), conditions("")),
    st.builds("UPDATE T AS t SET t.a = t.b, t.b = t.a WHERE {}".format, conditions("t")),
    st.builds("UPDATE T REMOVE {} WHERE {}".format, st.sampled_from(FIELDS), conditions("")),
    st.builds("FROM T AS t BY d WHERE {} SET t.c = d".format, conditions("t")),
    st.builds("DELETE FROM T WHERE {}".format, conditions("")),
)
