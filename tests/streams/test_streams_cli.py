"""The commands of this room, as a user types them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stream_world import World

from ledger.database import open_ledger
from streams.local_kafka import LocalKafka, _free_port
from streams.topics import TopicNames

ROOT = Path(__file__).parents[2]


def strandline(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "strandline", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def committed(world: World) -> World:
    """Ten blocks, the journal closed, to be published under the default prefix."""
    world.commit(10)
    world.names = TopicNames("strandline", world.ledger)
    world.journal.close()
    return world


@pytest.mark.kafka
def test_publish_check_and_rebuild(committed: World) -> None:
    kafka, ledger, data = committed.broker.bootstrap_servers, committed.ledger, committed.data
    done = strandline("publish", "--data", data, "--ledger", ledger, "--kafka", kafka, "--until-caught-up")
    assert (done.returncode, done.stderr) == (0, "")
    state = json.loads((data / ledger / "publisher.json").read_text())
    assert (state["state"], state["publishedSequenceNo"], state["error"]) == ("stopped", 9, None)

    done = strandline("check-stream", "--data", data, "--ledger", ledger, "--kafka", kafka)
    assert done.returncode == 0
    assert done.stdout.startswith("10 blocks, 10 revisions: each is there once, in order, and proved\n")

    done = strandline("rebuild-ledger", "--from", kafka, "--ledger", ledger, "--data", data / "elsewhere")
    assert done.returncode == 0
    with open_ledger(data / "elsewhere" / ledger) as rebuilt, open_ledger(data / ledger) as original:
        assert rebuilt.digest() == original.digest()
        assert f"digest {original.digest().digest.hex()}" in done.stdout


@pytest.mark.kafka
def test_check_stream_says_what_is_wrong_with_exit_code_1(committed: World) -> None:
    kafka, ledger = committed.broker.bootstrap_servers, committed.ledger
    done = strandline("check-stream", "--ledger", ledger, "--kafka", kafka)
    assert done.returncode == 1
    assert "there is no stream" in done.stderr


@pytest.mark.kafka
def test_end_of_standard_input_ends_it_like_sigterm(committed: World) -> None:
    kafka, ledger, data = committed.broker.bootstrap_servers, committed.ledger, committed.data
    command = [sys.executable, "-m", "strandline", "publish", "--watch-stdin"]
    options = ["--data", str(data), "--ledger", ledger, "--kafka", kafka]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdin=subprocess.PIPE)
    committed.wait_until_published(9)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0


def test_a_kafka_that_is_away_is_shown_and_sigterm_still_ends_it(tmp_path: Path) -> None:
    world = World(tmp_path, "127.0.0.1:1")
    world.commit(3)
    command = [sys.executable, "-m", "strandline", "publish", "--data", str(tmp_path), "--ledger", world.ledger]
    process = subprocess.Popen([*command, "--kafka", "127.0.0.1:1"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as stderr:
        assert stderr.readline().startswith(f"{world.ledger}: waiting for Kafka: 127.0.0.1:1 does not answer: ")
        assert world.state()["state"] == "waiting for Kafka"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    world.journal.close()


def test_a_wrong_command_line_is_said_with_exit_code_2(tmp_path: Path) -> None:
    arguments = ("publish", "--data", tmp_path, "--ledger", "x", "--kafka", "127.0.0.1:1")
    assert strandline(*arguments, "--format", "xml").returncode == 2


def test_settings_that_librdkafka_does_not_take_are_said_with_exit_code_1(tmp_path: Path) -> None:
    world = World(tmp_path, "127.0.0.1:1")
    world.journal.close()
    where = ("--data", tmp_path, "--ledger", world.ledger, "--kafka", "127.0.0.1:1", "--config", "nosuch.key=1")
    assert "--config is not KEY=VALUE: 'novalue'" in strandline("publish", *where, "--config", "novalue").stderr
    for command in ("publish", "check-stream"):
        done = strandline(command, *where)
        assert done.returncode == 1
        assert 'No such configuration property: "nosuch.key"' in done.stderr


def test_a_ledger_that_is_not_there_is_said_with_exit_code_3(tmp_path: Path) -> None:
    done = strandline("publish", "--data", tmp_path, "--ledger", "x", "--kafka", "127.0.0.1:1")
    assert done.returncode == 3
    assert "there is no ledger" in done.stderr


@pytest.mark.kafka
def test_a_password_from_the_settings_file_opens_a_kafka_and_a_wrong_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, controller, sasl = (_free_port() for _ in range(3))
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    with LocalKafka.start(
        port=plain,
        settings={
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": ",".join(
                f"{name}://127.0.0.1:{port}"
                for name, port in {"PLAINTEXT": plain, "CONTROLLER": controller, "SASL": sasl}.items()
            ),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": f'{module} username="a" password="a" user_bob="right";',
        },
    ):
        world = World(tmp_path, f"127.0.0.1:{sasl}")
        world.commit(3)
        world.journal.close()
        where = ("--data", tmp_path, "--ledger", world.ledger, "--kafka", f"127.0.0.1:{sasl}")
        monkeypatch.setenv("KAFKA_CONFIG_FILE", str(tmp_path / "client.properties"))
        lines = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=bob\n"
        (tmp_path / "client.properties").write_text(f"{lines}sasl.password=wrong\n")
        refused = strandline("check-stream", *where)
        assert (refused.returncode, "Invalid username or password" in refused.stderr) == (3, True)
        (tmp_path / "client.properties").write_text(f"{lines}sasl.password=right\n")
        assert strandline("publish", *where, "--until-caught-up").returncode == 0
        assert strandline("check-stream", *where).stdout.startswith("3 blocks, 3 revisions")


@pytest.mark.kafka
def test_kafka_run_lasts_until_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "strandline", "kafka", "run", "--directory", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Kafka is running at 127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "Kafka has stopped\n"
        assert process.wait(60) == 0


def test_kafka_status_of_nothing_has_exit_code_1(tmp_path: Path) -> None:
    done = strandline("kafka", "status", "--directory", tmp_path)
    assert (done.returncode, done.stdout) == (1, f"no broker of {tmp_path} is running\n")
