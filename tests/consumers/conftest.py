"""Fixtures of the consumers' tests."""

from __future__ import annotations

import pytest
from publishing import Stream


@pytest.fixture
def stream(kafka: str) -> Stream:
    """A stream of its own in a real Kafka."""
    return Stream(kafka)
