"""Preprocessing recipe of version 2: pictures in grey or colour, fitted and normalised as most networks want it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

Side = Annotated[int, msgspec.Meta(ge=8, le=1024)]


class PictureRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """Preprocessing recipe of version 2: how pixels become the input tensor; run by `edge.preprocess`.

    The order: crop, grey or colour, median, contrast, resize (and pad), then a table from each of the 256 pixel values
    to what the tensor stores: (value - mean) / std, quantised as the model's input is. All of it is bit-equal on x86
    and Arm, for float inputs too, since no sum depends on how a processor adds. All that version 1 can say can be said
    in it, and gives the same bytes.
    """

    version: Literal[2] = 2
    width: Side
    """Width of the input tensor, in pixels."""
    height: Side
    channels: Literal[1, 3] = 3
    """Channels of the input tensor."""
    colour: Literal["grey", "rgb"] = "rgb"
    """``grey``: one grey value, repeated where there are three channels. ``rgb``: as the source has it, red first."""
    crop: Literal["scan-area", "full"] = "full"
    """Part of the picture that is taken: as `PreprocessRecipe` says."""
    background: Annotated[int, msgspec.Meta(ge=0, le=254)] = 12
    """Grey values up to this are background when the scan area is looked for."""
    median: Literal[0, 3, 5] = 0
    """Side of the median filter in source pixels; 0: none."""
    contrast: list[int] | None = None
    """256 pixel values, the integer table that contrast is changed by; None: unchanged."""
    fit: Literal["letterbox", "stretch", "centre-crop"] = "stretch"
    """``letterbox``: all of it, its aspect kept, ``pad`` beside it. ``stretch``: all of it, each axis by its own scale.
    ``centre-crop``: the largest part in the middle that has the tensor's aspect."""
    mean: tuple[float, ...] = (0.0,)
    """Pixel value (0 to 255) that becomes 0: one for all channels, or one for each."""
    std: tuple[float, ...] = (1.0,)
    """Pixel values that make up 1: one for all channels, or one for each."""
    pad: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    """Pixel value beside the picture, before the table."""

    def digest(self) -> str:
        """SHA-256, hex, of the recipe in canonical JSON; it stands in every message about what was judged."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()
