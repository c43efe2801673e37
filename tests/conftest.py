"""Fixtures that more than one room's tests need, and how hypothesis is to search."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from testcontainers.compose import DockerCompose

from streams.local_kafka import LocalKafka

# In CI the same examples each time: it says whether a change broke something. Elsewhere new ones: they find what nobody thought of.
# The checks that are off judge how long, and how lucky, the making of large values was: the machine's business.
settings.register_profile(
    "strandline",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("strandline")

# A shell starts what runs behind it with SIGINT ignored, and so would be every process that a test starts in order to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka: $KAFKA_BOOTSTRAP_SERVERS; the one of docker-compose.yml with $STRANDLINE_TEST_DOCKER=1;
    else one of our own, that lives as long as the tests."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    if os.environ.get("STRANDLINE_TEST_DOCKER") == "1":
        with DockerCompose(Path(__file__).parents[1], services=["kafka"], keep_volumes=True):
            yield "127.0.0.1:9092"
        return
    with LocalKafka.start() as broker:
        yield broker.bootstrap_servers
