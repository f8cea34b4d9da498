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
from peer_runners.peer import Peer, PeerSetup

if TYPE_CHECKING:
    from numpy.typing import NDArray

STREAM = "bench"


def settings_of(setup: PeerSetup) -> Settings:
    """Settings of sonoedge for a peer: the daemon's defaults, with this model and so many threads."""
    return Settings(
        device="bench",
        model=setup.model,
        streams=[StreamSettings(name=STREAM, source="replay://pictures")],
        runtime=RuntimeSettings(uri=f"litert://?threads={setup.threads}"),
    )


def regions_of(setup: PeerSetup) -> tuple[Region, ...]:
    """Scan area of the pictures, as a source would give it; empty if it is not known."""
    if not setup.region:
        return ()
    x, y, width, height = (int(value) for value in setup.region[:4])
    return (Region(box=(x, y, width, height), mm_x=setup.region[4], mm_y=setup.region[5], source="phantom"),)


class InProcess(Peer):
    """Peer: sonoedge in one process, a call of `Analyser.analyse` for each frame."""

    def __init__(self, setup: PeerSetup) -> None:
        super().__init__(setup)
        self.threads, self.version = setup.threads, edge.__version__
        settings = settings_of(setup)
        model = choose_model(settings)
        self._analyser = Analyser(model.manifest, make_guard(settings, model, isolated=False))
        self._regions = regions_of(setup)
        self._seq = itertools.count()

    def infer(self, item: NDArray[Any]) -> float:
        """Implement `Peer.infer` for (H, W, 3) uint8 RGB.

        Raises RuntimeError where there is no result: that must not count as a quick one.
        """
        frame = Frame(STREAM, next(self._seq), time.monotonic_ns(), None, item, self._regions)
        result = self._analyser.analyse(frame)
        if result.status is Status.NO_RESULT:
            raise RuntimeError(f"a frame without a result: {msgspec.to_builtins(result.reason)}")
        return result.malignancy or 0.0

    def golden_answer(self, picture: NDArray[Any]) -> float | None:
        """Always None: its preprocessing looks for a scan area; the golden vectors were replayed when it was made."""
        return None

    def close(self) -> None:
        """Implement `Peer.close`: close the analyser and its runtime."""
        self._analyser.close()
