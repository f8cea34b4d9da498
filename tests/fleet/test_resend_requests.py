"""Missing messages are asked for with one request a device at a time; refusals and silence are heeded, and said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from device_messages import DeviceMessages
from fake_clock import FakeClock

from edge.contracts.request import ResendArgs
from edge.fleet.fleet_overview import FleetOverview
from edge.fleet.resend_requests import RANGES_AT_ONCE, ResendRequests

RESPONSE = "response/findings/resend"


class Asked:
    """A device with holes, and the requests that it receives."""

    def __init__(self, holes: list[int], end: int, name: str = "cart-7", capabilities: Any = ("requests",)) -> None:
        self.clock = FakeClock(1000.0)
        self.overview = FleetOverview(whole=True, clock=self.clock)
        self.sent: list[dict[str, Any]] = []
        self.requests = ResendRequests(self._publish, self.overview, "edge/v1", clock=self.clock)
        self.device = DeviceMessages(self.overview, device=name)  # type: ignore[arg-type]
        self.key = ("clinic-a", name)
        self.capabilities = list(capabilities)
        self.device.state(1, capabilities=self.capabilities, health_every_s=1e6)
        for seq in range(1, end):
            if seq not in holes:
                self.device.finding(seq)
        self.device.health(end)

    def _publish(self, topic: str, body: bytes) -> None:
        assert topic == f"edge/v1/clinic-a/{self.key[1]}/request/findings/resend"
        assert len(body) < 4096
        self.sent.append(msgspec.json.decode(body))

    def work(self, seconds: float = 0.0, step: float = 1.0) -> int:
        """Let time pass, with a look for what is due at each step; how many requests were sent."""
        before, until = len(self.sent), self.clock.now + seconds
        self.requests.send_due()
        while self.clock.now < until:
            self.clock.now += step
            self.requests.send_due()
        return len(self.sent) - before

    @property
    def args(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sent[-1]["args"]
        msgspec.convert(found, ResendArgs)
        return found

    def answer(self, error: str | None = None, request: dict[str, Any] | None = None, **result: Any) -> None:
        body = {"id": (request or self.sent[-1])["id"], "ok": error is None, "error": error, "result": result}
        self.requests.note(self.key, RESPONSE, msgspec.json.encode(body))

    def resend(self, *seqs: int) -> None:
        for seq in seqs:
            self.device.finding(seq, replayed=True)

    @property
    def notes(self) -> list[str]:
        return self.overview.rows()[0].notes


HOLES = list(range(2, 402, 2))
"""Two hundred holes of one message each."""


def test_two_hundred_holes_are_few_requests_one_at_a_time() -> None:
    device = Asked(HOLES, 500)
    assert device.work(19.0) == 1, "as long as it has not answered"
    assert device.args == {"epoch": "epoch-a", "from": 2, "to": 200, "ranges": [[n, n] for n in HOLES[:100]]}
    device.answer(queued=100, gone=[], gone_count=0)
    assert device.work(10.0) == 0, "as long as it sends"
    device.resend(*HOLES[:100])
    assert device.work(3.0) == 1
    assert device.args["ranges"] == [[n, n] for n in HOLES[100:]]
    assert not device.requests.idle
    device.answer(queued=100)
    device.resend(*HOLES[100:])
    assert device.work(100.0) == 0
    assert device.requests.idle
    assert device.notes == []


def test_one_range_is_asked_for_as_ever() -> None:
    device = Asked([7, 8, 9], 20)
    assert device.requests.send_due() == 3
    assert device.args == {"epoch": "epoch-a", "from": 7, "to": 9}


def test_a_request_asks_for_at_most_a_thousand_messages() -> None:
    device = Asked(list(range(5, 1505)), 1600)
    assert device.requests.send_due() == 1000
    device.answer(queued=1000)
    device.resend(*range(5, 1005))
    device.work(3.0)
    assert (device.args["from"], device.args["to"]) == (1005, 1504)


@pytest.mark.parametrize("error", ["invalid", "missing_something"])
def test_an_older_device_is_asked_for_one_range_at_a_time(error: str) -> None:
    device = Asked([2, 4, 1500], 1600)
    device.work()
    device.answer(error)
    assert device.work(3.0) == 1
    assert device.args == {"epoch": "epoch-a", "from": 2, "to": 4}, "a few repeats cost less than another request"
    device.answer(queued=3)
    device.resend(2, 3, 4)
    device.work(3.0)
    assert device.args == {"epoch": "epoch-a", "from": 1500, "to": 1500}
    device.device.run_id = "run-2"  # it is newer now
    device.device.state(1600, capabilities=["requests"], health_every_s=1e6)
    device.work(60.0)
    assert "ranges" not in device.args, "one hole, one range"


@pytest.mark.parametrize("error", ["too_many", "unavailable", "failed", "a word of later versions"])
def test_a_device_that_has_no_time_is_asked_ever_later(error: str) -> None:
    device = Asked(HOLES, 500)
    device.work()
    pauses = []
    for _ in range(9):
        device.answer(error)
        assert error[:10] in device.notes[0]
        began = device.clock.now
        while not device.work(0.0):
            device.clock.now += 1.0
        pauses.append(device.clock.now - began)
    assert pauses == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    device.answer(queued=100)
    device.resend(*HOLES)
    device.work(1.0)
    assert device.notes == []


def test_no_answer_is_said_and_asked_again_ever_later() -> None:
    device = Asked(HOLES, 500, capabilities=())
    assert device.work(3600.0) <= 12
    assert device.notes == ["no answer to requests: are they switched on there, and does the access list let them "
                            "through?"]  # fmt: skip
    assert device.requests.idle, "nobody waits for it"


def test_a_device_that_promises_and_does_not_send_is_not_asked_at_once_again() -> None:
    device = Asked(HOLES, 500)
    device.work()
    device.answer(queued=100)
    device.resend(*HOLES[:50])
    assert device.work(15.0) == 0
    device.resend(*HOLES[50:60])
    assert device.work(15.0) == 0, "it is slow, but it sends"
    assert device.work(40.0) == 1
    assert device.args["from"] == HOLES[60]


def test_a_device_that_says_that_requests_are_off_is_not_asked() -> None:
    device = Asked(HOLES, 500, capabilities=["findings", "health"])
    assert device.work(100.0) == 0
    assert "requests off" in device.notes[0]
    assert device.requests.idle


@pytest.mark.parametrize("word", ["forbidden", "unknown_command"])
def test_what_a_device_never_allows_is_asked_every_ten_minutes_at_most(word: str) -> None:
    device = Asked(HOLES, 500)
    for _ in range(3):
        device.work()
        device.answer(word)
        assert device.work(599.0) == 0
        device.clock.now += 2.0


def test_what_is_gone_is_not_asked_for_again() -> None:
    device = Asked(HOLES, 500)
    device.work()
    device.answer(queued=90, gone=[[1, 20], [900, 800], [0, 0]], gone_count=10)
    device.resend(*range(22, 202, 2))
    device.work(3.0)
    assert device.args["from"] == 202
    device.answer(queued=0)
    assert device.work(200.0) == 0
    assert device.requests.idle
    assert device.notes == ["not kept any more: some of what is missing is gone on the device"]


def test_a_request_that_is_too_large_is_made_smaller() -> None:
    device = Asked(HOLES, 500)
    device.work()
    for ranges in (50, 25, 12, 6, 3, 1):
        device.answer("too_large")
        device.work(3.0)
        assert len(device.args.get("ranges", [1])) == ranges
    device.answer("too_large")
    assert device.work(9.0) == 0
    assert "too_large" in device.notes[0]


def test_ended_epochs_are_asked_for_until_the_device_knows_them_no_more() -> None:
    device = Asked([3, 4], 10)
    device.device.epoch = "epoch-b"
    device.device.state(2, capabilities=["requests"], health_every_s=1e6)
    device.work()
    assert device.args == {"epoch": "epoch-b", "from": 1, "to": 1}, "the present one first"
    device.answer(queued=1)
    device.resend(1)
    device.work(3.0)
    assert device.args == {"epoch": "epoch-a", "from": 3, "to": 4}
    device.answer("unknown_epoch")
    assert device.work(2000.0) == 0
    assert device.requests.idle
    assert "epoch" in device.notes[0]


@pytest.mark.parametrize("state", ["offline", "silent", "cut off"])
def test_who_is_not_there_is_not_asked(state: str) -> None:
    device = Asked(HOLES, 500)
    if state == "offline":
        device.device.will()
    elif state == "cut off":
        device.overview.feed("edge/v1/clinic-a/bridge", b"0")
    else:
        device.clock.now += 1e9
    assert device.overview.rows()[0].state == state
    assert device.work(100.0) == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"{}", b"[]", b'{"id":"x","ok":true}', b'{"id":1,"ok":true}', b'{"id":"","ok":false,"error":"x"}'],
)
def test_what_is_no_answer_to_us_changes_nothing(body: bytes) -> None:
    device = Asked(HOLES, 500)
    device.requests.note(device.key, RESPONSE, body)
    device.work()
    for suffix in (RESPONSE, "response/ping", "request/findings/resend"):
        device.requests.note(device.key, suffix, body)
    device.requests.note(("clinic-a", "cart-8"), RESPONSE, body)
    device.answer(queued="many", gone="all")
    assert device.work(10.0) == 0
    assert device.notes == []


def test_a_request_for_the_highest_numbers_fits_what_devices_take() -> None:
    start = (1 << 40) - 1000
    device = Asked([], 1)
    device.device.state(start, capabilities=["requests"], health_every_s=1e6, expired=[(1, start - 1)])
    for seq in range(start + 1, start + 800, 2):
        device.device.finding(seq)
    device.work()
    assert len(device.args["ranges"]) == RANGES_AT_ONCE
    assert 3000 < len(msgspec.json.encode(device.sent[-1])) < 4096
