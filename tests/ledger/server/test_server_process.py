"""The server as a process: how it starts, how it ends, and that nothing acknowledged is lost by either."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from server_client import Api

import ledger

CLIENTS = 8


def make_table(api):
    assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
    assert api.transact("CREATE TABLE Vehicle").status == 200


def insert_until_refused(address, acknowledged, enough):
    """Insert, one transaction after the other, until the server does not answer any more; note what it acknowledged."""
    api = Api(address)
    try:
        while True:
            value = os.urandom(8).hex()
            reply = api.transact(("INSERT INTO Vehicle ?", [{"value": value}]))
            assert reply.status == 200, reply.body
            acknowledged[value] = reply.json["results"][0][0]["documentId"]
            if len(acknowledged) >= 200:
                enough.set()
    except (OSError, http.client.HTTPException):
        api.close()


def end_under_load(process, api, sign):
    """Send the signal in the middle of the load; give what was acknowledged by then, and the exit code."""
    acknowledged, enough = {}, threading.Event()
    clients = [
        threading.Thread(target=insert_until_refused, args=(api.address, acknowledged, enough)) for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    assert enough.wait(60)
    process.send_signal(sign)
    for client in clients:
        client.join()
    return acknowledged, process.wait(60)


def documents_in(directory):
    with ledger.open(directory) as database:
        rows = database.execute("SELECT v.value, id FROM Vehicle AS v BY id").rows
    return {row["value"]: row["id"] for row in rows}


def test_sigterm_under_load_finishes_what_is_in_flight_and_exits_with_0(serve, tmp_path):
    with serve() as (process, api):
        make_table(api)
        acknowledged, code = end_under_load(process, api, signal.SIGTERM)
    assert code == 0
    assert [event["event"] for event in process.events][-1] == "stopped"
    assert {event["level"] for event in process.events} == {"info"}
    found = documents_in(tmp_path / "vehicles")
    assert acknowledged == found  # in order means: also what was in flight was answered


def test_kill_9_under_load_then_a_restart_keeps_everything_acknowledged(serve, tmp_path):
    with serve() as (process, api):
        make_table(api)
        acknowledged, code = end_under_load(process, api, signal.SIGKILL)
    assert code == -signal.SIGKILL
    with serve() as (process, api):
        found = api.transact("SELECT v.value, id FROM Vehicle AS v BY id").json["results"][0]
        there = {row["value"]: row["id"] for row in found}
        assert acknowledged.items() <= there.items()
        assert len(there) <= len(acknowledged) + CLIENTS  # at most one unanswered transaction per client
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_a_second_signal_does_not_wait_for_a_slow_client(serve):
    with serve() as (process, api):
        make_table(api)
        with socket.create_connection(api.address) as slow:
            slow.sendall(
                b"POST /v1/ledgers/vehicles/transactions HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
            assert api.ask("GET", "/livez").status == 200
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def test_the_start_names_the_address_the_directory_the_ledgers_and_kafka(serve, tmp_path):
    with serve() as (process, api):
        make_table(api)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with serve("--limit", "documents_per_transaction_max=2") as (process, api):
        started = next(event for event in process.events if event["event"] == "listening")
        assert started["ledgers"] == ["vehicles"]
        assert started["data"] == str(tmp_path)
        assert started["kafka"] == "off"
        many = [("INSERT INTO Vehicle ?", [{"n": number}]) for number in range(3)]
        assert api.transact(*many).error["maximum"] == 2


def test_a_directory_that_is_served_already_is_refused(serve, tmp_path):
    with serve() as (_, api):
        make_table(api)
        second = subprocess.run(
            [sys.executable, "-m", "strandline", "serve", "--data", str(tmp_path), "--port", "0"],
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert second.returncode == 3
    assert b"LedgerLockedError" in second.stderr
    assert b"Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limit", "nonsense=1"], b"there is no limit"),
        (["--limit", "documents_per_transaction_max=many"], b"not 'many'"),
        (["--limit", "documents_per_transaction_max=0"], b"above 0"),
        (["--limit", "read_s_max=nan"], b"above 0"),
        (["--port", "99999"], b"65535"),
    ],
)
def test_a_wrong_command_line_is_told_and_exits_with_2(tmp_path, options, told):
    command = [sys.executable, "-m", "strandline", "serve", "--data", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert b"Traceback" not in done.stderr
