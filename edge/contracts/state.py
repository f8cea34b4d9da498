"""``state``: message about who the device is and how it is (retained), and the MQTT last will."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts import topics
from edge.contracts.envelope import Envelope
from edge.contracts.finding import ModelRef, RuntimeRef
from edge.contracts.manifest import Gate, Judges


class OutboxState(msgspec.Struct, frozen=True, kw_only=True):
    """State of the outbox, by which a consumer tells pending, lost and missing messages apart."""

    epoch: str
    oldest_kept: int | None
    """Lowest seq still on the device; None: nothing is."""
    next_seq: int
    """Sequence number that the next message gets: all below were made."""
    expired: list[tuple[int, int]] = []
    """[first, last] ranges that were given up before every receiver had them."""


class ClockMark(msgspec.Struct, frozen=True, kw_only=True):
    """Moment at which the clock became right: earlier times of the same boot can be corrected by it."""

    boot_id: str
    mono_ns: int
    utc: str


class StreamInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a camera or server really gives for a live stream, whatever it was asked for."""

    width: int
    height: int
    fps: float | None = None
    """Frames a second, as the driver or server says. None: it does not say."""
    format: str = ""
    """Codec or pixel format: ``h264``, ``mjpeg``, ``yuyv``."""
    decoder: str = ""
    """Library that decodes it."""


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the device. The URI has no credentials, host paths or file names."""

    name: str
    source: str
    stopped: bool = False
    """Whether it was stopped on request (``stream/stop``); until ``stream/start`` or the daemon's next start."""
    lost: bool = False
    """Whether it is a live stream that gives no pictures now: its camera or server is off, or was from the start."""
    input: StreamInput | None = None
    """What a live stream is, since it was last opened. None: it is none, or it never was open."""


class State(Envelope, frozen=True, kw_only=True):
    """State of a device: birth (``online``), ``degraded`` with reasons, or clean ``offline``."""

    schema: Literal["state/1"] = "state/1"
    status: Literal["online", "degraded", "offline"]
    reasons: list[str] = []
    version: str
    model: ModelRef | None = None
    runtime: RuntimeRef | None = None
    streams: list[StreamState] = []
    capabilities: list[str] = []
    outbox: OutboxState | None = None
    durable_topics: tuple[str, ...] = topics.DURABLE_TOPICS
    """First levels of the topics (``findings`` of ``findings/cart``) whose messages count in ``outbox``: whatever is
    sent there has ``device``, ``epoch`` and ``seq``, whatever its schema. A consumer that counts subscribes to all.
    At most 16, each of a-z, 0-9 and hyphens, at most 32 characters. Absent: findings, coverage."""
    clock_mark: ClockMark | None = None
    health_every_s: float | None = None
    """Seconds between two ``health`` messages of this device; None: unknown. Much longer silence is no health."""
    judges: Judges | msgspec.UnsetType = msgspec.UNSET
    """Kind of the model: ``classification`` and ``segmentation`` send ``labels``, never ``findings``. Absent:
    ``lesion``."""
    gate: Gate | msgspec.UnsetType = msgspec.UNSET
    """What refuses pictures of other body parts; ``none``: nothing does. Absent: a lesion model's anatomy head."""
    research_only: Literal[True] = True


class Will(msgspec.Struct, frozen=True, kw_only=True):
    """Last will: what the broker publishes when the device is gone. It has no time: the broker sends it, not we.

    Consumers ignore it where a ``state`` of a newer ``run_id`` has been seen.
    """

    device: str
    run_id: str
    schema: Literal["state/1"] = "state/1"
    status: Literal["offline"] = "offline"
    reasons: tuple[str, ...] = ("connection_lost",)
    connection: int = 0
    """Which of the run's connections to this broker was lost, counted from 1; 0: unknown."""
