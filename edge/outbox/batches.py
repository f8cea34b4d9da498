"""Batches of the outbox writer: what waits in its queue and shares one commit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue import SimpleQueue

    from edge.contracts.envelope import Durable

BATCH_LIMIT = 500


def next_batch(
    queue: SimpleQueue[tuple[str, Durable] | threading.Event],
) -> tuple[list[tuple[str, Durable]], threading.Event | None]:
    """Wait for messages in ``queue``; all that share a commit, and the event that ended them, if one did."""
    batch: list[tuple[str, Durable]] = []
    item = queue.get()
    while not isinstance(item, threading.Event):
        batch.append(item)
        if len(batch) == BATCH_LIMIT or queue.empty():
            return batch, None
        item = queue.get()
    return batch, item
