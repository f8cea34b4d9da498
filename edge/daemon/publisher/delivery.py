"""Delivery of the outbox' messages to one sink, in two lanes: live and replay.

*Live* is what was stored while the present connection stood; *replay* is everything older that is still pending, marked
``"replayed": true``. Live goes first; replay has a fixed share, so that neither starves. Each lane is in order of seq.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from edge.contracts.ports import Outgoing
from edge.outbox.reader import NO_END

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.contracts.ports import Sink
    from edge.daemon.publisher.shared_sink import SharedSinkPart
    from edge.outbox.reader import OutboxReader
    from edge.outbox.rows import ResendMark, StoredMessage

LIVE_SHARE, REPLAY_SHARE = 4, 1
"""While both lanes have messages: so many live ones to so many replayed ones."""
FETCH = 200
BURST = 500
"""Messages offered in one turn, at most: other sinks want theirs too."""
RECORD_EVERY_S = 0.1
"""Acknowledgements that come faster are committed together: each commit waits for the writer's disk sync, and what a
crash loses of them costs a repeat."""
RECORD_AT_MOST = 2000
EPOCH_BITS = 48
"""A sink gets seq with the number of the outbox above these bits: an acknowledgement that was still on its way when
the outbox was replaced must not count for the new one's message of the same seq."""


