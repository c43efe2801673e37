"""Recall day's data: people, titles, transfers, orders, one recall, repairs. Pure: the same seed gives the same, everywhere.

Who a person is to other documents is their document id, which the ledger gives; here a person is known by `GovId`, and the
statements are made when the ids are there.

`Expected` is the demo's own small model of the register: what must come out at the other end, computed without the ledger, the
stream or the consumers.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from consumers.demo.tutorial import TUTORIAL_PEOPLE, TUTORIAL_TITLES, TUTORIAL_VIN
from consumers.demo.words import ARTICLES, CITIES, COLORS, FIRST_NAMES, LAST_NAMES, MODELS, STREETS
from ledger.values import Precision, Timestamp, Value

__all__ = [
    "TABLES",
    "Expected",
    "Order",
    "Recall",
    "RecallDay",
    "Statements",
    "Title",
    "Transfer",
    "generate",
]

Statements: TypeAlias = list[tuple[str, list[Value]]]
"""One transaction: (text, parameters) in order."""

TABLES: Mapping[str, tuple[str, ...]] = {
    "Person": ("GovId",),
    "Vehicle": ("VIN",),
    "VehicleRegistration": ("VIN", "LicensePlateNumber"),
    "Orders": ("OrderNumber",),
    "Recalls": ("CampaignNumber",),
    "Repairs": ("VIN",),
}
"""Table -> its indexed fields."""

_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_VIN_VALUES = dict(
    zip(_VIN_LETTERS, (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)


@dataclass(frozen=True, slots=True)
class Title:
    """A vehicle and its registration. `owner` and `second_owners` are GovIds."""

    vin: str
    make: str
    model: str
    year: int
    kind: str
    color: str
    registration: dict[str, Value]
    owner: str
    second_owners: tuple[str, ...] = ()

    def statements(self, person_ids: Mapping[str, str]) -> Statements:
        vehicle: Value = {
            "VIN": self.vin, "Type": self.kind, "Year": self.year, "Make": self.make, "Model": self.model, "Color": self.color,
        }  # fmt: skip
        owners: Value = {
            "PrimaryOwner": {"PersonId": person_ids[self.owner]},
            "SecondaryOwners": [{"PersonId": person_ids[gov_id]} for gov_id in self.second_owners],
        }
        return [
            ("INSERT INTO Vehicle ?", [vehicle]),
            ("INSERT INTO VehicleRegistration ?", [self.registration | {"Owners": owners}]),
        ]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A title changes hands. `buyer` is a GovId."""

    vin: str
    buyer: str

    def statements(self, person_ids: Mapping[str, str]) -> Statements:
        text = "UPDATE VehicleRegistration AS r SET r.Owners.PrimaryOwner.PersonId = ? WHERE r.VIN = ?"
        return [(text, [person_ids[self.buyer], self.vin])]


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody orders a document or a plate. `buyer` is a GovId."""

    document: dict[str, Value]
    buyer: str
    total: Decimal

    def statements(self, person_ids: Mapping[str, str]) -> Statements:
        return [("INSERT INTO Orders ?", [self.document | {"PersonId": person_ids[self.buyer]}])]


@dataclass(frozen=True, slots=True)
class Recall:
    """A maker calls the vehicles of one model and some years back to the workshop."""

    campaign: str
    make: str
    model: str
    year_from: int
    year_to: int
    component: str

    def covers(self, title: Title) -> bool:
        return (title.make, title.model) == (self.make, self.model) and self.year_from <= title.year <= self.year_to

    def statements(self) -> Statements:
        document: Value = {
            "CampaignNumber": self.campaign, "Make": self.make, "Model": self.model, "YearFrom": self.year_from,
            "YearTo": self.year_to, "Component": self.component, "Summary": "Made up for this demo: it may fail.",
            "Remedy": "It is replaced, free of charge.",
        }  # fmt: skip
        return [("INSERT INTO Recalls ?", [document])]


@dataclass(frozen=True, slots=True)
class RecallDay:
    """The whole day, in the order in which it happens. The transfers of one list are of different vehicles."""

    people: tuple[dict[str, Value], ...]
    titles: tuple[Title, ...]
    transfers: tuple[Transfer, ...]
    orders: tuple[Order, ...]
    later_transfers: tuple[Transfer, ...]
    recall: Recall
    repairs: tuple[dict[str, Value], ...]


@dataclass(slots=True)
class Expected:
    """What the register must say after what was told to it so far."""

    owners: dict[str, str] = field(default_factory=dict)
    transfers: int = 0
    invoices: dict[str, Decimal] = field(default_factory=dict)

    def register(self, titles: Sequence[Title]) -> None:
        self.owners |= {title.vin: title.owner for title in titles}

    def transfer(self, transfers: Sequence[Transfer]) -> None:
        self.owners |= {transfer.vin: transfer.buyer for transfer in transfers}
        self.transfers += len(transfers)

    def order(self, orders: Sequence[Order]) -> None:
        self.invoices |= {str(order.document["OrderNumber"]): order.total for order in orders}

    def notices(self, day: RecallDay) -> dict[str, str]:
        """Give VIN -> GovId of the present owner, for every vehicle that the recall covers."""
        return {title.vin: self.owners[title.vin] for title in day.titles if day.recall.covers(title)}


def generate(seed: int, vehicles: int) -> RecallDay:
    """Make the day. About 5 % of the vehicles are recalled; the famous one of the tutorials is among them."""
    chance = random.Random(seed)
    people = tuple(_tutorial_person(*row) for row in TUTORIAL_PEOPLE) + tuple(
        _person(chance, n) for n in range(vehicles * 4 // 5)
    )
    gov_ids = [str(person["GovId"]) for person in people]
    titles = [_tutorial_title(row, owner=str(people[n]["GovId"])) for n, row in enumerate(TUTORIAL_TITLES)]
    titles += [_title(chance, gov_ids, n) for n in range(vehicles - len(titles))]
    vins = [title.vin for title in titles if title.vin != TUTORIAL_VIN]
    recall = Recall("26V-101", "Audi", "A5", 2010, 2013, "Fuel pump")
    repaired = [title.vin for title in titles if recall.covers(title) and chance.random() < 0.6]
    return RecallDay(
        people,
        tuple(titles),
        _transfers(chance, vins, gov_ids, vehicles * 2 // 5),
        tuple(_order(chance, gov_ids, n) for n in range(vehicles // 10)),
        _transfers(chance, vins, gov_ids, vehicles * 2 // 5),
        recall,
        tuple(_repair(chance, vin) for vin in repaired),
    )


def _transfers(chance: random.Random, vins: Sequence[str], gov_ids: Sequence[str], count: int) -> tuple[Transfer, ...]:
    return tuple(Transfer(vin, chance.choice(gov_ids)) for vin in chance.sample(vins, count))


def _tutorial_person(first: str, last: str, born: str, gov_id: str, kind: str, address: str) -> dict[str, Value]:
    return {
        "FirstName": first, "LastName": last, "DOB": _day(born), "GovId": gov_id, "GovIdType": kind, "Address": address,
    }  # fmt: skip


def _person(chance: random.Random, number: int) -> dict[str, Value]:
    city, zip_code = chance.choice(CITIES)
    return {
        "FirstName": chance.choice(FIRST_NAMES),
        "LastName": chance.choice(LAST_NAMES),
        "DOB": _random_day(chance, 1940, 2004),
        "GovId": f"{chance.choice('ABCDEFGHKLMNPRSTVW')}{number:06d}-{chance.randrange(100):02d}",
        "GovIdType": chance.choice(("Driver License", "Driver License", "Passport", "SSN")),
        "Address": f"{chance.randrange(1, 9000)} {chance.choice(STREETS)}, {city}, WA, {zip_code}",
    }


def _tutorial_title(row: tuple[str, str, int, str, str, str, str, str, str, str, str], *, owner: str) -> Title:
    vin, kind, year, make, model, color, plate, city, penalties, valid_from, valid_to = row
    return Title(
        vin,
        make,
        model,
        year,
        kind,
        color,
        _registration(vin, plate, city, penalties, _day(valid_from), _day(valid_to)),
        owner,
    )


def _title(chance: random.Random, gov_ids: Sequence[str], number: int) -> Title:
    make, model, kind = ("Audi", "A5", "Sedan") if chance.random() < 0.1 else chance.choice(MODELS)
    vin = _vin(chance, number)
    year, color = chance.randrange(2008, 2026), chance.choice(COLORS)
    plate = f"{''.join(chance.choice(_VIN_LETTERS) for _ in range(3))}{number:04d}"
    penalties = f"{chance.choice((0, 0, 0, chance.randrange(20, 500)))}.{chance.choice((0, 25, 50, 75)):02d}"
    valid_from = _random_day(chance, 2021, 2025)
    valid_to = Timestamp(valid_from.year + 5, valid_from.month, valid_from.day, precision=Precision.DAY)
    owners = chance.sample(gov_ids, 1 + (chance.random() < 0.2))
    registration = _registration(vin, plate, chance.choice(CITIES)[0], penalties, valid_from, valid_to)
    return Title(vin, make, model, year, kind, color, registration, owners[0], tuple(owners[1:]))


def _registration(
    vin: str, plate: str, city: str, penalties: str, valid_from: Timestamp, valid_to: Timestamp
) -> dict[str, Value]:
    return {
        "VIN": vin, "LicensePlateNumber": plate, "State": "WA", "City": city,
        "PendingPenaltyTicketAmount": Decimal(penalties), "ValidFromDate": valid_from, "ValidToDate": valid_to,
    }  # fmt: skip


def _vin(chance: random.Random, number: int) -> str:
    """Make a VIN with a right check digit (ISO 3779, 49 CFR 565.15): the number makes it unique."""
    head = "".join(chance.choice(_VIN_LETTERS) for _ in range(8))
    tail = "".join(chance.choice(_VIN_LETTERS) for _ in range(3)) + f"{number:05d}"
    total = sum(
        weight * (int(c) if c.isdigit() else _VIN_VALUES[c])
        for weight, c in zip(_VIN_WEIGHTS, f"{head}0{tail}", strict=True)
    )
    return f"{head}{'0123456789X'[total % 11]}{tail}"


def _order(chance: random.Random, gov_ids: Sequence[str], number: int) -> Order:
    articles = chance.sample(ARTICLES, chance.randrange(1, 4))
    lines = [(article, chance.randrange(1, 4), Decimal(price)) for article, price in articles]
    shown: list[Value] = [{"Article": a, "Quantity": quantity, "UnitPrice": price} for a, quantity, price in lines]
    document: dict[str, Value] = {
        "OrderNumber": f"A-{number:05d}",
        "OrderDate": Timestamp(2026, 11, 22, 9 + number * 8 // 3600, number * 8 // 60 % 60, number * 8 % 60, offset=0),
        "Lines": shown,
        "Currency": "USD",
    }
    if chance.random() < 0.2:
        city, zip_code = chance.choice(CITIES)
        document["ShipTo"] = f"{chance.randrange(1, 9000)} {chance.choice(STREETS)}, {city}, WA, {zip_code}"
    total = sum((quantity * price for _, quantity, price in lines), Decimal(0))
    return Order(document, chance.choice(gov_ids), total)


def _repair(chance: random.Random, vin: str) -> dict[str, Value]:
    workshop = f"{chance.choice(LAST_NAMES)} & {chance.choice(LAST_NAMES)}, {chance.choice(CITIES)[0]}"
    return {
        "CampaignNumber": "26V-101", "VIN": vin, "RepairDate": _day("2026-11-22"), "Workshop": workshop,
    }  # fmt: skip


def _day(text: str) -> Timestamp:
    year, month, day = map(int, text.split("-"))
    return Timestamp(year, month, day, precision=Precision.DAY)


def _random_day(chance: random.Random, first_year: int, last_year: int) -> Timestamp:
    return Timestamp(
        chance.randrange(first_year, last_year + 1),
        chance.randrange(1, 13),
        chance.randrange(1, 29),
        precision=Precision.DAY,
    )
