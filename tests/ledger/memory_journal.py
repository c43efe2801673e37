"""A journal that is a list: what the views need of one, kept honestly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger.block import Block
from ledger.journal import FrameLocation

_FRAME_BYTES = 100


@dataclass
class MemoryJournal:
    """Block n is at offset 100 n of segment 0. `asked` is from where blocks were asked for."""

    strand_id: str
    boot_id: str = "first boot"
    kept: list[Block] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    @property
    def tip(self) -> Block | None:
        return self.kept[-1] if self.kept else None

    def append(self, blocks: Sequence[Block]) -> list[tuple[Block, FrameLocation]]:
        self.kept += blocks
        return [(block, _location(block.sequence_no)) for block in blocks]

    def read(self, location: FrameLocation) -> Block:
        number, rest = divmod(location.offset, _FRAME_BYTES)
        assert (location.segment, rest, location.size) == (0, 0, _FRAME_BYTES)
        return self.kept[number]

    def blocks(self, from_sequence_no: int = 0) -> Iterator[tuple[Block, FrameLocation]]:
        self.asked.append(from_sequence_no)
        for block in self.kept[from_sequence_no:]:
            yield block, _location(block.sequence_no)


def _location(sequence_no: int) -> FrameLocation:
    return FrameLocation(0, sequence_no * _FRAME_BYTES, _FRAME_BYTES)
