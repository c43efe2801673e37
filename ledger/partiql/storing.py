"""Values on their way into a table.

A type error in a value that is to be stored fails the statement: nothing is stored by accident.
"""

from __future__ import annotations

from ledger.errors import EvaluationError, LimitExceededError
from ledger.partiql.code import Env, Evaluate, Run
from ledger.partiql.comparison import a_type_of
from ledger.partiql.compiler import Compiler
from ledger.partiql.navigation import ion_value
from ledger.partiql.scope import Scope
from ledger.partiql.tree.expressions import Expression
from ledger.query_values import MISSING, QueryValue
from ledger.values import MultiStruct, Struct

__all__ = ["check_count", "checked", "document_struct", "stored"]


def stored(compiler: Compiler, expression: Expression, scope: Scope, what: str) -> Evaluate:
    """Compile an expression whose value is to be stored; `what` names it in errors."""
    return checked(compiler.compile(expression, scope).run, compiler, what)


def checked(run_value: Evaluate, compiler: Compiler, what: str) -> Evaluate:
    """Give code that raises EvaluationError where `run_value` meets a type error."""
    foreign = compiler.makes_foreign

    def value(env: Env) -> QueryValue:
        run: Run = env[0]
        errors = run.type_errors
        found = run_value(env)
        if run.type_errors != errors:
            raise EvaluationError(f"{what} cannot be computed: {run.last_error}")
        return ion_value(found) if foreign and found is not MISSING else found

    return value


def document_struct(data: QueryValue) -> Struct:
    """Give a value that is to be a document. Raises EvaluationError: it is no struct."""
    if type(data) is dict or type(data) is MultiStruct:
        return data
    hint = "; INSERT INTO t ? takes a list of documents, without VALUE" if type(data) is list else ""
    raise EvaluationError(f"a document is a struct, not {a_type_of(data)}{hint}")


def check_count(run: Run, count: int) -> None:
    """Raises LimitExceededError: more documents than a transaction may change."""
    maximum = run.limits.documents_per_transaction_max
    if count > maximum:
        raise LimitExceededError("documents_per_transaction_max", maximum, count)
