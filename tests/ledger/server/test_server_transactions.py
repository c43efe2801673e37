import threading
from collections import Counter
from decimal import Decimal

import pytest
from server_client import Api, at_once

from ledger import ion, iontext
from ledger.database import Database
from ledger.limits import Limits
from ledger.server.http import Format
from ledger.values import Annotated, Timestamp


def insert(api, **fields):
    reply = api.transact(("INSERT INTO Vehicle ?", [fields]))
    assert reply.status == 200, reply.body
    return reply.json["results"][0][0]["documentId"]


def test_one_round_trip_is_one_acid_transaction(api):
    reply = api.transact(
        ("INSERT INTO Vehicle ?", [{"VIN": "T1", "Mileage": 2011}]),
        ("UPDATE Vehicle SET Mileage = ? WHERE VIN = ?", [2012, "T1"]),
        ("SELECT VIN, Mileage FROM Vehicle WHERE VIN = ?", ["T1"]),
    )
    assert reply.status == 200
    answer = reply.json
    assert len(answer["transactionId"]) == 22
    assert set(answer["blockAddress"]) == {"strandId", "sequenceNo"}
    inserted, updated, selected = answer["results"]
    assert inserted == updated
    assert selected == [{"VIN": "T1", "Mileage": 2012}]
    assert [s["scans"] for s in answer["statistics"]] == [[], [], []]
    assert "replayed" not in answer


def test_a_failing_statement_takes_the_whole_transaction_back(api):
    reply = api.transact(("INSERT INTO Vehicle ?", [{"VIN": "T2"}]), "SELECT nonsense FROM NoSuchTable")
    assert reply.status == 400
    found = api.transact(("SELECT * FROM Vehicle WHERE VIN = ?", ["T2"])).json
    assert found["results"] == [[]]
    assert found["blockAddress"] is None


@pytest.mark.parametrize("accept", ["application/json", "application/ion", "text/ion"])
def test_what_was_committed_is_never_answered_with_an_error(api, accept):
    """Rows that no format can say are null in the answer; a transaction that only read them is refused."""
    deep = "SELECT VALUE " + "[" * 150 + "v" + "]" * 150 + " FROM <<{}>> AS v"
    reply = api.transact(("INSERT INTO Vehicle ?", [{"VIN": f"deep {accept}"}]), deep.replace("{}", "1"), accept=accept)
    assert reply.status == 200, reply.body
    assert api.transact(("SELECT * FROM Vehicle WHERE VIN = ?", [f"deep {accept}"])).json["results"] != [[]]


def test_a_query_by_index_is_a_look_up_and_a_query_without_says_that_it_scanned(api):
    insert(api, VIN="T3", Color="green")
    by_index = api.transact(("SELECT * FROM Vehicle WHERE VIN = ?", ["T3"])).json
    assert by_index["statistics"][0]["lookUps"] == 1
    by_scan = api.transact(("SELECT VIN FROM Vehicle WHERE Color = ?", ["green"])).json
    assert by_scan["results"] == [[{"VIN": "T3"}]]
    assert by_scan["statistics"][0]["scans"] == ["Vehicle"]


def test_values_of_every_kind_go_in_and_come_out_as_json(api):
    document = {
        "VIN": "T4",
        "count": 2**70,
        "price": Decimal,
        "scale": {"$ion": "1.50d0"},
        "bought": {"$ion": "2026-11-22T10:00:00.120+01:00"},
        "kind": {"$ion": "unit::Sedan"},
        "bytes": {"$ion": "{{AP8=}}"},
        "float": {"$ion": "1.5e0"},
        "none": {"$ion": "null.int"},
        "nested": [{"a": [None, True, "text ü"]}],
    }
    body = (
        b'{"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": ['
        + str(document).replace("'", '"').replace("None", "null").replace("True", "true").encode()
        + b"]}]}"
    ).replace(b'<class "decimal.Decimal">', b"12.50")
    assert api.ask("POST", "/v1/ledgers/vehicles/transactions", body).status == 200
    shown = api.transact(("SELECT * FROM Vehicle WHERE VIN = ?", ["T4"])).body
    for written in (
        b'"count":1180591620717411303424',
        b'"price":12.50',
        b'"scale":1.50',
        b'"bought":{"$ion":"2026-11-22T10:00:00.120+01:00"}',
        b'"kind":{"$ion":"unit::Sedan"}',
        b'"bytes":{"$ion":"{{AP8=}}"}',
        b'"float":{"$ion":"1.5e0"}',
        b'"none":{"$ion":"null.int"}',
        '"nested":[{"a":[null,true,"text ü"]}]'.encode(),
    ):
        assert written in shown


