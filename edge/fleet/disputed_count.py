"""Number that a device only ever raises: whether fresh claims fall below an earlier one again and again."""

from __future__ import annotations

DISPUTES = 5
"""Fresh claims below one earlier claim, in a row or not; fewer are claims that others overtook on the way."""
QUIET_CLAIMS = 1000
"""Fresh claims in a row without a contradiction after which doubts are forgotten: some three hours of ``health``."""


class DisputedCount:
    """Watch over claims of a number that never falls: are two kinds of claims coming?"""

    __slots__ = ("_below", "_highest", "_quiet", "_reference")

    def __init__(self) -> None:
        self._highest = 0
        self._reference = 0
        """The claim that later ones are compared with: the highest when one first fell below it."""
        self._below = 0
        """Fresh claims below ``_reference`` since."""
        self._quiet = 0
        """Fresh claims in a row that were no lower than any before."""

    def claim(self, number: int) -> bool:
        """Enter one fresh claim; whether the claims up to now cannot all be true."""
        if number >= self._highest:
            self._highest = number
            self._quiet += 1
            if self._quiet >= QUIET_CLAIMS:
                self._below = 0
            return False
        self._quiet = 0
        if self._below and number < self._reference:
            self._below += 1
        else:  # the earlier ones were overtaken: claims have passed the reference
            self._reference, self._below = self._highest, 1
        if self._below < DISPUTES:
            return False
        self._below = 0
        return True

    def restart(self, number: int) -> None:
        """Begin anew at ``number``: what was claimed above it was false."""
        self._highest, self._below = number, 0
