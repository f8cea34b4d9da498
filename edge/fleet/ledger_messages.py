"""The few fields of MQTT messages that the ledger reads, as msgspec decoders.

Only the fields that the ledger needs: it must understand devices that are newer than itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Seq = Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
"""Sequence number of a durable message; an epoch counts from 1 without gaps."""


class DurableFields(msgspec.Struct, frozen=True):
    """Fields of a finding or a coverage message that the ledger reads."""

    device: str
    stream: str
    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    seq: Seq
    schema: Literal["finding/1", "coverage/1"]
    replayed: bool = False


class OutboxFields(msgspec.Struct, frozen=True):
    """State of a device's outbox: next sequence number, oldest kept message, expired ranges."""

    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    next_seq: Seq
    oldest_kept: int | None = None
    expired: list[tuple[Seq, Seq]] = []


class StateFields(msgspec.Struct, frozen=True):
    """Fields of a ``state`` message, or of the last will, that the ledger reads."""

    device: str
    run_id: str
    schema: Literal["state/1"]
    mono_ns: int | None = None
    """Missing in a last will: the broker publishes it, not the device."""
    outbox: OutboxFields | None = None


class HealthFields(msgspec.Struct, frozen=True):
    """Fields of a ``health`` message that the ledger reads."""

    device: str
    schema: Literal["health/1"]
    outbox_epoch: str = ""
    outbox_oldest_kept: int | None = None
    outbox_next_seq: Seq = 1
    outbox_expired: list[tuple[Seq, Seq]] = []
    replayed: bool = False


TOPIC_OF_SCHEMA = {"finding/1": "findings", "coverage/1": "coverage"}
"""Topic of each durable message's schema."""
decode_durable = msgspec.json.Decoder(DurableFields).decode
decode_state = msgspec.json.Decoder(StateFields).decode
decode_health = msgspec.json.Decoder(HealthFields).decode
