"""Rows answered one by one, work that runs beside the committer, and how both end: with the client, the server, or in the middle."""

import http.client
import json
import logging
import signal
import socket
import threading

import pytest
from server_client import Api

from ledger.limits import Limits

NUMBERS = list(range(3_000))
LARGE = "SELECT VALUE ? FROM ? AS a"
ENDLESS = "SELECT COUNT(*) AS n FROM ? AS a, ? AS b, ? AS c, ? AS d"
ENDLESS_ROWS = "SELECT a, b, c FROM ? AS a, ? AS b, ? AS c"
ENDLESS_WRITE = "UPDATE Vehicle AS v SET v.n = (SELECT COUNT(*) FROM ? AS a, ? AS b, ? AS c, ? AS d) WHERE v.VIN = 'a'"
NO_END = Limits(visits_per_statement_max=10**15, read_s_max=1e6, transaction_age_s_max=1e6)
PATH = "/v1/ledgers/vehicles/transactions"
ROWS = "application/x-ndjson"


@pytest.fixture(scope="module")
def patient(start_server):
    """A server whose statements may run for ever."""
    coordinator, _ = start_server(limits=NO_END)
    api = Api(coordinator.address)
    assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
    assert api.transact("CREATE TABLE Vehicle").status == 200
    assert api.transact("CREATE INDEX ON Vehicle (VIN)").status == 200
    assert api.transact(("INSERT INTO Vehicle ?", [{"VIN": "a", "n": 0}])).status == 200
    api.close()
    return coordinator


@pytest.fixture
def patient_api(patient):
    api = Api(patient.address)
    yield api
    api.close()


def body_of(text, *parameters):
    return json.dumps({"statements": [{"statement": text, "parameters": list(parameters)}]}).encode()


def request_of(text, *parameters, accept="application/json"):
    body = body_of(text, *parameters)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def sent(address, text, *parameters, accept="application/json"):
    """Send a statement; give the connection, of which nobody has read yet."""
    connection = socket.create_connection(address)
    connection.sendall(request_of(text, *parameters, accept=accept))
    return connection


def lines_of(reply):
    return [json.loads(line) for line in reply.body.splitlines()]


def test_rows_come_one_a_line_and_an_end_says_that_they_are_all(api):
    for first in range(0, 400, 40):
        assert api.transact(("INSERT INTO Vehicle ?", [[{"VIN": f"s{first + i}"} for i in range(40)]])).status == 200
    reply = api.transact("SELECT VIN FROM Vehicle AS v WHERE v.VIN || '' LIKE 's%'", accept=ROWS)
    assert reply.status == 200
    assert reply.headers["content-type"] == ROWS
    assert "content-length" not in reply.headers
    *rows, end = lines_of(reply)
    assert sorted(line["row"]["VIN"] for line in rows) == sorted(f"s{n}" for n in range(400))
    assert end["end"]["rows"] == 400
    assert end["end"]["statistics"]["scans"] == ["Vehicle"]
    assert len(end["end"]["transactionId"]) == 22
    assert lines_of(api.transact("SELECT * FROM Vehicle WHERE VIN = 'nobody'", accept=ROWS))[0]["end"]["rows"] == 0


@pytest.mark.parametrize(
    ("statements", "status", "kind"),
    [
        (["SELECT * FORM Vehicle"], 400, "ParseError"),
        (["SELECT * FROM Nothing"], 400, "PlanError"),
        (["DELETE FROM Vehicle"], 400, "PlanError"),
        (["SELECT 1 FROM Vehicle", "SELECT 2 FROM Vehicle"], 400, "InvalidValueError"),
        (["SELECT VALUE (SELECT VALUE x FROM [0] AS x LIMIT n) FROM [-1] AS n"], 400, "EvaluationError"),
    ],
)
def test_what_fails_before_the_first_row_has_a_status(api, statements, status, kind):
    reply = api.transact(*statements, accept=ROWS)
    assert (reply.status, reply.error["type"]) == (status, kind)


def test_what_fails_in_the_middle_ends_with_an_error_and_without_an_end(api):
    reply = api.transact("SELECT VALUE (SELECT VALUE x FROM [0] AS x LIMIT n) FROM [1, 1, -1, 1] AS n", accept=ROWS)
    assert reply.status == 200
    first, second, last = lines_of(reply)
    assert first == second == {"row": [0]}
    assert last["error"]["type"] == "EvaluationError"
    assert last["error"]["retriable"] is False


