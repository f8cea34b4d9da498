"""What goes wrong in a generator's training, noticed from its log: collapse, and a discriminator that always wins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LEAST_TEXTURE, MOST_TEXTURE = 0.4, 2.5
"""Grain of fillings as a share of what was there: outside of these the generator has collapsed."""
WON = 0.1
"""Hinge loss of a discriminator that tells nearly all fillings apart; 2 is a guess."""
EPOCHS = 3
"""Epochs in a row before it is told."""


def texture_ratio(pixels: NDArray[np.float32], made: NDArray[np.float32], hole: NDArray[np.float32]) -> float:
    """Grain of the fillings over that of what was there: ratio of the high-pass' standard deviations in the holes.

    All arrays are (n, side, side, 1) float32.
    """
    found = []
    for pictures in (made, pixels):
        grain = np.stack([one[..., 0] - cv2.GaussianBlur(one[..., 0], (0, 0), 2.0) for one in pictures])
        found.append(float(grain[hole[..., 0] > 0].std()))
    return found[0] / max(found[1], 1e-6)


def warnings_of(log: Path) -> list[str]:
    """Read what the last epochs of ``log.jsonl`` warn of; empty where all is well."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    last = [line for line in lines if line["judged"]][-EPOCHS:]
    if len(last) < EPOCHS:
        return []
    out = []
    if all(not LEAST_TEXTURE <= line["texture"] <= MOST_TEXTURE for line in last):
        out.append(f"the generator has collapsed: its fillings have {last[-1]['texture']:.2f} of the real grain")
    if all(line["discriminator"] < WON for line in last):
        out.append(f"the discriminator always wins (hinge loss {last[-1]['discriminator']:.2f}): lower judge_rate")
    return out
