"""The derived state of a ledger: current documents, history, indexes, catalogue, digests. Rebuilt from the journal whenever in doubt."""

from ledger.views.snapshot import Snapshot
from ledger.views.views import BlockLog, Views

__all__ = ["BlockLog", "Snapshot", "Views"]
