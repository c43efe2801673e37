"""Fixtures that more than one room's tests need."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from streams.local_kafka import LocalKafka


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka: $KAFKA_BOOTSTRAP_SERVERS, else one that lives as long as the tests."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    with LocalKafka.start() as broker:
        yield broker.bootstrap_servers
