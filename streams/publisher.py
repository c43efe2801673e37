"""The publisher's life: take the stream over, publish, and when something fails find out what to do about it.

    Kafka is away, or a kafka_tx failed       take over again, after a while that grows up to a few seconds; for ever
    a newer OWNER record exists               stop, and say who owns the stream; looked for before each further take-over
    fenced, and none exists                   it was our own time-out: take over once more
    the stream tells another history, a       stop, and say why: nobody but a person can decide that
    topic would lose some, ...
    an hour has gone by                       take over again: that inspects everything anew

It is a process of its own. The ledger never waits for it, and it never sees a block that is not durable.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from ledger.journal import JournalReader
from ledger.values import Value
from streams.broker import Broker, Partition
from streams.errors import BrokerError, KafkaUnavailableError, OwnedElsewhereError, ProducerFencedError
from streams.position import control_of
from streams.publisher_state import PublisherState
from streams.stream_writer import Options, StreamWriter
from streams.taking_over import take_over
from streams.topic_reader import read_records
from streams.topics import TopicNames

__all__ = ["Publisher"]

_INSPECT_EVERY_S = 3600.0
_TICK_S = 0.25
_BACKOFF_S, _BACKOFF_MAX_S = 0.1, 5.0
_BUSY_BLOCKS = 16
_BUSY_PERIOD_S = 0.02
"""Where a kafka_tx held more blocks than that, the next one begins so long after it: fewer commits for Kafka and for the journal's owner.
A lone block is published at once."""


class _Stopped(Exception):
    """Somebody asked to stop while there was something to wait for."""


class Publisher:
    """Publishes one ledger until `stop` is set, or until a block."""

    def __init__(
        self,
        broker: Broker,
        journal: JournalReader,
        names: TopicNames,
        options: Options,
        state: PublisherState,
        stop: threading.Event,
    ) -> None:
        self._broker, self._journal, self._names, self._state, self._stop = broker, journal, names, state, stop
        self._id = str(uuid.uuid4())
        owner: dict[str, Value] = {
            "publisherId": self._id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "startTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        self._options = replace(options, owner=owner)
        self._backoff_s = _BACKOFF_S
        self._owned_until: int | None = None  # the end of block-summary behind what we wrote there last
        self._fenced = False

    def run(self, until: int | None = None, *, until_caught_up: bool = False) -> None:
        """Publish.

        Args:
            until: end after this block, with a COMPLETED record.
            until_caught_up: end when everything that the journal has is published.

        Raises:
            StreamError: what a person must decide: ForkError, TopicSettingsError, OwnedElsewhereError and their like.
            IntegrityError: the journal, or a record of the stream, is damaged.
        """
        self._state.set("starting")
        while not self._stop.is_set():
            try:
                if self._publish(self._take_over(), until, until_caught_up):
                    break
                continue
            except _Stopped:
                break
            except ProducerFencedError as error:
                self._fenced = True
                self._state.waiting(str(error))
            except (KafkaUnavailableError, BrokerError) as error:
                self._state.waiting(str(error))
            self._stop.wait(self._backoff_s * random.uniform(0.5, 1.5))
            self._backoff_s = min(2 * self._backoff_s, _BACKOFF_MAX_S)
        self._state.set("stopped")

    def _take_over(self) -> StreamWriter:
        self._broker.wait_until_it_answers(self._wait_for_others)
        if self._owned_until is not None:
            self._stop_if_owned_elsewhere(self._owned_until)
        writer = take_over(self._broker, self._journal, self._names, self._options, self._wait_for_others)
        self._owned_until, self._fenced = writer.block_summary_end, False
        return writer

    def _publish(self, writer: StreamWriter, until: int | None, until_caught_up: bool) -> bool:
        """Publish for an hour; True: there is nothing more to do."""
        self._state.sequence_no = writer.sequence_no
        self._state.set("publishing")
        inspect_at = time.monotonic() + _INSPECT_EVERY_S
        while not self._stop.is_set():
            if until is not None and writer.sequence_no >= until:
                return True
            began = time.monotonic()
            if began > inspect_at:
                return False
            count = writer.publish(until)
            self._owned_until = writer.block_summary_end
            if count == 0 and until_caught_up:
                return True
            if count == 0:
                self._journal.wait(writer.sequence_no, _TICK_S)
                self._state.tick()
                continue
            self._state.published(writer.sequence_no)
            # Not before: what takes over and then always fails would fill block-summary with OWNER.
            self._backoff_s = _BACKOFF_S
            if count > _BUSY_BLOCKS:
                self._stop.wait(max(0.0, began + _BUSY_PERIOD_S - time.monotonic()))
        return True

    def _wait_for_others(self, reason: str) -> None:
        self._state.waiting(reason)
        if self._stop.wait(_TICK_S):
            raise _Stopped

    def _stop_if_owned_elsewhere(self, owned_until: int) -> None:
        """Look for an OWNER record behind `owned_until`, before a newer publisher is fenced by an older one.

        Raises:
            OwnedElsewhereError: there is one.
            KafkaUnavailableError, BrokerError: nobody knows. Ask again first: two publishers would fence each other for ever.
        """
        block_summary = Partition(self._names.block_summary, 0)
        if block_summary.topic not in self._broker.topics():
            return
        if self._fenced:  # by somebody who is about to say so; else the open kafka_tx may be our own
            self._broker.decided_ends([block_summary], self._wait_for_others)
        if self._broker.stable_ends([block_summary])[block_summary] <= owned_until:
            return
        for record in read_records(self._broker, {block_summary: owned_until}):
            control = control_of(record)
            if control and control.get("controlRecordType") == "OWNER" and control.get("publisherId") != self._id:
                raise OwnedElsewhereError(control)
