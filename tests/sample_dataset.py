"""Synthetic data set in a folder: two classes, patients with two pictures each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def speckle(seed: int, size: tuple[int, int] = (120, 160)) -> NDArray[np.uint8]:
    """Speckle (H, W) uint8 grey with enough texture for corner features; ``size`` is (H, W)."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(0, 1, (12, 16)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.uniform(0, 1, size).astype(np.float32), (0, 0), 1.6)
    fine = (fine - fine.min()) / (fine.max() - fine.min())
    return np.clip(40 + 60 * coarse + 140 * (fine - 0.3), 13, 255).astype(np.uint8)


def make_dataset(
    root: Path, patients: int = 8, classes: tuple[str, ...] = ("cyst", "solid"), masks: bool = False
) -> Path:
    """Write ``root``/class/patient-n-view.png and return ``root``; the second class has a dark middle."""
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for patient in range(patients):
            for view in range(2):
                picture = speckle(1000 * number + 10 * patient + view)
                mask = np.zeros_like(picture)
                cv2.circle(mask, (80, 60), 22, 255, -1)
                if number:
                    picture[mask > 0] //= 3
                cv2.imwrite(str(root / name / f"p{patient}-{view}.png"), picture)
                if masks:
                    cv2.imwrite(str(root / name / f"p{patient}-{view}_mask.png"), mask)
    return root
