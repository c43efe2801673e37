"""Fixtures of the tests of streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_world import World


@pytest.fixture
def world(kafka: str, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, kafka)
    yield made
    made.journal.close()
