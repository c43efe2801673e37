"""A reader whose owner dies between the sync of a batch and the mark: the batch is durable, and nobody is left to say so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ledger.journal import JournalReader

TESTS = Path(__file__).parent

OWNER = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from block_builder import STRAND_ID, BlockBuilder
from ledger.journal import Journal
from ledger.journal.mark import Mark

journal = Journal.open(Path(sys.argv[1]), new_strand_id=lambda: STRAND_ID)
builder = BlockBuilder()
journal.append([builder.add(("Cars", "first", {"n": 1}))])
print("open", flush=True)
sys.stdin.readline()
Mark.advance = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
journal.append([builder.add(("Cars", "second", {"n": 2}))])
"""


def test_a_reader_recovers_by_itself_when_the_owner_died_before_it_could_tell(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path / "demo"), str(TESTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdin is not None
        assert owner.stdout.readline() == "open\n"
        reader = JournalReader.open(tmp_path / "demo")
        assert reader.tip_sequence_no() == 0
        assert not reader.wait(0, 0.1)
        owner.stdin.write("\n")
        owner.stdin.flush()
        owner.wait(30)
        assert reader.tip_sequence_no() == 0
        assert reader.wait(0, 20)
        assert [block.sequence_no for block, _ in reader.blocks()] == [0, 1]
        reader.close()
