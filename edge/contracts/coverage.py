"""``coverage/{stream}``: which result state held from when to when, so that silence can be told from health."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.envelope import Durable
from edge.contracts.manifest import Gate
from edge.contracts.results import Reason, Status


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A finished stretch of frames that all had one state and reason."""

    status: Status
    reason: Reason | None
    from_mono_ns: int
    to_mono_ns: int
    frames: int
    """Number of frames; 0 where no frame came at all, as when a source is lost."""


class Coverage(Durable, frozen=True, kw_only=True):
    """Change of a result state: the one that holds from ``since_mono_ns`` on, and the interval that it ends."""

    schema: Literal["coverage/1"] = "coverage/1"
    exam_id: str
    status: Status
    reason: Reason | None
    since_mono_ns: int
    since_frame: int | None
    """seq of the first frame in this state; None where there is no frame."""
    previous: Interval | None
    """Interval that ended; None at the beginning of a stream, also after the process that judged it ended without a
    word: then nothing is known of the time since its last message."""
    gate: Gate | msgspec.UnsetType = msgspec.UNSET
    """What refuses pictures of other body parts; ``none``: nothing does. Absent: a lesion model's anatomy head."""
    research_only: Literal[True] = True
