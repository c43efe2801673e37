"""What librdkafka's errors are taken for, told by a real producer and a real Kafka."""

from __future__ import annotations

from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.librdkafka import cause_of

pytestmark = pytest.mark.kafka


def producer_of(kafka: str, transactional_id: str) -> Producer:
    made = Producer({"bootstrap.servers": kafka, "transactional.id": transactional_id})
    made.init_transactions(30)
    return made


def test_a_fenced_producer_whose_error_was_lost_in_a_callback_still_tells_it(kafka: str) -> None:
    name = f"fenced-{uuid4()}"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result()
    first = producer_of(kafka, name)
    first.begin_transaction()
    producer_of(kafka, name)
    first.produce(name, b"late")
    with pytest.raises((KafkaException, SystemError)):
        first.flush(30)
    lost = SystemError("<method 'flush' of 'cimpl.Producer' objects> returned NULL without setting an exception")
    assert cause_of(lost, first).code() == KafkaError._FENCED


def test_a_system_error_of_a_healthy_producer_is_not_explained_away(kafka: str) -> None:
    healthy = producer_of(kafka, f"healthy-{uuid4()}")
    healthy.begin_transaction()
    with pytest.raises(SystemError, match="something else"):
        cause_of(SystemError("something else"), healthy)
