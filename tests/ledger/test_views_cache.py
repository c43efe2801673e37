"""The cache of decoded documents."""

from __future__ import annotations

from ledger.partiql.context import Document
from ledger.views.cache import DocumentCache


def document(version: int) -> Document:
    return Document("t", "d", version, {"n": version})


def test_only_the_very_version_is_given() -> None:
    cache = DocumentCache(10)
    cache.put(b"a", document(3), 100)
    assert cache.get(b"a", 3) == document(3)
    assert cache.get(b"a", 2) is None
    assert cache.get(b"a", 4) is None
    cache.put(b"a", document(4), 100)
    assert cache.get(b"a", 3) is None
    assert cache.get(b"a", 4) == document(4)


def test_what_is_used_stays_and_the_rest_goes() -> None:
    cache = DocumentCache(100)
    cache.put(b"hot", document(0), 100)
    for n in range(1_000):
        assert cache.get(b"hot", 0) is not None
        cache.put(b"%d" % n, document(0), 100)
        assert len(cache) <= 101
    assert cache.get(b"1", 0) is None
    assert cache.get(b"999", 0) is not None


def test_large_documents_count_for_several() -> None:
    cache = DocumentCache(100)
    for n in range(1_000):
        cache.put(b"%d" % n, document(0), 20_000)
        assert len(cache) <= 6
    cache.put(b"too large", document(0), 1_000_000)
    assert cache.get(b"too large", 0) is None


def test_a_cache_of_none_keeps_none() -> None:
    cache = DocumentCache(0)
    cache.put(b"a", document(0), 1)
    assert cache.get(b"a", 0) is None
    assert len(cache) == 0


def test_an_old_version_in_the_old_generation_does_not_come_back() -> None:
    cache = DocumentCache(4)
    cache.put(b"a", document(1), 1)
    cache.put(b"b", document(0), 1)
    cache.put(b"c", document(0), 1)  # the generation turns: a and b are old
    cache.put(b"a", document(2), 1)
    assert cache.get(b"a", 1) is None
    assert cache.get(b"a", 2) == document(2)
