"""The consumers' side: from Kafka to verified blocks, to rows and effects.

    source ──> blocks ──> project ──> stores        a projection: rows and position in one transaction
                                └───> sender        its outbox: at least once, under an idempotency key

How to write a projection: `consumers/samples/garage.py`. How to write an action: `consumers/samples/actions.py`.
"""

from consumers.action import Effect, action
from consumers.errors import ConsumerError
from consumers.projection import Projection, Rows
from consumers.revision import Revision
from consumers.table import Table

__all__ = ["ConsumerError", "Effect", "Projection", "Revision", "Rows", "Table", "action"]
