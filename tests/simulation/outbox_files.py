"""Reads the outbox files of a simulated device from outside, as they are."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PENDING = "SELECT seq FROM entries WHERE state = 'pending'"


def read_outboxes(folder: Path, query: str) -> list[tuple[str, list[tuple[int, ...]]]]:
    """(epoch, rows of ``query``) of each outbox in ``folder``; those that are being made are left out."""
    found = []
    for path in sorted(folder.glob("outbox*.sqlite3")):
        db = sqlite3.connect(path)
        try:
            epoch = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
            found.append((str(epoch[0]), db.execute(query).fetchall()))
        except (sqlite3.Error, TypeError):
            continue
        finally:
            db.close()
    return found
