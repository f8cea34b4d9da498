"""Proof that the whole scan shows tissue, which a frame without a lesion needs to be clear, and its limits.

All limits were chosen on scans of GE's scanners (BUS-BRA), spoilt and as they are: ``docs/gate.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.postprocess.tissue_view import UPPER

if TYPE_CHECKING:
    from edge.postprocess.tissue_view import TissueView

MIN_SHARPNESS = 0.29
"""Least sharpness at the model's scale."""
MAX_COLUMNS_LOST, MAX_ROWS_LOST = 0.25, 0.25
"""Largest share of the scan's width, and of its upper rows, without tissue."""
MAX_CUT_OFF = 0.25
"""Largest share of the picture that may be missing at one side of the scan."""
MAX_CUT_OFF_BELOW, MAX_LOWEST = 1 - UPPER, 0.2
"""The same below a scan that fades, as sound is used up there, and the most brightness at its end then: of scans whose
lowest third was blackened 99 % have 0.32 and more."""
MIN_NARROWNESS, MAX_NARROWNESS = 0.5, 2.5
"""Least and largest width against height: half a linear scan has 0.4."""
WIDE, MIN_STEEPNESS = 1.9, 0.42
"""Width against height from which on a picture is asked whether it is drawn out, and its least steepness then."""
MAX_LOPSIDED = 0.27
"""Largest difference of the lit area left and right. Scans have 0.14 at most, without a corner 0.3 and more."""
MIN_EVENNESS = 0.095
"""Least spread of the blocks of each half. Of 571 scans one has less; a receiver's noise has 0.098 at most."""
MIN_ASYMMETRY = 0.6
"""Least difference from the mirror image in a picture whose halves are alike: speckle is not, or it was mirrored."""
MIN_NEAR_FIELD = 0.6
"""Least brightness of the near field against the whole: less is a picture upside down, or without its upper part."""
MAX_BLACK_LEVEL, MIN_WHITE_LEVEL, MIN_CONTRAST, MAX_WHITE = 110.0, 45.0, 55.0, 0.1
"""Gain: largest grey value of the darkest 5 %, least of the brightest 5 %, between them, largest share of white."""


def hides_tissue(view: TissueView) -> bool:
    """Whether it is not proven that the whole scan shows tissue."""
    return cut_away(view) or out_of_gain(view) or covered(view)


def cut_away(view: TissueView) -> bool:
    """Whether a part of the scan is not in the picture, or the picture is drawn out of its proportions."""
    (aside, below), (lost, lost_below) = view.cut_off, view.outline_lost
    narrowness = view.narrowness
    missing_below = max(below, lost_below)
    return (
        max(aside, lost) > MAX_CUT_OFF
        or missing_below > MAX_CUT_OFF_BELOW
        or (missing_below > MAX_CUT_OFF and view.lowest > MAX_LOWEST)
        or not MIN_NARROWNESS <= narrowness <= MAX_NARROWNESS
        or (narrowness > WIDE and view.steepness < MIN_STEEPNESS)
    )


def out_of_gain(view: TissueView) -> bool:
    """Whether the picture is blurred, or so dark, bright or pale that tissue would not show."""
    if view.shows_speckle and view.sharpness < MIN_SHARPNESS:
        return True
    black_level, white_level, white = view.grey_range
    return (
        black_level > MAX_BLACK_LEVEL
        or white_level < MIN_WHITE_LEVEL
        or white > MAX_WHITE
        or white_level - black_level < MIN_CONTRAST
    )


def covered(view: TissueView) -> bool:
    """Whether something else than tissue stands in a part of the scan: nothing, noise, or another part of it."""
    return (
        view.near_field < MIN_NEAR_FIELD
        or view.columns_lost > MAX_COLUMNS_LOST
        or view.rows_lost > MAX_ROWS_LOST
        or view.lopsided > MAX_LOPSIDED
        or view.evenness < MIN_EVENNESS
        or view.asymmetry < MIN_ASYMMETRY
    )
