"""Which partition a key belongs to: murmur2 as Kafka's Java clients compute it. Pure.

librdkafka (`partitioner=murmur2_random`) decides where a record goes; this is for those who must know it without sending: the checker,
the rebuilder, and the publisher when it looks for what a partition has lost.

Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey.
"""

from __future__ import annotations

from functools import lru_cache

__all__ = ["murmur2", "partition_of"]

_SEED, _M, _MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Give the hash as an unsigned 32-bit number."""
    size = len(data)
    h = _SEED ^ size
    whole = size & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if whole != size:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(100_000)
def partition_of(key: str, partition_count: int) -> int:
    """Give the number of a key's partition."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partition_count
