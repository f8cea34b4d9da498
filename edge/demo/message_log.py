"""Log of the received messages for people: one row for each, what came and what it means."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.coverage import Coverage
from edge.contracts.finding import Finding
from edge.contracts.health import Health
from edge.contracts.results import Reason, Status
from edge.contracts.state import State, Will
from edge.picture.wording import REASONS, counted, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.demo.subscriber import Message, ReceivedMessage

SHOWN = {
    "update": 3,
    "health": 2,
    "health before the first frame": 1,
    "results": 1,
    "new": 12,
    "end": 12,
    "coverage": 20,
}
"""So many of a kind are shown for each stream; the rest is counted."""

BETWEEN = (Reason.STARTING, Reason.STREAM_ENDED, Reason.STOPPED)
"""Before and after the frames: nothing is wrong then."""

END_REASONS = {
    "gone": "it was not seen for some frames",
    "stream_ended": "the stream is through",
    "exam_changed": "another exam began",
    "clip_changed": "another clip began",
    "not_judged": "frames are not judged any more",
    "stopped": "the daemon stops",
    None: "",
}


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One row of the message log: number, time, topic, what was received, what it means."""

    number: str
    at: str
    topic: str
    kind: str
    """``online``, ``finding``, ``abstained``, …: for its colour."""
    what: str
    meaning: str


def message_rows(received: Sequence[ReceivedMessage], device: str) -> list[MessageRow]:
    """Rows of the messages of ``device``, in order of arrival; of many of one kind the rest is counted in one row."""
    rows: list[MessageRow] = []
    seen: Counter[tuple[str, str]] = Counter()
    for each in received:
        if each.device != device:
            continue
        group = _group(each.message)
        seen[each.suffix, group] += 1
        if seen[each.suffix, group] <= SHOWN.get(group, 20):
            kind, what, meaning = describe_message(each.message)
            rows.append(MessageRow(str(each.number), f"{each.at_s:.2f}", each.suffix, kind, what, meaning))
    for (suffix, group), count in seen.items():
        more = count - SHOWN.get(group, 20)
        if more > 0:
            rows.append(MessageRow("", "", suffix, "more", f"and {more} more ({group})", ""))
    return rows


def _group(message: Message) -> str:
    if isinstance(message, Finding):
        return message.lifecycle
    if isinstance(message, Coverage):
        return "coverage"
    if isinstance(message, Health):
        return "health" if message.frames else "health before the first frame"
    return "state" if isinstance(message, (State, Will)) else "results"


def describe_message(message: Message) -> tuple[str, str, str]:
    """Describe a message: (kind, what it says, what that means)."""
    if isinstance(message, Finding):
        return _finding(message)
    if isinstance(message, Coverage):
        return _coverage(message)
    if isinstance(message, Health):
        rate = "rate unknown" if message.fps is None else f"{message.fps:.1f}/s"
        numbers = f"{message.frames} frames, {rate}, inference p50 {_ms(message.infer_p50_ms)}"
        return "health", numbers, "flat numbers for whoever watches the fleet"
    if isinstance(message, Will):
        return "offline", f"offline: {', '.join(message.reasons)}", "the broker says it for a daemon that is gone"
    if isinstance(message, State):
        return _state(message)
    latest = f"frame {message.frame_seq}: {message.status.value}"
    return "results", latest, "the latest result, for screens; sampled, so nothing is counted by it"


def _state(state: State) -> tuple[str, str, str]:
    if state.status == "offline":
        return "offline", "offline", "a clean goodbye"
    if state.reasons == [Reason.STARTING.value]:
        return "started", "degraded: starting", "the daemon is there; it loads its model and tests it first"
    model = "no model" if state.model is None else f"{state.model.name} {state.model.version}"
    runtime = "" if state.runtime is None else f" on {state.runtime.name}"
    if state.status == "degraded":
        return "degraded", f"degraded: {', '.join(state.reasons)}", "it works, but not as it should, and says why"
    return "online", f"online: {model}{runtime}", "birth: who judges, with which model; retained for latecomers"


def _finding(finding: Finding) -> tuple[str, str, str]:
    what = f"{finding.lifecycle}: {' | '.join(sentence(finding))} (frame {finding.frame.seq})"
    if finding.lifecycle == "new":
        return "finding", what, "a lesion is seen for the first time; its id stays with it"
    if finding.lifecycle == "update":
        return "finding", what, "the same lesion, changed or seen again"
    return "ended", f"end: lesion {finding.finding_id[:8]}", f"its track ends: {END_REASONS[finding.end_reason]}"


def _coverage(coverage: Coverage) -> tuple[str, str, str]:
    kind = coverage.status.value
    colour = "ended" if coverage.reason in BETWEEN else kind
    start = "" if coverage.since_frame is None else f"from frame {coverage.since_frame}: "
    before = coverage.previous
    closed = ""
    if before is not None and before.frames:
        closed = f" (before: {counted(before.frames, 'frame')} of {before.status.value})"
    if coverage.reason is not None:
        verdict = "seen, but not judged" if coverage.status is Status.ABSTAINED else "no frame is being judged"
        return colour, f"{start}{kind}: {coverage.reason.value}{closed}", f"{verdict}: {REASONS[coverage.reason]}"
    meaning = (
        "judged, lesion in sight" if coverage.status is Status.FINDING else "judged, no lesion detected in these frames"
    )
    return kind, f"{start}{kind}{closed}", meaning


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} ms"
