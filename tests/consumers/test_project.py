"""A projection as a process on a real Kafka: killed anywhere, asked to stop, stopped by a handler, run twice."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path

import mortal_projection
import pytest
from commands import run, start, wait_for_block
from publishing import Stream
from stream_of_blocks import some_blocks

from consumers.position import BEGINNING
from consumers.project import Progress, project
from consumers.projection import Projection
from consumers.source import Source
from consumers.stores import open_store
from consumers.table import Scalar
from ledger.block import Block
from streams.local_kafka import LocalKafka

pytestmark = pytest.mark.kafka


def projection_in(kind: str) -> Projection:
    projection: Projection = getattr(mortal_projection, f"in_{kind}")
    return projection


def contents(kind: str, path: Path) -> dict[str, list[tuple[Scalar, ...]]]:
    projection = projection_in(kind)
    with closing(open_store(projection, path)) as store:
        return {name: list(store.contents(table)) for name, table in projection.tables.items()}


def expected(blocks: list[Block]) -> dict[str, list[tuple[Scalar, ...]]]:
    """What the rows must be, computed from the blocks alone."""
    revisions = [(r.id, r.version, block.sequence_no, r.data) for block in blocks for _, _, r in block.revisions()]
    last = {document_id: (version, str(data)) for document_id, version, _, data in revisions}
    counts = {document_id: sum(r[0] == document_id for r in revisions) for document_id in last}
    return {
        "counted": sorted((document_id, counts[document_id], *last[document_id]) for document_id in last),
        "seen": sorted(revision[:3] for revision in revisions),
    }


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_killed_in_the_middle_of_batches_every_revision_counts_once(stream: Stream, kind: str, tmp_path: Path) -> None:
    blocks = some_blocks(7, 60)
    for block in blocks:
        stream.publish(block)
    kills, code = 0, None
    while code != 0:
        name = f"mortal_projection:in_{kind}"
        code, said = run("project", name, stream, tmp_path / "store", "--until-caught-up", DIE_AT=24 + 7 * kills)
        kills += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL), said
    assert kills >= 3
    assert contents(kind, tmp_path / "store") == expected(blocks)


def test_sigterm_ends_it_with_everything_applied_that_it_said_was_applied(stream: Stream, tmp_path: Path) -> None:
    blocks = some_blocks(7, 30)
    stream.publish(*blocks[:20])
    process = start("project", "mortal_projection:in_duckdb", stream, tmp_path / "store")
    wait_for_block(process, 19)
    stream.publish(*blocks[20:])
    told = wait_for_block(process, 29)
    assert (told["revisions"], told["lagBlocks"]) == (sum(1 for b in blocks for _ in b.revisions()), 0)
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    assert contents("duckdb", tmp_path / "store") == expected(blocks)


def test_what_a_handler_throws_stops_it_with_the_record_named_until_it_is_skipped(
    stream: Stream, tmp_path: Path
) -> None:
    blocks = [stream.strand.add(("Cars", name, {"n": name})) for name in ("a", "b", "c")]
    stream.publish(*blocks)
    bad = blocks[1].tables[0].revisions[0].id
    arguments = ("mortal_projection:in_sqlite", stream, tmp_path / "store", "--until-caught-up")
    code, said = run("project", *arguments, FAIL_ON=bad)
    assert code == 1
    assert f"count_it failed on Cars {bad} version 0 (block {blocks[1].address}, record {stream.names.prefix}." in said
    assert "ValueError: this document cannot be counted" in said
    assert "Traceback" not in said
    assert contents("sqlite", tmp_path / "store")["seen"] == []
    code, said = run("project", *arguments, "--skip", f"{bad}:0", "--reason", "not a car", FAIL_ON=bad)
    assert code == 0, said
    assert contents("sqlite", tmp_path / "store") == expected([blocks[0], blocks[2]])
    with closing(open_store(projection_in("sqlite"), tmp_path / "store")) as store:
        assert store.skipped() == {(bad, 0): "not a car"}


def test_a_store_is_projected_into_by_one_process_at_a_time(stream: Stream, tmp_path: Path) -> None:
    stream.publish(stream.strand.add(("Cars", "a", {})))
    first = start("project", "mortal_projection:in_sqlite", stream, tmp_path / "store")
    wait_for_block(first, 0)
    code, said = run("project", "mortal_projection:in_sqlite", stream, tmp_path / "store")
    assert (code, f"is in use by process {first.pid}" in said) == (1, True)
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 0
    first.communicate()


def test_reading_everything_again_applies_nothing_twice(stream: Stream, tmp_path: Path) -> None:
    blocks = some_blocks(7, 20)
    stream.publish(*blocks)
    for more in ((), ("--reread",)):
        name = "mortal_projection:in_sqlite"
        code, said = run("project", name, stream, tmp_path / "store", "--until-caught-up", *more)
        assert code == 0, said
    assert contents("sqlite", tmp_path / "store") == expected(blocks)


def test_a_ledger_that_is_not_there_and_a_projection_that_is_not_there_are_said(stream: Stream, tmp_path: Path) -> None:
    code, said = run("project", "nothing_like_it", stream, tmp_path / "store")
    assert (code, "no projection 'nothing_like_it'" in said) == (2, True)
    stream.delete_topics(stream.names.block_summary)
    code, said = run("project", "garage", stream, tmp_path / "store")
    assert (code, f"topic {stream.names.block_summary}" in said, "Traceback" in said) == (1, True, False)
    assert said.index('"event": "waiting"') < said.index("error: ConsumerError")


def test_ctrl_c_ends_the_waiting_for_a_stream(stream: Stream, tmp_path: Path) -> None:
    stream.delete_topics(stream.names.block_summary)
    process = start("project", "garage", stream, tmp_path / "store")
    assert process.stderr is not None
    assert json.loads(process.stderr.readline())["event"] == "waiting"
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--deliver", "letters"), "--deliver needs a projection with actions"),
        (("--config", "nonsense"), "--config is not KEY=VALUE"),
        (("--skip", "a"), "--skip takes DOCUMENT_ID:VERSION"),
        (("--config", "no.such.key=1"), "no.such.key"),
    ],
)
def test_a_wrong_command_line_is_said_in_a_sentence(
    stream: Stream, tmp_path: Path, more: tuple[str, ...], complaint: str
) -> None:
    code, said = run("project", "garage", stream, tmp_path / "store", *more, TERM="dumb", COLUMNS="200")
    assert code in (1, 2)
    assert complaint in said
    assert "Traceback" not in said


def test_the_last_thing_that_is_told_is_how_far_it_came(stream: Stream, tmp_path: Path) -> None:
    stream.publish(*some_blocks(7, 5))
    code, said = run("project", "mortal_projection:in_sqlite", stream, tmp_path / "store", "--until-caught-up")
    assert code == 0
    last = json.loads(said.splitlines()[-1])
    assert (last["block"], last["lagBlocks"]) == (4, 0)


def test_a_broker_that_goes_away_and_comes_back_is_awaited(tmp_path: Path) -> None:
    settings = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
    blocks = some_blocks(7, 20)
    with LocalKafka.start(tmp_path / "kafka", settings=settings) as broker:
        stream = Stream(broker.bootstrap_servers)
        stream.publish(*blocks[:10])
        process = start("project", "mortal_projection:in_sqlite", stream, tmp_path / "store")
        wait_for_block(process, 9)
    assert process.stderr is not None
    told = next(event for event in map(json.loads, process.stderr) if event["event"] == "waiting")
    assert f"{broker.bootstrap_servers} does not answer" in told["reason"]
    with LocalKafka.start(tmp_path / "kafka", port=broker.port, settings=settings):
        stream.publish(*blocks[10:])
        wait_for_block(process, 19)
        process.terminate()
        _, rest = process.communicate(timeout=30)
        assert process.returncode == 0, rest
    assert contents("sqlite", tmp_path / "store") == expected(blocks)


def test_it_stops_exactly_at_the_block_that_was_asked_for(stream: Stream, tmp_path: Path) -> None:
    stream.publish(*some_blocks(7, 20))
    projection, told = projection_in("sqlite"), list[Progress]()
    with (
        closing(open_store(projection, tmp_path / "store")) as store,
        closing(Source.open(stream.broker, stream.names, BEGINNING, group="test")) as source,
    ):
        project(projection, store, source, until_block=11, on_applied=told.append)
        assert store.position().sequence_no == 11
        assert told[-1].position == store.position()
