"""The publisher on a real broker: everything once, in order, whatever ended the one before."""

from __future__ import annotations

import pytest
from stream_world import World

from ledger.block import SYSTEM_TABLE_NAME

pytestmark = pytest.mark.kafka


def test_everything_committed_is_published_once_in_order(world: World) -> None:
    world.commit_block((SYSTEM_TABLE_NAME, "table Cars", {"name": "Cars"}), statement="CREATE TABLE Cars")
    world.commit(50)
    world.commit_block(("Cars", "Cars 1", None), ("Owners", "o", {"name": "Raul"}), ("Cars", "Cars 2", {"n": -1}))
    world.commit_block()  # nothing written but a block all the same
    world.publish()
    report = world.check()
    assert report.revisions == 54
    assert world.controls() == ["CREATED", "OWNER"]
    assert world.state()["publishedSequenceNo"] == 52
    assert world.state()["state"] == "stopped"


def test_a_second_run_goes_on_where_the_first_one_ended(world: World) -> None:
    world.commit(20)
    world.publish()
    world.commit(20, table="Owners")
    world.publish()
    world.publish()
    assert world.check().blocks == 40
    assert world.controls() == ["CREATED", "OWNER", "OWNER", "OWNER"]
