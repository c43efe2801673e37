"""The sample projections, on blocks that never saw Kafka: what they make of the register, and that nobody is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from block_builder import BlockBuilder
from stream_of_blocks import stream_of

from consumers.blocks import Assembler
from consumers.errors import HandlerError, OutboxConflictError
from consumers.position import BEGINNING
from consumers.projection import Projection
from consumers.samples.actions import actions
from consumers.samples.analytics import analytics
from consumers.samples.garage import garage
from consumers.stores import Store, open_store
from ledger.block import SYSTEM_TABLE_ID, SYSTEM_TABLE_NAME, Block
from ledger.ids import id_of_text
from ledger.values import Struct, Symbol, Timestamp

RAUL, BRENT = id_of_text("Raul"), id_of_text("Brent")


class Register:
    """A ledger in the making, and one projection that follows it block by block."""

    def __init__(self, projection: Projection, path: Path) -> None:
        self.projection, self.strand, self._assembler = projection, BlockBuilder(), Assembler(BEGINNING)
        self.store: Store = open_store(projection, path / "store")
        self._published = 0

    def commit(self, *writes: tuple[str, str, Struct | None]) -> Block:
        block = self.strand.add(*writes)
        for record in stream_of([block]):
            address = record.address._replace(offset=block.sequence_no * 100 + record.address.offset)
            self._assembler.add(record._replace(address=address))
        before = self.store.position()
        (verified,) = self._assembler.blocks()
        after = self._assembler.position({})
        self.store.apply(before, after, lambda rows: [self.projection.fold(rows, r) for r in verified.revisions])
        return block

    def register(self, vin: str, owner: str, *, make: str = "Audi", model: str = "A5", year: int = 2011) -> None:
        vehicle: Struct = {"VIN": vin, "Make": make, "Model": model, "Year": year, "Color": Symbol("silver")}
        self.commit(("Vehicle", vin, vehicle), ("VehicleRegistration", f"title of {vin}", title(vin, owner)))

    def transfer(self, vin: str, owner: str) -> None:
        self.commit(("VehicleRegistration", f"title of {vin}", title(vin, owner)))

    def outbox(self) -> dict[str, Any]:
        rows = self.store.select("SELECT key, content FROM outbox ORDER BY key")
        return {key: json.loads(content) for key, content in rows}


def title(vin: str, owner: str) -> Struct:
    return {"VIN": vin, "Owners": {"PrimaryOwner": {"PersonId": owner}, "SecondaryOwners": []}}


def person(first: str, address: str) -> Struct:
    return {"FirstName": first, "LastName": "Lewis", "Address": address}


def recall(first_year: int, last_year: int) -> Struct:
    return {"CampaignNumber": "26V-101", "Make": "Audi", "Model": "A5", "YearFrom": first_year, "YearTo": last_year}


def order(lines: Iterable[tuple[str, int, str]], **more: str) -> Struct:
    shown = [{"Article": article, "Quantity": n, "UnitPrice": Decimal(price)} for article, n, price in lines]
    return {"OrderNumber": "A-1", "PersonId": RAUL, "Lines": shown, "Currency": "USD", **more}


Follow = Callable[[Projection], Register]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """Gives a projection its register; what it opened is closed in the end."""
    with ExitStack() as opened:

        def open_register(projection: Projection) -> Register:
            made = Register(projection, tmp_path)
            opened.callback(made.store.close)
            return made

        yield open_register


@pytest.fixture
def register(follow: Follow) -> Register:
    made = follow(actions)
    made.commit(("Person", "Raul", person("Raul", "1719 University Street")))
    made.commit(("Person", "Brent", person("Brent", "43 Stockert Hollow Road")))
    return made


def test_an_order_creates_an_invoice_with_the_exact_total_and_a_dispatch_note(register: Register) -> None:
    block = register.commit(("Orders", "order 1", order([("Plate", 3, "0.10"), ("Title copy", 1, "12.50")])))
    key = id_of_text("order 1") + ":0:"
    assert register.outbox().keys() == {f"{key}invoice", f"{key}dispatch"}
    invoice = register.outbox()[f"{key}invoice"]
    assert (invoice["Total"], [line["Amount"] for line in invoice["Lines"]]) == ("12.80", ["0.30", "12.50"])
    assert (invoice["Name"], invoice["Address"]) == ("Raul Lewis", "1719 University Street")
    assert invoice["Cause"]["blockAddress"]["sequenceNo"] == block.sequence_no
    assert register.outbox()[f"{key}dispatch"]["ShipTo"] == "1719 University Street"


def test_the_order_s_own_address_wins_and_later_versions_of_an_order_create_nothing(register: Register) -> None:
    register.commit(("Orders", "order 1", order([("Plate", 1, "30.00")], ShipTo="the workshop")))
    assert register.outbox()[id_of_text("order 1") + ":0:dispatch"]["ShipTo"] == "the workshop"
    register.commit(("Orders", "order 1", order([("Plate", 2, "30.00")])))
    register.commit(("Orders", "order 1", None))
    assert len(register.outbox()) == 2


def test_a_recall_notifies_the_present_owner_of_each_affected_vehicle_and_nobody_else(register: Register) -> None:
    register.register("VIN1", RAUL)
    register.register("VIN2", RAUL, year=2014)
    register.register("VIN3", RAUL, model="A6")
    register.transfer("VIN1", BRENT)
    register.commit(("Recalls", "recall", recall(2010, 2013)))
    notices = register.outbox()
    assert list(notices) == [id_of_text("recall") + ":0:notice:VIN1"]
    (notice,) = notices.values()
    assert (notice["PersonId"], notice["Name"]) == (BRENT, "Brent Lewis")
    assert (notice["Address"], notice["Year"]) == ("43 Stockert Hollow Road", 2011)
    register.transfer("VIN1", RAUL)
    assert register.outbox() == notices


def test_a_recall_that_grows_notifies_only_the_owners_of_the_new_vehicles(register: Register) -> None:
    register.register("VIN1", RAUL)
    register.register("VIN2", BRENT, year=2015)
    register.commit(("Recalls", "recall", recall(2010, 2013)))
    register.commit(("Recalls", "recall", recall(2010, 2016)))
    key = id_of_text("recall")
    assert list(register.outbox()) == [f"{key}:0:notice:VIN1", f"{key}:1:notice:VIN2"]


def test_two_titles_of_one_vehicle_are_two_notices_and_stop_nothing(register: Register) -> None:
    register.register("VIN1", RAUL)
    register.commit(("Vehicle", "VIN1 again", {"VIN": "VIN1", "Make": "Audi", "Model": "A5", "Year": 2012}))
    register.commit(("VehicleRegistration", "another title", title("VIN1", BRENT)))
    register.commit(("VehicleRegistration", "a third title", title("VIN1", RAUL)))
    register.commit(("Recalls", "recall", recall(2010, 2013)))
    notices = register.outbox()
    assert sorted(notice["PersonId"] for notice in notices.values()) == sorted([RAUL, BRENT])
    second = max(RAUL, BRENT)
    assert list(notices) == [f"{id_of_text('recall')}:0:notice:VIN1", f"{id_of_text('recall')}:0:notice:VIN1:{second}"]
    register.commit(("Recalls", "recall", recall(2010, 2014)))
    assert register.outbox() == notices


def test_a_deleted_vehicle_gets_no_notice(register: Register) -> None:
    register.register("VIN1", RAUL)
    register.commit(("Vehicle", "VIN1", None))
    register.commit(("Recalls", "recall", recall(2010, 2013)))
    assert register.outbox() == {}


def test_an_order_that_cannot_be_priced_stops_with_the_record_named(register: Register) -> None:
    position = register.store.position()
    with pytest.raises(HandlerError, match=r"actions: invoice failed on Orders .* version 0") as error:
        register.commit(("Orders", "order 1", {"OrderNumber": "A-1", "Lines": [{"Quantity": 2, "UnitPrice": 1.5}]}))
    assert error.value.record.startswith("strandline.garage.Orders[")
    assert register.store.position() == position


def test_one_idempotency_key_for_two_effects_is_an_error_of_the_action(follow: Follow) -> None:
    from consumers import Effect, action

    twice = Projection("twice", version=1, store="sqlite", tables=[])
    action(twice, "greet", on="Person")(lambda rows, revision: [Effect({"to": "a"}), Effect({"to": "b"})])
    with pytest.raises(HandlerError) as error:
        follow(twice).commit(("Person", "Raul", person("Raul", "")))
    assert isinstance(error.value.__cause__, OutboxConflictError)


def test_the_garage_knows_the_present_owner_and_how_often_a_title_changed_hands(follow: Follow) -> None:
    register = follow(garage)
    register.register("VIN1", RAUL)
    register.transfer("VIN1", BRENT)
    register.transfer("VIN1", BRENT)
    register.register("VIN2", RAUL)
    register.commit(("VehicleRegistration", "title of VIN2", None))
    assert register.store.select("SELECT * FROM garage") == [("VIN1", "Audi", "A5", 2011, BRENT, 1)]


def create_table(register: Register, name: str, status: str) -> None:
    """What the ledger writes into its system table; the builder gives tables ids of their names."""
    document: Struct = {"tableId": id_of_text(name), "name": name, "status": status, "indexes": []}
    register.commit((SYSTEM_TABLE_NAME, name, document))


def test_analytics_tell_state_history_and_the_progress_of_a_recall(follow: Follow) -> None:
    register = follow(analytics)
    for table in ("Vehicle", "VehicleRegistration", "Recalls", "Repairs"):
        create_table(register, table, "ACTIVE")
    register.register("VIN1", RAUL)
    register.register("VIN2", RAUL, year=2013)
    register.register("VIN3", RAUL, year=2014)
    register.transfer("VIN1", BRENT)
    register.commit(("Recalls", "recall", recall(2010, 2013)))
    select = register.store.select
    progress = "SELECT campaign, affected, repaired, percent, open FROM recall_progress"
    assert select(progress) == [("26V-101", 2, 0, 0.0, 2)]
    register.commit(("Repairs", "repair", {"CampaignNumber": "26V-101", "VIN": "VIN1", "RepairDate": Timestamp(2026)}))
    assert select(progress) == [("26V-101", 2, 1, 50.0, 1)]
    owners = "SELECT version, data->>'$.Owners.PrimaryOwner.PersonId' FROM versions('VehicleRegistration') WHERE data->>'VIN' = 'VIN1'"
    assert select(owners) == [(0, RAUL), (1, BRENT)]
    assert select(
        "SELECT data->>'Color', CAST(data->>'Year' AS INT) FROM current('Vehicle') WHERE data->>'VIN' = 'VIN2'"
    ) == [("silver", 2013)]


def test_one_odd_document_does_not_break_the_report(tmp_path: Path) -> None:
    register = Register(analytics, tmp_path)
    for table in ("Vehicle", "VehicleRegistration", "Recalls"):
        create_table(register, table, "ACTIVE")
    register.register("VIN1", RAUL)
    register.commit(("Recalls", "recall", recall(2010, 2013)))
    register.commit(("Recalls", "odd", recall(2010, 2013) | {"YearTo": "for ever", "CampaignNumber": "odd"}))
    register.commit(("Vehicle", "odd", {"VIN": ["?"], "Make": "Audi", "Model": "A5", "Year": 2**70}))
    assert register.store.select("SELECT campaign, affected FROM recall_progress") == [("26V-101", 1), ("odd", 0)]


def test_analytics_keep_the_history_of_what_was_deleted_and_of_dropped_tables(follow: Follow) -> None:
    register = follow(analytics)
    create_table(register, "Vehicle", "ACTIVE")
    register.register("VIN1", RAUL)
    register.register("VIN2", RAUL)
    register.commit(("Vehicle", "VIN1", None))
    select = register.store.select
    assert select("SELECT data->>'VIN' FROM current('Vehicle')") == [("VIN2",)]
    assert select("SELECT version, deleted FROM versions('Vehicle') WHERE document_id = ?", id_of_text("VIN1")) == [
        (0, False),
        (1, True),
    ]
    create_table(register, "Vehicle", "INACTIVE")
    assert select("SELECT * FROM current('Vehicle')") == []
    assert select("SELECT count(*) FROM versions('Vehicle')") == [(3,)]
    assert SYSTEM_TABLE_ID == "0" * 22  # analytics' SQL says it too
