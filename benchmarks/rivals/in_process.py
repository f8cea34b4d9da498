"""sonoedge as `edge-cli infer` runs it: the stages one after another, in one process."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import msgspec

import edge
from edge.app.compose import choose_model, make_guard
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.contracts.frames import Frame
from edge.contracts.region import Region
from edge.contracts.results import Status
from edge.pipeline.analyser import Analyser
from rivals.peer import Order, Peer

if TYPE_CHECKING:
    from numpy.typing import NDArray

STREAM = "bench"


def settings_for(order: Order) -> Settings:
    """The daemon's defaults, with this model and so many threads."""
    return Settings(
        device="bench",
        model=order.model,
        streams=[StreamSettings(name=STREAM, source="replay://pictures")],
        runtime=RuntimeSettings(uri=f"litert://?threads={order.threads}"),
    )


def regions_of(order: Order) -> tuple[Region, ...]:
    """The scan area, as a source would give it."""
    if not order.region:
        return ()
    x, y, width, height = (int(value) for value in order.region[:4])
    return (Region(box=(x, y, width, height), mm_x=order.region[4], mm_y=order.region[5], source="phantom"),)


class InProcess(Peer):
    """`Analyser.analyse`."""

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self.threads, self.version = order.threads, edge.__version__
        settings = settings_for(order)
        model = choose_model(settings)
        self._analyser = Analyser(model.manifest, make_guard(settings, model, isolated=False))
        self._regions = regions_of(order)
        self._seq = itertools.count()

    def answer(self, item: NDArray[Any]) -> float:
        """See `Peer`. Raises RuntimeError where there is no result: that must not count as a quick one."""
        frame = Frame(STREAM, next(self._seq), time.monotonic_ns(), None, item, self._regions)
        result = self._analyser.analyse(frame)
        if result.status is Status.NO_RESULT:
            raise RuntimeError(f"a frame without a result: {msgspec.to_builtins(result.reason)}")
        return result.malignancy or 0.0

    def says(self, picture: NDArray[Any]) -> float | None:
        """None: its preprocessing looks for a scan area; the golden vectors were replayed when it was made."""
        return None

    def close(self) -> None:
        """See `Peer`."""
        self._analyser.close()
