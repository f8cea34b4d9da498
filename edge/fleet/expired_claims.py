"""Expired ranges of one epoch, by a device's claims: what is believed, and what is contested and counts as missing.

A device goes on naming all that it gave up, or the newest `LISTED_RANGES` of it; so a claim that names less contradicts
the earlier ones.

- One or two may be old claims that came late. `CONTRADICTIONS` fresh claims that do not name a believed number, in a
  row or not, make it contested: either they are false or those that name it. It is believed no more.
- A contested number is believed again when `CONFIRMATIONS` fresh claims in a row name it, until one does not.
- After `QUIET_CLAIMS` fresh claims in a row without a contradiction all doubts are forgotten: a bridge that sends an
  old state again now and then contests nothing.
"""

from __future__ import annotations

from edge.fleet.disputed_count import QUIET_CLAIMS
from edge.fleet.ranges import Range, RangeSet

CONTRADICTIONS = 3
"""Fresh claims that contradict an earlier one before it is held for false."""
CONFIRMATIONS = 5
"""Fresh claims in a row after which a number that was contested is believed again."""
LISTED_RANGES = 500
"""Expired ranges that a device names at most: `edge.outbox.deletion.EXPIRED_LIMIT`, which a consumer cannot import."""
CLAIM_RANGES = 10_000
"""Most expired ranges in one claim; a device keeps 500."""
EXPIRED_RANGES = 100_000
"""Most believed ranges of one epoch."""
CONTESTED_RANGES = 10_000
"""Contested ranges that are kept apart; if there are more, all from the first to the last is contested."""


class ExpiredClaims:
    """Expired numbers of one epoch, as far as the device's claims agree on them."""

    __slots__ = ("_confirmed", "_contradicted", "_last", "_last_named", "_quiet", "believed", "contested")

    def __init__(self) -> None:
        self.believed = RangeSet()
        """What counts as expired."""
        self.contested = RangeSet()
        """Numbers on which claims disagree: believed only while enough in a row name them."""
        self._contradicted = [RangeSet() for _ in range(CONTRADICTIONS - 1)]
        """At place i: believed numbers that more than i fresh claims did not name, of those not contested."""
        self._confirmed = [RangeSet() for _ in range(CONFIRMATIONS - 1)]
        """At place i: contested numbers that more than i fresh claims in a row have named."""
        self._last: list[Range] = []
        """The last list, all of which was believed: most claims repeat it."""
        self._last_named: list[Range] = []
        """The same, in order and joined: most often nothing else is believed."""
        self._quiet = 0
        """Fresh claims in a row after which none contradicted another."""

    def claim(self, ranges: list[Range], next_seq: int, fresh: bool) -> int:
        """Apply one claim that ``ranges`` of the numbers below ``next_seq`` are expired; how many claims are refused.

        ``fresh``: the device says so now; False: a retained message, maybe old, which neither confirms nor contradicts.
        """
        if len(ranges) > CLAIM_RANGES:
            return 1
        if not ranges and not self.believed and not self.contested:
            return 0
        if ranges and self._is_repeat(ranges, next_seq):
            if fresh:
                self._count_quiet()
            return 0
        possible = [(first, last) for first, last in ranges if 1 <= first <= last < next_seq]
        named = RangeSet(possible)
        refused = len(ranges) - len(possible)
        if ranges != self._last:
            refused += self._believe(named.minus(self.contested))
            self._last = [] if refused or self.contested else ranges
            self._last_named = list(named)
        if fresh and len(possible) == len(ranges):  # an impossible claim is no evidence
            oldest = ranges[0][0] if len(ranges) >= LISTED_RANGES else 1
            refused += self._compare(named, oldest)
        return refused

    def forget_from(self, end: int) -> None:
        """Forget what was claimed of the numbers from ``end`` on: they are not made yet."""
        self.believed = self.believed.within(1, end - 1)
        self._contradicted = [one.within(1, end - 1) for one in self._contradicted]
        self._last = []

    def _is_repeat(self, ranges: list[Range], next_seq: int) -> bool:
        """Whether this names just what is believed, as the claim before did, and nothing is contested."""
        if self.contested or ranges != self._last:
            return False
        return self._last_named[-1][1] < next_seq and list(self.believed) == self._last_named

    def _believe(self, numbers: RangeSet) -> int:
        """Believe ``numbers``; returns how many of their ranges there was no room for."""
        refused = 0
        for first, last in numbers:
            if len(self.believed) < EXPIRED_RANGES:
                self.believed.add(first, last)
            else:
                refused += 1
        return refused

    def _compare(self, named: RangeSet, oldest: int) -> int:
        """Compare a claim, which is of the numbers from ``oldest`` on, with earlier ones; 1 if it takes some back."""
        if self.contested:
            self._confirm(named, oldest)
        omitted = _omitted(self.believed, named, oldest)
        is_open = bool(omitted) or bool(self._confirmed[0].minus(self.believed))
        if is_open:
            self._quiet = 0
        else:
            self._count_quiet()
        if not omitted:
            return 0
        false = _common(omitted, self.contested)
        step = omitted.minus(self.contested)
        for place, earlier in enumerate(self._contradicted):
            self._contradicted[place] = _union(earlier, step)
            step = _common(step, earlier)
        self._contest(step)
        false = _union(false, step)
        self.believed = self.believed.minus(false)
        return int(bool(false))

    def _count_quiet(self) -> None:
        """Count a claim that contradicts nothing, and forget doubts after enough of them."""
        self._quiet += 1
        if self._quiet >= QUIET_CLAIMS:
            self.contested = RangeSet()
            self._contradicted = [RangeSet() for _ in self._contradicted]
            self._confirmed = [RangeSet() for _ in self._confirmed]

    def _confirm(self, named: RangeSet, oldest: int) -> None:
        """Count a claim for the contested numbers that it names, and begin anew with those that it does not."""
        step = _common(named, self.contested)
        for place, earlier in enumerate(self._confirmed):
            kept = earlier.minus(_omitted(earlier, named, oldest))
            self._confirmed[place] = _union(kept, step)
            step = _common(step, kept)
        self._believe(step)

    def _contest(self, numbers: RangeSet) -> None:
        if not numbers:
            return
        self._contradicted = [one.minus(numbers) for one in self._contradicted]
        self.contested = _union(self.contested, numbers)
        self._last = []
        if len(self.contested) > CONTESTED_RANGES:
            ranges = list(self.contested)
            self.contested = RangeSet([(ranges[0][0], ranges[-1][1])])


def _omitted(numbers: RangeSet, named: RangeSet, oldest: int) -> RangeSet:
    """Those of ``numbers`` that a claim of ``named``, from ``oldest`` on, does not name."""
    return RangeSet((max(first, oldest), last) for first, last in numbers.minus(named) if last >= oldest)


def _common(one: RangeSet, other: RangeSet) -> RangeSet:
    return one.minus(one.minus(other)) if one and other else RangeSet()


def _union(one: RangeSet, other: RangeSet) -> RangeSet:
    return RangeSet([*one, *other]) if other else one
