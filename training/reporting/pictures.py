"""Pictures of the report: a tensor with true and found outline, or with its saliency map, as PNG in data URIs.

They show data-set pictures: a report is for whoever has the data, and is not part of the project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.picture import html_page

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZOOM = 2
TRUE, FOUND = (90, 200, 80), (40, 150, 255)
"""BGR: green for the annotator's outline, orange for the model's."""


def data_uri(picture: NDArray[np.uint8]) -> str:
    """Encode a picture (H, W, 3) uint8 BGR as a PNG in a data URI."""
    _, data = cv2.imencode(".png", picture)
    return html_page.data_uri(data.tobytes(), "image/png")


def enlarged(tensor: NDArray[np.uint8]) -> tuple[int, int]:
    """Size (width, height) in the page of a picture (H, W, 3)."""
    return tensor.shape[1] * ZOOM, tensor.shape[0] * ZOOM


def draw_outlines(tensor: NDArray[np.uint8], true: NDArray[np.uint8], found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the outlines of two masks (H, W) 0/1 on a picture (H, W, 3) uint8, twice as large, BGR."""
    size = enlarged(tensor)
    out: NDArray[np.uint8] = cv2.resize(tensor, size, interpolation=cv2.INTER_CUBIC)
    for mask, colour in ((true, TRUE), (found, FOUND)):
        large = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) >= 0.5
        contours, _ = cv2.findContours(large.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, contours, -1, colour, 1, cv2.LINE_AA)
    return out


def draw_heat_map(tensor: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw a saliency map (H, W) float32 on a picture (H, W, 3) uint8, twice as large, BGR.

    Red where hiding lowers malignancy, blue where it raises it; full colour at the extreme.
    """
    size = enlarged(tensor)
    grey = cv2.resize(tensor, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    wide = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    share = np.clip(np.abs(wide) / max(1e-6, float(np.abs(wide).max())), 0, 1)[..., None] * 0.65
    colour = np.where(wide[..., None] > 0, np.array((40, 40, 230), np.float32), np.array((230, 110, 30), np.float32))
    drawn: NDArray[np.uint8] = np.clip(grey * (1 - share) + colour * share, 0, 255).astype(np.uint8)
    return drawn
