"""Recall day's data is the same everywhere, and what it says of itself is true."""

from __future__ import annotations

from hashlib import sha256

from consumers.demo.data import Expected, generate
from consumers.demo.tutorial import TUTORIAL_VIN
from ledger.json_values import dump_json

_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))


def test_the_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    day = generate(seed=1, vehicles=300)
    ids = {str(person["GovId"]): f"id-{n}" for n, person in enumerate(day.people)}
    parts = [*day.titles, *day.transfers, *day.orders, *day.later_transfers]
    statements = [statement for part in parts for statement in part.statements(ids)]
    values = [*day.people, *([text, *values] for text, values in statements), *day.repairs]
    assert sha256(dump_json(values)).hexdigest() == "87a149facf97b1e6ef2a7a12a0a043886feb39599c63ba5bbe5c23cb9aad908a"


def test_another_seed_gives_other_people() -> None:
    assert generate(seed=1, vehicles=20).people[5:] != generate(seed=2, vehicles=20).people[5:]


def test_every_generated_vin_is_its_own_and_has_the_right_check_digit() -> None:
    vins = [title.vin for title in generate(seed=3, vehicles=500).titles]
    assert len(set(vins)) == 500
    for vin in vins[5:]:
        total = sum(w * (int(c) if c.isdigit() else _VALUES[c]) for w, c in zip(_WEIGHTS, vin, strict=True))
        assert vin[8] == "0123456789X"[total % 11]


def test_transfers_of_one_part_are_of_different_vehicles_so_that_their_order_does_not_matter() -> None:
    day = generate(seed=1, vehicles=300)
    for part in (day.transfers, day.later_transfers):
        assert len({transfer.vin for transfer in part}) == len(part) > 0
        assert TUTORIAL_VIN not in {transfer.vin for transfer in part}


def test_a_notice_is_expected_for_the_last_owner_and_not_for_the_first() -> None:
    day = generate(seed=1, vehicles=300)
    expected = Expected()
    expected.register(day.titles)
    first = expected.notices(day)
    expected.transfer(day.transfers)
    last = expected.notices(day)
    assert first.keys() == last.keys()
    assert TUTORIAL_VIN in last
    moved = {transfer.vin: transfer.buyer for transfer in day.transfers if transfer.vin in last}
    assert moved
    assert all(last[vin] == buyer for vin, buyer in moved.items())
