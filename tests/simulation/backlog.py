"""A large outbox whose messages were all sent before the schedule begins, made once and then copied."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from simulation.account import Committed
from simulation.processes import STREAM, TEMPLATE
from simulation.simulated_time import START, WALL_AT_START

from edge.outbox import schema
from edge.outbox.identity import IdentityFile

if TYPE_CHECKING:
    from simulation.world import World

CREATED = WALL_AT_START + START - 60.0
"""When its messages were stored: a minute before, so that they are kept."""
EPOCH = "00000000-0000-4000-8000-00000000ba5e"


def put_backlog(world: World) -> None:
    """Put the outbox in place, and account for what is in it."""
    number = world.setup.backlog
    path = world.folder / schema.FILE_NAME
    path.write_bytes(_file(number))
    mark = IdentityFile(path)
    mark.write(EPOCH, number + 1, sync=True)
    mark.close()
    for seq, body in _bodies(number):
        world.account.committed[EPOCH, seq] = Committed(f"coverage/{STREAM}", body, 0)
    for broker in world.brokers.values():
        broker.received.update(world.account.committed.keys())
    world.account.current_epoch = EPOCH


@lru_cache(maxsize=1)
def _bodies(number: int) -> list[tuple[int, bytes]]:
    numbered = [msgspec.structs.replace(TEMPLATE, epoch=EPOCH, seq=seq) for seq in range(1, number + 1)]
    return [(one.seq or 0, msgspec.json.encode(one)) for one in numbered]


@lru_cache(maxsize=1)
def _file(number: int) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / schema.FILE_NAME
        db = sqlite3.connect(path, isolation_level=None)
        db.executescript(schema.LAYOUT)
        db.execute("BEGIN")
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("epoch", EPOCH), ("next_seq", number + 1)])
        for seq, body in _bodies(number):
            crc = schema.checksum(seq, f"coverage/{STREAM}", body)
            db.execute(
                "INSERT INTO entries (seq, suffix, created, state, crc) VALUES (?, ?, ?, 'acked', ?)",
                (seq, f"coverage/{STREAM}", CREATED, crc),
            )
            db.execute("INSERT INTO bodies VALUES (?, ?)", (seq, body))
        db.execute("COMMIT")
        db.execute(f"PRAGMA user_version = {schema.VERSION}")
        db.execute("PRAGMA journal_mode = WAL")
        db.close()
        return path.read_bytes()
