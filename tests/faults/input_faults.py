"""Faults of what comes from outside: a model's file that is swapped, a file that asks for too much memory."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faults.faults import GOES_ON_S
from faults.hostile_files import add_hostile_file
from faults.loaded_daemon import DECODER, FRAME, RUNTIME
from swapped_files import other_weights

from edge.models.bundle import SHIPPED_BUNDLE, load_bundle

if TYPE_CHECKING:
    from faults.fault_harness import FaultHarness

READ_S = 60.0
"""Until a hostile file is read, on a machine as busy as can be."""


@dataclass(frozen=True)
class ModelSwapped:
    """The model's file is written over and its runtime killed; then the file is put back.

    The answers must stay those of the model that was checked, and name it. Needs a harness with a model.
    """

    name: str = "model swapped"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.model is not None
        harness.daemon.wait_for_work()
        genuine, before = harness.model.read_bytes(), last_seq(harness)
        with harness.model.open("r+b") as file:
            file.write(other_weights(SHIPPED_BUNDLE.read_bytes()))
        try:
            harness.daemon.kill_process(RUNTIME)
            harness.daemon.wait_for_work()
            harness.daemon.wait_for_work()
        finally:
            harness.model.write_bytes(genuine)
        expected = load_bundle().sha256
        found = [body["model"]["sha256"] for body in bodies(harness, before) if "model" in body]
        if set(found) != {expected}:
            harness.violations.append(f"findings name another model than {expected[:12]}: {sorted(set(found))}")


@dataclass(frozen=True)
class HostileInput:
    """A file that asks for gigabytes joins a source that runs; the decoder process is killed over it now and then.

    The stream beside it has to go on, and the file is one no_result. Needs a harness with files.
    """

    name: str = "hostile input"
    kind: str = "other"

    def inject(self, harness: FaultHarness) -> None:
        assert harness.files is not None
        harness.daemon.wait_for_work()
        add_hostile_file(harness.files)
        before = last_seq(harness)
        harness.daemon.kill_process(FRAME)  # the next one lists the folder again
        kills = harness.random.random() < 0.5
        deadline = time.monotonic() + READ_S
        while time.monotonic() < deadline and not told_unreadable(harness, before):
            if kills and harness.daemon.kill_process(DECODER):  # as the kernel does where memory runs out
                kills = False
            time.sleep(0.01)
        if not told_unreadable(harness, before):
            harness.violations.append(f"a hostile file was not told as no_result within {READ_S:.0f} s")
        try:
            harness.daemon.wait_for_work(timeout_s=GOES_ON_S)
        except AssertionError:
            harness.violations.append(f"nothing is judged for {GOES_ON_S:.0f} s after a hostile file")


def last_seq(harness: FaultHarness) -> int:
    """Highest number of the outbox in use; 0: it has none yet."""
    return max((int(body["seq"]) for body in bodies(harness, 0)), default=0)


def told_unreadable(harness: FaultHarness, after: int) -> bool:
    """Whether a message above ``after`` says that a file could not be decoded."""
    return any(body.get("reason") in ("decode_error", "too_large") for body in bodies(harness, after))


def bodies(harness: FaultHarness, after: int) -> list[dict[str, Any]]:
    """Messages above the number ``after`` in the outbox in use."""
    uri = f"file:{harness.daemon.outbox()}?mode=ro"
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10)) as db,
    ):
        rows = db.execute("SELECT body FROM messages WHERE seq > ? AND body IS NOT NULL", (after,)).fetchall()
        return [json.loads(body) for (body,) in rows]
    return []
