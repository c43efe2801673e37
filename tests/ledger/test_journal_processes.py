"""Owner and readers in processes of their own: locks, forks, kills, wake-ups."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from block_builder import STRAND_ID, BlockBuilder

from ledger.errors import JournalFailedError, LedgerLockedError
from ledger.journal import Journal, JournalReader, RealFiles, reader
from ledger.journal.wakeup import Bell, Ear

TESTS = Path(__file__).parent

OWNER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from block_builder import STRAND_ID, BlockBuilder
from ledger.journal import Journal

journal = Journal.open(Path(sys.argv[1]), new_strand_id=lambda: STRAND_ID)
builder = BlockBuilder(tip=journal.tip)
print("open", flush=True)
for line in sys.stdin:
    journal.append([builder.add(("Cars", f"car {builder.tip and builder.tip.sequence_no}", {"n": 1}))])
    print(builder.tip.sequence_no, flush=True)
journal.close()
"""

FOLLOWER = """
import sys
from pathlib import Path
from ledger.journal import JournalReader

reader = JournalReader.open(Path(sys.argv[1]))
seen = reader.tip_sequence_no()
print(seen, flush=True)
while reader.wait(seen, 60):
    for block, _ in reader.blocks(seen + 1):
        seen = block.sequence_no
        print(seen, flush=True)
"""


class Process:
    """A Python process that is told lines and answers lines."""

    def __init__(self, code: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str = "") -> None:
        assert self.process.stdin is not None
        print(line, file=self.process.stdin, flush=True)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(code: str, *arguments: object) -> Iterator[Process]:
    process = Process(code, *arguments)
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "demo"


