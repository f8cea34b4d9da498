"""Who has what: an account of its own, sharing no code with what it judges.

`Produced` reads what stands in the outbox files: committed, so the daemon owes it to the world. `Received` is fed what
an outside consumer heard. `compare` says what is missing, and what must never be.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[str, str, int]
"""(device, epoch, seq): the identity of a durable message."""


def fingerprint(body: bytes) -> str:
    """The same for a message and its replay, which differ in one word."""
    return hashlib.sha256(body.replace(b'"replayed":true', b'"replayed":false', 1)).hexdigest()


@dataclass
class Produced:
    """What was seen committed, over all looks."""

    bodies: dict[Key, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    _seen: dict[Path, int] = field(default_factory=dict)
    """next_seq at the last look."""
    _rows: Counter[str] = field(default_factory=Counter)

    def look(self, state_dir: Path) -> None:
        """Read all outbox files in ``state_dir``. Called with the daemon dead, and alive: a reader disturbs nobody."""
        self.looks += 1
        for path in sorted(state_dir.glob("outbox*.sqlite3")):
            db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
            try:
                self._read(path, db)
            finally:
                db.close()

    def _read(self, path: Path, db: sqlite3.Connection) -> None:
        db.execute("BEGIN")  # meta and rows of one moment
        meta = dict(db.execute("SELECT key, value FROM meta"))
        epoch, next_seq = str(meta["epoch"]), int(meta["next_seq"])
        before = self._seen.get(path, 1)
        if next_seq < before:
            self.violations.append(f"{path.name}: next_seq went back from {before} to {next_seq}")
        # The last of what is known is read again too: were it changed, the number would have been given twice.
        for seq, body in db.execute("SELECT seq, body FROM messages WHERE seq >= ? ORDER BY seq", (before - 500,)):
            said = json.loads(body)
            key = (said["device"], epoch, seq)
            if (said["epoch"], said["seq"]) != (epoch, seq):
                self.violations.append(f"row {seq} says it is {said['epoch']}/{said['seq']}")
            if key not in self.bodies:
                self._rows[epoch] += 1
            if self.bodies.setdefault(key, fingerprint(body)) != fingerprint(body):
                self.violations.append(f"seq reused in the outbox: {key}")
            if seq >= next_seq:
                self.violations.append(f"row {seq} is not below next_seq {next_seq}")
        if self._rows[epoch] != next_seq - 1:
            self.violations.append(f"{path.name}: next_seq {next_seq}, but {self._rows[epoch]} rows were ever seen")
        self._seen[path] = next_seq


@dataclass
class Received:
    """What a consumer heard, in the order it heard it."""

    bodies: dict[Key, str] = field(default_factory=dict)
    duplicates: Counter[str] = field(default_factory=Counter)
    """By lane of the repeat."""
    violations: list[str] = field(default_factory=list)
    messages: int = 0
    _last: dict[tuple[str, str, str, bool], int] = field(default_factory=dict)

    def feed(self, topic: str, body: bytes) -> None:
        """One message, as it came."""
        kind = topic.split("/")[4] if topic.count("/") >= 4 else ""
        said = json.loads(body)
        if said.get("status") == "clear" or (said.get("previous") or {}).get("status") == "clear":
            self.violations.append(f"clear on {topic}: the runtime never says so")
        if kind not in ("findings", "coverage"):
            return
        self.messages += 1
        key = (said["device"], said["epoch"], said["seq"])
        lane = "replay" if said["replayed"] else "live"
        if key in self.bodies:
            self.duplicates[lane] += 1
            if self.bodies[key] != fingerprint(body):
                self.violations.append(f"seq reused on the wire: {key}")
            return  # a repeat is recognised, and its place says nothing
        self.bodies[key] = fingerprint(body)
        line = (said["device"], said["epoch"], topic, said["replayed"])
        if said["seq"] < self._last.get(line, 0):
            self.violations.append(f"order: {topic} {lane} seq {said['seq']} after {self._last[line]}")
        self._last[line] = max(said["seq"], self._last.get(line, 0))


@dataclass(frozen=True)
class Account:
    """The outcome."""

    produced: int
    received: int
    duplicates: int
    missing: list[Key]
    """Committed, and not heard."""
    foreign: list[Key]
    """Heard, and never committed: sent before its commit, or made up."""
    violations: list[str]


def compare(produced: Produced, received: Received) -> Account:
    """``produced`` must have had its last look after the daemon's end."""
    foreign = sorted(received.bodies.keys() - produced.bodies.keys())
    changed = [
        f"body changed on the way: {key}"
        for key in received.bodies.keys() & produced.bodies.keys()
        if received.bodies[key] != produced.bodies[key]
    ]
    return Account(
        produced=len(produced.bodies),
        received=len(received.bodies),
        duplicates=sum(received.duplicates.values()),
        missing=sorted(produced.bodies.keys() - received.bodies.keys()),
        foreign=foreign,
        violations=[*produced.violations, *received.violations, *changed],
    )
