"""Account of committed and received messages, for fault tests; it shares no code with what it judges.

`Produced` reads what stands in the outbox files: committed, so the daemon owes it to the world. `Received` is fed what
an outside consumer heard. `compare` says what is missing, and what must never be.

A file that a fault has damaged (`Produced.mark_damaged`) owes what it held only as far as it can still be read; what is
numbered in it afterwards is judged as ever.
"""

from __future__ import annotations

import contextlib
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
    """SHA-256 (hex) of a message, the same for its replay: they differ in one word."""
    return hashlib.sha256(body.replace(b'"replayed":true', b'"replayed":false', 1)).hexdigest()


@dataclass
class Produced:
    """Messages that were seen committed in the outbox files, over all readings."""

    bodies: dict[Key, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    looks: int = 0
    frames: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """(run_id, frame) of each frame that began a finding -> mono_ns of those."""
    damaged_epochs: dict[str, int] = field(default_factory=dict)
    """Epochs whose file was damaged -> next_seq at that time."""
    _seen: dict[Path, int] = field(default_factory=dict)
    """next_seq at the last reading, by file."""
    _rows: Counter[str] = field(default_factory=Counter)
    _damaged: dict[Path, str] = field(default_factory=dict)
    """Files that may say anything -> the epoch that they were."""

    def mark_damaged(self, path: Path, epoch: str) -> None:
        """Note that a fault damages ``path`` now, after a reading, with the daemon dead."""
        self.damaged_epochs[epoch] = max(self._seen.get(path, 1), self.damaged_epochs.get(epoch, 1))
        self._damaged[path] = epoch

    def read_outboxes(self, state_dir: Path) -> None:
        """Read all outbox files in ``state_dir``. Called with the daemon dead, and alive: a reader disturbs nobody."""
        self.looks += 1
        for path in sorted(state_dir.glob("outbox*.sqlite3")):
            db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
            try:
                self._read(path, db)
            except (sqlite3.Error, KeyError, ValueError):
                if path not in self._damaged:
                    raise
            finally:
                db.close()

    def _read(self, path: Path, db: sqlite3.Connection) -> None:
        db.execute("BEGIN")  # meta and rows of one moment
        meta = dict(db.execute("SELECT key, value FROM meta"))
        epoch, next_seq = str(meta["epoch"]), int(meta["next_seq"])
        if self._damaged.get(path, epoch) != epoch:
            return
        before, struck = self._seen.get(path, 1), self.damaged_epochs.get(epoch, 0)
        if next_seq < before:
            if not struck:
                self.violations.append(f"{path.name}: next_seq went back from {before} to {next_seq}")
            return
        # The last of what is known is read again too: were it changed, the number would have been given twice.
        # Rows that a fault has damaged prove nothing; the wire shows whether their numbers are given again.
        start = max(before - 500, struck)
        for seq, body in db.execute("SELECT seq, body FROM messages WHERE seq >= ? ORDER BY seq", (start,)):
            said = json.loads(body)
            key = (said["device"], epoch, seq)
            if (said["epoch"], said["seq"]) != (epoch, seq):
                self.violations.append(f"row {seq} says it is {said['epoch']}/{said['seq']}")
            if key not in self.bodies:
                self._rows[epoch] += 1
                if said.get("lifecycle") == "new":
                    frame = (said["run_id"], said["frame"]["seq"])
                    self.frames.setdefault(frame, []).append(said["mono_ns"])
            if self.bodies.setdefault(key, fingerprint(body)) != fingerprint(body):
                self.violations.append(f"seq reused in the outbox: {key}")
            if seq >= next_seq:
                self.violations.append(f"row {seq} is not below next_seq {next_seq}")
        if self._rows[epoch] != next_seq - 1:
            self.violations.append(f"{path.name}: next_seq {next_seq}, but {self._rows[epoch]} rows were ever seen")
        self._seen[path] = next_seq


@dataclass
class Received:
    """Messages that a consumer received, in the order in which it received them."""

    bodies: dict[Key, str] = field(default_factory=dict)
    duplicates: Counter[str] = field(default_factory=Counter)
    """By lane of the repeat."""
    violations: list[str] = field(default_factory=list)
    messages: int = 0
    frames: list[tuple[str, int, int]] = field(default_factory=list)
    """(run_id, frame, mono_ns) of each frame that ``results`` reported a finding of."""
    _last: dict[tuple[str, str, str, bool], int] = field(default_factory=dict)

    def feed(self, topic: str, body: bytes) -> None:
        """Take in one message, as it came."""
        kind = topic.split("/")[4] if topic.count("/") >= 4 else ""
        said = json.loads(body)
        if said.get("status") == "clear" or (said.get("previous") or {}).get("status") == "clear":
            self.violations.append(f"clear on {topic}: the runtime never says so")
        if kind == "results" and said["status"] == "finding":
            self.frames.append((said["run_id"], said["frame_seq"], said["mono_ns"]))
        if topic.endswith(("/request/findings/resend", "/response/findings/resend")):
            # Who is asked to go back goes back: the replay lane begins anew, before it and after the answer.
            self._last = {line: seq for line, seq in self._last.items() if not line[3]}
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
    """Comparison of committed and received messages."""

    produced: int
    received: int
    duplicates: int
    missing: list[Key]
    """Committed, and not received."""
    foreign: list[Key]
    """Received, and never committed: sent before its commit, or made up."""
    violations: list[str]


def readable(state_dir: Path) -> dict[Key, str]:
    """All messages that can still be read in ``state_dir``, whatever became of their files, with their fingerprints."""
    found: dict[Key, str] = {}
    for path in sorted(state_dir.glob("outbox*.sqlite3")):
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
        ):
            for (body,) in db.execute("SELECT body FROM messages"):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    said = json.loads(body)
                    found[said["device"], said["epoch"], said["seq"]] = fingerprint(body)
    return found


def lost_in_commit_window(produced: Produced, received: Received) -> int:
    """Frames of which ``results`` reported a finding that was never committed: the process was killed in between.

    At least so many: ``results`` are not kept, those that were under way at the kill were not received.
    """
    slack_ns = 2_000_000_000  # frames are counted anew when their process starts again; the finding is made at once
    return sum(
        not any(abs(made - told) < slack_ns for made in produced.frames.get((run_id, frame), ()))
        for run_id, frame, told in received.frames
    )


def compare(produced: Produced, received: Received) -> Account:
    """Compare committed with received messages; the last reading must be after the daemon's end."""
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
