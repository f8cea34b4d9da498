"""Peer of the benchmark: what it must do, and how one that does one frame after the other is measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peer_runners.frame_schedule import due_times

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CannotRunError(Exception):
    """Raised for a peer that cannot run here; its text is one line that says why and what to do."""


@dataclass(frozen=True)
class PeerSetup:
    """Set-up of a peer: model, threads, broker and pictures."""

    model: str
    """Path of the ``.tflite``, or of what it was converted to."""
    threads: int
    broker: str
    """``mqtt://…``; empty: there is none."""
    pictures: NDArray[Any]
    """(N, H, W, 3) uint8 RGB."""
    region: tuple[float, ...] = ()
    """Where scan data is in them, for who can use it: x, y, width, height in pixels, mm a pixel in x and y."""


class Peer:
    """Peer that does one frame after the other: `prepare` apart from the time that counts, `infer` within it."""

    version = ""
    threads: int | None = None
    """None: it cannot be told how many."""

    def __init__(self, setup: PeerSetup) -> None:
        """Load the model. Raises `CannotRunError`."""
        self.pictures = setup.pictures
        self._items: list[Any] | None = None

    def prepare(self, picture: NDArray[Any]) -> Any:
        """Prepare a picture, (H, W, 3) uint8 RGB, for `infer`.

        Here: the picture itself; only the bare interpreter is given it resized.
        """
        return picture

    def infer(self, item: Any) -> float:
        """Return the model's first output for one picture: how malignant, 0 to 1, not calibrated."""
        raise NotImplementedError

    def golden_answer(self, picture: NDArray[Any]) -> float | None:
        """Return `infer` of a picture (h, w), uint8, of the model's own size. None: it does not take such."""
        return self.infer(self.prepare(picture))

    def prepared(self) -> list[Any]:
        """All pictures as `prepare` gives them; made once."""
        if self._items is None:
            self._items = [self.prepare(picture) for picture in self.pictures]
        return self._items

    def throughput(self, seconds: float) -> tuple[int, float]:
        """Run as fast as it goes for about so long: frames answered, and the seconds that they took."""
        items, done = self.prepared(), 0
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds or not done:
            self.infer(items[done % len(items)])
            done += 1
        return done, passed

    def paced(self, fps: float, seconds: float) -> dict[str, list[float]]:
        """Run at a frame rate: milliseconds from when each frame was due until its answer was there (``result``)."""
        items, taken = self.prepared(), []
        for number, due in enumerate(due_times(fps, seconds)):
            self.infer(items[number % len(items)])
            taken.append((time.monotonic_ns() - due) / 1e6)
        return {"result": taken}

    def close(self) -> None:
        """Free everything that the peer holds."""
