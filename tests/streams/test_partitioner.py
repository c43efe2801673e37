"""Keys lie where Java's clients, Flink and librdkafka (`murmur2_random`) look for them."""

from __future__ import annotations

import pytest
from confluent_kafka import Message, Producer
from stream_world import World

from streams.partitioner import murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2, as signed numbers.
JAVA = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "hashed"), JAVA)
def test_it_is_javas_murmur2(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed & 0xFFFFFFFF


@pytest.mark.kafka
def test_it_is_librdkafkas(world: World) -> None:
    topic = f"{world.ledger}-keys"
    world.broker.create_topic(topic, 7, {})
    producer = Producer({"bootstrap.servers": world.broker.bootstrap_servers, "partitioner": "murmur2_random"})
    found: dict[str, int | None] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        key = message.key()
        assert isinstance(key, bytes)
        found[key.decode()] = message.partition()

    keys = [f"document {i} é" for i in range(500)]
    for key in keys:
        producer.produce(topic, key=key, on_delivery=delivered)
    producer.flush()
    assert found == {key: partition_of(key, 7) for key in keys}
