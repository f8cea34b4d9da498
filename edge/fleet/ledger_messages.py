"""The few fields of MQTT messages that the ledger reads, and how they are read.

Only the fields that the ledger needs: it must understand devices that are newer than itself. A durable message is told
by its (device, epoch, seq), whatever else it says. What a device claims of its outbox and of its topics is read apart
from the rest, so that a false claim does not hide the state that it came with.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from edge.contracts import topics
from edge.contracts.decoding import FAILURES, UnreadableError, convert_value, decode_json
from edge.contracts.names import is_name

SEQ_LIMIT = 1 << 40
"""Above it no sequence number can be: a thousand messages a second for 34 years."""
MESSAGE_LIMIT = 1 << 20
"""Bytes of a message that are looked at; the longest of a device (a state with 500 expired ranges) have 20,000."""

Seq = Annotated[int, msgspec.Meta(ge=1, le=SEQ_LIMIT)]
"""Sequence number of a durable message; an epoch counts from 1 without gaps."""
Epoch = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class DurableFields(msgspec.Struct, frozen=True):
    """Fields of a durable message of any schema that the ledger reads."""

    device: str
    epoch: Epoch
    seq: Seq
    stream: str = ""
    """Empty: it is of no stream."""
    replayed: bool = False


class OutboxFields(msgspec.Struct, frozen=True):
    """Claim of a device about its outbox: next sequence number, oldest kept message, expired ranges."""

    epoch: Epoch
    next_seq: int
    oldest_kept: int | None = None
    expired: list[tuple[int, int]] = []


class StateFields(msgspec.Struct, frozen=True):
    """Fields of a ``state`` message, or of the last will, that the ledger reads."""

    device: str
    run_id: Annotated[str, msgspec.Meta(max_length=64)]
    schema: Literal["state/1"]
    mono_ns: int | None = None
    """Missing in a last will: the broker publishes it, not the device."""
    outbox: Any = None
    durable_topics: Any = None


class _DurableTopicsClaim(msgspec.Struct, frozen=True):
    durable_topics: Annotated[tuple[str, ...], msgspec.Meta(max_length=topics.DURABLE_TOPICS_LIMIT)]


class HealthFields(msgspec.Struct, frozen=True):
    """Fields of a ``health`` message that the ledger reads."""

    device: str
    schema: Literal["health/1"]
    outbox_epoch: Any = ""
    outbox_oldest_kept: Any = None
    outbox_next_seq: Any = 1
    outbox_expired: Any = []
    replayed: bool = False


_encode = msgspec.json.Encoder(order="deterministic").encode


def decode_durable(payload: bytes) -> tuple[DurableFields, bytes]:
    """Fields of a durable message, and its content: what must be equal when it is sent again.

    The content is all but ``replayed``, whatever the order of the fields and the white space between them.
    """
    message: dict[str, Any] = decode_json(payload, dict[str, Any], limit=MESSAGE_LIMIT)
    fields = convert_value(message, DurableFields)
    message.pop("replayed", None)
    try:
        return fields, _encode(message)
    except FAILURES:  # JSON that cannot be written again: numbers of more than 64 bits
        return fields, payload


def is_durable(payload: bytes) -> bool:
    """Whether a message has the fields of a durable one; costs less than `decode_durable`."""
    try:
        decode_json(payload, DurableFields, limit=MESSAGE_LIMIT)
    except UnreadableError:
        return False
    return True


def decode_state(payload: bytes) -> StateFields:
    """Fields of a ``state`` message; raises `UnreadableError`."""
    return decode_json(payload, StateFields, limit=MESSAGE_LIMIT)


def decode_health(payload: bytes) -> HealthFields:
    """Fields of a ``health`` message; raises `UnreadableError`."""
    return decode_json(payload, HealthFields, limit=MESSAGE_LIMIT)


def outbox_of_state(state: StateFields) -> OutboxFields | None:
    """Read the outbox numbers of a `state` message; None if it has none. Raises `UnreadableError`."""
    return None if state.outbox is None else convert_value(state.outbox, OutboxFields)


def durable_topics_of(state: StateFields) -> tuple[str, ...]:
    """Topics that a `state` message calls durable; those that always were if it names none. Raises `UnreadableError`.

    Each becomes a subscription below the device's own prefix, so it must be one plain level without another meaning.
    """
    if state.durable_topics is None:
        return topics.DURABLE_TOPICS
    named = convert_value({"durable_topics": state.durable_topics}, _DurableTopicsClaim).durable_topics
    for each in named:
        if not is_name(each) or each in topics.NEVER_DURABLE:
            raise UnreadableError(f"no topic of durable messages: {each!r}")
    return tuple(dict.fromkeys(named))


def outbox_of_health(health: HealthFields) -> OutboxFields | None:
    """Read the outbox numbers of a `health` message; None if it has none. Raises `UnreadableError`."""
    if health.outbox_epoch == "":
        return None
    claim = {
        "epoch": health.outbox_epoch,
        "oldest_kept": health.outbox_oldest_kept,
        "next_seq": health.outbox_next_seq,
        "expired": health.outbox_expired,
    }
    return convert_value(claim, OutboxFields)


__all__ = [
    "MESSAGE_LIMIT", "SEQ_LIMIT", "DurableFields", "HealthFields", "OutboxFields", "StateFields", "UnreadableError",
    "decode_durable", "decode_health", "decode_state", "durable_topics_of", "is_durable", "outbox_of_health",
    "outbox_of_state",
]  # fmt: skip
