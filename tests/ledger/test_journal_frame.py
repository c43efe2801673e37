"""Frames: what was packed is parsed, and nothing else is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.journal.frame import FRAME_HEADER_BYTES, Frame, difference, frame_size, new_tag, pack_batch, parse_frame

TAG = b"\xf5abc"


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.integers(1, 2**64 - 1))
def test_batch_that_was_packed_is_parsed_frame_by_frame(payloads: list[bytes], batch_no: int) -> None:
    frames = pack_batch(payloads, TAG, batch_no, 7)
    buffer, at = b"".join(frames), 0
    for index, (frame, payload) in enumerate(zip(frames, payloads, strict=True)):
        expected = Frame(1000 + at, len(frame), index, len(payloads), batch_no, 7 + index, payload)
        assert parse_frame(buffer, at, TAG, 1000 + at) == expected
        assert frame_size(buffer[at : at + FRAME_HEADER_BYTES], TAG) == len(frame)
        at += len(frame)
    assert parse_frame(buffer, at, TAG, at) is None


def test_each_flipped_bit_of_a_frame_is_refused_and_shown_with_both_values() -> None:
    (frame,) = pack_batch([b"payload"], TAG, 3, 9)
    for bit in range(len(frame) * 8):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        assert parse_frame(bytes(damaged), 0, TAG, 0) is None
        expected, actual = difference(bytes(damaged), 0, TAG)
        assert expected != actual


def test_each_shortened_frame_is_refused() -> None:
    (frame,) = pack_batch([b"payload"], TAG, 3, 9)
    for size in range(len(frame)):
        assert parse_frame(frame[:size], 0, TAG, 0) is None
        expected, actual = difference(frame[:size], 0, TAG)
        assert expected != actual


def test_frame_of_another_segment_is_refused() -> None:
    (frame,) = pack_batch([b"payload"], TAG, 3, 9)
    assert parse_frame(frame, 0, b"\xf5abd", 0) is None


def test_zeros_are_no_frame_and_no_tag_begins_with_zero() -> None:
    tag = new_tag(bytes)
    assert tag[0] != 0
    assert parse_frame(bytes(100), 0, tag, 0) is None


def test_bytes_of_a_frame_are_as_drawn() -> None:
    (frame,) = pack_batch([b"\xaa\xbb"], TAG, 0x0102, 0x0304)
    assert frame == bytes.fromhex("f5616263 1e4d8665 00000002 00000000 00000001 0000000000000102 0000000000000304 aabb")
