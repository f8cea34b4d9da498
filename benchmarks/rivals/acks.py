"""The daemon's publisher, with a watch: when each acknowledgement of the broker came, is written into a pipe.

Run as ``python -m rivals.acks`` by `rivals.daemon` only. The time is taken when the publisher's own thread learns of
the acknowledgement, so a little after the broker sent it.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from edge.app.logs import set_up_logs
from edge.contracts.errors import EdgeError
from edge.daemon.job import DaemonJob
from edge.daemon.publisher.delivery import EPOCH_BITS
from edge.daemon.publisher.publisher import Publisher
from edge.process.child import inherit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.contracts.ports import Sink

ACK = struct.Struct("=qq")
"""seq, monotonic clock in ns."""


def watched(sink: Sink, out: int) -> Callable[[], Sequence[int]]:
    """``sink.acked``, which also tells ``out``."""
    acked = sink.acked

    def tell() -> Sequence[int]:
        numbers = acked()
        if numbers:
            now = time.monotonic_ns()
            os.write(out, b"".join(ACK.pack(number & (1 << EPOCH_BITS) - 1, now) for number in numbers))
        return numbers

    return tell


def main() -> int:
    """As `edge.daemon.publisher.process.main`."""
    inheritance = inherit()
    job = msgspec.json.decode(inheritance.payload, type=DaemonJob)
    set_up_logs(job.settings.log)
    inbox, out = inheritance.fds
    try:
        publisher = Publisher(job, socket.socket(fileno=inbox), os.getppid())
        for sink in publisher.sinks:
            sink.acked = watched(sink, out)  # type: ignore[method-assign]
        signal.signal(signal.SIGTERM, lambda *_: publisher.stop())
        publisher.run()
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