def test_ion_binary_and_text_go_in_and_come_out(api):
    path = "/v1/ledgers/vehicles/transactions"
    document = {"VIN": "T5", "at": Timestamp(2026, 11, 22), "kind": Annotated(("unit",), 1)}
    asked = {"statements": [{"statement": "INSERT INTO Vehicle ?", "parameters": [document]}]}
    reply = api.ask("POST", path, ion.encode(asked), content_type="application/ion")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/ion"
    assert len(ion.decode(reply.body)["transactionId"]) == 22

    text = "{statements: [{statement: \"SELECT * FROM Vehicle WHERE VIN = 'T5'\"}]}"
    reply = api.ask("POST", path, text.encode(), content_type="text/ion", accept="application/ion")
    assert ion.decode(reply.body)["results"] == [[document]]
    reply = api.ask("POST", path, text.encode(), content_type="application/ion; charset=utf-8", accept="text/ion")
    assert reply.headers["content-type"] == "text/ion"
    assert iontext.parse(reply.body.decode())["results"] == [[document]]
    reply = api.ask("POST", path, text.encode(), content_type="application/ion", accept="text/html, application/json")
    assert reply.json["results"][0][0]["VIN"] == "T5"
    reply = api.ask("POST", path, b"\xe0\x01\x00\xea\xff\xff", content_type="application/ion")
    assert reply.status == 400
    assert ion.decode(reply.body)["error"]["type"] == "InvalidValueError"


def test_a_wrong_statement_is_told_with_its_place(api):
    reply = api.transact("SELECT *\nFROM Vehicle WHERE ORDER")
    assert reply.status == 400
    assert reply.error["retriable"] is False
    assert reply.error["line"] == 2
    assert reply.error["column"] >= 20
    assert "FROM Vehicle WHERE ORDER" in reply.error["snippet"]
    unknown = api.transact("SELECT * FROM NoSuchTable WHERE a = 1")
    assert unknown.status == 400
    assert "NoSuchTable" in unknown.error["message"]


def test_what_there_is_already_is_a_conflict(api):
    reply = api.transact("CREATE TABLE Vehicle")
    assert (reply.status, reply.error["type"]) == (409, "AlreadyExistsError")


def test_a_limit_is_named_with_both_values(api):
    many = [("INSERT INTO Vehicle ?", [{"VIN": f"L{number}"}]) for number in range(41)]
    reply = api.transact(*many)
    assert reply.status == 413
    assert reply.error["limit"] == "documents_per_transaction_max"
    assert (reply.error["maximum"], reply.error["asked"]) == (40, 41)
    big = api.transact(("INSERT INTO Vehicle ?", [{"VIN": "L", "text": "x" * 200_000}]))
    assert (big.status, big.error["limit"]) == (413, "document_bytes_max")


def test_an_idempotency_key_gives_the_first_answer_again(api):
    statement = ("INSERT INTO Vehicle ?", [{"VIN": "K1"}])
    first = api.transact(statement, Idempotency_Key="order 17")
    second = api.transact(statement, Idempotency_Key=" order 17\t")  # blanks around a value are not part of it
    assert first.status == second.status == 200
    assert second.json == first.json | {"replayed": True}
    assert len(api.transact(("SELECT * FROM Vehicle WHERE VIN = ?", ["K1"])).json["results"][0]) == 1
    other = api.transact(statement, Idempotency_Key="order 18")
    assert other.json["transactionId"] != first.json["transactionId"]


