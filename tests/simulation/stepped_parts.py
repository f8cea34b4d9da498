"""Parts of the product as the simulation runs them: their own classes, whose threads are steps that the world takes."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from edge.daemon.publisher.publisher import Publisher
from edge.outbox import schema
from edge.outbox.batches import next_batch
from edge.outbox.checkpoints import EVERY_S, Checkpoints
from edge.outbox.identity import IdentityFile
from edge.outbox.writer import OutboxWriter
from edge.process.wakeup import Wakeup
from edge.sinks.mqtt.backoff import ReconnectBackoff
from edge.sinks.mqtt.reconnect import Reconnector
from edge.sinks.mqtt.sink import MqttSink

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from simulation.world import World

    from edge.contracts.envelope import Durable
    from edge.contracts.ports import Outgoing
    from edge.contracts.state import OutboxState
    from edge.outbox.reader import OutboxReader
    from edge.outbox.rows import OutboxDepth
    from edge.sinks.mqtt.connection import BrokerConnection


class SteppedPart:
    """A part of the product that knows the world in which it runs."""

    world: World
    """Set by whoever runs a schedule."""


class TrackedIdentityFile(SteppedPart, IdentityFile):
    """Identity file of an outbox; what of it is synced is noted for power cuts."""

    def __init__(self, outbox: Path, identity_of: Path | None = None) -> None:
        super().__init__(outbox, identity_of)
        self.path = f"{outbox}.mark"
        self.process = self.world.process
        self.world.identity_files.append(self)

    def write(self, epoch: str, next_seq: int, sync: bool = False) -> None:
        """Write the line; a sync of it makes it outlive a power cut."""
        synced_at = self._synced_at
        super().write(epoch, next_seq, sync)
        if self._synced_at != synced_at or self.path not in self.world.disk.marks:
            with open(self.path, "rb") as file:
                self.world.disk.marks[self.path] = file.read()

    def close(self) -> None:
        """Close the file; a killed process is closed by the simulation."""
        super().close()
        if self in self.world.identity_files:
            self.world.identity_files.remove(self)


class SteppedWriter(SteppedPart, OutboxWriter):
    """Outbox writer whose thread is a step: store one batch, or fail and try again later."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.process = self.world.process
        self._current: tuple[list[tuple[str, Durable]], threading.Event | None] | None = ([], None)
        self._opening = True
        self._is_due = False
        self.plan(0.0)

    def put(self, suffix: str, message: Durable) -> bool:
        """Queue a message, and wake the writer."""
        taken = super().put(suffix, message)
        self.plan(0.0005)
        return taken

    def plan(self, after_s: float) -> None:
        """Take the next step after so many seconds, if none is planned."""
        if not self._is_due:
            self._is_due = True
            self.world.plan(self.world.time.now + after_s, "writer", self._step, self.process)

    def _step(self) -> None:
        self._is_due = False
        if self._current is None:
            if self._queue.empty():
                return
            self._current = next_batch(self._queue)
        if not self._try_to_store(self._current[0]):
            self.plan(self._retry_pause())
            return
        batch, stored = self._current
        self._current = None
        if self._opening:
            self._opening = False
            self._on_commit()
        self._announce_stored(batch, stored)
        if not self._queue.empty():
            self.plan(0.0)


class SteppedCheckpoints(SteppedPart, Checkpoints):
    """Checkpoints whose thread is a step every few seconds."""

    def __init__(self, path: Path, every_s: float = EVERY_S) -> None:
        super().__init__(path, every_s)
        self._seen: int | None = None
        self.process = self.world.process
        self._db = None
        self._closed = False
        self._plan()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        if self._db is not None:
            self._db.close()

    def _plan(self) -> None:
        self.world.plan(self.world.time.now + self._every_s, "checkpoints", self._step, self.process)

    def _step(self) -> None:
        if self._closed:
            return
        if self._db is None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._db = schema.connect(self._path, "NORMAL")
        if self._db is not None:
            self._seen = self._checkpoint(self._db, self._seen)
        self._plan()


