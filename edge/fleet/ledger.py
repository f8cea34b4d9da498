"""Delivery ledger of a consumer: shows that every durable message has arrived, or names the missing ranges.

Feed it every message, then ask it what is missing. Each durable message has (device, epoch, seq), whatever its topic
and schema, and seq counts without gaps; ``state`` and ``health`` say how far it has counted. So a hole is known as such
without any clock: nothing here is ordered by time. A device keeps what it has sent for a while, so that most holes can
be asked for again (``request/findings/resend``).

    ledger = Ledger()
    ledger.feed(topic, payload)            # each message on edge/v1/#; the verdict says what to do with it
    for (site, device), one in ledger.devices().items():
        one.missing(), one.requestable()   # {epoch: [(first, last), …]}

It grows with the number of holes, and by the hashes of each device's newest messages (at most 256 KiB a device, see
`edge.fleet.content_hashes`), never with the number of messages.

Whatever is fed costs at most itself: what cannot be read, speaks on another's topic, or claims what cannot be is
counted, see `RejectedCounts` and `DeviceLedger.implausible`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.contracts.decoding import UnreadableError
from edge.contracts.names import is_name
from edge.fleet.device_ledger import Arrival, DeviceLedger
from edge.fleet.ledger_messages import (
    StateFields,
    decode_durable,
    decode_health,
    decode_state,
    durable_topics_of,
    is_durable,
    outbox_of_health,
    outbox_of_state,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.fleet.ledger_messages import OutboxFields

__all__ = [
    "REPLAY_RESTART_TOPICS", "RESEND_REQUEST", "RESEND_RESPONSE", "Arrival", "DeviceLedger", "Ledger", "RejectedCounts",
]  # fmt: skip

RESEND_REQUEST = "request/findings/resend"
RESEND_RESPONSE = "response/findings/resend"
REPLAY_RESTART_TOPICS = (RESEND_REQUEST, RESEND_RESPONSE)
"""A device that is asked to goes back; it answers, then it sends. Feed these too: order in the replay lane begins anew.
(It does so as well after ``edge-cli outbox resend`` on the device, or a refusal: the next ``state`` then clears it.)"""


NO_DEVICE = ("", "")
"""Stands for the (site, device) of topics that name none."""
DEVICES_LIMIT = 10_000
"""Most devices, each some kilobytes: whoever may publish anywhere could name ever new ones."""


@dataclass(slots=True)
class RejectedCounts:
    """Messages on the topics of one device that were not taken for its own."""

    unreadable: int = 0
    """Not UTF-8, not JSON, or not of this contract."""
    foreign: int = 0
    """They say that they are of another device or stream."""


class Ledger:
    """Delivery ledger of all devices below ``root``: one `DeviceLedger` for each."""

    def __init__(self, root: str = "edge/v1", *, whole: bool = True) -> None:
        """``whole``: what was made before we listened is missing too. False: count from where we began to listen."""
        self._prefix = f"{root}/"
        self._whole = whole
        self._devices: dict[tuple[str, str], DeviceLedger] = {}
        self._rejected: dict[tuple[str, str], RejectedCounts] = {NO_DEVICE: RejectedCounts()}
        self.full = False
        """Whether messages came of more than `DEVICES_LIMIT` devices: those beyond are not accounted for."""

    def devices(self) -> Mapping[tuple[str, str], DeviceLedger]:
        """Ledgers of all known devices by (site, device); a live view that follows later messages."""
        return MappingProxyType(self._devices)

    def rejected(self) -> Mapping[tuple[str, str], RejectedCounts]:
        """What was not taken for a device's own message, by (site, device) of the topic; a live view.

        Also of devices that nothing else was heard of. `NO_DEVICE` has those whose topic names none.
        """
        return MappingProxyType(self._rejected)

    def feed(self, topic: str, payload: bytes, *, retained: bool = False) -> Arrival:
        """Process one message. ``retained``: the broker kept it, it may be old. Raises nothing, whatever is fed."""
        site, device, suffix = self.split_topic(topic)
        if suffix in REPLAY_RESTART_TOPICS:
            return self._restart_replay_order(site, device)
        if suffix == topics.STATE and not payload:
            return Arrival.NOT_OURS  # how a retained message is deleted at the broker
        try:
            if suffix in (topics.STATE, topics.HEALTH):
                verdict = self._feed_report(site, device, suffix, payload, retained)
            elif self._may_be_durable(site, device, suffix, payload):
                verdict = self._feed_durable(site, device, suffix, payload)
            else:
                verdict = Arrival.NOT_OURS
        except UnreadableError:
            verdict = Arrival.UNREADABLE
        if verdict in (Arrival.UNREADABLE, Arrival.FOREIGN):
            counts = self._rejected_of(site, device)
            counts.unreadable += verdict is Arrival.UNREADABLE
            counts.foreign += verdict is Arrival.FOREIGN
        return verdict

    def split_topic(self, topic: str) -> tuple[str, str, str]:
        """Split ``topic`` into (site, device, suffix); all empty where it is not below the root."""
        if not topic.startswith(self._prefix):
            return "", "", ""
        site, _, rest = topic[len(self._prefix) :].partition("/")
        device, _, suffix = rest.partition("/")
        return (site, device, suffix) if site and device else ("", "", "")

    def _may_be_durable(self, site: str, device: str, suffix: str, payload: bytes) -> bool:
        """Whether a message is durable: by the topic, where durable ones alone are sent, else by its own fields."""
        kind = suffix.partition("/")[0]
        known = self._devices.get((site, device))
        if kind in topics.DURABLE_TOPICS or (known is not None and kind in known.durable_topics):
            return True
        # Requests are written by others.
        return kind not in ("", topics.REQUEST) and is_name(site) and is_name(device) and is_durable(payload)

    def _feed_durable(self, site: str, device: str, suffix: str, payload: bytes) -> Arrival:
        """Process a durable message; raises `UnreadableError` if topic or payload cannot be read."""
        kind, _, stream = suffix.partition("/")
        has_stream = kind in topics.DURABLE_TOPICS  # other kinds may have other topics below their own
        if not (is_name(site) and is_name(device) and (is_name(stream) or not has_stream)):
            raise UnreadableError("no names of a device and its stream")
        message, content = decode_durable(payload)
        if message.stream and not is_name(message.stream):
            raise UnreadableError("no name of a stream")
        if message.device != device or (has_stream and message.stream not in ("", stream)):
            return Arrival.FOREIGN
        return self._ledger_of(site, device).add_durable(message, content)

    def _feed_report(self, site: str, device: str, suffix: str, payload: bytes, retained: bool) -> Arrival:
        """Process a ``state`` or ``health``; raises `UnreadableError` if topic or payload cannot be read."""
        if not (is_name(site) and is_name(device)):
            raise UnreadableError("no name of a device")
        if suffix == topics.STATE:
            return self._feed_state(site, device, decode_state(payload), retained)
        health = decode_health(payload)
        if health.device != device:
            return Arrival.FOREIGN
        if health.replayed:
            return Arrival.STALE
        self._feed_claim(self._ledger_of(site, device), lambda: outbox_of_health(health), retained)
        return Arrival.NOTED

    def _feed_state(self, site: str, device: str, state: StateFields, retained: bool) -> Arrival:
        if state.device != device:
            return Arrival.FOREIGN
        one = self._ledger_of(site, device)
        is_will = state.mono_ns is None
        if is_will and one.run_id not in ("", state.run_id):
            return Arrival.STALE
        one.run_id = state.run_id
        if not is_will:
            one.restart_replay_order()
            try:
                one.durable_topics = durable_topics_of(state)
            except UnreadableError:
                one.implausible += 1
        self._feed_claim(one, lambda: outbox_of_state(state), retained)
        return Arrival.NOTED

    def _feed_claim(self, one: DeviceLedger, read: Callable[[], OutboxFields | None], retained: bool) -> None:
        """Note what a state or health claims of the outbox; one that cannot be read costs the claim, no more."""
        try:
            outbox = read()
        except UnreadableError:
            one.implausible += 1
            return
        if outbox is not None:
            one.update_outbox(outbox, fresh=not retained)

    def _restart_replay_order(self, site: str, device: str) -> Arrival:
        if (site, device) in self._devices:
            self._devices[site, device].restart_replay_order()
            return Arrival.NOTED
        return Arrival.NOT_OURS

    def _ledger_of(self, site: str, device: str) -> DeviceLedger:
        """The ledger of a device, begun with its first message; raises `UnreadableError` if there are too many."""
        key = (site, device)
        if key not in self._devices:
            if len(self._devices) >= DEVICES_LIMIT:
                self.full = True
                raise UnreadableError("more devices than are watched")
            self._devices[key] = DeviceLedger(self._whole)
        return self._devices[key]

    def _rejected_of(self, site: str, device: str) -> RejectedCounts:
        key = (site, device) if is_name(site) and is_name(device) else NO_DEVICE
        if key not in self._rejected:
            key = key if len(self._rejected) < DEVICES_LIMIT else NO_DEVICE
            return self._rejected.setdefault(key, RejectedCounts())
        return self._rejected[key]
