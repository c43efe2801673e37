"""The demo's stage: whatever happens, it ends what it started."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from consumers.demo.stage import open_stage

pytestmark = pytest.mark.kafka


class Interrupting:
    """A child that is stopped slowly enough for an impatient user."""

    def __init__(self, stopped: list[signal.Signals], sent: signal.Signals) -> None:
        self._stopped, self._sent = stopped, sent

    def stop(self) -> None:
        os.kill(os.getpid(), self._sent)
        self._stopped.append(self._sent)


def test_ctrl_c_again_and_again_does_not_keep_it_from_stopping_everything(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    stopped: list[signal.Signals] = []
    children: Any = {sent.name: Interrupting(stopped, sent) for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with pytest.raises(KeyboardInterrupt), open_stage(tmp_path, keep=True) as stage:  # noqa: PT012  the body is what is interrupted
        stage.children = children
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped == [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
