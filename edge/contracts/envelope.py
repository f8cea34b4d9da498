"""Envelope: the fields of every MQTT payload, and those that every durable message adds."""

from __future__ import annotations

from typing import Literal

import msgspec


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Fields at the head of every payload. Never order by ``at``: clocks on carts are wrong; order by epoch and seq."""

    device: str
    boot_id: str
    """The kernel's id of this boot; ``mono_ns`` can be compared within one boot only."""
    run_id: str
    """Id of this run, made at each start of the daemon."""
    mono_ns: int
    """Monotonic clock when the message was made, in nanoseconds."""
    at: str
    """Time when the message was made (RFC 3339, UTC), as far as the clock can be trusted: see ``clock``."""
    clock: Literal["synced", "unsynced"]


class Durable(Envelope, frozen=True, kw_only=True):
    """A message that is kept until every durable receiver has it. (device, epoch, seq) tells repeats apart."""

    stream: str
    epoch: str = ""
    """UUID of the outbox, made with each new one; filled in when the message is stored."""
    seq: int = 0
    """Counts the messages of an epoch from 1 without gaps; filled in when the message is stored."""
    replayed: bool = False
    """True when sent again on request, or late because the broker was away."""
