"""Outbox file: SQLite in WAL mode, used by two processes. Layout, opening, creation, migration, and damage.

    meta       epoch, next_seq
    entries    one row a message: pending until every durable sink has it, then acked and kept for a while; a checksum
    bodies     what the message says. Apart, so that what changes with its state is a few bytes and not its page
    messages   a view of both; a body that is gone is NULL
    delivery   which sink has which message already
    expired    [first, last] ranges that were given up unsent

``next_seq`` is committed with the rows it numbers and synced to the disk (``synchronous=FULL``): a number is never
given twice in an epoch, also not after rows were deleted, the process was killed or the power was cut.

A file that is damaged, or a copy (see `edge.outbox.identity`), is left as it is, and the next one
(``outbox-2.sqlite3``, …) is begun; what waits in it is sent by `edge.daemon.publisher.outbox_recovery`. It is never
renamed, and its name never used again: SQLite finds a database's journal by name, so that a process which still has the
old file open would delete the journal of a new one under the old name. For a like reason no process that has an outbox
open may open and close that file by other means.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
import zlib
from typing import TYPE_CHECKING, Literal

from edge.outbox import identity
from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "outbox.sqlite3"
VERSION = 3
BUSY_TIMEOUT_S = 5.0
"""How long one process waits while the other commits; either needs milliseconds."""

ENTRIES = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    suffix TEXT NOT NULL,
    created REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'acked')),
    crc INTEGER
);
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE VIEW messages AS SELECT seq, suffix, body, created, state, crc FROM entries LEFT JOIN bodies USING (seq);
CREATE INDEX entries_pending ON entries (seq) WHERE state = 'pending';
CREATE INDEX entries_acked ON entries (created) WHERE state = 'acked'"""