@pytest.fixture
def no_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers do not look by themselves: only a wake-up, or the end of their time, wakes them."""
    monkeypatch.setattr(reader, "_LOOK_EVERY_S", 60.0)


def open_journal(directory: Path) -> Journal:
    return Journal.open(directory, new_strand_id=lambda: STRAND_ID)


def in_child(act: Callable[[], bool]) -> bool:
    """Run `act` in a forked child; give what it gave."""
    pid = os.fork()
    if pid == 0:
        done = False
        try:
            done = act()
        finally:
            os._exit(0 if done else 1)
    return os.waitpid(pid, 0)[1] == 0


def refuses_to_append(journal: Journal) -> bool:
    try:
        journal.append(BlockBuilder().add_many(1))
    except JournalFailedError as error:
        return "forked" in str(error)
    return False


def test_follower_in_another_process_sees_each_block_as_it_becomes_durable(directory: Path) -> None:
    with running(OWNER, directory, TESTS) as owner:
        assert owner.answer() == "open"
        with running(FOLLOWER, directory) as follower:
            assert follower.answer() == "-1"
            for number in range(20):
                owner.tell()
                assert (owner.answer(), follower.answer()) == (str(number), str(number))


def test_follower_lives_through_the_death_of_its_owner_and_follows_the_next(directory: Path) -> None:
    with running(OWNER, directory, TESTS) as owner:
        assert owner.answer() == "open"
        with running(FOLLOWER, directory) as follower:
            assert follower.answer() == "-1"
            owner.tell()
            assert (owner.answer(), follower.answer()) == ("0", "0")
            owner.kill()
            with running(OWNER, directory, TESTS) as next_owner:
                assert next_owner.answer() == "open"
                next_owner.tell()
                assert (next_owner.answer(), follower.answer()) == ("1", "1")


def test_dead_and_stopped_followers_do_not_hold_the_owner_up(directory: Path) -> None:
    journal = open_journal(directory)
    followers = [Process(FOLLOWER, directory) for _ in range(2)]
    assert [follower.answer() for follower in followers] == ["-1", "-1"]
    builder = BlockBuilder()
    journal.append(builder.add_many(1))
    assert [follower.answer() for follower in followers] == ["0", "0"]
    followers[0].kill()
    idle = JournalReader.open(directory)
    idle.wait(5, 0.01)  # connected, and never reads
    for block in builder.add_many(2000):
        journal.append([block])
    journal.close()
    followers[1].kill()
    idle.close()


def test_killed_owner_leaves_no_lock_and_its_blocks(directory: Path) -> None:
    with running(OWNER, directory, TESTS) as owner:
        assert owner.answer() == "open"
        owner.tell()
        assert owner.answer() == "0"
        with pytest.raises(LedgerLockedError, match=f"owned by process {owner.process.pid}"):
            open_journal(directory)
        owner.kill()
    journal = open_journal(directory)
    assert [block.sequence_no for block, _ in journal.blocks()] == [0]
    journal.close()


def test_forked_child_neither_holds_the_lock_nor_appends_nor_takes_the_socket_away(
    directory: Path, no_looking: None
) -> None:
    journal = open_journal(directory)
    follower = JournalReader.open(directory)
    follower.wait(0, 0.0)

    def child() -> bool:
        refused = refuses_to_append(journal)
        journal.close()
        return refused

    assert in_child(child)
    with pytest.raises(LedgerLockedError):
        open_journal(directory)
    blocks = BlockBuilder().add_many(2)
    assert woken_by(follower, lambda: journal.append(blocks[:1]), after=-1)
    journal.append(blocks[1:])
    journal.close()
    follower.close()


def test_forked_child_that_outlives_its_parent_does_not_keep_the_ledger_locked(directory: Path) -> None:
    forking = OWNER.replace(
        'print("open", flush=True)',
        "import os, signal\nif os.fork() == 0:\n    print(os.getpid(), flush=True)\n    signal.pause()\n",
    )
    with running(forking, directory, TESTS) as owner:
        child = int(owner.answer())
        owner.process.kill()
        owner.process.wait()
        os.kill(child, 0)  # it lives
        journal = open_journal(directory)
        journal.close()
        os.kill(child, 9)


def woken_by(follower: JournalReader, act: Callable[[], object], after: int) -> bool:
    """Let a thread wait for a block, then act; tell whether it woke up without looking by itself."""
    woke: list[bool] = []
    waiting = threading.Thread(target=lambda: woke.append(follower.wait(after, 20.0)))
    waiting.start()
    act()
    waiting.join(10.0)
    return woke == [True]


def test_reader_is_woken_by_the_mark_and_not_by_its_clock(directory: Path, no_looking: None) -> None:
    journal, builder = open_journal(directory), BlockBuilder()
    follower = JournalReader.open(directory)
    for number in range(20):
        assert woken_by(follower, lambda: journal.append(builder.add_many(1)), after=number - 1)
    journal.close()
    follower.close()


def test_path_that_no_socket_can_have_wakes_all_the_same(tmp_path: Path, no_looking: None) -> None:
    directory = tmp_path / ("long" * 40) / "demo"
    directory.parent.mkdir()
    journal = open_journal(directory)
    follower = JournalReader.open(directory)
    follower.wait(0, 0.0)
    assert woken_by(follower, lambda: journal.append(BlockBuilder().add_many(1)), after=-1)
    journal.close()
    follower.close()


def test_reader_without_a_socket_looks_by_itself(directory: Path) -> None:
    journal = open_journal(directory)
    (directory / "journal" / "wake").unlink()
    follower = JournalReader.open(directory)
    assert woken_by(follower, lambda: journal.append(BlockBuilder().add_many(1)), after=-1)
    assert not follower.wait(0, 0.01)
    journal.close()
    follower.close()


def test_bell_rings_without_readers_with_a_slow_one_and_after_one_left(tmp_path: Path) -> None:
    bell = Bell(tmp_path)
    bell.ring()
    slow, leaving = Ear(tmp_path), Ear(tmp_path)
    for ear in (slow, leaving):
        ear.wait(0)
    bell.ring()
    leaving.close()
    for _ in range(5000):
        bell.ring()
    for _ in range(100):  # it hears what was rung, sees that it was let go, and connects again
        slow.wait(0)
    bell.ring()
    slow.wait(10)
    bell.close()
    assert not (tmp_path / "wake").exists()
    slow.wait(10)
    slow.close()


def test_lock_file_names_its_owner_only_while_it_is_owned(tmp_path: Path) -> None:
    files, path = RealFiles(), tmp_path / "LOCK"
    assert not files.is_locked(path)
    lock = files.lock(path)
    assert lock is not None
    assert files.lock_owner(path) is None
    lock.sign()
    assert (files.is_locked(path), files.lock_owner(path)) == (True, os.getpid())
    assert files.lock(path) is None
    lock.release()
    lock.release()
    assert (files.is_locked(path), files.lock_owner(path), lock.held) == (False, None, False)


def test_owner_waits_for_a_reader_that_recovers(directory: Path) -> None:
    open_journal(directory).close()
    lock = RealFiles().lock(directory / "LOCK")
    assert lock is not None
    threading.Timer(0.1, lock.release).start()
    open_journal(directory).close()
