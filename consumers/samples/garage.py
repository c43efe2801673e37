"""Garage: every vehicle with what it is and who owns it now. The sample to copy: a projection in twenty lines."""

from __future__ import annotations

from consumers.projection import Projection, Rows
from consumers.revision import Revision
from consumers.table import Table

__all__ = ["garage"]

garage = Projection(
    "garage",
    version=1,
    store="sqlite",
    tables=[
        Table("vehicle", {"id": "text", "vin": "text", "make": "text", "model": "text", "year": "integer"}, key="id"),
        Table("title", {"id": "text", "vin": "text", "owner": "text", "transfers": "integer"}, key="id"),
    ],
    sql=["CREATE VIEW garage AS SELECT vin, make, model, year, owner, transfers FROM vehicle JOIN title USING (vin)"],
)


@garage.on("Vehicle")
def vehicle(rows: Rows, revision: Revision) -> None:
    if revision.data is None:  # deleted (or redacted)
        rows.delete("vehicle", revision.document_id)
        return
    row = {"vin": revision.text("VIN"), "make": revision.text("Make"), "model": revision.text("Model")}
    rows.put("vehicle", {"id": revision.document_id, "year": revision.integer("Year"), **row})


@garage.on("VehicleRegistration")
def title(rows: Rows, revision: Revision) -> None:
    if revision.data is None:
        rows.delete("title", revision.document_id)
        return
    owner = revision.text("Owners", "PrimaryOwner", "PersonId")
    before = rows.get("title", revision.document_id)
    transfers = 0 if before is None else before["transfers"] + (before["owner"] != owner)
    vin = revision.text("VIN")
    rows.put("title", {"id": revision.document_id, "vin": vin, "owner": owner, "transfers": transfers})