LAYOUT = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
{ENTRIES};
CREATE TABLE delivery (
    seq INTEGER NOT NULL,
    sink TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'acked',
    PRIMARY KEY (seq, sink)
) WITHOUT ROWID;
CREATE TABLE expired (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
"""


MIGRATIONS = {
    1: ["ALTER TABLE messages ADD COLUMN crc INTEGER"],  # NULL: stored before there were checksums
    2: [
        "ALTER TABLE messages RENAME TO together",
        *ENTRIES.split(";"),
        "INSERT INTO entries SELECT seq, suffix, created, state, crc FROM together",
        "INSERT INTO bodies SELECT seq, body FROM together",
        "DROP TABLE together",
    ],
}
"""Statements by layout version: they make the next version of it."""


def connect(
    path: Path,
    synchronous: Literal["FULL", "NORMAL"],
    readonly: bool = False,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> sqlite3.Connection:
    """Open an existing outbox. Transactions are begun by hand, see `edge.outbox.transactions`.

    Raises:
        sqlite3.Error: the file is missing, no outbox, damaged, or of another layout version.
    """
    uri = f"file:{_quoted(path)}?mode={'ro' if readonly else 'rw'}"
    db = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten: not every SQLite does so by itself
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise sqlite3.DatabaseError(f"expected outbox layout {VERSION}, got {version}")
        if db.execute("SELECT count(*) FROM meta WHERE key IN ('epoch', 'next_seq')").fetchone()[0] != 2:
            raise sqlite3.DatabaseError("the outbox does not say its epoch")
    except BaseException:
        db.close()
        raise
    return db


def create(path: Path) -> None:
    """Create a new, empty outbox with an epoch of its own, readable by this user only.

    It is made under another name and moved into place: the publisher never sees half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    epoch = str(uuid.uuid4())
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    db = sqlite3.connect(draft, isolation_level=None)
    try:
        db.executescript(LAYOUT)
        db.executemany("INSERT INTO meta VALUES (?, ?)", [("epoch", epoch), ("next_seq", 1)])
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("PRAGMA journal_mode = WAL")  # the file remembers
    finally:
        db.close()
    for suffix in ("-wal", "-shm"):  # a journal left by another file would be played into this one
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    mark = identity.IdentityFile(path, identity_of=draft)
    mark.write(epoch, 1, sync=True)
    mark.close()
    sync_directory(path.parent)  # an outbox whose mark did not outlive a power cut would be taken for a copy
    draft.replace(path)
    sync_directory(path.parent)
    for directory in path.parent.parents:  # the folder may be new as well, and with it those above
        with contextlib.suppress(OSError):
            sync_directory(directory)


def migrate(path: Path, *, mark: bool = True) -> None:
    """Migrate an outbox of an earlier layout to the present one, all of it or nothing; the epoch goes on.

    ``mark``: False for one that was set aside and is only read: it must not come to look like the one in use.

    Raises sqlite3.Error or OSError if that cannot be done; newer layouts are left to `connect` to refuse.
    """
    db = sqlite3.connect(f"file:{_quoted(path)}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] not in MIGRATIONS:
            return
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        with transaction(db):
            version = db.execute("PRAGMA user_version").fetchone()[0]
            epoch, next_seq = meta(db)
            if mark and version == 1 and identity.read(path) is None:  # had none; with the next, its absence tells
                file = identity.IdentityFile(path)
                file.write(epoch, next_seq, sync=True)
                file.close()
            while version in MIGRATIONS:
                for statement in MIGRATIONS[version]:
                    db.execute(statement)
                version += 1
            db.execute(f"PRAGMA user_version = {version}")
    finally:
        db.close()


def verify(path: Path, db: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if this is a copy, not the outbox last written here: see `edge.outbox.identity`."""
    mark = identity.read(path)  # before the outbox itself: what is committed meanwhile makes that the newer one
    why = identity.contradiction(mark, *meta(db), identity.machine_identity(), identity.file_identity(path))
    if why is not None:
        raise sqlite3.DatabaseError(why)


def check(db: sqlite3.Connection) -> None:
    """Read all of the database; raise sqlite3.DatabaseError if it is damaged."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError("malformed: " + " ".join(str(found).split())[:200])


def checksum(seq: int, suffix: str, body: bytes) -> int:
    """Checksum (CRC-32) of one message: SQLite itself does not notice a bit that flipped inside a value."""
    return zlib.crc32(b"%d %b %b" % (seq, suffix.encode(), body))


def mark_damaged(path: Path) -> None:
    """Leave a note that the reader found ``path`` damaged, on which the writer sets it aside."""
    with contextlib.suppress(OSError):
        os.close(os.open(_damage_note(path), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def is_marked_damaged(path: Path) -> bool:
    """Whether `mark_damaged` has left a note for ``path``."""
    return _damage_note(path).exists()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged, and not that it is locked, new or another's."""
    return any(word in str(error) for word in ("malformed", "not a database", "corrupt"))


def _damage_note(path: Path) -> Path:
    return path.with_name(path.name + ".damaged")


def set_aside_outboxes(path: Path) -> list[Path]:
    """All outboxes before the one in use, oldest first. ``path`` is the first outbox' name."""
    found = []
    while next_outbox_path(path).exists():
        found.append(path)
        path = next_outbox_path(path)
    return found


def empty_outbox(path: Path) -> None:
    """Empty an outbox that was set aside: what it holds is about patients' pictures.

    The name stays, since `current_outbox` goes from one to the next.
    """
    with contextlib.suppress(OSError):
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        os.truncate(path, 0)


def purge(path: Path) -> list[Path]:
    """Delete every outbox and all that belongs to it, and begin a new one. ``path`` is the first outbox' name.

    Only while no daemon runs. Returns the files that were deleted. Raises OSError if something cannot be.
    """
    stem, suffix = path.stem, path.suffix
    found = sorted(
        one for one in path.parent.iterdir() if one.name.startswith((f"{stem}{suffix}", f"{stem}-")) and one.is_file()
    )
    for one in found:
        one.unlink()
    create(path)
    return found


def current_outbox(path: Path) -> Path:
    """The outbox in use: ``path``, or the last of those that followed it after damage."""
    while next_outbox_path(path).exists():
        path = next_outbox_path(path)
    return path


def next_outbox_path(path: Path) -> Path:
    """Name of the outbox after ``path``: ``outbox.sqlite3`` -> ``outbox-2.sqlite3`` -> ``outbox-3.sqlite3``."""
    name, _, number = path.stem.partition("-")
    return path.with_name(f"{name}-{int(number or 1) + 1}{path.suffix}")


def meta(db: sqlite3.Connection) -> tuple[str, int]:
    """Read (epoch, next_seq). Raises sqlite3.DatabaseError if they are not what they should be."""
    values = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('epoch', 'next_seq')"))
    try:
        return str(values["epoch"]), int(values["next_seq"])
    except (KeyError, TypeError, ValueError):
        raise sqlite3.DatabaseError("malformed: the outbox does not say its epoch and number") from None


def transient_error(error: sqlite3.Error) -> str | None:
    """Problem word of a temporary SQLite error (``disk_full``, ``disk_error``); None: the file is damaged."""
    text = str(error)
    if "full" in text:
        return "disk_full"
    damaged = "malformed" in text or "no such" in text
    return "disk_error" if isinstance(error, sqlite3.OperationalError) and not damaged else None


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def sync_directory(directory: Path) -> None:
    """Sync ``directory``, so that its names outlive a power cut: syncing the files alone is not enough for that."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
