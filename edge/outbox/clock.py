"""Clock of the outbox, for the age of messages: nobody can set it, unlike the wall clock.

It begins with the wall clock's time when the file is first used and then goes on with the kernel's uptime, sleep
included. So a wall clock that is put right, or wrong, by years wipes nothing and keeps nothing for ever. How long the
machine was off only the wall clock knows: that is believed up to `OFF_LIMIT_S` for each boot, so that a clock which
comes up wrong cannot age everything at once; where it was off for longer, messages are kept longer by the rest.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    import sqlite3

OFF_LIMIT_S = 12 * 3600.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def uptime() -> float:
    """Seconds since the boot, sleep included; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def offset(db: sqlite3.Connection, readonly: bool = False) -> float:
    """Seconds to be added to `uptime` in this boot. Decided by whoever asks first, and the same for all then.

    ``readonly``: nothing is stored. Raises sqlite3.Error if the outbox fails.
    """
    boot = _boot_id()
    if (known := _read(db, boot)) is not None:
        return known
    if readonly:
        return _first_offset(db)
    with transaction(db):
        if (known := _read(db, boot)) is not None:  # the other process was quicker
            return known
        found = _first_offset(db)
        if not _begun(db):  # stored by the wall clock, under an earlier version
            db.execute("UPDATE entries SET created = ? WHERE created > ?", (found + uptime(), found + uptime()))
        db.execute("INSERT OR REPLACE INTO meta VALUES ('clock', ?)", (f"{boot} {found!r}",))
    return found


def _first_offset(db: sqlite3.Connection) -> float:
    wall = time.time()
    newest = db.execute("SELECT created FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    if newest is None or not _begun(db):
        return wall - uptime()
    last = float(newest[0])
    return last + min(max(0.0, wall - last), OFF_LIMIT_S) - uptime()


def _begun(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM meta WHERE key = 'clock'").fetchone() is not None


def _read(db: sqlite3.Connection, boot: str) -> float | None:
    row = db.execute("SELECT value FROM meta WHERE key = 'clock'").fetchone()
    noted, _, value = str(row[0]).partition(" ") if row is not None else ("", "", "")
    try:
        return float(value) if noted == boot else None
    except ValueError:
        return None  # damaged: decided anew, as after a boot


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
