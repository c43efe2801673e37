"""What is wrong is told with a 4xx, in one shape, without a trace of our insides; and the server lives."""

import contextlib
import http.client
import random
import socket

import pytest

from ledger.server.app import ROUTES

TRANSACTIONS = "/v1/ledgers/vehicles/transactions"
SELECT_STATEMENT = b'{"statement": "SELECT * FROM Vehicle WHERE VIN = 1"}'
SELECT = '{"statements": [{"statement": "SELECT * FROM Vehicle WHERE VIN = 1"}]}'


@pytest.fixture(autouse=True)
def and_the_server_lives(api):
    yield
    assert api.ask("GET", "/livez").status == 200
    assert api.ask("POST", TRANSACTIONS, SELECT.encode()).status == 200


def check_refused(reply, status, told):
    assert reply.status == status, reply.body
    error = reply.error
    assert set(error) >= {"type", "message", "retriable"}
    assert told in error["message"]
    assert len(reply.body) < 2_000
    for inside in (b"Traceback", b".py", b"object at 0x"):
        assert inside not in reply.body


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"statements": [}', 400, "line 1, column 17"),
        (b"\xff\x00", 400, "UTF-8"),
        (b"null", 400, "the body is a struct"),
        (b"[]", 400, "the body is a struct"),
        (b'"text"', 400, "the body is a struct"),
        (b"{}", 400, "'statements' is a list"),
        (b'{"statements": []}', 400, "at least one"),
        (b'{"statements": {}}', 400, "'statements' is a list"),
        (b'{"statements": [1]}', 400, "statements[0] is a struct"),
        (b'{"statements": [{}]}', 400, "statements[0].statement"),
        (b'{"statements": [{"statement": 1}]}', 400, "statements[0].statement"),
        (b'{"statements": [{"statement": {"$ion": "a"}}]}', 400, "type symbol"),
        (b'{"statements": [{"statement": ""}]}', 400, ""),
        (b'{"statements": [{"statement": "SELECT", "parameters": {}}]}', 400, "statements[0].parameters"),
        (b'{"statements": [{"statement": "SELECT", "parameters": null}]}', 400, "statements[0].parameters"),
        (b'{"statements": [{"statement": "SELECT", "params": []}]}', 400, "'params'"),
        (b'{"statements": [{"statement": "SELECT"}], "statement": ""}', 400, "'statement'"),
        (b'{"statements": [{"statement": "a"}], "statements": []}', 400, "stands twice"),
        (b'{"statements": [{"statement": "SELECT * FROM Vehicle WHERE VIN = ?"}]}', 400, ""),
        (b'{"statements": [{"statement": "SELECT * FROM Vehicle WHERE VIN = 1", "parameters": [1]}]}', 400, ""),
        (b'{"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": [1]}]}', 400, ""),
        (b'{"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": [{"a": NaN}]}]}', 400, "NaN"),
        (b'{"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": [{"$ion": "{a"}]}]}', 400, ""),
        (b'{"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": [{"a": 1e999999999}]}]}', 400, ""),
        (b'{"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": [{"a": %s}]}]}' % (b"9" * 4300), 400, "1785 bytes"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, 400, "deep"),
        (b"[" * 1_000_000, 400, "deep"),
        (b'{"statements": [{"statement": "' + b"x" * 100_001 + b'"}]}', 413, "statement_characters_max"),
        (b'{"statements": [{"statement": "' + b"(" * 50_000 + b'"}]}', 413, "expression_depth_max"),
        (b'{"statements": [' + b",".join([SELECT_STATEMENT] * 1_001) + b"]}", 413, "statements_per_transaction_max"),
        (b" " * 10_000_000, 413, "request_bytes_max"),
        (b'{"statements": [{"statement": "' + b"x" * 10_000_000 + b'"}]}', 413, "request_bytes_max"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_told_what_is_wrong(api, body, status, told):
    check_refused(api.ask("POST", TRANSACTIONS, body), status, told)


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/", 404, "/v1/ledgers"),
        ("GET", "/v1", 404, "nothing at"),
        ("GET", "/v1/ledgers/", 404, "no ledger ''"),
        ("GET", "/v1/ledgers/nobody", 404, "nobody"),
        ("POST", "/v1/ledgers/nobody/transactions", 404, "nobody"),
        ("GET", "/v1/ledgers/nobody/digest", 404, "nobody"),
        ("GET", "/v1/ledgers/..%2f..%2fetc/digest", 404, "nothing at"),
        ("GET", "/v1/ledgers/%00/digest", 404, "no ledger"),
        ("GET", "/v1/ledgers/%ff%fe/digest", 404, "no ledger"),
        ("PUT", "/v1/ledgers/with_underscore", 400, "with_underscore"),
        ("PUT", "/v1/ledgers/-a", 400, "hyphen"),
        ("PUT", "/v1/ledgers/" + "a" * 33, 400, "32"),
        ("PUT", "/v1/ledgers/VEHICLES", 400, "by case alone"),
        ("PUT", "/v1/ledgers/..", 400, ""),
        ("DELETE", "/v1/ledgers/vehicles", 405, "GET, PUT"),
        ("GET", TRANSACTIONS, 405, "POST"),
        ("HEAD", TRANSACTIONS, 405, None),
        ("GET", "/v1/ledgers/vehicles/blocks/x", 400, "whole number"),
        ("GET", "/v1/ledgers/vehicles/blocks/-1", 400, "whole number"),
        ("GET", "/v1/ledgers/vehicles/blocks/" + "9" * 18, 404, ""),
        ("GET", "/v1/ledgers/vehicles/blocks/" + "9" * 1000, 400, "whole number"),
        ("GET", "/v1/ledgers/vehicles/documents/short/revisions/0/receipt", 400, "22"),
        ("GET", "/v1/ledgers/vehicles/documents/0000000000000000000000/revisions/99/receipt", 404, ""),
        ("GET", "/v1/ledgers/vehicles/documents/AAAAAAAAAAAAAAAAAAAAAA/revisions/0/receipt?tip=x", 400, "tip"),
        ("GET", "/v1/ledgers/vehicles/documents/AAAAAAAAAAAAAAAAAAAAAA/revisions/0/receipt", 404, ""),
    ],
)
def test_a_wrong_path_is_told_what_is_wrong(api, method, path, status, told):
    reply = api.ask(method, path, b"{}" if method == "POST" else None)
    if told is None:
        assert (reply.status, reply.body) == (status, b"")
    else:
        check_refused(reply, status, told)


