"""Requests for missing messages: at most one at a time to each device, with as many ranges as it takes.

A request is over when all that it asked for has come, when the device refuses, or when nothing comes any more. Devices
that refuse or do not answer are asked again ever later. An older device takes one range a request, not a list.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from edge.contracts.decoding import UnreadableError, convert_value, decode_json
from edge.contracts.request import Request
from edge.fleet.ledger import RESEND_REQUEST, RESEND_RESPONSE
from edge.fleet.ledger_messages import MESSAGE_LIMIT
from edge.fleet.ranges import RangeSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.fleet.device_ledger import DeviceLedger
    from edge.fleet.fleet_overview import DeviceKey, FleetOverview
    from edge.fleet.ranges import Range

SPACING_S = 2.0
"""Least time between two requests to a device; it takes 60 a minute, from all who ask."""
ANSWER_S = 20.0
"""So long a device may take to answer, and so long nothing may come of what it has promised."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 600.0
"""Pause after a refusal or no answer: doubled at each."""
MESSAGES_AT_ONCE = 1000
"""Most messages that one request asks for."""
RANGES_AT_ONCE = 100
"""Most ranges in one request: with them it stays below the 4,096 bytes that devices take."""
REFUSED_FOR_GOOD = ("forbidden", "unknown_command")
NO_ANSWER = "no answer to requests: are they switched on there, and does the access list let them through?"


class _Answer(msgspec.Struct, frozen=True):
    id: str
    ok: bool
    error: str | None = None
    result: dict[str, Any] = {}


class _Resent(msgspec.Struct, frozen=True):
    queued: int | None = None
    sent: int | None = None
    gone: list[tuple[int, int]] = []


@dataclass(slots=True)
class _Dialogue:
    """What was asked of one device, and what became of it."""

    run_id: str
    request_id: str = ""
    """Empty: nothing is awaited."""
    epoch: str = ""
    asked: RangeSet = field(default_factory=RangeSet)
    answered: bool = False
    until: float = 0.0
    """When the answer, or the next message of those promised, is too late."""
    left: int = 0
    """Messages asked for that have not come."""
    not_before: float = 0.0
    pause_s: float = 0.0
    """The last pause; 0: the last request was answered well."""
    one_range: bool = False
    """Whether it takes no list of ranges."""
    most_ranges: int = RANGES_AT_ONCE
    gone: dict[str, RangeSet] = field(default_factory=dict)
    """By epoch, what it does not keep any more, by its own answers."""
    unknown_epochs: set[str] = field(default_factory=set)


