import pytest

from ledger import ion
from ledger.errors import IntegrityError
from ledger.json_values import parse_json
from ledger.receipt import check_receipt


@pytest.fixture
def written(api):
    """A document with two versions: its id, and the blocks' numbers."""
    inserted = api.transact(("INSERT INTO Vehicle ?", [{"VIN": "P1", "Mileage": 1}])).json
    updated = api.transact(("UPDATE Vehicle SET Mileage = 2 WHERE VIN = ?", ["P1"])).json
    document_id = inserted["results"][0][0]["documentId"]
    yield document_id, inserted["blockAddress"]["sequenceNo"], updated["blockAddress"]["sequenceNo"]
    assert api.transact(("DELETE FROM Vehicle WHERE VIN = ?", ["P1"])).status == 200


def test_a_receipt_is_proved_offline_against_a_digest_asked_for_before(api, written):
    document_id, _, _ = written
    digest = parse_json(api.get("/digest").body)
    api.transact(("INSERT INTO Vehicle ?", [{"VIN": "P2"}]))
    tip = digest["digestTipAddress"]["sequenceNo"]
    for version in (0, 1):
        reply = api.get(f"/documents/{document_id}/revisions/{version}/receipt?tip={tip}")
        assert reply.status == 200
        checked = check_receipt(parse_json(reply.body), digest["digest"])
        assert (checked.document_id, checked.version, checked.digest_was_given) == (document_id, version, True)
    later = api.get(f"/documents/{document_id}/revisions/1/receipt")
    check_receipt(parse_json(later.body))
    with pytest.raises(IntegrityError):
        check_receipt(parse_json(later.body), digest["digest"])


def test_a_receipt_is_the_same_in_json_and_in_ion(api, written):
    path = f"/documents/{written[0]}/revisions/1/receipt?tip={written[2]}"
    in_ion = api.get(path, accept="application/ion")
    assert in_ion.headers["content-type"] == "application/ion"
    assert ion.decode(in_ion.body) == parse_json(api.get(path).body)


def test_a_block_is_shown_whole(api, written):
    document_id, first, second = written
    block = parse_json(api.get(f"/blocks/{second}").body)
    assert block["blockAddress"]["sequenceNo"] == second
    assert block["transactionInfo"]["statements"][0]["statement"] == "UPDATE Vehicle SET Mileage = 2 WHERE VIN = ?"
    (revision,) = block["revisions"]
    assert revision["data"] == {"VIN": "P1", "Mileage": 2}
    assert (revision["metadata"]["id"], revision["metadata"]["version"]) == (document_id, 1)
    if second == first + 1:
        assert block["previousBlockHash"] == parse_json(api.get(f"/blocks/{first}").body)["blockHash"]


def test_what_is_not_there_is_404(api, written):
    document_id, _, second = written
    for path in (
        f"/blocks/{second + 1000}",
        f"/documents/{document_id}/revisions/2/receipt",
        f"/documents/{document_id}/revisions/0/receipt?tip={second + 1000}",
    ):
        reply = api.get(path)
        assert (reply.status, reply.error["type"]) == (404, "NotFoundError")


def test_an_empty_ledger_has_an_empty_digest(api):
    assert api.ask("PUT", "/v1/ledgers/empty").status == 201
    api.ledger = "empty"
    assert parse_json(api.get("/digest").body) == {"digest": b"", "digestTipAddress": None}
    assert api.get("/blocks/0").status == 404