def test_405_names_the_methods_that_there_are(api):
    assert api.ask("PATCH", "/v1/ledgers/vehicles").headers["allow"] == "GET, PUT"


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/xml"]
)
def test_a_body_of_another_type_is_refused_so_that_no_web_page_can_post(api, content_type):
    check_refused(api.ask("POST", TRANSACTIONS, SELECT.encode(), content_type=content_type), 415, "application/json")


def test_a_body_in_chunks_is_read_and_bounded_too(api):
    def chunks(total):
        yield from (b'{"statements": [{"statement": "SELECT * FROM Vehicle WHERE VIN = 1"}]', b" " * total, b"}")

    assert api.ask("POST", TRANSACTIONS, chunks(1_000)).status == 200
    check_refused(api.ask("POST", TRANSACTIONS, chunks(9_000_000)), 413, "request_bytes_max")


def test_who_waits_for_100_continue_is_told_before_sending(server):
    with socket.create_connection(server.address, timeout=30) as connection:
        head = f"POST {TRANSACTIONS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        connection.sendall(f"{head}Content-Length: 900000000\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("begin", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
def test_headers_without_an_end_are_cut_off(server, begin):
    piece = b"x" * 1000 if not begin.endswith(b"\n") else b"x: y\r\n" * 100
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(begin)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(10_000):
                connection.sendall(piece)
            pytest.fail("10 MB of headers were taken")


def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(server):
    for head in (
        b"POST",
        f"POST {TRANSACTIONS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{".encode(),
        f"POST {TRANSACTIONS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(SELECT)}"
        f"\r\n\r\n{SELECT}".encode(),
    ):
        for _ in range(20):
            with socket.create_connection(server.address, timeout=30) as connection:
                connection.sendall(head)


def test_1000_random_byte_strings_as_http(server):
    chance = random.Random(8420)
    for _ in range(1000):
        junk = bytearray(chance.randbytes(chance.randrange(1, 200)))
        if chance.random() < 0.5:  # half of them begin like HTTP
            junk[:0] = f"{chance.choice(['GET', 'POST', 'PUT'])} /v1/ledgers HTTP/1.1\r\nHost: x\r\n".encode()
        answer = raw_answer(server.address, bytes(junk))
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200")), (junk, answer)
        assert b"Traceback" not in answer


def raw_answer(address, sent):
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


def test_1000_random_byte_strings_as_bodies(api):
    chance = random.Random(8421)
    valid = SELECT.encode()
    kinds = ["application/json", "application/ion", "text/ion"]
    for _ in range(1000):
        body = bytearray(valid if chance.random() < 0.7 else chance.randbytes(chance.randrange(200)))
        if chance.random() < 0.3:
            body[:0] = b"\xe0\x01\x00\xea"
        for _ in range(chance.randrange(1, 6)):  # damaged in a few places
            body[chance.randrange(len(body) or 1) : chance.randrange(len(body) or 1)] = chance.randbytes(
                chance.randrange(4)
            )
        reply = api.ask("POST", TRANSACTIONS, bytes(body), content_type=chance.choice(kinds), accept="application/json")
        assert reply.status in (200, 400, 413), (body, reply.body)
        if reply.status != 200:
            assert "Traceback" not in reply.error["message"]


@pytest.mark.parametrize("path", [path for path in ROUTES if "{" in path])
def test_1000_random_paths(api, path):
    chance = random.Random(path)
    alphabet = "".join(map(chr, range(0x21, 0x7F))).replace("?", "").replace("#", "")
    for _ in range(1000 // len(ROUTES)):
        tried = path
        for name in ("name", "sequenceNo", "documentId", "version"):
            part = "".join(chance.choice(alphabet) for _ in range(chance.randrange(40)))
            tried = tried.replace("{" + name + "}", part if name != "name" or chance.random() < 0.5 else "vehicles")
        try:
            reply = api.ask("GET", tried)
        except http.client.InvalidURL:
            continue
        assert reply.status in (200, 400, 404, 405), (tried, reply.body)
