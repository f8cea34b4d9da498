"""Power cuts while an outbox is created, after so many changes to a disk that was empty."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faults.forgetful_disk import Disk
from sample_messages import make_message

from edge.outbox import schema
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = 4
PATIENCE_S = 30.0


@dataclass
class CreationCut:
    """Result of one power cut during the creation of an outbox."""

    promised: int = 0
    """Messages that the writer had reported as stored when the power went."""
    frozen: bool = False
    """Whether the power went at all before the last message."""
    faults: list[str] = field(default_factory=list)


def cut_during_creation(folder: Path, after_changes: int, mode: str, seed: int, lies: int = 0) -> CreationCut:
    """Create an outbox, cut the power after ``after_changes``, and go on with what is left."""
    disk, result = Disk(folder, lies), CreationCut()
    path = disk.mount_point / "cart" / "state" / schema.FILE_NAME
    with contextlib.ExitStack() as stack:
        stack.callback(disk.unmount)
        disk.start()
        disk.arm(after_changes)
        writer = OutboxWriter(path, on_commit=lambda: None)
        for _ in range(MESSAGES):
            writer.put("coverage/cart-1", make_message())
            deadline = time.monotonic() + PATIENCE_S
            while not (stored := writer.flush(0.1)) and not disk.power_is_gone():
                assert time.monotonic() < deadline, "neither stored nor cut"
            if not stored:
                result.frozen = True
                break
            result.promised += 1
        disk.freeze()
        disk.release()
        writer.close(0.1)
        writer.close(10)  # waits for its thread, which has only errors to wait for
        disk.cut(mode, seed)

        disk.start()
        writer = OutboxWriter(path, on_commit=lambda: None)
        for _ in range(MESSAGES):
            writer.put("coverage/cart-1", make_message())
        if not writer.flush(30):
            result.faults.append("takes no messages after the cut")
        if writer.problems():
            result.faults.append(f"after the cut: {writer.problems()}")
        writer.close(5)
        disk.freeze()
        disk.release()
        disk.cut("vanish", 0)
    disk.export_files(folder / "looked")
    _check_files(folder / "looked" / "cart" / "state", result)
    return result


def _check_files(state_dir: Path, result: CreationCut) -> None:
    files = sorted(path.name for path in state_dir.glob("outbox*.sqlite3"))
    if files != [schema.FILE_NAME]:
        result.faults.append(f"files: {files}")
        return
    with contextlib.closing(sqlite3.connect(state_dir / schema.FILE_NAME)) as db:
        bodies = [json.loads(body) for (body,) in db.execute("SELECT body FROM messages ORDER BY seq")]
    numbers = [body["seq"] for body in bodies]
    if numbers != list(range(1, len(numbers) + 1)) or len({body["epoch"] for body in bodies}) != 1:
        result.faults.append(f"numbers: {numbers}")
    if len(numbers) < result.promised + MESSAGES:
        result.faults.append(f"{len(numbers)} messages are left of {result.promised} and {MESSAGES}")
