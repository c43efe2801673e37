"""The grammar of OVER: partitions, order, frames.

OVER ([PARTITION BY expression, ...] [ORDER BY key, ...] [{ROWS | RANGE} {bound | BETWEEN bound AND bound}])
bound = UNBOUNDED PRECEDING | n PRECEDING | CURRENT ROW | n FOLLOWING | UNBOUNDED FOLLOWING
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.partiql.tree.expressions import Aggregate, Call, Expression, Frame, FrameBound, Window

if TYPE_CHECKING:
    from ledger.partiql.expression_parser import ExpressionParser

__all__ = ["window"]

_ADDITION = 6  # above BETWEEN's AND


def window(parser: ExpressionParser, found: Expression) -> Expression:
    """Read `OVER (...)` after a call."""
    at = parser.advance().at
    parser.expect("(")
    partition: list[Expression] = []
    if parser.accept("partition"):
        parser.expect("by")
        partition.append(parser.expression())
        while parser.accept(","):
            partition.append(parser.expression())
    order = parser.order_keys()
    frame = _frame(parser) if parser.token.word in ("rows", "range") else None
    if parser.token.word != ")":
        parser.fail('")", ROWS or RANGE')
    parser.advance()
    if isinstance(found, Aggregate) and not found.distinct:
        arguments: tuple[Expression, ...] = () if found.argument is None else (found.argument,)
    elif isinstance(found, Call):
        arguments = found.arguments
    else:
        parser.refuse("OVER after what is not a window function", at)
    return Window(found.function, arguments, tuple(partition), order, frame, found.at)


def _frame(parser: ExpressionParser) -> Frame:
    begin = parser.advance()
    if parser.accept("between"):
        start = _bound(parser)
        parser.expect("and", " of BETWEEN")
        end = _bound(parser)
    else:
        start, end = _bound(parser), FrameBound(0, None, begin.at)
    if start.step > end.step:
        parser.refuse("a frame ends before it starts", begin.at)
    if start.step == 1 and start.distance is None:
        parser.refuse("a frame cannot start at UNBOUNDED FOLLOWING", start.at)
    if end.step == -1 and end.distance is None:
        parser.refuse("a frame cannot end at UNBOUNDED PRECEDING", end.at)
    if begin.word == "range" and (start.distance or end.distance):
        parser.refuse("RANGE goes by UNBOUNDED and CURRENT ROW only; distances are for ROWS", begin.at)
    return Frame(begin.word, start, end, begin.at)


def _bound(parser: ExpressionParser) -> FrameBound:
    at = parser.token.at
    if parser.accept("current"):
        parser.expect("row", " of CURRENT ROW")
        return FrameBound(0, None, at)
    distance = None if parser.accept("unbounded") else parser.expression(_ADDITION)
    if parser.token.word not in ("preceding", "following"):
        parser.fail("PRECEDING or FOLLOWING")
    return FrameBound(-1 if parser.advance().word == "preceding" else 1, distance, at)
