"""Sweeps that are made and judged: which still, which seed, how long and at what frame rate, for each maker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.cines.stills import held_out_stills, phantom_stills

if TYPE_CHECKING:
    from pathlib import Path

    from training.cines.cine import Still
    from training.cines.stills import Half

RATES = (15, 30, 60)
"""Frame rates that are judged. A cine made at the highest gives the others by leaving frames out."""
LESION_S, FREE_S = 8.0, 20.0
"""Length of a sweep over a lesion, and of one over tissue without any."""
HEALTHY = 9
"""Healthy breasts among the held-out pictures; each is swept twice by the second maker."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """One cine that is to be made."""

    still: Still
    seed: int
    seconds: float
    rate: int

    @property
    def name(self) -> str:
        """Name of the cine, by what it is made of."""
        return f"{self.still.id}/{self.seed}/{self.rate}"


def sweeps_of(half: Half, data: Path | None) -> list[Sweep]:
    """Sweeps for one maker: of held-out pictures in ``data``; without it of phantoms, fewer and shorter."""
    if data is None:
        return phantom_sweeps(half)
    stills = held_out_stills(data, half, 40 if half == "first" else 30, HEALTHY + 6)
    sweeps = []
    for number, still in enumerate(stills):
        if still.mask.any():
            sweeps.append(Sweep(still, number, LESION_S, 60 if half == "first" or number % 3 == 0 else 30))
        elif half == "first":
            sweeps.append(Sweep(still, number, FREE_S, 60))
        else:
            healthy = still.id.startswith("normal")
            sweeps.append(Sweep(still, number, FREE_S, 60 if healthy else 30))
            if healthy:
                sweeps.append(Sweep(still, 1000 + number, FREE_S, 30))
    return sweeps


def phantom_sweeps(half: Half, lesions: int = 6, lesion_free: int = 6, seconds: float = 6.0) -> list[Sweep]:
    """Sweeps of rendered phantoms, at 60 frames a second."""
    stills = phantom_stills(lesions, lesion_free, seed=1 if half == "first" else 501)
    return [Sweep(still, number, seconds, 60) for number, still in enumerate(stills)]
