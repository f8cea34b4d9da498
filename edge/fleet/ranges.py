"""Set of integers kept as ranges of sequence numbers: a million messages without a gap take one entry."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""(first, last), both inclusive."""


class RangeSet:
    """Set of integers as sorted ranges that neither overlap nor touch."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> int:
        """Add ``first`` to ``last`` (None: ``first`` alone); returns how many were new. ValueError if last < first."""
        last = first if last is None else last
        if last < first:
            raise ValueError(f"expected first <= last, got {first}, {last}")
        # Every range that overlaps or touches the new one is merged into it.
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        had = sum(
            max(0, min(b, last) - max(a, first) + 1)
            for a, b in zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        )
        wide_first = min([first, *self._firsts[low : low + (high > low)]])
        wide_last = max([last, *self._lasts[high - (high > low) : high]])
        self._firsts[low:high] = [wide_first]
        self._lasts[low:high] = [wide_last]
        return last - first + 1 - had

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._lasts, number)
        return place < len(self._firsts) and self._firsts[place] <= number

    def __iter__(self) -> Iterator[Range]:
        """The ranges as (first, last), in ascending order."""
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __len__(self) -> int:
        """Number of ranges: what it costs to keep this."""
        return len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    def count(self) -> int:
        """How many integers are in the set."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def gaps(self, first: int, last: int) -> RangeSet:
        """The part of ``first`` to ``last`` that is not in the set."""
        found = RangeSet()
        at = first
        for place in range(bisect_left(self._lasts, first), len(self._firsts)):
            a, b = self._firsts[place], self._lasts[place]
            if a > last:
                break
            if a > at:
                found.add(at, a - 1)
            at = b + 1
        if at <= last:
            found.add(at, last)
        return found

    def within(self, first: int, last: int) -> RangeSet:
        """The part of ``first`` to ``last`` that is in the set."""
        return RangeSet((max(a, first), min(b, last)) for a, b in self if a <= last and b >= first)

    def minus(self, other: RangeSet) -> RangeSet:
        """The difference: what is in this set and not in ``other``."""
        return RangeSet(piece for first, last in self for piece in other.gaps(first, last))
