"""publisher.json informs, and stops nothing; people hear of a Kafka that is away, but not of a moment's waiting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams import publisher_state
from streams.publisher_state import PublisherState


def test_the_file_shows_what_was_said_last(tmp_path: Path) -> None:
    state = PublisherState(tmp_path / "publisher.json", "localhost:9092")
    state.waiting("nobody answers")
    found = json.loads((tmp_path / "publisher.json").read_text())
    assert (found["state"], found["error"], found["publishedSequenceNo"]) == ("waiting for Kafka", "nobody answers", -1)


def test_a_disk_that_does_not_take_the_file_stops_nothing(tmp_path: Path) -> None:
    state = PublisherState(tmp_path / "not there" / "publisher.json", "localhost:9092")
    state.set("starting")
    state.published(1)


def test_a_long_wait_is_told_and_told_to_be_over_and_a_moment_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    state = PublisherState(tmp_path / "publisher.json", "localhost:9092", told.append)
    state.waiting("a kafka_tx is open")
    state.published(1)
    assert told == []
    monkeypatch.setattr(publisher_state, "_TELL_AFTER_S", 0.0)
    for _ in range(5):
        state.waiting("nobody answers")
    state.published(7)
    state.published(8)
    assert told == ["waiting for Kafka: nobody answers", "Kafka has answered; published up to block 7"]
