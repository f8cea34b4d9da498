"""Delivery ledger of a consumer: shows that every durable message has arrived, or names the missing ranges.

Feed it every message, then ask it what is missing. Each durable message has (device, epoch, seq), and seq counts
without gaps; ``state`` and ``health`` say how far it has counted. So a hole is known as such without any clock: nothing
here is ordered by time. A device keeps what it has sent for a while, so that most holes can be asked for again
(``request/findings/resend``).

    ledger = Ledger()
    ledger.feed(topic, payload)            # each message on edge/v1/#; the verdict says what to do with it
    for (site, device), one in ledger.devices().items():
        one.missing(), one.requestable()   # {epoch: [(first, last), …]}

It grows with the number of holes, never with that of messages.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from edge.contracts import topics
from edge.fleet.device_ledger import Arrival, DeviceLedger
from edge.fleet.ledger_messages import (
    TOPIC_OF_SCHEMA,
    HealthFields,
    OutboxFields,
    StateFields,
    decode_durable,
    decode_health,
    decode_state,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REPLAY_RESTART_TOPICS", "RESEND_REQUEST", "Arrival", "DeviceLedger", "Ledger"]

RESEND_REQUEST = "request/findings/resend"
REPLAY_RESTART_TOPICS = (RESEND_REQUEST, "response/findings/resend")
"""A device that is asked to goes back; it answers, then it sends. Feed these too: order in the replay lane begins anew.
(It does so as well after ``edge-cli outbox resend`` on the device, or a refusal: the next ``state`` then clears it.)"""


class Ledger:
    """Delivery ledger of all devices below ``root``: one `DeviceLedger` for each."""

    def __init__(self, root: str = "edge/v1", *, whole: bool = True) -> None:
        """``whole``: what was made before we listened is missing too. False: count from where we began to listen."""
        self._prefix = f"{root}/"
        self._whole = whole
        self._devices: dict[tuple[str, str], DeviceLedger] = {}

    def devices(self) -> Mapping[tuple[str, str], DeviceLedger]:
        """Ledgers of all known devices by (site, device); a live view that follows later messages."""
        return MappingProxyType(self._devices)

    def feed(self, topic: str, payload: bytes, *, retained: bool = False) -> Arrival:
        """Process one message. ``retained``: the broker kept it, it may be old. Raises nothing, whatever is fed."""
        site, device, suffix = self.split_topic(topic)
        kind, _, stream = suffix.partition("/")
        try:
            if kind in ("findings", "coverage") and stream:
                message = decode_durable(payload)
                if message.device != device or message.stream != stream or TOPIC_OF_SCHEMA[message.schema] != kind:
                    return Arrival.NOT_OURS
                return self._ledger_of(site, device).add_durable(message)
            if suffix == topics.STATE:
                return self._feed_state(site, device, decode_state(payload), retained)
            if suffix == topics.HEALTH:
                return self._feed_health(site, device, decode_health(payload), retained)
        except msgspec.MsgspecError:
            return Arrival.NOT_OURS
        if suffix in REPLAY_RESTART_TOPICS and (site, device) in self._devices:
            self._devices[site, device].restart_replay_order()
            return Arrival.NOTED
        return Arrival.NOT_OURS

    def split_topic(self, topic: str) -> tuple[str, str, str]:
        """Split ``topic`` into (site, device, suffix); all empty where it is not below the root."""
        if not topic.startswith(self._prefix):
            return "", "", ""
        site, _, rest = topic[len(self._prefix) :].partition("/")
        device, _, suffix = rest.partition("/")
        return (site, device, suffix) if site and device else ("", "", "")

    def _ledger_of(self, site: str, device: str) -> DeviceLedger:
        key = (site, device)
        if key not in self._devices:
            self._devices[key] = DeviceLedger(self._whole)
        return self._devices[key]

    def _feed_state(self, site: str, device: str, state: StateFields, retained: bool) -> Arrival:
        if state.device != device:
            return Arrival.NOT_OURS
        one = self._ledger_of(site, device)
        is_will = state.mono_ns is None
        if is_will and one.run_id not in ("", state.run_id):
            return Arrival.STALE
        one.run_id = state.run_id
        if not is_will:
            one.restart_replay_order()
        if state.outbox is not None:
            one.update_outbox(state.outbox, fresh=not retained)
        return Arrival.NOTED

    def _feed_health(self, site: str, device: str, health: HealthFields, retained: bool) -> Arrival:
        if health.device != device:
            return Arrival.NOT_OURS
        if health.replayed:
            return Arrival.STALE
        one = self._ledger_of(site, device)
        if health.outbox_epoch:
            outbox = OutboxFields(
                epoch=health.outbox_epoch,
                oldest_kept=health.outbox_oldest_kept,
                next_seq=health.outbox_next_seq,
                expired=health.outbox_expired,
            )
            one.update_outbox(outbox, fresh=not retained)
        return Arrival.NOTED
