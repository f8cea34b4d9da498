"""Delivery of the outbox' messages to one sink, in two lanes: live and replay.

*Live* is what was stored while the present connection stood, also while our `state` was not sent on it yet or the
outbox was not open; *replay* is everything older that is still pending, marked ``"replayed": true``. Live goes first;
replay has a fixed share, so that neither starves. Each lane is in order of seq.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from edge.contracts.ports import Outgoing
from edge.daemon.publisher.acknowledgements import Acknowledgements
from edge.outbox import clock
from edge.outbox.rows import NO_END

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.contracts.ports import Sink
    from edge.daemon.publisher.shared_sink import SharedSinkPart
    from edge.outbox.reader import OutboxReader
    from edge.outbox.rows import ResendMark, StoredMessage

log = logging.getLogger("edge.daemon.publisher.process")  # the name of the process, also where it is run as __main__

LIVE_SHARE, REPLAY_SHARE = 4, 1
"""While both lanes have messages: so many live ones to so many replayed ones."""
FETCH = 25
BURST = 100
"""Messages offered in one turn, at most: other sinks want theirs too."""
LOOK_EVERY = 5
"""Messages of a backlog, after which is looked whether a live one has been stored meanwhile."""
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
        self._session = 0
        self._noted_session = 0
        self._session_began_at: float | None = None
        """When the present connection was seen first, in the kernel's uptime; None: what there is counts as older."""
        self._outboxes = 0
        self._under_way: set[int] = set()
        """Seq of what the sink has taken and the outbox still calls pending."""
        self._acknowledged = Acknowledgements(sink.name, durable_sinks, log)
        """Those of them that have arrived, which is not committed yet."""
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
        self._resend_frontier = NO_END
        """First seq that is still to be marked to be sent again: the replay lane waits there, or it would go back."""

    def reset(self) -> None:
        """Start over with another outbox: what is pending there is to be sent, not what we remember.

        Not for the same one that was opened anew: what has arrived of it is known here, and perhaps nowhere else.
        """
        self._session = 0
        self._outboxes += 1
        self._under_way.clear()
        self._acknowledged.clear()
        self._resend_mark = None

    def note_session(self) -> None:
        """Note a new connection at once: what is stored from now on is live, however long it takes to begin.

        Not to be called for an outbox that was set aside: all of that is older.
        """
        self._note(self.sink.session)

    def work(self, outbox: OutboxReader) -> bool:
        """One turn: take in acknowledgements, offer what the sink takes. True: there is more that it may take now.

        Raises sqlite3.Error if the outbox fails.
        """
        session = self.sink.session
        acked, returned = self._ours(self.sink.acked()), self._ours(self.sink.returned())
        if acked and self._on_acked is not None:
            self._on_acked(acked)
        if self.sink.durable:
            self._acknowledged.add(acked)
        else:
            self._under_way.difference_update(acked)
        self._under_way.difference_update(returned)
        if session != self._session:
            self._begin(session, self._first_live(session, outbox))
        elif returned:
            self._go_back(min(returned))
        self.follow_resends(outbox)
        if self._acknowledged.due():
            self.record(outbox)
        if not session:
            return False
        return self._offer(outbox)

    def record(self, outbox: OutboxReader) -> bool:
        """Commit to the outbox which messages have arrived, some of them; False: none were, or none could be.

        Raises sqlite3.Error if the outbox is damaged.
        """
        recorded = self._acknowledged.record(outbox)
        self._under_way.difference_update(recorded)
        return bool(recorded)

    def problem(self) -> str | None:
        """Reason word for ``state``: the outbox does not take what has arrived; None: it does."""
        return self._acknowledged.problem()

    def follow_resends(self, outbox: OutboxReader) -> None:
        """Go back to what was asked for again since the last look, by whoever it was.

        Raises sqlite3.Error if the outbox fails.
        """
        mark, _, frontier = outbox.resend_progress(self.sink.name)
        if frontier < self._resend_frontier:
            self._go_back(NO_END)  # what was read beyond it waits
        self._resend_frontier = frontier
        if mark is None or mark == self._resend_mark:
            return
        # Several slices since the last look: the first of them are not known any more.
        alone = mark.number == (self._resend_mark.number if self._resend_mark else 0) + 1
        if alone and mark.sink not in (None, self.sink.name):
            self._resend_mark = mark
            return
        # What arrived before somebody asked for it again does not count as the answer.
        for first, last in (mark.ranges or [(mark.first, mark.last)]) if alone else [(0, NO_END)]:
            self._under_way.difference_update(self._acknowledged.forget(first, last))
        self._go_back(mark.first if alone else 0)
        self._resend_mark = mark

    def _go_back(self, seq: int) -> None:
        """Look for old messages from ``seq`` on again."""
        if self.sink.durable:
            unsent = self._replay[0].seq if self._replay else NO_END
            self._replay_next = min(self._replay_next, seq, unsent)
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

    def _note(self, session: int) -> None:
        if session != self._noted_session:
            self._noted_session, self._session_began_at = session, clock.uptime()

    def _first_live(self, session: int, outbox: OutboxReader) -> int:
        """First seq that was stored while connection ``session`` stood."""
        if self._session_began_at is None:
            return outbox.next_seq()
        self._note(session)  # it may have changed since the last look: what an earlier one was sent is not live
        return outbox.first_since(self._session_began_at)

    def _begin(self, session: int, first_live: int) -> None:
        self._session = session
        self._live.clear()
        self._replay.clear()
        self._live_next, self._replay_next = first_live, 0
        self._replay_empty = not self.sink.durable  # a sink that nothing waits for gets no old messages

    def _offer(self, outbox: OutboxReader) -> bool:
        self._live_empty = self._replay_full = False
        for number in range(BURST):
            if number % LOOK_EVERY == 0 and self._live_empty and outbox.changed():
                self._live_empty = False
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
        end = min(self._live[0].seq if self._live else self._live_next, self._resend_frontier)
        while not self._replay:
            while self._replay_next in self._under_way:  # on a full disk these may be many, and are pending there
                self._replay_next += 1
            rows = outbox.pending(self.sink.name, self._replay_next, end, FETCH)
            if not rows:
                self._replay_empty = True
                return
            self._replay_next = rows[-1].seq + 1
            self._replay.extend(row for row in rows if row.seq not in self._under_way)
