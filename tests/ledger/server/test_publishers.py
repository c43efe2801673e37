"""The supervision of publisher processes, with small programs in the publisher's place: what they do to Kafka is not its affair."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from ledger.server.publishers import Publishers

NOTE = """
import os, pathlib, sys
home = pathlib.Path(sys.argv[2]) / sys.argv[4]
with open(home / "started", "w") as pipe:
    pipe.write(f"{os.getpid()}\\n")
"""
UNTIL_STDIN_CLOSES = NOTE + "sys.stdin.read(); (home / 'finished').touch()"
DIES_AT_ONCE = NOTE + "sys.exit(7)"
HANGS = NOTE + "import signal; signal.pause()"


@pytest.fixture
def starts(tmp_path):
    """A pipe with one line for each start of the publisher of ledger `v`: its process id."""
    (tmp_path / "v").mkdir()
    os.mkfifo(tmp_path / "v" / "started")
    with open(os.open(tmp_path / "v" / "started", os.O_RDWR)) as pipe:
        yield pipe


@pytest.fixture
def supervise(tmp_path, starts):
    """Start the publisher `program` of ledger `v`; give the supervision."""
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


def wait_for_end(pid):
    with contextlib.suppress(ProcessLookupError), open(os.pidfd_open(pid)) as process:
        assert select.select([process], [], [], 30) != ([], [], []), f"process {pid} still runs"


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_publisher_gets_its_arguments_and_finishes_when_told(supervise, starts, tmp_path):
    publishers = supervise(UNTIL_STDIN_CLOSES)
    pid = int(starts.readline())
    assert publishers.state("v", 5)["pid"] == pid
    publishers.stop()
    assert (tmp_path / "v" / "finished").exists()
    assert not runs(pid)
    assert publishers.state("v", 5)["pid"] is None


def test_a_publisher_that_was_killed_is_started_again(supervise, starts, tmp_path):
    publishers = supervise(UNTIL_STDIN_CLOSES)
    first = int(starts.readline())
    os.kill(first, signal.SIGKILL)
    second = int(starts.readline())
    assert second != first
    assert publishers.state("v", 5)["restarts"] == 1


def test_a_publisher_that_always_fails_is_started_ever_more_rarely(supervise, starts, tmp_path):
    publishers = supervise(DIES_AT_ONCE)
    began = time.monotonic()
    for _ in range(3):
        starts.readline()
    assert time.monotonic() - began >= 1.5  # half a second, then a whole one
    publishers.stop()  # at once, though the next start would be two seconds away
    assert publishers.state("v", 5)["restarts"] == 2


def test_a_publisher_that_does_not_finish_is_killed(supervise, starts, monkeypatch):
    monkeypatch.setattr("ledger.server.publishers._STOP_S_MAX", 0.2)
    publishers = supervise(HANGS)
    pid = int(starts.readline())
    publishers.stop()
    assert not runs(pid)


def test_a_killed_server_leaves_no_publisher_behind(starts, tmp_path):
    server = f"""
import signal, sys
from pathlib import Path
from ledger.server.publishers import Publishers
publishers = Publishers(Path({str(tmp_path)!r}), [sys.executable, "-c", {UNTIL_STDIN_CLOSES!r}])
publishers.start("v")
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", server]) as parent:
        pid = int(starts.readline())
        parent.kill()
    wait_for_end(pid)
    assert (tmp_path / "v" / "finished").exists()


def test_the_lag_is_told_from_the_publishers_own_last_word(supervise, starts, tmp_path):
    publishers = supervise(UNTIL_STDIN_CLOSES)
    int(starts.readline())
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
