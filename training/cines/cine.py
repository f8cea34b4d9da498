"""Cines that are made from pictures: what is known of each frame, and how a cine is given frame by frame.

Two makers give them (`training.cines.first_maker`, `training.cines.second_maker`); all that they share stands here, and
here stands no function of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Box

    Grey = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Still:
    """One picture that a cine is made of."""

    id: str
    group: str
    """The patient: intervals are about patients."""
    pixels: Grey
    """(H, W) uint8 grey."""
    mask: Grey
    """(H, W) uint8, 1 where there is lesion; all 0: there is none."""
    label: int
    """0 benign, 1 malignant, -1 no lesion or not known."""


@dataclass(frozen=True, slots=True, eq=False)
class CineFrame:
    """One frame of a cine with its truth."""

    pixels: Grey
    """(H, W) uint8 grey."""
    box: Box | None
    """Box (x, y, w, h) of the lesion as far as it is in the picture; None: none of it is."""
    shown: float
    """Share of the lesion's full area that this frame shows, 0 to 1; contact that is lost hides it."""
    steady: bool
    """Whether the probe is held about still with the lesion in view: for what must not flicker."""


class MakeCine(Protocol):
    """Maker of cines: ``seconds`` at ``rate`` frames a second from one picture, the same for the same seed."""

    def __call__(self, still: Still, seed: int, seconds: float, rate: float) -> Iterator[CineFrame]:
        """Give the frames one by one, each with its truth."""
