"""What a rival is, and how one that does one frame after the other is measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rivals.pace import due_times

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CannotRunError(Exception):
    """This rival is not to be had here; its text is one line that says why and what to do."""


@dataclass(frozen=True)
class Order:
    """What a rival is made from."""

    model: str
    """Path of the ``.tflite``, or of what it was converted to."""
    threads: int
    broker: str
    """``mqtt://…``; empty: there is none."""
    pictures: NDArray[Any]
    """(N, H, W, 3) RGB uint8."""
    region: tuple[float, ...] = ()
    """Where scan data is in them, for who can use it: x, y, width, height in pixels, mm a pixel in x and y."""


class Peer:
    """A rival that does one frame after the other: `ready` apart from the time that counts, `answer` within it."""

    version = ""
    threads: int | None = None
    """None: it cannot be told how many."""

    def __init__(self, order: Order) -> None:
        """Load the model. Raises `CannotRunError`."""
        self.pictures = order.pictures
        self._items: list[Any] | None = None

    def ready(self, picture: NDArray[Any]) -> Any:
        """What `answer` takes. Here: the picture itself; only the bare interpreter is given it resized."""
        return picture

    def answer(self, item: Any) -> float:
        """The model's first output for one picture: how malignant, 0 to 1, not calibrated."""
        raise NotImplementedError

    def says(self, picture: NDArray[Any]) -> float | None:
        """`answer` to a picture that has the model's own size already. None: it does not take such."""
        return self.answer(self.ready(picture))

    def items(self) -> list[Any]:
        """All pictures, ready."""
        if self._items is None:
            self._items = [self.ready(picture) for picture in self.pictures]
        return self._items

    def throughput(self, seconds: float) -> tuple[int, float]:
        """As fast as it goes, for about so long: frames answered, and the seconds that they took."""
        items, done = self.items(), 0
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds or not done:
            self.answer(items[done % len(items)])
            done += 1
        return done, passed

    def paced(self, fps: float, seconds: float) -> dict[str, list[float]]:
        """Milliseconds from when each frame was due until its answer was there (``result``)."""
        items, taken = self.items(), []
        for number, due in enumerate(due_times(fps, seconds)):
            self.answer(items[number % len(items)])
            taken.append((time.monotonic_ns() - due) / 1e6)
        return {"result": taken}

    def close(self) -> None:
        """Let go of everything."""