class SteppedReconnector(SteppedPart, Reconnector):
    """Reconnector whose thread is a step: connect, serve the connection, or pause."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.process = self.world.process
        self._backoff = ReconnectBackoff(jitter=self.world.random.random)

    def start(self) -> None:
        """Connect at once."""
        self.world.plan(self.world.time.now, "connection", self._connect, self.process)

    def _connect(self) -> None:
        connection = self._next_connection()
        client: Any = connection._client
        client.step = lambda: self._serve(connection)
        self._goes_on(connection, connection._step(connection._connect))
        if connection is self.latest_connection and connection.notify is self._notify:
            self.world.plan(self.world.time.now + 5.1, "connection", client.step, self.process)  # no answer

    def _serve(self, connection: BrokerConnection) -> None:
        if connection is self.latest_connection and connection.notify is self._notify:
            self._goes_on(connection, connection._step(lambda: connection._serve(self._stop)))

    def _goes_on(self, connection: BrokerConnection, end: Any) -> None:
        if end is None:
            return
        connection._finish()
        self.world.log("disconnected", f"{self._credentials.host}: {end.value}")
        pause_s = self._pause_after(connection, end)
        self.world.plan(self.world.time.now + pause_s, "connection", self._connect, self.process)


class RecordingSink(SteppedPart, MqttSink):
    """MQTT sink that notes which ``health`` it has taken."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.health: set[bytes] = set()

    def send(self, message: Outgoing) -> bool:
        """Take a message to be sent."""
        taken = super().send(message)
        if taken and message.suffix == "health":
            self.health.add(message.body)
        return taken


class SimulatedWakeup(SteppedPart, Wakeup):
    """Wake-up of the publisher: the world makes its next turn."""

    def __init__(self) -> None:
        self.process = self.world.process

    def wake(self) -> None:
        """Have the publisher make a turn soon."""
        self.world.wake_publisher(self.process)

    def clear(self) -> None:
        """Reset it: there is nothing to reset."""

    def close(self) -> None:
        """Close it: there is nothing to close."""


class SteppedPublisher(SteppedPart, Publisher):
    """Publisher whose loop is a step: one turn."""

    health_at: float | None = None
    """When the last ``health`` was made."""

    def open(self) -> None:
        """Begin, as `run` does."""
        self._open()

    def turn(self) -> bool:
        """One turn, as `run` makes it; True: there is more to do at once."""
        return self._turn()

    def _publish_health(self, outbox: OutboxReader | None) -> None:
        """Publish ``health``, and check that it was sent or kept for every sink."""
        made: list[bytes] = []
        publish = self._state_and_health.publish_health

        def publish_and_note(state: OutboxState | None, depth: OutboxDepth | None) -> tuple[bytes, list[str]]:
            body, away = publish(state, depth)
            made.append(body)
            return body, away

        self._state_and_health.publish_health = publish_and_note  # type: ignore[method-assign]
        given_up = self.deliveries.deferred.missed_health.counts.expired
        try:
            super()._publish_health(outbox)
        finally:
            self._state_and_health.publish_health = publish  # type: ignore[method-assign]
        for body in made:
            self._check_health(body, self.deliveries.deferred.missed_health.counts.expired - given_up)

    def _check_health(self, body: bytes, given_up: int) -> None:
        world, now = self.world, self.world.time.now
        missed = [one.name for one in self.sinks if isinstance(one, RecordingSink) and body not in one.health]
        kept = sum((name, body) in world.account.kept_health for name in missed)
        if len(missed) > kept + given_up:
            world.violated("health", f"one of {now:.3f} is neither sent to {', '.join(missed)} nor kept")
        latest = self._began_at if self.health_at is None else self.health_at
        if now - latest > world.setup.health_every_s + 2 * world.idle_s + 3.0:
            world.violated("health", f"none was made from {latest:.3f} until {now:.3f}")
        self.health_at = now
