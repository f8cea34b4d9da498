"""What the frame process tells the publisher about itself. It stays inside the device: the publisher makes `State` and
`Health` of it, adding what only the publisher knows (receivers, outbox, memory).
"""

from __future__ import annotations

import msgspec

from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.state import StreamState


class FrameNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The frame process' part of `Health`, under the same names and with the same meaning."""

    fps: float = 0.0
    frames: int = 0
    finding: int = 0
    clear: int = 0
    abstained: int = 0
    no_result: int = 0
    dropped: int = 0
    queue_age_ms: float | None = None
    preprocess_p50_ms: float | None = None
    preprocess_p99_ms: float | None = None
    infer_p50_ms: float | None = None
    infer_p99_ms: float | None = None
    postprocess_p50_ms: float | None = None
    postprocess_p99_ms: float | None = None
    total_p50_ms: float | None = None
    total_p99_ms: float | None = None


class FrameReport(msgspec.Struct, frozen=True, kw_only=True):
    """The latest one holds. Send one every second, and at once when ``reasons`` or what is running changes."""

    version: str
    model: ModelRef | None = None
    runtime: RuntimeRef | None = None
    streams: list[StreamState] = []
    capabilities: list[str] = []
    reasons: list[str] = []
    """Why the frame process is not well, one word each, as `Reason` spells them where it has one; empty: it is."""
    numbers: FrameNumbers = FrameNumbers()
