"""What the register makes happen: invoices, dispatch notes and recall notices, decided from the records alone.

    Orders   INSERT  ->  invoice (lines, exact total), dispatch note (where to)
    Recalls  INSERT  ->  notice for each vehicle that it covers, to the owner as of the recall's block
             UPDATE  ->  notice for each vehicle that it covers now and did not before

Nobody is asked: people, vehicles and titles are this projection's own rows, folded from the same stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from consumers.action import Effect, action
from consumers.projection import Projection, Rows
from consumers.revision import Revision
from consumers.table import Table
from ledger.values import Value

__all__ = ["actions"]

actions = Projection(
    "actions",
    version=1,
    store="sqlite",
    tables=[
        Table("person", {"id": "text", "name": "text", "address": "text"}, key="id"),
        Table("vehicle", {"id": "text", "vin": "text", "make": "text", "model": "text", "year": "integer"}, key="id"),
        Table("title", {"id": "text", "vin": "text", "owner": "text"}, key="id"),
        Table("noticed", {"recall": "text", "vin": "text"}, key=("recall", "vin")),
    ],
    sql=[
        "CREATE INDEX vehicles_of_a_model ON vehicle (make, model, year)",
        "CREATE INDEX titles_of_a_vehicle ON title (vin)",
    ],
)

_AFFECTED = """
SELECT v.vin, min(v.year), t.owner, p.name, p.address
FROM vehicle AS v JOIN title AS t USING (vin) LEFT JOIN person AS p ON p.id = t.owner
WHERE v.make = ? AND v.model = ? AND v.year BETWEEN ? AND ?
  AND NOT EXISTS (SELECT 1 FROM noticed AS n WHERE n.recall = ? AND n.vin = v.vin)
GROUP BY v.vin, t.owner ORDER BY v.vin, t.owner
"""
"""One row a vehicle: unless somebody registered it twice, under two owners. Then each of them is told."""


@actions.on("Person")
def person(rows: Rows, revision: Revision) -> None:
    if revision.data is None:
        rows.delete("person", revision.document_id)
        return
    name = f"{revision.text('FirstName')} {revision.text('LastName')}"
    rows.put("person", {"id": revision.document_id, "name": name, "address": revision.text("Address")})


@actions.on("Vehicle")
def vehicle(rows: Rows, revision: Revision) -> None:
    if revision.data is None:
        rows.delete("vehicle", revision.document_id)
        return
    row = {"vin": revision.text("VIN"), "make": revision.text("Make"), "model": revision.text("Model")}
    rows.put("vehicle", {"id": revision.document_id, "year": revision.integer("Year"), **row})


@actions.on("VehicleRegistration")
def title(rows: Rows, revision: Revision) -> None:
    if revision.data is None:
        rows.delete("title", revision.document_id)
        return
    owner = revision.text("Owners", "PrimaryOwner", "PersonId")
    rows.put("title", {"id": revision.document_id, "vin": revision.text("VIN"), "owner": owner})


@action(actions, "invoice", on="Orders")
def invoice(rows: Rows, revision: Revision) -> Iterator[Effect]:
    if revision.version == 0:
        lines, total = _priced(revision)
        currency = revision.value("Currency")
        yield Effect(_letter(rows, revision) | {"Lines": lines, "Total": total, "Currency": currency})


@action(actions, "dispatch", on="Orders")
def dispatch(rows: Rows, revision: Revision) -> Iterator[Effect]:
    if revision.version == 0:
        letter = _letter(rows, revision)
        yield Effect(
            letter | {"ShipTo": revision.text("ShipTo") or letter["Address"], "Lines": revision.value("Lines")}
        )


@action(actions, "notice", on="Recalls")
def notice(rows: Rows, revision: Revision) -> Iterator[Effect]:
    covered = (*map(revision.text, ("Make", "Model")), *map(revision.integer, ("YearFrom", "YearTo")))
    last = None
    for vin, year, owner, name, address in rows.select(_AFFECTED, *covered, revision.document_id):
        part, last = (vin if vin != last else f"{vin}:{owner}"), vin
        rows.put("noticed", {"recall": revision.document_id, "vin": vin})
        recall: dict[str, Value] = {
            field: revision.value(field)
            for field in ("CampaignNumber", "Make", "Model", "Component", "Summary", "Remedy")
        }
        receiver: dict[str, Value] = {"VIN": vin, "Year": year, "PersonId": owner, "Name": name, "Address": address}
        yield Effect(recall | receiver | _cause(revision), part=part)


def _letter(rows: Rows, revision: Revision) -> dict[str, Value]:
    """Say which order it is about, and who gets it: the person as this projection knows them by the order's block."""
    person_id = revision.text("PersonId")
    known = rows.get("person", person_id) or {"name": None, "address": None}
    receiver: dict[str, Value] = {"PersonId": person_id, "Name": known["name"], "Address": known["address"]}
    return {"OrderNumber": revision.value("OrderNumber"), **receiver, **_cause(revision)}


def _cause(revision: Revision) -> dict[str, Value]:
    block: dict[str, Value] = {"strandId": revision.block.strand_id, "sequenceNo": revision.block.sequence_no}
    return {"Cause": {"blockAddress": block, "documentId": revision.document_id, "version": revision.version}}


def _priced(revision: Revision) -> tuple[list[Value], Decimal]:
    """Give the order's lines with their amounts, and the total, exactly."""
    lines, total = [], Decimal(0)
    ordered: Any = revision.value("Lines")
    for line in ordered:
        amount = line["Quantity"] * line["UnitPrice"]
        if not isinstance(amount, Decimal):
            raise TypeError(f"a line has an int Quantity and a decimal UnitPrice, this one is {line}")
        lines.append(line | {"Amount": amount})
        total += amount
    return lines, total
