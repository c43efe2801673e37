"""The supervision of publisher processes, with small programs in the publisher's place: what they do to Kafka is not its affair."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ledger.server.publishers import Publishers

NOTE = "import os, sys, pathlib; d = pathlib.Path(sys.argv[2]) / sys.argv[4]; "
UNTIL_STDIN_CLOSES = (
    NOTE + "(d / 'pids').open('a').write(f'{os.getpid()}\\n'); sys.stdin.read(); (d / 'finished').touch()"
)
DIES_AT_ONCE = NOTE + "(d / 'pids').open('a').write(f'{os.getpid()}\\n'); sys.exit(7)"
HANGS = NOTE + "import time; (d / 'pids').open('a').write(f'{os.getpid()}\\n'); time.sleep(600)"


@pytest.fixture
def supervise(tmp_path):
    """Start the publisher `program` of ledger `v`; give the supervision and a function that waits for the n-th process id."""
    (tmp_path / "v").mkdir()
    started = []

    def start(program):
        publishers = Publishers(tmp_path, [sys.executable, "-c", program])
        started.append(publishers)
        publishers.start("v")
        return publishers

    yield start
    for publishers in started:
        publishers.kill()
        publishers.stop()


def nth_pid(directory, number):
    path = directory / "v" / "pids"
    return wait_for(lambda: path.exists() and (pids := path.read_text().split()) and int(pids[number - 1 : number][0]))


def wait_for(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            found = condition()
        except (IndexError, ValueError):
            found = None
        if found:
            return found
        time.sleep(0.01)  # only polls; what is tested is the condition
    raise AssertionError("it did not happen in time")


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_publisher_gets_its_arguments_and_finishes_when_told(supervise, tmp_path):
    publishers = supervise(UNTIL_STDIN_CLOSES)
    pid = nth_pid(tmp_path, 1)
    assert publishers.state("v", 5)["pid"] == pid
    publishers.stop()
    assert (tmp_path / "v" / "finished").exists()
    assert not runs(pid)
    assert publishers.state("v", 5)["pid"] is None


def test_a_publisher_that_was_killed_is_started_again(supervise, tmp_path):
    publishers = supervise(UNTIL_STDIN_CLOSES)
    first = nth_pid(tmp_path, 1)
    os.kill(first, signal.SIGKILL)
    second = nth_pid(tmp_path, 2)
    assert second != first
    assert publishers.state("v", 5)["restarts"] == 1


def test_a_publisher_that_always_fails_is_started_ever_more_rarely(supervise, tmp_path):
    publishers = supervise(DIES_AT_ONCE)
    nth_pid(tmp_path, 3)
    publishers.stop()  # at once, though the next start would be a second away
    starts = len((tmp_path / "v" / "pids").read_text().split())
    assert starts == 3
    assert publishers.state("v", 5)["restarts"] == 2


def test_a_publisher_that_does_not_finish_is_killed(supervise, tmp_path, monkeypatch):
    monkeypatch.setattr("ledger.server.publishers._STOP_S_MAX", 0.2)
    publishers = supervise(HANGS)
    pid = nth_pid(tmp_path, 1)
    publishers.stop()
    assert not runs(pid)


def test_a_killed_server_leaves_no_publisher_behind(tmp_path):
    (tmp_path / "v").mkdir()
    server = f"""
import sys, time
from pathlib import Path
from ledger.server.publishers import Publishers
publishers = Publishers(Path({str(tmp_path)!r}), [sys.executable, "-c", {UNTIL_STDIN_CLOSES!r}])
publishers.start("v")
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", server]) as parent:
        pid = nth_pid(tmp_path, 1)
        parent.kill()
    wait_for(lambda: not runs(pid))
    assert (tmp_path / "v" / "finished").exists()


def test_the_lag_is_told_from_the_publishers_own_last_word(supervise, tmp_path):
    publishers = supervise(UNTIL_STDIN_CLOSES)
    nth_pid(tmp_path, 1)
    assert publishers.state("v", 5) | {"pid": 0} == {"state": "starting", "pid": 0, "restarts": 0, "lagBlocks": None}
    word = {
        "pid": 1,
        "publishedSequenceNo": 3,
        "state": "publishing",
        "error": None,
        "kafka": "a:1",
        "updatedAt": "now",
    }
    (tmp_path / "v" / "publisher.json").write_text(json.dumps(word))
    state = publishers.state("v", 5)
    assert (state["state"], state["publishedSequenceNo"], state["lagBlocks"]) == ("publishing", 3, 2)
    (tmp_path / "v" / "publisher.json").write_text("{half a")
    assert publishers.state("v", 5)["state"] == "starting"


def test_without_kafka_there_is_no_publisher(tmp_path):
    publishers = Publishers(tmp_path, [])
    publishers.start("v")
    assert publishers.state("v", 5) == {"state": "off"}
    publishers.stop()