class ResendRequests:
    """Requests that a consumer sends to all devices whose messages are missing, and their answers."""

    def __init__(
        self,
        publish: Callable[[str, bytes], None],
        overview: FleetOverview,
        root: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``publish`` sends (topic, payload); ``clock``: seconds that only grow."""
        self._publish, self._overview, self._root, self._clock = publish, overview, root, clock
        self._dialogues: dict[DeviceKey, _Dialogue] = {}

    def send_due(self) -> int:
        """Send what is due to every device; returns how many messages were asked for."""
        return sum(self._send_if_due(key, ledger) for key, ledger in self._overview.ledger.devices().items())

    @property
    def idle(self) -> bool:
        """Whether no answer is awaited, and nothing can be asked for now: also of those that do not answer."""
        for key, ledger in self._overview.ledger.devices().items():
            one = self._dialogues.get(key)
            if one is not None and (one.request_id or one.pause_s):
                if one.request_id:
                    return False
            elif self._may_ask(key) and self._wanted(ledger, one):
                return False
        return True

    def note(self, key: DeviceKey, suffix: str, body: bytes) -> None:
        """Process a message of a device: the answer to our request, or another. Raises nothing."""
        one = self._dialogues.get(key)
        if suffix != RESEND_RESPONSE or one is None:
            return
        try:
            answer = decode_json(body, _Answer, limit=MESSAGE_LIMIT)
        except UnreadableError:
            return
        if answer.id != one.request_id or not one.request_id or one.answered:
            return
        if answer.ok:
            self._accept(key, one, answer)
        else:
            self._take_refusal(key, one, answer.error or "failed")

    def _send_if_due(self, key: DeviceKey, ledger: DeviceLedger) -> int:
        now = self._clock()
        one = self._dialogues.get(key)
        if one is not None and one.run_id != ledger.run_id:  # it was started anew: perhaps with other settings
            one = self._dialogues[key] = _Dialogue(ledger.run_id, gone=one.gone)
            self._overview.request_notes.pop(key, None)
        if one is not None and one.request_id:
            self._look_at_progress(key, one, ledger, now)
        if not self._may_ask(key) or (one is not None and (one.request_id or now < one.not_before)):
            return 0
        wanted = self._wanted(ledger, one)
        if not wanted:
            return 0
        if one is None:
            one = self._dialogues[key] = _Dialogue(ledger.run_id)
        epoch, ranges = next(iter(wanted.items()))
        return self._send(key, one, epoch, ranges)

    def _may_ask(self, key: DeviceKey) -> bool:
        is_there = self._overview.state_of(key) not in ("offline", "silent", "cut off")
        return is_there and self._overview.takes_requests(key) is not False

    def _wanted(self, ledger: DeviceLedger, one: _Dialogue | None) -> dict[str, RangeSet]:
        """What can be asked for, by epoch: the present one first."""
        wanted = {}
        for epoch, ranges in ledger.requestable().items():
            if one is None:
                wanted[epoch] = RangeSet(ranges)
            elif epoch not in one.unknown_epochs:
                left = RangeSet(ranges).minus(one.gone.get(epoch, RangeSet()))
                if left:
                    wanted[epoch] = left
        return wanted

    def _send(self, key: DeviceKey, one: _Dialogue, epoch: str, wanted: RangeSet) -> int:
        ranges = _first_ranges(wanted, one.most_ranges)
        args: dict[str, Any] = {"epoch": epoch, "from": ranges[0][0], "to": ranges[-1][1]}
        if one.one_range:
            # What is not missing between the holes comes twice, which costs less than a request for each hole.
            near = [last for _, last in ranges if last - ranges[0][0] < MESSAGES_AT_ONCE]
            args["to"] = max(near, default=ranges[0][1])
            ranges = [each for each in ranges if each[1] <= args["to"]]
        elif len(ranges) > 1:
            args["ranges"] = ranges
        one.request_id, one.epoch, one.asked, one.answered = uuid.uuid4().hex, epoch, RangeSet(ranges), False
        one.left = one.asked.count()
        one.until = self._clock() + ANSWER_S
        one.not_before = self._clock() + SPACING_S
        request = Request(id=one.request_id, args=args)
        self._publish(f"{self._root}/{key[0]}/{key[1]}/{RESEND_REQUEST}", msgspec.json.encode(request))
        return one.left

    def _look_at_progress(self, key: DeviceKey, one: _Dialogue, ledger: DeviceLedger, now: float) -> None:
        """End the present request if all has come, or nothing comes any more."""
        missing = RangeSet(ledger.missing().get(one.epoch, []))
        left = sum(missing.within(first, last).count() for first, last in one.asked)
        if left < one.left:
            one.left, one.until = left, max(one.until, now + ANSWER_S)
        if not left:
            one.request_id, one.pause_s = "", 0.0
            self._overview.request_notes.pop(key, None)
        elif now > one.until:
            said = "resend promised: nothing comes of what it promised to send again" if one.answered else NO_ANSWER
            self._pause(key, one, said)

    def _accept(self, key: DeviceKey, one: _Dialogue, answer: _Answer) -> None:
        one.answered, one.pause_s, one.until = True, 0.0, self._clock() + ANSWER_S
        self._overview.request_notes.pop(key, None)
        try:
            result = convert_value(answer.result, _Resent)
        except UnreadableError:
            return
        gone = RangeSet(one.asked) if 0 in (result.queued, result.sent) else RangeSet()
        for first, last in result.gone:
            if first <= last:
                for a, b in one.asked.within(first, last):
                    gone.add(a, b)
        if gone:
            known = one.gone.setdefault(one.epoch, RangeSet())
            for first, last in gone:
                known.add(first, last)
            one.asked = one.asked.minus(gone)
            one.left = one.asked.count()
            self._overview.request_notes[key] = "not kept any more: some of what is missing is gone on the device"
        if not one.asked:
            one.request_id = ""

    def _take_refusal(self, key: DeviceKey, one: _Dialogue, error: str) -> None:
        had_list = len(one.asked) > 1 and not one.one_range
        if error == "unknown_epoch":
            one.unknown_epochs.add(one.epoch)
            one.request_id = ""
            self._overview.request_notes[key] = (
                "epoch not kept: some of what is missing is of one that is gone on the device"
            )
        elif had_list and (error == "invalid" or error.startswith("missing_")):
            one.one_range, one.request_id = True, ""
        elif had_list and error == "too_large":
            one.most_ranges, one.request_id = max(1, len(one.asked) // 2), ""
        else:
            self._pause(key, one, f"resend refused ({error[:40]}): it does not send what is missing again")
            if error in REFUSED_FOR_GOOD:
                one.not_before = self._clock() + LONGEST_PAUSE_S

    def _pause(self, key: DeviceKey, one: _Dialogue, note: str) -> None:
        one.request_id = ""
        one.pause_s = min(LONGEST_PAUSE_S, 2 * one.pause_s or FIRST_PAUSE_S)
        one.not_before = self._clock() + one.pause_s
        self._overview.request_notes[key] = note


def _first_ranges(wanted: RangeSet, most: int) -> list[Range]:
    """The first ranges of ``wanted``: at most ``most``, and at most `MESSAGES_AT_ONCE` messages in all."""
    ranges: list[Range] = []
    room = MESSAGES_AT_ONCE
    for first, last in wanted:
        if not room or len(ranges) == most:
            break
        ranges.append((first, min(last, first + room - 1)))
        room -= ranges[-1][1] - first + 1
    return ranges
