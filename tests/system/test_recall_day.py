"""Recall day in small: every act of the demo for real, and every check of its summary."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from consumers.demo.data import generate
from consumers.demo.screen import Screen
from consumers.demo.stage import open_stage
from consumers.demo.story import Story


@pytest.mark.kafka
def test_every_check_of_the_demo_holds(tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    shown = io.StringIO()
    screen = Screen(Console(file=shown, width=160))
    with open_stage(tmp_path, keep=False) as stage:
        Story(stage, screen, generate(seed=7, vehicles=150)).play()
        children = list(stage.children.values())
    assert screen.summary(), shown.getvalue()
    assert len(screen.checks) >= 18
    assert not any(child.is_running for child in children)
