"""Messages as a subscriber of the demo receives them, and a lesion as a perfect model would report it."""

from __future__ import annotations

from functools import cache

import msgspec

from edge.contracts.coverage import Coverage, Interval
from edge.contracts.finding import Finding, FrameRef
from edge.contracts.results import Lesion, Reason, Status
from edge.demo.subscriber import ReceivedMessage
from edge.phantom.scene import PhantomScene, PhantomSpec
from edge.schema import examples

DEVICE = examples.HEAD["device"]


def received(*messages, device=DEVICE):
    """``messages`` as they arrive from ``device``, numbered from 1."""
    suffixes = {"finding/1": "findings/s", "coverage/1": "coverage/s", "state/1": "state", "health/1": "health"}
    return [
        ReceivedMessage(n, n / 10, device, suffixes.get(message.schema, "results/s"), False, message)
        for n, message in enumerate(messages, start=1)
    ]


def coverage(seq, status, reason=None, frames=0, before=Status.NO_RESULT, why=Reason.STARTING, since=0) -> Coverage:
    """A coverage message of stream ``s``; ``before`` and ``why``: of the interval of ``frames`` that it closes."""
    previous = Interval(status=before, reason=why, from_mono_ns=0, to_mono_ns=1, frames=frames) if frames else None
    return msgspec.structs.replace(
        examples.coverage(), seq=seq, status=status, reason=reason, since_frame=since, previous=previous, stream="s"
    )


def finding(seq, frame=0, lifecycle="new", end_reason=None, name="a", lesion=examples.LESION) -> Finding:
    """A finding message of stream ``s`` with one lesion."""
    return msgspec.structs.replace(
        examples.finding(),
        seq=seq,
        stream="s",
        finding_id=name,
        lifecycle=lifecycle,
        end_reason=end_reason,
        frame=FrameRef(seq=frame, age_ms=5.0),
        lesions=[lesion],
    )


ONLINE = msgspec.structs.replace(examples.state(), status="online")
OFFLINE = msgspec.structs.replace(examples.state(), status="offline")
WHOLE = [
    ONLINE,
    coverage(1, Status.NO_RESULT, Reason.STARTING),
    finding(2),
    coverage(3, Status.FINDING),
    examples.health(),
    coverage(4, Status.NO_RESULT, Reason.STREAM_ENDED, frames=30, before=Status.FINDING, why=None),
    OFFLINE,
]


@cache
def scene() -> PhantomScene:
    """The demo's phantom."""
    return PhantomScene(PhantomSpec(seed=1, lesions=1))


def true_lesion(frame=0) -> Lesion:
    """What a perfect model would report of the demo's phantom."""
    true = scene().render(frame).lesions[0]
    return Lesion(
        box=true.box,
        outline=[tuple(point) for point in true.outline_px.tolist()],
        centre=true.centre,
        score=0.9,
        long_axis_mm=true.long_axis_mm,
        short_axis_mm=true.short_axis_mm,
        area_mm2=true.area_mm2,
        mm_uncertainty=1.0,
    )
