"""The daemon's publisher, which also writes into a pipe when each acknowledgement of the broker came.

Run as ``python -m peer_runners.timed_publisher`` by `peer_runners.daemon` only. The time is taken when the publisher's
own thread learns of the acknowledgement, so a little after the broker sent it.
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
"""Record in the pipe: seq, monotonic clock in ns."""


def timed_acked(sink: Sink, out: int) -> Callable[[], Sequence[int]]:
    """Wrap ``sink.acked`` so that it also writes number and time of each acknowledgement into the pipe ``out``."""
    acked = sink.acked

    def acked_and_timed() -> Sequence[int]:
        numbers = acked()
        if numbers:
            now = time.monotonic_ns()
            os.write(out, b"".join(ACK.pack(number & (1 << EPOCH_BITS) - 1, now) for number in numbers))
        return numbers

    return acked_and_timed


def main() -> int:
    """Run the publisher as `edge.daemon.publisher.process.main` does, with timed acknowledgements."""
    inheritance = inherit()
    job = msgspec.json.decode(inheritance.payload, type=DaemonJob)
    set_up_logs(job.settings.log)
    inbox, out = inheritance.fds
    try:
        publisher = Publisher(job, socket.socket(fileno=inbox), os.getppid())
        for sink in publisher.sinks:
            sink.acked = timed_acked(sink, out)  # type: ignore[method-assign]
        signal.signal(signal.SIGTERM, lambda *_: publisher.stop())
        publisher.run()
    except EdgeError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
