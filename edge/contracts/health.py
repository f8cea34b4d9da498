"""``health``: counters, times and sensor values every few seconds, flat, as exporters want them.

None: this device cannot know.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.envelope import Envelope


class FrameNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Counters and times that the frame process measures: its part of `Health`, copied there by name.

    To add one: name it here and in `Health`, and compute it in `edge.pipeline.stats`. It has to stand twice, because a
    struct of msgspec cannot inherit fields from two others, and the order on the wire must stay as it is.
    """

    fps: float | None = None
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
    streams_lost: int = 0
    reconnects: int = 0


class Health(Envelope, frozen=True, kw_only=True):
    """Health of a device in numbers. Counters are totals since the daemon's start; times cover the last interval."""

    schema: Literal["health/1"] = "health/1"
    uptime_s: float
    fps: float | None
    """Frames judged a second, over the last second or more; None: not known yet, or no frame was judged so far."""
    frames: int
    finding: int
    clear: int
    abstained: int
    no_result: int
    dropped: int
    """Frames that a live source gave and that were too old to be judged."""
    queue_age_ms: float | None = None
    """Age of the newest judged frame at its result, in milliseconds."""
    preprocess_p50_ms: float | None = None
    preprocess_p99_ms: float | None = None
    infer_p50_ms: float | None = None
    infer_p99_ms: float | None = None
    postprocess_p50_ms: float | None = None
    postprocess_p99_ms: float | None = None
    total_p50_ms: float | None = None
    total_p99_ms: float | None = None
    """Time from capture to result in milliseconds, 99th percentile."""
    temperature_c: float | None = None
    """Temperature of the processor at its hottest place, in degrees Celsius."""
    throttled: int | None = None
    """Bit field as the Raspberry Pi firmware has it: 1 supply too weak, 2, 4, 8 clock held down; others use 1 and 4."""
    clock_mhz: float | None = None
    """Clock of the fastest core now, in MHz."""
    power_w: float | None = None
    """Power that the whole machine takes, in watts, where a sensor measures all of it."""
    memory_mb: float | None = None
    """Memory (PSS) of all the daemon's processes, in megabytes."""
    outbox_depth: int = 0
    outbox_age_s: float = 0.0
    outbox_bytes: int = 0
    outbox_epoch: str = ""
    outbox_oldest_kept: int | None = None
    outbox_next_seq: int = 1
    outbox_expired: list[tuple[int, int]] = []
    disk_free_mb: float | None = None
    telemetry_waiting: int = 0
    """Samples of `health` that are kept for receivers which were away."""
    telemetry_expired: int = 0
    """Samples of `health` that were given up unsent: too old, or too many."""
    telemetry_expired_from: str | None = None
    """``at`` of the oldest sample given up."""
    telemetry_expired_to: str | None = None
    """``at`` of the newest sample given up."""
    streams_lost: int = 0
    """Live streams that give no pictures now."""
    reconnects: int = 0
    """Times that a live stream gave pictures again after it was lost."""
    replayed: bool = False
    """True: made earlier, while the receiver was away. It tells nothing of now."""