def test_an_idempotency_key_of_other_statements_is_refused(api):
    assert api.transact(("INSERT INTO Vehicle ?", [{"VIN": "K2"}]), Idempotency_Key="k2").status == 200
    assert api.transact("SELECT COUNT(*) FROM Vehicle", Idempotency_Key="k2").status == 422
    reply = api.transact(("INSERT INTO Vehicle ?", [{"VIN": "K3"}]), Idempotency_Key="k2")
    assert (reply.status, reply.error["type"], reply.error["retriable"]) == (422, "TransactionMismatchError", False)
    for key in ("", "x" * 256, "caf\xe9"):
        assert api.transact("SELECT * FROM Vehicle WHERE VIN = 1", Idempotency_Key=key).status == 400


def test_the_same_key_sent_by_many_at_once_commits_once(new_api):
    replies = at_once(8, lambda n: new_api().transact(("INSERT INTO Vehicle ?", [{"VIN": "K4"}]), Idempotency_Key="k4"))
    assert [reply.status for reply in replies] == [200] * 8
    assert len({reply.json["transactionId"] for reply in replies}) == 1
    assert Counter(reply.json.get("replayed", False) for reply in replies) == {True: 7, False: 1}
    found = new_api().transact(("SELECT * FROM Vehicle WHERE VIN = ?", ["K4"])).json["results"][0]
    assert len(found) == 1


def test_64_clients_at_once_on_one_document_lose_no_update(new_api):
    first = new_api()
    insert(first, VIN="HOT", Mileage=0)
    update = ("UPDATE Vehicle SET Mileage = Mileage + 1 WHERE VIN = ?", ["HOT"])

    def five_times(_number):
        client = new_api()
        return [client.transact(update) for _ in range(5)]

    replies = [reply for five in at_once(64, five_times) for reply in five]
    assert [reply.status for reply in replies] == [200] * 320
    blocks = {reply.json["blockAddress"]["sequenceNo"] for reply in replies}
    assert len(blocks) == 320
    counted = first.transact(("SELECT Mileage FROM Vehicle WHERE VIN = ?", ["HOT"])).json["results"]
    assert counted == [[{"Mileage": 320}]]


def test_reads_see_what_was_acknowledged_before_also_by_scan(new_api):
    def write_then_read(number):
        client = new_api()
        insert(client, VIN=f"R{number}", run=number)
        by_scan = client.transact(("SELECT VIN FROM Vehicle WHERE run = ?", [number])).json["results"][0]
        by_index = client.transact(("SELECT run FROM Vehicle WHERE VIN = ?", [f"R{number}"])).json["results"][0]
        return by_scan, by_index

    for number, (by_scan, by_index) in enumerate(at_once(16, write_then_read)):
        assert by_scan == [{"VIN": f"R{number}"}]
        assert by_index == [{"run": number}]


def test_a_full_queue_answers_503_and_says_when_to_come_back(start_server):
    coordinator, stop = start_server(limits=Limits(queue_transactions_max=1, batch_transactions_max=1))
    setup = Api(coordinator.address)
    assert setup.ask("PUT", "/v1/ledgers/vehicles").status == 201
    assert setup.transact("CREATE TABLE Vehicle").status == 200
    setup.close()

    def insert_some(number):
        client = Api(coordinator.address)
        replies = [client.transact(("INSERT INTO Vehicle ?", [{"n": [number, i]}])) for i in range(30)]
        client.close()
        return replies

    replies = [reply for some in at_once(32, insert_some) for reply in some]
    stop()
    assert {reply.status for reply in replies} == {200, 503}
    refused = next(reply for reply in replies if reply.status == 503)
    assert refused.error["type"] == "LedgerBusyError"
    assert refused.error["retriable"] is True
    assert int(refused.headers["retry-after"]) >= 1


