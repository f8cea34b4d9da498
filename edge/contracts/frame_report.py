"""Report of the frame process to the publisher: model, runtime, streams, problems and counters.

It stays inside the device: the publisher makes `State` and `Health` of it, adding what only the publisher knows
(receivers, outbox, memory).
"""

from __future__ import annotations

import msgspec

from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.health import FrameNumbers
from edge.contracts.manifest import Gate, Judges
from edge.contracts.state import StreamState


class FrameReport(msgspec.Struct, frozen=True, kw_only=True):
    """State of the frame process; the latest report holds.

    Send one every second, and at once when ``reasons`` or what is running changes.
    """

    version: str
    model: ModelRef | None = None
    runtime: RuntimeRef | None = None
    streams: list[StreamState] = []
    capabilities: list[str] = []
    reasons: list[str] = []
    """Why the frame process is not well, one word each, as `Reason` spells them where it has one; empty: it is."""
    judges: Judges = "lesion"
    """Kind of the model."""
    gate: Gate = "anatomy"
    """What refuses pictures of other body parts."""
    numbers: FrameNumbers = FrameNumbers()
