"""Picture as the pixel gate looks at it: its measures, each taken when a rule first asks for it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from edge.postprocess.drawn_screen import DrawnScreen
from edge.postprocess.pixel_gate import PixelSample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.postprocess.tissue_view import TissueView


class GatePicture:
    """Sample, neighbourhoods and small view of one picture's crop."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        crop: Box,
        crop_grey: NDArray[np.uint8] | None = None,
        view: TissueView | None = None,
    ) -> None:
        """Arguments as for `edge.postprocess.abstention_rules.pixel_gate`; the crop is not too small."""
        self._pixels, self._crop, self._grey = pixels, crop, crop_grey
        self.view = view
        """What the model would see; None: not given."""

    @cached_property
    def sample(self) -> PixelSample:
        """Evenly spread pixels of the crop."""
        return PixelSample(self._pixels, self._crop, self._grey)

    @cached_property
    def drawn(self) -> DrawnScreen:
        """Even areas, hard edges and likeness of neighbours."""
        return DrawnScreen(self._pixels, self._crop, self._grey)
