"""The server with its publisher and a real Kafka: commits need neither, and the lag is told."""

import os
import secrets
import signal
import threading
import time

import pytest

pytestmark = pytest.mark.kafka


def test_a_killed_publisher_is_started_again_and_catches_up_and_all_end_together(serve, kafka):
    with serve("--kafka", kafka) as (process, api):
        api.ledger = f"serve-{secrets.token_hex(4)}"
        assert api.ask("PUT", f"/v1/ledgers/{api.ledger}").status == 201
        assert api.transact("CREATE TABLE Vehicle").status == 200
        first = wait_for_publisher(api, lambda state: state["lagBlocks"] == 0)
        assert first["state"] == "publishing"

        os.kill(first["pid"], signal.SIGKILL)
        for number in range(20):
            assert api.transact(("INSERT INTO Vehicle ?", [{"number": number}])).status == 200
        assert api.ask("GET", "/readyz").status == 200
        second = wait_for_publisher(api, lambda state: state["lagBlocks"] == 0 and state["publishedSequenceNo"] == 20)
        assert second["restarts"] == 1
        assert second["pid"] != first["pid"]

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(second["pid"], 0)


def test_commits_go_on_while_kafka_cannot_be_reached_and_the_lag_is_shown(serve):
    with serve("--kafka", "127.0.0.1:1") as (process, api):
        assert api.ask("PUT", "/v1/ledgers/vehicles").status == 201
        assert api.transact("CREATE TABLE Vehicle").status == 200
        state = wait_for_publisher(api, lambda state: state["lagBlocks"] == 1)
        assert state["publishedSequenceNo"] == -1
        assert state["kafka"] == "127.0.0.1:1"
        assert api.ask("GET", "/readyz").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def wait_for_publisher(api, condition, timeout_s=60.0):
    """Ask the server until its word about the publisher fulfils the condition."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while time.monotonic() < deadline:
        state = api.ask("GET", "/readyz?verbose").json["ledgers"][api.ledger]["publisher"]
        if condition(state):
            return state
        pause.wait(0.05)
    raise AssertionError(f"it did not happen in {timeout_s} s: {state}")
