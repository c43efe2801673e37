import logging

import pytest
from server_client import Api

from ledger import errors
from ledger.json_values import parse_json
from ledger.server.failures import answer_of_error
from ledger.server.http import Request
from ledger.server.ledgers import Ledgers

STATUS_OF_EACH = {
    errors.LedgerError("x"): 500,
    errors.StatementError("x"): 400,
    errors.ParseError("x", line=1, column=2, snippet="y"): 400,
    errors.PlanError("x"): 400,
    errors.UniqueViolationError("T", "[n]", "1", "d"): 409,
    errors.EvaluationError("x"): 400,
    errors.InvalidValueError("x", position=3): 400,
    errors.TransactionError("x"): 409,
    errors.OccConflictError("t", "k", 1, 2): 409,
    errors.TransactionExpiredError("t", 31.0, 30.0): 409,
    errors.TransactionClosedError("x"): 409,
    errors.TransactionMismatchError("x"): 422,
    errors.LimitExceededError("block_bytes_max", 1.5, 2): 413,
    errors.NotFoundError("x"): 404,
    errors.AlreadyExistsError("x"): 409,
    errors.LedgerBusyError("x", 2.5): 503,
    errors.StatementCancelledError("x"): 503,
    errors.BesideError("x"): 503,
    errors.ReadOnlyError("x"): 503,
    errors.LedgerLockedError("x"): 503,
    errors.FormatVersionError("x"): 500,
    errors.IntegrityError("x", address="block 1", expected=b"\x01", actual=2): 500,
    errors.JournalFailedError("x"): 503,
}


def test_the_table_has_every_error_of_the_ledger():
    assert {type(error).__name__ for error in STATUS_OF_EACH} == set(errors.__all__)


@pytest.mark.parametrize(("error", "status"), STATUS_OF_EACH.items(), ids=lambda value: type(value).__name__)
def test_every_error_has_its_status_and_says_whether_to_try_again(error, status):
    request = Request({"method": "GET", "path": "/", "query_string": b"", "headers": []}, receive=None)
    answer = answer_of_error(request, error)
    told = errors_of(answer)
    assert answer.status == status
    assert told["type"] == type(error).__name__
    assert told["retriable"] is error.retriable
    assert told["message"]
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_violated_index_is_told_with_its_value_and_the_document_that_has_it():
    request = Request({"method": "GET", "path": "/", "query_string": b"", "headers": []}, receive=None)
    told = errors_of(answer_of_error(request, errors.UniqueViolationError("Person", "[Email]", '"a@b.c"', "d" * 22)))
    assert (told["table"], told["index"], told["value"], told["documentId"]) == (
        "Person",
        "[Email]",
        '"a@b.c"',
        "d" * 22,
    )


def errors_of(answer):
    return parse_json(answer.body)["error"]


def test_a_ledger_that_stopped_answers_503_and_the_server_is_not_ready(start_server):
    coordinator, _ = start_server()
    api = Api(coordinator.address)
    for name in ("stopped", "lively"):
        assert api.ask("PUT", f"/v1/ledgers/{name}").status == 201
    coordinator.ledgers.get("stopped").close()
    api.ledger = "stopped"
    for statement in ("CREATE TABLE T", "SELECT * FROM information_schema.user_tables"):
        reply = api.transact(statement)
        assert (reply.status, reply.error["type"]) == (503, "JournalFailedError")
        assert int(reply.headers["retry-after"]) >= 1
    assert api.ask("GET", "/readyz").status == 503
    assert api.ask("GET", "/livez").status == 200
    api.ledger = "lively"
    assert api.transact("CREATE TABLE T").status == 200
    api.close()


def test_a_mistake_of_ours_is_logged_under_an_id_and_not_told_to_the_client(api, monkeypatch, caplog):
    def mistake(_self):
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(Ledgers, "open_ones", mistake)
    with caplog.at_level(logging.ERROR):
        reply = api.ask("GET", "/v1/ledgers")
    assert reply.status == 500
    assert reply.error["type"] == "InternalError"
    assert b"secret" not in reply.body
    assert reply.error["id"] in caplog.text
    assert "a secret of the inside" in caplog.text
