"""Disk of the simulation: SQLite's own files in memory, with charges, faults, and power cuts between two syncs.

SQLite works on real files (on a tmpfs, if there is one). Each statement passes here: time is charged for it, by the
steps of SQLite's machine and by the pages that a commit writes; it may fail; and it is a crash point. What the product
syncs is noted, so that a power cut can leave any state that a disk could be in: all that was synced, and a part of the
rest.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulation.world import World

STEPS = 200
"""Steps of SQLite's machine between two charges."""
STEP_S, STATEMENT_S, FRAME_S = 0.3e-6, 5e-6, 20e-6
"""Charges in seconds for a step, for a statement, and for a page that is written: a resend of 250,000 messages comes to
some 5 s, as was measured."""
NORMAL_SYNC_S = 0.0002
"""Charge for a commit that is not synced."""
FRAME_BYTES = 4096 + 24
WAL_HEADER_BYTES = 32
FULL = "database or disk is full"


class SimulatedConnection(sqlite3.Connection):
    """Connection of one simulated process to one database file."""

    disk: SimulatedDisk

    def __init__(self, database: Any, *arguments: Any, **options: Any) -> None:
        self.path = _path_of(str(database))
        self.patience_s = float(options.pop("timeout", 5.0))
        super().__init__(database, *arguments, timeout=0.0, **options)
        self.full_sync = True
        super().execute("PRAGMA synchronous = OFF")
        self.added: list[tuple[str, Any]] = []
        """What the open transaction adds, as `World` wants to know it: (kind, values)."""
        self.process = self.disk.world.process
        self.disk.opened(self)
        self.set_progress_handler(self._charge_steps, STEPS)

    def _charge_steps(self) -> int:
        self.disk.charge(STEPS * STEP_S)
        return 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute one statement, with all that a disk may do to it."""
        disk = self.disk
        if sql[0] == "S" and not (disk.faulty or disk.world.interferes):  # the usual case, in short
            disk.world.time.now += disk.statement_s
            return super().execute(sql, parameters)
        if sql.startswith("PRAGMA"):
            return self._pragma(sql)
        self.disk.before_statement(self, sql)
        if sql == "COMMIT":
            return self.disk.commit(self, lambda: sqlite3.Connection.execute(self, sql))
        if sql == "ROLLBACK":
            self.added.clear()
        elif sql.startswith("INSERT"):
            self._note(sql, [parameters])
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Execute one statement for each of the ``parameters``."""
        rows = list(parameters)
        self.disk.before_statement(self, sql, len(rows))
        if sql.startswith("INSERT"):
            self._note(sql, rows)
        return super().executemany(sql, rows)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Execute the statements of a layout."""
        self.disk.before_statement(self, "SCRIPT")
        return super().executescript(f"BEGIN; {sql_script}; COMMIT")

    def close(self) -> None:
        """Close the file; closing it twice does no harm."""
        self.disk.closed(self)
        super().close()

    def _note(self, sql: str, rows: list[Any]) -> None:
        table = sql.split(None, 3)[2]
        if table in ("bodies", "samples", "meta"):
            self.added += [(table, row) for row in rows]

    def _pragma(self, sql: str) -> sqlite3.Cursor:
        if sql == "PRAGMA busy_timeout":
            return _Rows([(round(self.patience_s * 1e3),)])  # type: ignore[return-value]
        if "busy_timeout" in sql:
            self.patience_s = float(sql.partition("=")[2]) / 1e3
            return super().execute("PRAGMA busy_timeout = 0")
        if "synchronous" in sql:  # what is synced is for the simulated disk to say: really, nothing need be
            self.full_sync = "FULL" in sql
            return super().execute("PRAGMA synchronous = OFF")
        if "wal_checkpoint" in sql:
            self.disk.before_statement(self, sql)
            cursor = super().execute(sql)
            rows = cursor.fetchall()
            self.disk.checkpointed(self, rows)
            return _Rows(rows)  # type: ignore[return-value]
        self.disk.before_statement(self, sql)
        return super().execute(sql)


class _Rows:
    """A result that was read already."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def fetchone(self) -> Any:
        """First row, as a cursor gives it."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        """All rows, as a cursor gives them."""
        return self._rows


def _path_of(database: str) -> str:
    return database.removeprefix("file:").partition("?")[0]


class SqliteModule:
    """Stands for the module ``sqlite3`` in the product's modules that open files."""

    Connection, Cursor = sqlite3.Connection, sqlite3.Cursor
    Error, DatabaseError, OperationalError = sqlite3.Error, sqlite3.DatabaseError, sqlite3.OperationalError

    @staticmethod
    def connect(database: Any, **options: Any) -> sqlite3.Connection:
        """Open a database as a `SimulatedConnection`."""
        return sqlite3.connect(database, factory=SimulatedConnection, **options)


