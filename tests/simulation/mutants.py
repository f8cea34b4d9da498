"""Mutants: the product with a fault that it once had, or one made up, for tests of the simulation itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec
from simulation.installed import TIME

from edge.contracts import topics
from edge.contracts.ports import Outgoing
from edge.daemon.publisher import outbox_connection
from edge.daemon.publisher.acknowledgements import Acknowledgements
from edge.daemon.publisher.delivery import Delivery
from edge.daemon.publisher.outbox_connection import OutboxConnection
from edge.daemon.publisher.state_and_health import StateAndHealth
from edge.outbox import resend
from edge.process import log_limit
from edge.sinks.mqtt.sink import MqttSink

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    import pytest

    from edge.contracts.state import OutboxState
    from edge.outbox.reader import OutboxReader
    from edge.outbox.rows import OutboxDepth


def full_disk_sends_all_again(patch: pytest.MonkeyPatch) -> None:
    """On a full disk the outbox is opened anew without a pause, and all that is pending is sent again."""
    original = OutboxConnection._open

    def open_as_new(self: OutboxConnection) -> None:
        self._epoch = None
        original(self)

    def fail(self: Acknowledgements, word: str, error: sqlite3.Error) -> NoReturn:
        raise error

    patch.setattr(OutboxConnection, "_open", open_as_new)
    patch.setattr(Acknowledgements, "_fail", fail)
    patch.setattr(outbox_connection, "FIRST_PAUSE_S", 0.0)
    patch.setattr(outbox_connection, "LONGEST_PAUSE_S", 0.0)


def resend_marks_all_at_once(patch: pytest.MonkeyPatch) -> None:
    """A request for messages marks all of them in one pass."""
    patch.setattr(resend, "SLICE", 1 << 40)


def live_begins_late(patch: pytest.MonkeyPatch) -> None:
    """The live lane begins at the number that is next when the publisher first looks into the outbox."""

    def first_live(self: Delivery, session: int, outbox: OutboxReader) -> int:
        return outbox.next_seq()

    patch.setattr(Delivery, "_first_live", first_live)


def health_before_state_is_lost(patch: pytest.MonkeyPatch) -> None:
    """``health`` that is due between a connection and ``state`` is neither sent nor kept."""

    def publish_health(
        self: StateAndHealth, outbox: OutboxState | None, depth: OutboxDepth | None
    ) -> tuple[bytes, list[str]]:
        self._health_at = TIME.now + self._health_every_s
        body = msgspec.json.encode(self.health(outbox, depth))
        away = []
        for sink in self._sinks:
            taken = bool(sink.session)
            if sink.session and self.state_sent(sink):
                taken = sink.send(Outgoing(topics.HEALTH, body, None, qos=0))
            if sink.durable and not taken:
                away.append(sink.name)
        return body, away

    def health_due(self: StateAndHealth) -> bool:
        return TIME.now >= self._health_at

    patch.setattr(StateAndHealth, "publish_health", publish_health)
    patch.setattr(StateAndHealth, "health_due", health_due)


def lost_counts_as_arrived(patch: pytest.MonkeyPatch) -> None:
    """What was under way on a connection that is lost counts as arrived."""

    def return_all(self: MqttSink) -> None:
        self._acked += [seq for seq, _ in self._inflight_messages.values() if seq is not None]
        self._inflight_messages.clear()

    patch.setattr(MqttSink, "_return_all", return_all)


def never_offered_again(patch: pytest.MonkeyPatch) -> None:
    """What comes back from a receiver is never offered again."""
    patch.setattr(Delivery, "_go_back", lambda self, seq: None)


def log_without_limit(patch: pytest.MonkeyPatch) -> None:
    """On a full disk all is sent again, and each failure is a line in the log."""
    full_disk_sends_all_again(patch)
    patch.setattr(
        log_limit.LogLimiter, "_log", lambda self, level, cause, text, args: self._logger.log(level, text, *args)
    )


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    full_disk_sends_all_again: "repeats",
    resend_marks_all_at_once: "pass",
    live_begins_late: "replayed",
    health_before_state_is_lost: "health",
    lost_counts_as_arrived: "lost",
    never_offered_again: "drain",
    log_without_limit: "log",
}
"""Each mutant, and the invariant that it breaks."""
