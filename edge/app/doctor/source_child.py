"""The child's side of `edge.app.doctor.sources`: open one source, read until there is a frame, tell of it.

Run as ``python -m edge.app.doctor.source_child`` by the parent only.
"""

from __future__ import annotations

import logging
import os
import sys
import time

import msgspec

from edge.app.doctor.sources import Seen
from edge.config.settings import StreamSettings
from edge.contracts.errors import EdgeError
from edge.contracts.frames import Frame, SourceEvent
from edge.plugins import make_source
from edge.process.child import inherit

LOOK_S = 5.0
"""Less than the parent waits."""


def look(stream: StreamSettings) -> Seen:
    """What comes of opening ``stream`` and reading from it. Raises `EdgeError`."""
    source = make_source(stream)
    source.open()
    try:
        deadline = time.monotonic() + LOOK_S
        trouble = ""
        while time.monotonic() < deadline:
            item = source.read(0.5)
            if isinstance(item, Frame):
                height, width = item.pixels.shape[:2]
                return Seen(size=(width, height))
            if isinstance(item, SourceEvent):
                trouble = trouble or item.detail or item.reason.value
                if item.kind != "skipped":
                    break
        return Seen(error=trouble, hint="correct its source", exit_code=5) if trouble else Seen(silent=True)
    finally:
        source.close()


def main() -> int:
    """Look, and tell."""
    inheritance = inherit()
    logging.disable()  # what matters is told in one line
    try:
        seen = look(msgspec.json.decode(inheritance.payload, type=StreamSettings))
    except EdgeError as error:
        seen = Seen(error=error.message, hint=error.hint, exit_code=error.exit_code)
    os.write(inheritance.fds[0], msgspec.json.encode(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
