from server_client import Api


def test_a_ledger_is_made_once_and_put_again_as_often_as_one_likes(start_server):
    coordinator, _ = start_server()
    api = Api(coordinator.address)
    assert api.ask("GET", "/v1/ledgers").json == {"ledgers": []}
    made = api.ask("PUT", "/v1/ledgers/one")
    assert made.status == 201
    again = api.ask("PUT", "/v1/ledgers/one")
    assert (again.status, again.json) == (200, made.json)
    assert made.json["tip"] is None
    assert len(made.json["strandId"]) == 22
    api.ledger = "one"
    assert api.transact("CREATE TABLE T").status == 200
    shown = api.get("").json
    assert shown["tip"] == {"strandId": made.json["strandId"], "sequenceNo": 0}
    assert api.ask("GET", "/v1/ledgers").json == {"ledgers": [shown]}
    api.close()


def test_ledgers_are_there_again_after_a_restart(start_server, tmp_path):
    coordinator, stop = start_server(tmp_path)
    api = Api(coordinator.address)
    for name in ("one", "two"):
        api.ledger = name
        assert api.ask("PUT", f"/v1/ledgers/{name}").status == 201
        assert api.transact("CREATE TABLE T", ("INSERT INTO T ?", [{"of": name}])).status in (200, 400)
    before = api.ask("GET", "/v1/ledgers").json
    api.close()
    stop()
    (tmp_path / "not a ledger").mkdir()
    (tmp_path / "nor-this").mkdir()
    coordinator, _ = start_server(tmp_path)
    api = Api(coordinator.address)
    assert api.ask("GET", "/v1/ledgers").json == before
    api.close()


def test_the_server_is_alive_and_ready_and_says_its_version(api):
    assert api.ask("GET", "/livez").json == {"status": "alive"}
    assert api.ask("GET", "/readyz").json == {"status": "ready"}
    assert api.ask("GET", "/version").json["name"] == "strandline"
    assert b"ready" in api.ask("GET", "/readyz", accept="text/ion").body


def test_readyz_verbose_shows_each_ledger_and_its_publisher(api):
    ledgers = api.ask("GET", "/readyz?verbose").json["ledgers"]
    vehicles = ledgers["vehicles"]
    assert vehicles["commits"] is True
    assert vehicles["failure"] is None
    assert vehicles["tipSequenceNo"] >= 1
    assert vehicles["publisher"] == {"state": "off"}


def test_a_damaged_ledger_is_named_and_does_not_take_the_others_down(start_server, tmp_path):
    coordinator, stop = start_server(tmp_path)
    api = Api(coordinator.address)
    for name in ("good", "bad"):
        api.ledger = name
        assert api.ask("PUT", f"/v1/ledgers/{name}").status == 201
        for number in range(3):
            assert api.transact(f"CREATE TABLE T{number}").status == 200
    api.close()
    stop()
    flip_a_byte_of_the_first_block(tmp_path / "bad")

    coordinator, _ = start_server(tmp_path)
    api = Api(coordinator.address)
    ready = api.ask("GET", "/readyz")
    assert (ready.status, ready.json["status"]) == (503, "not ready")
    assert list(ready.json["failures"]) == ["bad"]
    ledgers = api.ask("GET", "/readyz?verbose").json["ledgers"]
    assert ledgers["good"]["commits"] is True
    assert "IntegrityError" in ledgers["bad"]["failure"]
    api.ledger = "bad"
    refused = api.transact("CREATE TABLE T9")
    assert (refused.status, refused.error["type"]) == (500, "IntegrityError")
    assert api.ask("PUT", "/v1/ledgers/bad").status == 500
    api.ledger = "good"
    assert api.transact("CREATE TABLE T9").status == 200
    api.close()


def flip_a_byte_of_the_first_block(ledger):
    """Blocks are found by what they hold: the first statement's text."""
    for path in sorted((ledger / "journal").iterdir()):
        data = path.read_bytes() if path.is_file() else b""
        place = data.find(b"CREATE TABLE T0")
        if place >= 0:
            with path.open("r+b") as file:
                file.seek(place)
                file.write(b"X")
            return
    raise AssertionError("no block was found")
