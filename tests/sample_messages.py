"""Sample messages for tests of outbox, sinks and publisher."""

from __future__ import annotations

from typing import Any

from edge.contracts.coverage import Coverage
from edge.contracts.ports import Outgoing
from edge.contracts.results import Reason, Status


def make_message(stream: str = "cart-1", **changes: Any) -> Coverage:
    """A durable message as the frame process makes it: without epoch and seq."""
    fields: dict[str, Any] = {
        "device": "cart", "boot_id": "boot", "run_id": "run", "mono_ns": 1, "at": "2026-01-01T00:00:00.000000Z",
        "clock": "synced", "stream": stream, "exam_id": "exam", "status": Status.NO_RESULT, "reason": Reason.STARTING,
        "since_mono_ns": 1, "since_frame": None, "previous": None,
    }  # fmt: skip
    return Coverage(**{**fields, **changes})


def outgoing(seq: int | None, suffix: str = "coverage/cart-1", text: str = "x") -> Outgoing:
    """An encoded message as the publisher offers it to a sink; ``seq`` None: not durable."""
    return Outgoing(suffix, b'{"seq":%d,"text":"%b"}' % (seq or 0, text.encode()), seq, qos=1 if seq else 0)


STATE = Outgoing("state", b'{"run_id":"run","status":"online"}', None, qos=1, retain=True)
OFFLINE = Outgoing("state", b'{"run_id":"run","status":"offline"}', None, qos=1, retain=True)