def test_large_texts_are_read_in_the_pool_while_the_server_answers_others(api, new_api, monkeypatch):
    """They write, in one transaction, as small ones would; under a key they do so once."""
    parsing, go_on, readers = threading.Event(), threading.Event(), []
    is_read_only = Database.is_read_only

    def held(database, statements):
        if len(statements) == 5:
            readers.append(threading.current_thread().name)
            parsing.set()
            assert go_on.wait(30)
        return is_read_only(database, statements)

    monkeypatch.setattr(Database, "is_read_only", held)
    statements = [("INSERT INTO Vehicle ? -- " + "x" * 20_000, [{"VIN": f"large{n}"}]) for n in range(5)]
    replies = []
    sender = threading.Thread(
        target=lambda: replies.extend(new_api().transact(*statements, Idempotency_Key="large") for _ in range(2))
    )
    sender.start()
    assert parsing.wait(30)
    assert api.transact("SELECT * FROM Vehicle WHERE VIN = 'nobody'").status == 200
    go_on.set()
    sender.join()
    assert [(reply.status, reply.json.get("replayed")) for reply in replies] == [(200, None), (200, True)]
    assert replies[0].json["blockAddress"] == replies[1].json["blockAddress"]
    assert readers
    assert all(name.startswith("reader") for name in readers)
    assert len(api.transact("SELECT * FROM Vehicle WHERE VIN = 'large4'").json["results"][0]) == 1


def test_large_bodies_are_read_and_large_answers_written_in_the_pool_while_the_server_answers_others(
    api, new_api, monkeypatch
):
    holding, go_on, threads = threading.Event(), threading.Event(), {"read": [], "write": []}

    def held(name, is_large):
        original = getattr(Format, name)

        def call(format_, value, *more):
            if is_large(value):
                threads[name].append(threading.current_thread().name)
                holding.set()
                assert go_on.wait(30)
            return original(format_, value, *more)

        monkeypatch.setattr(Format, name, call)

    held("read", lambda body: len(body) > 1_000_000)
    held("write", lambda value: isinstance(value, dict) and len(str(value)) > 1_000_000)
    inserted, found = [("INSERT INTO Vehicle ?", [[{"VIN": f"big{n}", "text": "x" * 50_000} for n in range(30)]])], []
    for work in (inserted, [("SELECT * FROM Vehicle WHERE VIN IN ?", [[f"big{n}" for n in range(30)]])]):
        holding.clear()
        go_on.clear()
        sender = threading.Thread(target=lambda: found.append(new_api().transact(*work)))  # noqa: B023  # joined below
        sender.start()
        assert holding.wait(30)
        assert api.transact("SELECT * FROM Vehicle WHERE VIN = 'nobody'").status == 200
        go_on.set()
        sender.join()
    assert [reply.status for reply in found] == [200, 200]
    assert len(found[1].json["results"][0]) == 30
    assert all(names and all(name.startswith("body") for name in names) for names in threads.values())


def test_large_bodies_are_turned_away_while_too_many_bytes_of_them_wait(start_server, monkeypatch):
    coordinator, _ = start_server(limits=Limits(queue_bytes_max=1_000_000))
    apis = [Api(coordinator.address) for _ in range(3)]
    assert apis[0].ask("PUT", "/v1/ledgers/vehicles").status == 201
    holding, go_on, read, replies = threading.Event(), threading.Event(), Format.read, []

    def held(format_, data, depth_max):
        if len(data) > 500_000:
            holding.set()
            assert go_on.wait(30)
        return read(format_, data, depth_max)

    monkeypatch.setattr(Format, "read", held)
    large = ("SELECT VALUE CHAR_LENGTH(?) FROM << 0 >>", ["x" * 600_000])
    sender = threading.Thread(target=lambda: replies.append(apis[1].transact(large)))
    sender.start()
    assert holding.wait(30)
    refused = apis[2].transact(large)
    assert (refused.status, refused.error["type"]) == (503, "LedgerBusyError")
    go_on.set()
    sender.join()
    assert replies[0].json["results"] == apis[2].transact(large).json["results"] == [[600_000]]
    for api in apis:
        api.close()
