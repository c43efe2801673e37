"""Projections for `strandline project mortal_projection:...` that a test lets die in the middle of a batch.

They count, so that a revision that is applied twice, or not at all, shows in the rows. $DIE_AT: kill this process with SIGKILL at its n-th
revision, with the batch's earlier rows already sent to the database. $FAIL_ON: raise on this document.
"""

from __future__ import annotations

import os
import signal
from itertools import count

from consumers import Projection, Revision, Rows, Table
from consumers import project as project_module
from consumers import source as source_module

project_module._BATCH_REVISIONS = 7
source_module._BATCH = 5

_seen = count(1)
_die_at = int(os.environ.get("DIE_AT", "0"))
_fail_on = os.environ.get("FAIL_ON")

COUNTED = Table("counted", {"id": "text", "revisions": "integer", "last_version": "integer", "data": "text"}, key="id")
SEEN = Table("seen", {"id": "text", "version": "integer", "block": "integer"}, key=("id", "version"), append_only=True)

in_duckdb = Projection("counting", version=1, store="duckdb", tables=[COUNTED, SEEN])
in_sqlite = Projection("counting", version=1, store="sqlite", tables=[COUNTED, SEEN])
in_sqlite_2 = Projection("counting", version=2, store="sqlite", tables=[COUNTED, SEEN])


@in_duckdb.on()
@in_sqlite.on()
def count_it(rows: Rows, revision: Revision) -> None:
    if revision.document_id == _fail_on:
        raise ValueError("this document cannot be counted")
    known = rows.get("counted", revision.document_id) or {"revisions": 0}
    row = {"revisions": known["revisions"] + 1, "last_version": revision.version, "data": str(revision.data)}
    rows.put("counted", {"id": revision.document_id, **row})
    rows.put("seen", {"id": revision.document_id, "version": revision.version, "block": revision.block.sequence_no})
    if next(_seen) == _die_at:
        rows.select("SELECT 1")  # what was put so far is written, and not committed
        os.kill(os.getpid(), signal.SIGKILL)


@in_sqlite_2.on()
def count_twice(rows: Rows, revision: Revision) -> None:
    known = rows.get("counted", revision.document_id) or {"revisions": 0}
    rows.put("counted", {"id": revision.document_id, "revisions": known["revisions"] + 2})
