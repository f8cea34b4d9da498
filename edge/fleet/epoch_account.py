"""Account of one epoch of one device: what was made, received, expired and repaired, and which claims are believed.

A device says itself how far it has counted and what it gave up, and whoever may publish under its name can say so too.
A claim must be possible, and one that later claims contradict is taken back:

- A number that is more than `LEAP` above what is known is believed when a second message says nearly the same, not
  before: one damaged or forged message cannot make a million million messages missing.
- What is expired lies below the ``next_seq`` of the same claim: nothing can be given up before it was made.
- `CONTRADICTIONS` fresh claims in a row with a lower ``next_seq`` than an earlier one prove that one false. It is
  forgotten, with all that it said was expired above the true one. (One lower claim proves nothing: a ``health``, at
  QoS 0, may overtake a ``state``.) If higher ones come between, claims contradict each other: that is counted, and the
  higher one holds, which shows too much as missing rather than too little.
- Expired ranges on which fresh claims do not agree count as missing: see `edge.fleet.expired_claims`.
- So do claims of ``oldest_kept``, which never falls either: once they contradict each other, the lowest of the last few
  holds. Asked for a message that it does not keep, a device says so.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edge.fleet.disputed_count import DisputedCount
from edge.fleet.expired_claims import CONFIRMATIONS, CONTRADICTIONS, ExpiredClaims
from edge.fleet.ledger_messages import SEQ_LIMIT
from edge.fleet.ranges import RangeSet

if TYPE_CHECKING:
    from edge.fleet.ledger_messages import DurableFields, OutboxFields

LIVE, REPLAY = False, True
"""The two lanes of a stream, as the field ``replayed`` has them."""
LEAP = 10_000_000
"""Messages that a device may have made unheard: four days of thirty a second."""
RECEIVED_RANGES = 1_000_000
"""Most ranges of one epoch: 80 bytes each. A million holes are no delivery any more."""
STREAMS = 1000
"""Most streams of one epoch whose order is watched."""


class EpochAccount:
    """Account of one epoch: produced, received and expired sequence numbers."""

    __slots__ = (
        "_claimed", "_expired", "_far", "_first_is_claimed", "_kept", "_kept_count", "_kept_is_disputed",
        "_lower_claims", "_made", "_next_count", "first", "newest", "received", "repaired",
    )  # fmt: skip

    def __init__(self, first: int | None) -> None:
        """``first``: see the attribute."""
        self.first = first
        """From this seq on, what is not here is missing. None: we began to listen later, and do not know where."""
        self.received = RangeSet()
        self.repaired = RangeSet()
        self.newest: dict[tuple[str, bool], int] = {}
        """(stream, lane) -> highest seq that came in it."""
        self._made = 1
        """One above the highest seq that arrived."""
        self._claimed = 1
        """``next_seq`` by the device's claims."""
        self._first_is_claimed = False
        """``first`` rests on a claim alone: no live message has arrived yet."""
        self._far: int | None = None
        """The last number that was too far above what is known."""
        self._lower_claims = 0
        """Fresh claims in a row that were below ``_claimed``."""
        self._next_count = DisputedCount()
        self._expired = ExpiredClaims()
        self._kept: deque[int] = deque([1], maxlen=CONFIRMATIONS)
        """The last claims of the oldest kept message; where nothing is kept, the next one that is made."""
        self._kept_count = DisputedCount()
        self._kept_is_disputed = False

    @property
    def end(self) -> int:
        """The next sequence number, as far as is known: all below were made; 1 where nothing is known."""
        return max(self._made, self._claimed)

    @property
    def expired(self) -> RangeSet:
        """Sequence numbers that were given up, by claims that do not contradict each other."""
        return self._expired.believed

    @property
    def oldest_requestable(self) -> int:
        """The lowest seq that the device may still keep: what was made since it said that it keeps nothing, it may."""
        return min(self._kept) if self._kept_is_disputed else self._kept[-1]

    def missing(self) -> RangeSet:
        """Sequence numbers that were produced, have not expired and have not arrived."""
        if self.first is None or self.first >= self.end:
            return RangeSet()
        return self.received.gaps(self.first, self.end - 1).minus(self.expired)

    def accepts(self, message: DurableFields) -> bool:
        """Whether a message that is not here yet can be of this epoch, and there is room to account for it."""
        if (message.stream, message.replayed) not in self.newest and len(self.newest) >= 2 * STREAMS:
            return False
        if len(self.received) >= RECEIVED_RANGES and not self._touches_received(message.seq):
            return False
        return self._is_near(message.seq)

    def add(self, message: DurableFields) -> bool:
        """Enter a message that is not here yet; whether it had been missing."""
        seq = message.seq
        was_missing = self.first is not None and self.first <= seq < self.end
        self.received.add(seq)
        lane = (message.stream, message.replayed)
        self.newest[lane] = max(seq, self.newest.get(lane, 0))
        if message.replayed is LIVE:
            if self.first is None or (self._first_is_claimed and seq < self.first):
                self.first = seq
            self._first_is_claimed = False
        self._made = max(self._made, seq + 1)
        return was_missing

    def claim(self, outbox: OutboxFields, fresh: bool) -> int:
        """Apply the device's claim of its next seq and expired ranges; number of claims refused.

        ``fresh``: it says so now; False: a retained message, maybe old.
        """
        next_seq = outbox.next_seq
        if not 1 <= next_seq <= SEQ_LIMIT or not self._is_near(next_seq, fresh):
            return 1
        refused = self._claim_next(next_seq, fresh)
        refused += self._claim_kept(outbox.oldest_kept, next_seq, fresh)
        return refused + self._expired.claim(outbox.expired, next_seq, fresh)

    def restart_replay(self) -> None:
        """Restart the order check of the replay lane: the next seq may be lower."""
        self.newest = {lane: seq for lane, seq in self.newest.items() if lane[1] is LIVE}

    def _claim_next(self, next_seq: int, fresh: bool) -> int:
        """Set ``_claimed``; 1 if an earlier claim turns out to have been false, or claims contradict each other."""
        if fresh and self.first is None:
            self.first, self._first_is_claimed = next_seq, True
        disputed = fresh and self._next_count.claim(next_seq)
        if next_seq >= self._claimed:
            self._claimed, self._lower_claims = next_seq, 0
            return int(disputed)
        self._lower_claims += fresh
        is_proven = self._lower_claims >= CONTRADICTIONS
        if is_proven:
            self._claimed, self._lower_claims = next_seq, 0
            self._expired.forget_from(self.end)
            self._next_count.restart(next_seq)
        if (is_proven or disputed) and self._first_is_claimed and self.first is not None:
            self.first = min(self.first, next_seq)
        return int(is_proven or disputed)

    def _claim_kept(self, oldest: int | None, next_seq: int, fresh: bool) -> int:
        """Enter the oldest kept message (None: nothing is kept); 1 if it cannot be, or contradicts earlier claims."""
        if oldest is not None and not 1 <= oldest <= next_seq:
            return 1
        kept = next_seq if oldest is None else oldest
        if next_seq >= self.end or fresh:
            self._kept.append(kept)
        if not (fresh and self._kept_count.claim(kept)):
            return 0
        self._kept_is_disputed = True
        return 1

    def _is_near(self, number: int, fresh: bool = True) -> bool:
        """Whether ``number`` is possible after what is known, or the second of its kind."""
        if self.end == 1 or number <= self.end + LEAP:
            return True
        if not fresh:  # a broker brings the same retained message again and again
            return False
        confirmed = self._far is not None and abs(number - self._far) <= LEAP
        self._far = number
        return confirmed

    def _touches_received(self, seq: int) -> bool:
        return seq - 1 in self.received or seq + 1 in self.received
