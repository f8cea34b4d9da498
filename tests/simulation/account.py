"""What is true, in a simulation: what was handed over, committed, given up and asked for again, seen from outside."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from edge.outbox.rows import ResendJob

if TYPE_CHECKING:
    from simulation.simulated_client import SimulatedClient
    from simulation.simulated_disk import SimulatedConnection
    from simulation.world import World


class Committed(NamedTuple):
    """One durable message as it was committed."""

    suffix: str
    body: bytes
    put_at_tick: int
    """When it was handed over, in `World.next_tick`."""


class _Body(msgspec.Struct):
    epoch: str
    schema: str
    stream: str
    mono_ns: int


TOPICS = {"finding/1": "findings", "coverage/1": "coverage"}


class SimulatedAccount:
    """The truth about one simulated device."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.put: dict[int, int] = {}
        """Mark of each message that was handed over (its ``mono_ns``) -> when, in `World.next_tick`."""
        self.doomed: set[int] = set()
        """Marks of messages that were in the memory of a process that was killed."""
        self.committed: dict[tuple[str, int], Committed] = {}
        self.marks: Counter[int] = Counter()
        """Mark of each message that was committed -> how often."""
        self.current_epoch = ""
        self.resends: list[tuple[str, ResendJob]] = []
        """(epoch, job) of every resend that was stored."""
        self.kept_health: set[tuple[str, bytes]] = set()
        self.pending_at_starts = 0
        """Sum, over all connections, of what was pending when they were made."""

    def committed_rows(self, db: SimulatedConnection, added: list[tuple[str, Any]]) -> None:
        """Take note of what a transaction added to a file."""
        for table, row in added:
            if table == "bodies":
                self._add_body(int(row[0]), bytes(row[1]))
            elif table == "samples":
                self.kept_health.add((str(row[0]), bytes(row[3])))
            elif str(row[0]).startswith("resending "):
                epoch = _epoch_of(db)
                self.resends.append((epoch, msgspec.json.decode(row[1], type=ResendJob)))

    def _add_body(self, seq: int, body: bytes) -> None:
        fields = msgspec.json.decode(body, type=_Body)
        key = (fields.epoch, seq)
        if key in self.committed:
            self._world.violated("number", f"seq {seq} was given twice")
        if fields.mono_ns not in self.put:
            return  # it was stored before the schedule began
        suffix = f"{TOPICS[fields.schema]}/{fields.stream}"
        self.committed[key] = Committed(suffix, body, self.put[fields.mono_ns])
        self.marks[fields.mono_ns] += 1
        self.current_epoch = fields.epoch
        self._world.log("committed", f"{suffix} {seq}")

    def asked(self, key: tuple[str, int], sink: str | None = None) -> int:
        """How often a message was asked for again."""
        epoch, seq = key
        return sum(
            any(first <= seq <= last for first, last in job.ranges or [(job.first, job.last)])
            and (sink is None or job.sink in (None, sink))
            for known, job in self.resends
            if known == epoch
        )

    def check_sent(self, client: SimulatedClient, host: str, key: tuple[str, int], replayed: bool) -> None:
        """Check one durable message that is sent: its lane, and that it was not sent on this connection already."""
        known = self.committed.get(key)
        if known is None:
            return  # the broker says so
        asked = self.asked(key, f"mqtt://{host}:1883")
        times = client.sent[key]
        set_aside = key[0] != self._world.publisher.epoch()  # what had arrived of it may not have been noted there
        if times > 1 + asked + set_aside and not client.refused_here:
            self._world.violated("repeats", f"{known.suffix} {key[1]} is sent {times} times on one connection")
        began = client.noticed_at_tick
        of_now = began is not None and known.put_at_tick > began and not set_aside
        if of_now and times == 1 and replayed and not asked and not client.refused_here:
            self._world.violated("replayed", f"{known.suffix} {key[1]} was made in this session")


def _epoch_of(db: SimulatedConnection) -> str:
    return str(super(type(db), db).execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])