class SimulatedDisk:
    """All files of one device, what of them is synced, and what is wrong with the disk now."""

    def __init__(self, world: World, folder: Path, *, slowness: float, sync_s: float) -> None:
        """``slowness`` multiplies all charges; ``sync_s`` is what a synced commit takes."""
        self.world, self.folder = world, folder
        self._slowness, self._sync_s = slowness, sync_s
        self.statement_s = STATEMENT_S * slowness
        self.full = self.failing = False
        self.damage_in = 0
        """So many statements later one says that the file is damaged; 0: none does."""
        self._open: dict[str, list[SimulatedConnection]] = defaultdict(list)
        self._index: dict[str, int] = {}
        """File handles of SQLite's WAL index of each open database."""
        self._synced: dict[str, tuple[int, bytes]] = {}
        """Path -> (frames, salt) of the WAL at the last sync."""
        self._written: dict[str, int] = {}
        self.marks: dict[str, bytes] = {}
        """Path of each identity file -> what of it is synced."""
        SimulatedConnection.disk = self

    @property
    def faulty(self) -> bool:
        """Whether something is wrong with the disk now."""
        return self.full or self.failing or self.damage_in > 0

    def charge(self, seconds: float) -> None:
        """Let time pass for work that was done."""
        self.world.time.now += seconds * self._slowness

    # --- statements ------------------------------------------------------------------------------------------------
    def before_statement(self, db: SimulatedConnection, sql: str, rows: int = 1) -> None:
        """Charge for a statement, and let happen what may happen before it. Raises sqlite3.Error for a fault."""
        world, process = self.world, db.process
        if world.observing or (process is not world.publisher and process is not world.frames):
            return  # the simulation looks, or the process was killed
        world.time.now += STATEMENT_S * rows * self._slowness
        if sql == "ROLLBACK":
            return
        if world.interferes:
            world.crash_point(process, may_nest=not db.in_transaction)
        if self.faulty:
            self._fail(db, sql)
        if sql.startswith("BEGIN") and world.random.random() < world.setup.lock_share:
            self._wait_for_lock(db)

    def _fail(self, db: SimulatedConnection, sql: str) -> None:
        """Raise what a faulty disk may raise at this statement."""
        if self.failing and self.world.random.random() < 0.3:
            raise sqlite3.OperationalError("disk I/O error")
        if self.full and (sql == "SCRIPT" or (sql == "PRAGMA user_version" and len(self._open[db.path]) == 1)):
            raise sqlite3.OperationalError(FULL)
        if self.damage_in and "outbox" in db.path and sql.startswith("SELECT"):
            self.damage_in -= 1
            if not self.damage_in:
                self.world.log("damage", f"{Path(db.path).name} in {self.world.name_of(db.process)}")
                raise sqlite3.DatabaseError("database disk image is malformed")

    def _wait_for_lock(self, db: SimulatedConnection) -> None:
        wait_s = self.world.random.uniform(0.0, 0.03)
        self.world.time.now += min(wait_s, db.patience_s)
        if db.patience_s < wait_s:
            raise sqlite3.OperationalError("database is locked")

    def commit(self, db: SimulatedConnection, raw: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """Commit, if the disk takes it; a crash may come right after. Raises sqlite3.Error for a fault."""
        gone = self.world.is_gone(db.process)
        changed = db.total_changes != self._written.get(f"{id(db)}", 0)
        if self.full and changed and not gone:
            raise sqlite3.OperationalError(FULL)
        cursor = raw()
        self._written[f"{id(db)}"] = db.total_changes
        added, db.added = db.added, []
        self._charge_commit(db)
        self.world.committed(db, added)
        if not gone:
            if self.failing and self.world.random.random() < 0.2:
                raise sqlite3.OperationalError("disk I/O error")  # it has reached the disk all the same
            self.world.crash_point(db.process, may_nest=True)
        return cursor

    def _charge_commit(self, db: SimulatedConnection) -> None:
        frames, salt = self._wal_index(db.path)
        before, synced_salt = self._synced.get(db.path, (0, b""))
        new = frames - before if salt == synced_salt and frames >= before else frames
        if db.full_sync:
            self._synced[db.path] = (frames, salt)
            self.charge(self._sync_s)
            new = max(new, 1)
        else:
            self.charge(NORMAL_SYNC_S)
            new = min(new, 60)  # those of earlier commits, which were charged, are among them
        self.charge(new * FRAME_S)

    def checkpointed(self, db: SimulatedConnection, rows: list[Any]) -> None:
        """Note that a checkpoint was made: all of the journal is synced, and what it moved is in the file."""
        self._synced[db.path] = self._wal_index(db.path)
        moved = max(0, int(rows[0][2])) if rows else 0
        self.charge(moved * FRAME_S + (self._sync_s if moved else 0.0))

    # --- files -----------------------------------------------------------------------------------------------------
    def opened(self, db: SimulatedConnection) -> None:
        """Note a connection that was opened."""
        self._open[db.path].append(db)

    def closed(self, db: SimulatedConnection) -> None:
        """Note that a connection is about to be closed."""
        found = self._open[db.path]
        if db in found:
            found.remove(db)
            if not found and db.path in self._index:
                os.close(self._index.pop(db.path))
        self._written.pop(f"{id(db)}", None)

    def drop(self, process: object) -> None:
        """Close what a killed process had open; what it had not committed is rolled back."""
        for found in list(self._open.values()):
            for db in [one for one in found if one.process is process]:
                db.close()

    def close(self) -> None:
        """Close everything, at the end of a schedule."""
        for found in list(self._open.values()):
            for db in list(found):
                db.close()

    def _wal_index(self, path: str) -> tuple[int, bytes]:
        """(frames, salt) that are valid in the journal now: bytes 16 and 32 of SQLite's WAL index."""
        handle = self._index.get(path)
        if handle is None:
            try:
                handle = self._index[path] = os.open(f"{path}-shm", os.O_RDONLY)
            except FileNotFoundError:
                return 0, b""
        header = os.pread(handle, 48, 0)
        return (struct.unpack_from("<I", header, 16)[0], header[32:40]) if len(header) == 48 else (0, b"")

    def cut_power(self) -> None:
        """Close all files as a power cut leaves them: synced parts, and a part of the rest."""
        states = {path: self._after_power_cut(path) for path, found in self._open.items() if found}
        self.close()
        self._synced.clear()
        for path, (content, journal) in states.items():
            if not os.path.exists(path):
                continue
            with open(path, "r+b") as file:  # the same file on the disk: not a copy
                file.truncate()
                file.write(content)
            Path(f"{path}-wal").write_bytes(journal)
            self._synced[path] = (len(journal) // FRAME_BYTES, journal[16:24])
        for path, line in self.marks.items():
            if os.path.exists(path) and self.world.random.random() < 0.5:
                with open(path, "r+b") as file:
                    file.write(line)

    def _after_power_cut(self, path: str) -> tuple[bytes, bytes]:
        frames, salt = self._wal_index(path)
        journal = Path(f"{path}-wal")
        written = journal.read_bytes() if journal.exists() else b""
        synced, synced_salt = self._synced.get(path, (0, b""))
        least = synced if salt == synced_salt else 0
        kept = self.world.random.choice((least, frames, self.world.random.randint(min(least, frames), frames)))
        return Path(path).read_bytes(), written[: WAL_HEADER_BYTES + kept * FRAME_BYTES] if kept else b""