def test_a_stream_of_more_rows_than_memory_ends_with_its_client(patient, patient_api):
    """Eight clients take some of 27 billion rows and go; then the pool's four threads and all snapshots are free again."""
    for _ in range(8):
        with sent(patient.address, ENDLESS_ROWS, NUMBERS, NUMBERS, NUMBERS, accept=ROWS) as connection:
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert json.loads(response.readline()) == {"row": {"a": 0, "b": 0, "c": 0}}
            response.close()
    database = patient.ledgers.get("vehicles")
    for _ in range(8):  # in the pool, behind what still runs there
        assert patient_api.transact("SELECT * FROM Vehicle").status == 200
    with database._views._readers:
        assert database._views._readers.wait_for(lambda: database._views._snapshots == 0, timeout=30)


@pytest.mark.parametrize("text", [ENDLESS, ENDLESS_WRITE])
def test_commits_go_on_beside_what_never_ends_and_that_ends_with_its_client(patient, patient_api, text):
    connections = [sent(patient.address, text, NUMBERS, NUMBERS, NUMBERS, NUMBERS) for _ in range(4)]
    for n in range(20):
        assert patient_api.transact(("UPDATE Vehicle AS v SET v.m = ? WHERE v.VIN = 'a'", [n])).status == 200
    large = (
        "UPDATE Vehicle AS v SET v.m = CHAR_LENGTH(?)",
        ["x" * 300_000],
    )  # a body that is read in a thread of its own
    assert patient_api.transact(large).status == 200
    for connection in connections:
        connection.close()
    assert patient_api.transact("SELECT * FROM Vehicle").json["results"] == [[{"VIN": "a", "n": 0, "m": 300_000}]]


def test_a_query_is_refused_at_its_time(start_server):
    coordinator, stop = start_server(limits=Limits(visits_per_statement_max=10**15, read_s_max=0.2))
    api = Api(coordinator.address)
    assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
    reply = api.transact((ENDLESS, [NUMBERS] * 4))
    assert (reply.status, reply.error["limit"]) == (413, "read_s_max")
    last = lines_of(api.transact((ENDLESS_ROWS, [NUMBERS] * 3), accept=ROWS))[-1]
    assert last["error"]["limit"] == "read_s_max"
    api.close()
    stop()


class Told(logging.Handler):
    """Waits until the server has logged a text."""

    def __init__(self, text):
        super().__init__()
        self._text, self.heard = text, threading.Event()

    def emit(self, record):
        if self._text in record.getMessage():
            self.heard.set()

    def __enter__(self):
        logging.getLogger("strandline.server").addHandler(self)
        return self

    def __exit__(self, *_):
        logging.getLogger("strandline.server").removeHandler(self)


def test_a_stream_that_is_cut_off_before_its_first_part_gives_its_place_back(start_server, monkeypatch):
    """It waits behind the answer to an earlier request of its connection, which the client does not read."""
    monkeypatch.setattr("ledger.server.row_streams._LAST_PART_S", 0.2)
    coordinator, stop = start_server(limits=Limits(read_s_max=1.0))
    api = Api(coordinator.address)
    assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
    with Told("cut off") as told, sent(coordinator.address, LARGE, "x" * 1_000, NUMBERS * 4) as connection:
        connection.sendall(request_of(ENDLESS_ROWS, *[NUMBERS] * 3, accept=ROWS))
        assert told.heard.wait(30)
    assert coordinator._service.streams == 0
    api.close()
    stop()


def test_a_client_that_stops_reading_a_large_answer_is_cut_off(start_server, monkeypatch):
    monkeypatch.setattr("ledger.server.protocol._STALLED_S", 0.3)
    coordinator, stop = start_server()
    api = Api(coordinator.address)
    assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
    with Told("takes nothing") as told, sent(coordinator.address, LARGE, "x" * 1_000, NUMBERS * 4) as connection:
        assert told.heard.wait(30)
        response = http.client.HTTPResponse(connection)
        response.begin()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    api.close()
    stop()


def test_an_idempotency_key_that_stands_twice_is_refused(api):
    connection = http.client.HTTPConnection(*api.address)
    body = body_of("SELECT 1 FROM Vehicle")
    connection.putrequest("POST", PATH)
    for name, value in [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("Idempotency-Key", "one"),
        ("Idempotency-Key", "two"),
    ]:
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    told = json.loads(response.read())
    connection.close()
    assert response.status == 400
    assert "idempotency-key stands 2 times" in told["error"]["message"]


def test_a_second_signal_ends_scans_and_streams_and_exits_with_0(serve):
    with serve("--limit", "visits_per_statement_max=1000000000000000", "--limit", "read_s_max=100000") as (
        process,
        api,
    ):
        assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
        assert api.transact("CREATE TABLE Vehicle").status == 200
        with (
            sent(api.address, ENDLESS, *[NUMBERS] * 4),
            sent(api.address, ENDLESS_ROWS, *[NUMBERS] * 3, accept=ROWS) as stream,
        ):
            assert stream.recv(10)
            process.send_signal(signal.SIGTERM)
            while not any("finishing" in event["event"] for event in process.events):
                stream.recv(65536)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
