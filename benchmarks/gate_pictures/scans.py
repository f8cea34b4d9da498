"""Real breast scans of BUS-BRA and BUSI, by set, label and maker of the scanner."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

DATA = Path(os.environ.get("SONOEDGE_DATA", "../shared/data"))


@dataclass(frozen=True)
class Scan:
    """One picture of a set, with what its list says of it."""

    path: Path
    dataset: str
    """``bus-bra`` or ``busi``."""
    label: str
    """``malignant``, ``benign`` or ``normal``."""
    maker: str
    """First word of BUS-BRA's device; ``unknown`` in BUSI."""

    def load(self) -> NDArray[np.uint8]:
        """Grey picture, (H, W) uint8."""
        picture = cv2.imread(str(self.path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise FileNotFoundError(self.path)
        return picture


def scans() -> Iterator[Scan]:
    """All pictures of both sets."""
    with (DATA / "bus-bra" / "bus_data.csv").open() as file:
        for row in csv.DictReader(file):
            path = DATA / "bus-bra" / "images" / f"{row['ID']}.jpg"
            yield Scan(path, "bus-bra", row["Pathology"], row["Device"].split()[0])
    with (DATA / "busi" / "labels.csv").open() as file:
        for row in csv.DictReader(file):
            yield Scan(DATA / "busi" / "images" / f"{row['id']}.jpg", "busi", row["label"], "unknown")


def held_back() -> list[Scan]:
    """Scans that no limit of the gate was chosen on: all but those of GE in BUS-BRA."""
    return [scan for scan in scans() if scan.maker != "GE"]


def chosen_on() -> list[Scan]:
    """Scans that the limits were chosen on: those of GE in BUS-BRA."""
    return [scan for scan in scans() if scan.maker == "GE"]


def clip_frames(every: int = 5) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name of the clip and picture, (H, W, 3) RGB, of each so manyth frame of the clips: lungs, an eye, a phantom."""
    for path in sorted((DATA / "clips").iterdir()):
        capture, number = cv2.VideoCapture(str(path)), 0
        while True:
            there, picture = capture.read()
            if not there:
                break
            if number % every == 0:
                yield path.name, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            number += 1
        capture.release()