class Delivery:
    """Delivers an outbox to one sink. Holds numbers and a few rows, never the backlog."""

    def __init__(
        self,
        sink: Sink | SharedSinkPart,
        durable_sinks: Sequence[str],
        on_acked: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        """``on_acked`` gets the seq of what has arrived, as soon as that is known.

        ``durable_sinks``: names of all durable sinks, this one among them or not.
        """
        self.sink = sink
        self._on_acked = on_acked
        self._durable_sinks = durable_sinks
        self._session = 0
        self._outboxes = 0
        self._under_way: set[int] = set()
        """Seq of what the sink has taken and the outbox still calls pending."""
        self._acked: list[int] = []
        """Those of them that have arrived, which is not committed yet."""
        self._recorded_at = 0.0
        self._live: deque[StoredMessage] = deque()
        self._replay: deque[StoredMessage] = deque()
        self._live_next = 0
        """First seq that the live lane has not read yet."""
        self._replay_next = 0
        self._live_empty = False
        """Whether the outbox was found to have no more live messages in this turn."""
        self._replay_empty = False
        """The same for replay, until a message is given back."""
        self._replay_full = False
        """Whether the sink takes no more old messages in this turn."""
        self._turn = 0
        self._resend_mark: ResendMark | None = None

    def reset(self) -> None:
        """Start over with an outbox that was opened anew: what is pending there is to be sent, not what we remember."""
        self._session = 0
        self._outboxes += 1
        self._under_way.clear()
        self._acked.clear()

    def work(self, outbox: OutboxReader) -> bool:
        """One turn: take in acknowledgements, offer what the sink takes. True: there is more that it may take now.

        Raises sqlite3.Error if the outbox fails.
        """
        session = self.sink.session
        acked, returned = self._ours(self.sink.acked()), self._ours(self.sink.returned())
        if acked and self._on_acked is not None:
            self._on_acked(acked)
        if self.sink.durable:
            self._acked += acked
        else:
            self._under_way.difference_update(acked)
        self._under_way.difference_update(returned)
        if session != self._session:
            self._begin(session, outbox.next_seq())
        elif returned:
            self._go_back(min(returned))
        mark = outbox.resend_mark()
        if mark != self._resend_mark:
            # Several parts since the last look: the first of them is not known any more.
            alone = mark is not None and mark.number == (self._resend_mark.number if self._resend_mark else 0) + 1
            first = mark.first if mark is not None and alone else 0
            # What arrived before somebody asked for it again does not count as the answer.
            again = [seq for seq in self._acked if seq >= first]
            self._under_way.difference_update(again)
            self._acked = [seq for seq in self._acked if seq < first]
            self._go_back(first)
            self._resend_mark = mark
        if len(self._acked) >= RECORD_AT_MOST or time.monotonic() - self._recorded_at >= RECORD_EVERY_S:
            self.record(outbox)
        if not session:
            return False
        return self._offer(outbox)

    def record(self, outbox: OutboxReader) -> None:
        """Commit to the outbox which messages have arrived. Raises sqlite3.Error if the outbox fails."""
        if self._acked:
            outbox.delivered(self.sink.name, self._acked, self._durable_sinks)
            self._under_way.difference_update(self._acked)
            self._acked.clear()
            self._recorded_at = time.monotonic()

    def _go_back(self, seq: int) -> None:
        """Look for old messages from ``seq`` on again."""
        if self.sink.durable:
            self._replay_next = min(self._replay_next, seq)
            self._replay.clear()
            self._replay_empty = False

    def idle(self, outbox: OutboxReader) -> bool:
        """Whether there is nothing left to deliver to this sink. Raises sqlite3.Error if the outbox fails."""
        if not self.sink.durable:
            return not self._session or not (self._live or outbox.stored(self._live_next, 1))
        if self._under_way or self._live or self._replay:
            return False
        # What is older was offered already, if there was anybody to offer it to: not to be searched at every turn.
        first = self._live_next if self._session and self._replay_empty else 0
        return not outbox.pending(self.sink.name, first, NO_END, 1)

    def _ours(self, numbers: Sequence[int]) -> list[int]:
        """Seq of those that are of the present outbox."""
        mask = (1 << EPOCH_BITS) - 1
        return [number & mask for number in numbers if number >> EPOCH_BITS == self._outboxes]

    def _begin(self, session: int, next_seq: int) -> None:
        self._session = session
        self._live.clear()
        self._replay.clear()
        self._live_next, self._replay_next = next_seq, 0
        self._replay_empty = not self.sink.durable  # a sink that nothing waits for gets no old messages

    def _offer(self, outbox: OutboxReader) -> bool:
        self._live_empty = self._replay_full = False
        for _ in range(BURST):
            lane = self._choose(outbox)
            if lane is None:
                return False
            row, late = lane[0], lane is self._replay
            body = row.body
            if late:
                # Only the message's own field can look like this: in a string its quotes would be escaped.
                body = body.replace(b'"replayed":false', b'"replayed":true', 1)
            if not self.sink.send(Outgoing(row.suffix, body, row.seq | self._outboxes << EPOCH_BITS, late=late)):
                if not late or not self._live:
                    return False
                self._replay_full = True  # there may be room for a live one all the same
                continue
            lane.popleft()
            self._under_way.add(row.seq)
            self._turn += 1
        return True

    def _choose(self, outbox: OutboxReader) -> deque[StoredMessage] | None:
        """The lane whose turn it is, with at least one message in it; None if both are empty."""
        if not self._live and not self._live_empty:
            self._read_live(outbox)
        if not self._replay and not self._replay_empty:
            self._read_replay(outbox)
        if self._replay_full:
            return self._live or None
        replay_is_due = self._turn % (LIVE_SHARE + REPLAY_SHARE) >= LIVE_SHARE
        if self._replay and (replay_is_due or not self._live):
            return self._replay
        return self._live or None

    def _read_live(self, outbox: OutboxReader) -> None:
        if self.sink.durable:
            rows = outbox.pending(self.sink.name, self._live_next, NO_END, FETCH)
        else:
            rows = outbox.stored(self._live_next, FETCH)
        self._live_empty = not rows
        if rows:
            self._live.extend(rows)
            self._live_next = rows[-1].seq + 1

    def _read_replay(self, outbox: OutboxReader) -> None:
        end = self._live[0].seq if self._live else self._live_next
        while not self._replay:
            rows = outbox.pending(self.sink.name, self._replay_next, end, FETCH)
            if not rows:
                self._replay_empty = True
                return
            self._replay_next = rows[-1].seq + 1
            self._replay.extend(row for row in rows if row.seq not in self._under_way)
