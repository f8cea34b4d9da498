"""Delivery of ``health`` that a sink missed while it was away, once it has all findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.contracts.ports import Outgoing

if TYPE_CHECKING:
    from edge.daemon.publisher.shared_sink import SharedSinkPart
    from edge.outbox.missed_health import MissedHealthStore

BURST = 20


class MissedHealthDelivery:
    """Delivers missed ``health`` to one sink."""

    def __init__(self, sink: SharedSinkPart) -> None:
        self.sink = sink
        self._session = 0
        self.offered = 0
        """Samples up to this id were offered on the present connection."""

    def work(self, store: MissedHealthStore, may_send: bool) -> None:
        """One turn: take in acknowledgements; if ``may_send``, offer a few samples."""
        if acked := self.sink.acked():
            store.sent(list(acked))
        returned = self.sink.returned()
        if self.sink.session != self._session or returned:
            self._session, self.offered = self.sink.session, 0  # those on their way may go twice: that does no harm
        if not self._session or not may_send:
            return
        for sample in store.waiting(self.sink.name, self.offered, BURST):
            # Only the message's own field can look like this: in a string its quotes would be escaped.
            body = sample.body.replace(b'"replayed":false', b'"replayed":true', 1)
            if not self.sink.send(Outgoing(topics.HEALTH, body, sample.id, qos=1)):
                return
            self.offered = sample.id
