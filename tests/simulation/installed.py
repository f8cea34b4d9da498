"""Puts the simulation's clock, disk, client and steps in the place of the product's own, and back again."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulation import stepped_parts
from simulation.simulated_client import SimulatedClient
from simulation.simulated_disk import SqliteModule
from simulation.simulated_time import SeededUuids, SimulatedSystemClock, SimulatedTime

import edge.app.envelope
import edge.app.frame_link
import edge.daemon.publisher.outbox_connection
import edge.daemon.publisher.publisher
import edge.daemon.publisher.sinks
import edge.daemon.publisher.state_and_health
import edge.outbox.checkpoints
import edge.outbox.clock
import edge.outbox.identity
import edge.outbox.missed_health
import edge.outbox.schema
import edge.outbox.writer
import edge.sinks.mqtt.connection
import edge.sinks.mqtt.sink
from edge.daemon.publisher.machine_health import MachineHealth
from edge.device.sensors import Readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation.world import World

TIME, UUIDS = SimulatedTime(), SeededUuids()


class NoThread:
    """Stands for ``threading.Thread``: it never runs, the simulation takes its steps."""

    def __init__(self, **options: Any) -> None:
        pass

    def start(self) -> None:
        """Start nothing."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for nothing."""

    def is_alive(self) -> bool:
        """Say that it runs."""
        return True


THREADS = SimpleNamespace(Thread=NoThread, Event=threading.Event, Lock=threading.Lock)


def _replacements() -> list[tuple[ModuleType, str, object]]:
    """(module, name, what stands for it) of everything but the clocks."""
    publisher, outbox = edge.daemon.publisher, edge.outbox
    return [
        (edge.app.envelope, "SystemClock", lambda: SimulatedSystemClock(TIME)),
        (edge.app.envelope, "boot_id", lambda: TIME.boot_id()),
        (edge.app.frame_link, "OutboxWriter", stepped_parts.SteppedWriter),
        (outbox.writer, "threading", THREADS), (outbox.checkpoints, "threading", THREADS),
        (outbox.writer, "IdentityFile", stepped_parts.TrackedIdentityFile),
        (outbox.identity, "IdentityFile", stepped_parts.TrackedIdentityFile),
        (outbox.identity, "machine_identity", lambda: "machine"),
        (outbox.clock, "_boot_id", lambda: TIME.boot_id()),
        (outbox.schema, "sync_directory", lambda directory: None),
        (outbox.schema, "sqlite3", SqliteModule), (outbox.missed_health, "sqlite3", SqliteModule),
        (publisher.outbox_connection, "Checkpoints", stepped_parts.SteppedCheckpoints),
        (publisher.publisher, "Wakeup", stepped_parts.SimulatedWakeup),
        (publisher.publisher, "MachineHealth", lambda hot_c: MachineHealth(hot_c, Readings)),
        (publisher.sinks, "make_sink", stepped_parts.RecordingSink),
        (publisher.state_and_health, "uptime_s", lambda pid: TIME.now),
        (publisher.state_and_health, "process_metrics",
         SimpleNamespace(memory_mb=lambda pid: None, disk_free_mb=lambda path: None)),
        (edge.sinks.mqtt.sink, "Reconnector", stepped_parts.SteppedReconnector),
        (edge.sinks.mqtt.connection, "BoundedClient", SimulatedClient),
    ]  # fmt: skip


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """The product runs in a simulation, until the end of the block."""
    saved: list[tuple[ModuleType, str, object]] = []
    clocks = [
        (module, name, stand_in)
        for key, module in list(sys.modules.items())
        if key.startswith("edge.") and isinstance(module, ModuleType)
        for name, original, stand_in in (("time", time, TIME), ("uuid", sys.modules["uuid"], UUIDS))
        if getattr(module, name, None) is original
    ]
    for module, name, stand_in in [*_replacements(), *clocks]:
        saved.append((module, name, getattr(module, name)))
        setattr(module, name, stand_in)
    logger = logging.getLogger("edge")
    propagate, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.setLevel(level)
        for module, name, original in reversed(saved):
            setattr(module, name, original)


def enter(world: World) -> None:
    """Make ``world`` the one that the installed parts are in."""
    stepped_parts.SteppedPart.world = world
    SimulatedClient.world = world
    UUIDS.random.seed(world.setup.noise)
