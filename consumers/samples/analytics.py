"""Analytics: the current state and the whole history of every table of the ledger, as SQL tables; and how far a recall has come.

    state, history      document_id, version, tx_time, block, deleted, data (JSON), and the table's id and name
    current('Vehicle')  the documents of one table as they are now        SELECT data->>'VIN' FROM current('Vehicle')
    versions('Vehicle') all versions of all documents of one table
    recall_progress     one row a recall: affected vehicles, repaired, per cent, open

A table that was dropped has no current documents; its history stays.
"""

from __future__ import annotations

from datetime import UTC

from consumers.projection import Projection, Rows
from consumers.revision import Revision
from consumers.table import ColumnType, Row, Table
from streams.formats.json import dumps

__all__ = ["analytics"]

_COLUMNS: dict[str, ColumnType] = {
    "table_id": "text",
    "table_name": "text",
    "document_id": "text",
    "version": "integer",
    "tx_time": "timestamp",
    "block": "integer",
    "deleted": "boolean",
    "data": "json",
}

_CURRENT = """
CREATE MACRO current(name) AS TABLE
SELECT s.* FROM state AS s
WHERE s.table_name = name AND NOT s.deleted AND (
    s.table_id = '0000000000000000000000'
    OR EXISTS (SELECT 1 FROM state AS t WHERE t.document_id = s.table_id AND t.data->>'status' = 'ACTIVE')
)
"""
_VERSIONS = (
    "CREATE MACRO versions(name) AS TABLE SELECT * FROM history WHERE table_name = name ORDER BY block, document_id"
)

_RECALL_PROGRESS = """
CREATE VIEW recall_progress AS
WITH recall AS (
    SELECT data->>'CampaignNumber' AS campaign, data->>'Component' AS component, data->>'Make' AS make,
           data->>'Model' AS model, TRY_CAST(data->>'YearFrom' AS INTEGER) AS year_from, TRY_CAST(data->>'YearTo' AS INTEGER) AS year_to
    FROM current('Recalls')
), vehicle AS (
    SELECT data->>'VIN' AS vin, data->>'Make' AS make, data->>'Model' AS model, TRY_CAST(data->>'Year' AS INTEGER) AS year
    FROM current('Vehicle')
), repair AS (
    SELECT DISTINCT data->>'CampaignNumber' AS campaign, data->>'VIN' AS vin FROM current('Repairs')
)
SELECT r.campaign, r.component, r.make, r.model, count(v.vin) AS affected, count(p.vin) AS repaired,
       round(100.0 * count(p.vin) / greatest(count(v.vin), 1), 1) AS percent, count(v.vin) - count(p.vin) AS open
FROM recall AS r
LEFT JOIN vehicle AS v ON v.make = r.make AND v.model = r.model AND v.year BETWEEN r.year_from AND r.year_to
LEFT JOIN repair AS p ON p.campaign = r.campaign AND p.vin = v.vin
GROUP BY ALL ORDER BY r.campaign
"""

analytics = Projection(
    "analytics",
    version=1,
    store="duckdb",
    tables=[
        Table("state", _COLUMNS, key=("table_id", "document_id")),
        Table("history", _COLUMNS, key=("table_id", "document_id", "version"), append_only=True),
    ],
    sql=[_CURRENT, _VERSIONS, _RECALL_PROGRESS],
)


@analytics.on()
def every_revision(rows: Rows, revision: Revision) -> None:
    row: Row = {
        "table_id": revision.table_id,
        "table_name": revision.table,
        "document_id": revision.document_id,
        "version": revision.version,
        "tx_time": revision.tx_time.to_datetime().astimezone(UTC),
        "block": revision.block.sequence_no,
        "deleted": revision.deleted,
        "data": None if revision.data is None else dumps(revision.data).decode(),
    }
    rows.put("state", row)
    rows.put("history", row)
