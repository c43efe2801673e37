"""A local broker starts by itself, answers, survives a restart with its data, and never outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.errors import KafkaUnavailableError
from streams.kafka_jars import Jar, fetch_jars, kafka_jars
from streams.local_kafka import LocalKafka, start_detached, status, stop_detached

ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
from pathlib import Path
from streams.local_kafka import LocalKafka
broker = LocalKafka.start(Path(sys.argv[1]))
print(broker.pid, broker._guard.pid, flush=True)
time.sleep(600)
"""


def end_of(pid: int) -> None:
    """Return when a process that is not our child has ended."""
    if sys.platform == "linux":
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        import select

        ready, _, _ = select.select([watched], [], [], 30)
        os.close(watched)
        assert ready, f"process {pid} is still there"


@pytest.mark.kafka
def test_the_broker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    broker, guard = map(int, parent.stdout.readline().split())
    with parent:
        parent.kill()
    end_of(broker)
    end_of(guard)


@pytest.mark.kafka
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel watches the guard itself")
def test_the_broker_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    with LocalKafka.start(tmp_path) as broker:
        pid = broker.pid
        os.kill(broker._guard.pid, signal.SIGKILL)
        end_of(pid)


@pytest.mark.kafka
def test_a_killed_broker_serves_its_data_again(tmp_path: Path) -> None:
    quick = {
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
    }  # it is let in when its session has ended
    broker = LocalKafka.start(tmp_path, settings=quick)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic("kept", 1)])["kept"].result()
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    producer.produce("kept", b"value")
    assert producer.flush(30) == 0
    broker.kill()
    with LocalKafka.start(tmp_path, port=broker.port, settings=quick) as again:
        found = AdminClient({"bootstrap.servers": again.bootstrap_servers}).list_topics(timeout=10)
        assert "kept" in found.topics


@pytest.mark.kafka
def test_a_detached_broker_is_found_again_and_stopped_once(tmp_path: Path) -> None:
    from streams.local_kafka import _free_port

    port = _free_port()
    address = start_detached(tmp_path, port)
    try:
        assert start_detached(tmp_path, port) == address
        found = status(tmp_path)
        assert found is not None
        assert found.answers
    finally:
        assert stop_detached(tmp_path)
    assert status(tmp_path) is None
    assert not stop_detached(tmp_path)


@pytest.mark.kafka
def test_two_starts_at_once_give_one_broker_and_stop_ends_the_one_that_runs(tmp_path: Path) -> None:
    from streams.local_kafka import _free_port

    port = str(_free_port())
    command = [sys.executable, "-m", "strandline", "kafka", "start", "--directory", str(tmp_path), "--port", port]
    starts = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        assert [start.communicate(timeout=120)[0] for start in starts] == [
            f"Kafka is running at 127.0.0.1:{port}\n"
        ] * 2
        found = status(tmp_path)
        assert found is not None
        # The process that was remembered is long gone, and its number belongs to somebody else.
        remembered = {"pid": os.getpid(), "bootstrapServers": found.bootstrap_servers}
        (tmp_path / "broker.json").write_text(json.dumps(remembered))
        assert status(tmp_path) == found
    finally:
        assert stop_detached(tmp_path)
    assert found.pid is not None
    end_of(found.pid)


def test_a_directory_whose_data_are_gone_has_no_broker(tmp_path: Path) -> None:
    (tmp_path / "broker.json").write_text('{"pid": 1, "bootstrapServers": "127.0.0.1:1"}')
    found = status(tmp_path)
    assert found is not None
    assert not found.answers
    assert not stop_detached(tmp_path)
    assert not stop_detached(tmp_path / "nothing")


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    with pytest.raises(KafkaUnavailableError, match=f"port {server.server_port} .* is taken"):
        start_detached(tmp_path, server.server_port)
    server.server_close()


class Mirror(BaseHTTPRequestHandler):
    """A repository whose every jar is the same five bytes."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None: ...


def test_a_jar_that_is_not_what_the_list_says_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = HTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STRANDLINE_MAVEN", f"http://127.0.0.1:{server.server_port}/")
    right = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    try:
        paths = fetch_jars([Jar.of_line(f"a.b:good:1 5 {right}")], tmp_path)
        assert [path.read_bytes() for path in paths] == [b"hello"]
        with pytest.raises(KafkaUnavailableError, match="SHA-256"):
            fetch_jars([Jar.of_line(f"a.b:bad:1 5 {'0' * 64}")], tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert [path.name for path in tmp_path.iterdir()] == ["good-1.jar"]


def test_without_a_network_the_message_says_the_ways_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_MAVEN", "http://127.0.0.1:1")
    with pytest.raises(KafkaUnavailableError, match="KAFKA_BOOTSTRAP_SERVERS"):
        fetch_jars(kafka_jars()[:1], tmp_path)
