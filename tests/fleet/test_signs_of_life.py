"""Silence never reads as health: when a device was heard, when it is silent or cut off, which numbers are shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from device_messages import DeviceMessages
from fake_clock import FakeClock

from edge.fleet.device_table import cell_texts, plain_table, summary_line
from edge.fleet.fleet_overview import SEVERITY, DeviceRow, FleetOverview
from edge.schema import examples

SITE_BRIDGE = "edge/v1/clinic-a/bridge"


class Cart:
    """A device whose clocks are wrong by years, and an overview that listens to it."""

    def __init__(self, name: str = "cart-7", overview: FleetOverview | None = None, clock: Any = None) -> None:
        self.clock = clock or FakeClock(1000.0)
        self.overview = overview or FleetOverview(clock=self.clock)
        self.messages = DeviceMessages(self.overview, device=name)  # type: ignore[arg-type]
        self.mono_ns = 5_000_000_000

    def state(self, *, retained: bool = False, every_s: Any = 4.0, **changes: Any) -> None:
        self.messages.state(1, retained=retained, health_every_s=every_s, mono_ns=self.mono_ns,
                            at="1970-01-01T00:00:00Z", **changes)  # fmt: skip

    def health(self, after_s: float = 0.0, **changes: Any) -> None:
        self.clock.now += after_s
        self.mono_ns += round(after_s * 1e9)
        self.messages.health(1, mono_ns=self.mono_ns, run_id="run-1", at="2099-01-01T00:00:00Z",
                             **{"fps": 21.8, **changes})  # fmt: skip

    def row(self, after_s: float = 0.0) -> DeviceRow:
        self.clock.now += after_s
        return next(row for row in self.overview.rows() if row.device == self.messages.device)


@pytest.fixture
def cart() -> Cart:
    return Cart()


def test_what_the_broker_kept_is_no_sign_of_life(cart: Cart) -> None:
    cart.state(retained=True)
    row = cart.row(3.0)
    assert (row.state, row.said, row.heard, row.notes) == ("unknown", "online", None, ["not heard yet"])
    row = cart.row(9.5)
    assert (row.state, row.said, row.heard) == ("silent", "online", None)
    cart.health()
    assert (cart.row(1.0).state, cart.row().heard) == ("online", 1.0)


def test_a_device_is_silent_after_three_of_its_own_intervals_and_its_numbers_are_gone(cart: Cart) -> None:
    cart.state()
    cart.health()
    row = cart.row(11.9)
    assert (row.state, row.fps, row.heard) == ("online", 21.8, 11.9)
    row = cart.row(0.2)
    assert (row.state, row.heard, row.said) == ("silent", 12.1, "online")
    assert (row.fps, row.p99_ms, row.temperature_c, row.outbox) == (None, None, None, None)
    assert "21.8" not in plain_table([row])
    cart.health(1.0)
    assert cart.row().fps == 21.8


def test_a_degraded_device_that_falls_silent_is_silent_and_one_that_said_goodbye_is_not(cart: Cart) -> None:
    cart.state(status="degraded", reasons=["hot"])
    row = cart.row(13.0)
    assert (row.state, row.said, row.reasons) == ("silent", "degraded", ["hot"])
    cart.mono_ns += 1
    cart.state(status="offline", reasons=["stopped"])
    assert cart.row(10_000.0).state == "offline"
    cart.messages.will()
    assert cart.row().reasons == ["connection_lost"]


@pytest.mark.parametrize("every_s", [None, 0, -1, "10", [], float("nan"), float("inf"), True])
def test_an_interval_that_is_none_is_learnt(cart: Cart, every_s: Any) -> None:
    stated = msgspec.json.decode(msgspec.json.encode(examples.state()))
    stated |= {"device": "cart-7", "run_id": "run-1", "health_every_s": every_s}
    body = msgspec.json.encode(stated)
    cart.overview.feed("edge/v1/clinic-a/cart-7/state", body)
    cart.health()
    assert cart.row(29.0).state == "online", "ten seconds, as long as nothing is known"
    for gap in (2.0, 2.0, 4.0, 2.0):  # one was lost
        cart.health(gap)
    assert cart.row(5.9).state == "online"
    assert cart.row(0.2).state == "silent"


def test_what_the_device_states_counts_more_than_what_was_seen(cart: Cart) -> None:
    cart.state(every_s=60.0)
    for _ in range(5):
        cart.health(1.0)
    assert cart.row(179.0).state == "online"
    assert cart.row(2.0).state == "silent"


def test_a_tiny_or_huge_interval_is_bounded(cart: Cart) -> None:
    cart.state(every_s=1e-9)
    assert cart.row(1.0).state == "online"
    cart.mono_ns += 1
    cart.state(every_s=1e300)
    assert cart.row(4 * 86_400.0).state == "silent"


def test_any_message_of_its_own_is_heard_and_no_other(cart: Cart) -> None:
    cart.state()
    messages, topic = cart.messages, "edge/v1/clinic-a/cart-7"

    def heard(feed: Any, *args: Any, **more: Any) -> bool:
        cart.clock.now += 1.0
        feed(*args, **more)
        return cart.row().heard == 0.0

    assert heard(messages.finding, 1)
    assert heard(messages.finding, 1), "sent again"
    assert heard(messages.coverage, 2)
    assert heard(messages.health, 3, replayed=True)
    assert heard(cart.overview.feed, f"{topic}/response/findings/resend", b"{}")
    assert heard(cart.overview.feed, f"{topic}/health", b'{"schema": "health/2"}'), "of a newer version"
    assert not heard(cart.state), "the bridge sends once more what it retained"
    assert not heard(messages.will, "run-1"), "a will is the broker's"
    assert not heard(messages.will, "run-0")
    assert not heard(cart.overview.feed, f"{topic}/request/findings/resend", b"{}"), "somebody asks it"
    assert not heard(messages.finding, 4, device="cart-8"), "of another device"
    assert not heard(cart.state, retained=True, every_s=5.0)
    health = msgspec.structs.replace(examples.health(), device="cart-7")
    assert not heard(messages.feed, "health", health, retained=True)
    cart.mono_ns += 1
    assert heard(cart.state)


def test_a_health_that_is_old_is_not_shown_though_findings_come(cart: Cart) -> None:
    cart.state()
    cart.health()
    for seq in range(1, 5):
        cart.clock.now += 4.0
        cart.messages.finding(seq)
    row = cart.row()
    assert (row.state, row.fps) == ("online", None)


def test_a_replayed_health_tells_nothing_of_now(cart: Cart) -> None:
    cart.state()
    cart.health(fps=3.0, replayed=True)
    assert cart.row().fps is None


def test_all_devices_of_a_site_whose_bridge_is_down_are_cut_off(cart: Cart) -> None:
    other = DeviceMessages(cart.overview, site="clinic-b")  # type: ignore[arg-type]
    cart.state()
    cart.health()
    other.state(1)
    gone = Cart("cart-8", cart.overview, cart.clock)
    gone.state(status="offline")
    cart.overview.feed(SITE_BRIDGE, b"0", retained=True)
    rows = {(row.site, row.device): row for row in cart.overview.rows()}
    assert {key: row.state for key, row in rows.items()} == {
        ("clinic-a", "cart-7"): "cut off", ("clinic-a", "cart-8"): "cut off", ("clinic-b", "cart-7"): "online",
    }  # fmt: skip
    assert rows["clinic-a", "cart-7"].fps is None
    assert rows["clinic-a", "cart-8"].said == "offline"
    assert "2 cut off, 1 online" in summary_line(list(rows.values()))
    cart.overview.feed(SITE_BRIDGE, b"1")
    assert (cart.row().state, cart.row().fps) == ("online", 21.8)
    cart.overview.feed(SITE_BRIDGE, b"0")
    cart.overview.feed(SITE_BRIDGE, b"")
    assert cart.row().state == "online"


@pytest.mark.parametrize("body", [b"x", b"00", b"\xff", b"null", b'"0"'])
def test_what_no_bridge_says_changes_nothing(cart: Cart, body: bytes) -> None:
    cart.state()
    cart.overview.feed(SITE_BRIDGE, b"0")
    cart.overview.feed(SITE_BRIDGE, body)
    cart.overview.feed("edge/v1/Clinic A/bridge", b"0")
    cart.overview.feed("edge/v1/clinic-a/bridge/state", b"0")
    assert cart.row().state == "cut off"


def test_the_worst_stand_first_in_the_counts_and_json_has_it_all(cart: Cart) -> None:
    assert SEVERITY.index("cut off") < SEVERITY.index("silent") < SEVERITY.index("online")
    cart.state()
    for name in ("cart-8", "cart-9"):
        Cart(name, cart.overview, cart.clock).state(every_s=1000.0)
    rows = [cart.row(20.0), *(row for row in cart.overview.rows() if row.device != "cart-7")]
    assert summary_line(rows).startswith("3 devices: 1 silent, 2 online;")
    told = msgspec.json.decode(msgspec.json.encode(rows[0]))
    assert (told["state"], told["said"], told["heard"], told["notes"]) == ("silent", "online", 20.0, [])
    assert cell_texts(rows[0])[2].startswith("silent")


def test_nobody_waits_for_the_health_of_the_silent(cart: Cart) -> None:
    cart.state(retained=True)
    assert not cart.overview.all_healths_known()
    cart.clock.now += 13.0
    assert cart.overview.all_healths_known()


def test_a_deleted_device_is_shown_only_while_something_of_it_is_missing(cart: Cart) -> None:
    cart.state(capabilities=["requests"])
    cart.overview.feed("edge/v1/clinic-a/cart-7/state", b"")
    assert cart.overview.rows() == []
    cart.health()
    assert cart.row().state == "unknown", "it is there after all"
    cart.messages.finding(1)
    cart.messages.finding(3)
    cart.overview.feed("edge/v1/clinic-a/cart-7/state", b"")
    assert cart.row().notes == ["its state was deleted at the broker"]
    assert cart.row().missing == {"epoch-a": [(2, 2)]}, "nobody hides a hole by an empty message"


def test_requests_that_are_switched_off_are_said_where_something_is_missing(cart: Cart) -> None:
    cart.state(capabilities=["findings", "health"])
    assert (cart.row().takes_requests, cart.row().notes) == (False, [])
    cart.messages.finding(1)
    cart.messages.finding(3)
    assert "requests off" in cart.row().notes[0]
    cart.mono_ns += 1
    cart.state(capabilities=["findings", "requests"])
    assert (cart.row().takes_requests, cart.row().notes) == (True, [])
