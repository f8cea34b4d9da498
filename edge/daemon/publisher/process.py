"""The publisher process: main function, signals and exit code; publishes the outbox to the sinks (MQTT and others).

Everything that waits for a network waits here. It never imports numpy or cv2, so it is small and starts quickly. Run as
``python -m edge.daemon.publisher.process`` by the supervisor only. When the supervisor is gone it ends at once and
without publishing ``offline``: the broker then publishes the MQTT last will, which is the truth.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

from edge.app.logs import set_up_logs
from edge.contracts.decoding import decode_json
from edge.contracts.errors import EdgeError
from edge.daemon.job import DaemonJob
from edge.daemon.publisher.publisher import Publisher
from edge.daemon.publisher.sinks import create_sinks
from edge.process.child import inherit
from edge.process.cores import set_cpu_affinity
from edge.process.heartbeat import WATCHDOG_SIGNAL, send_heartbeat
from edge.process.shared_notes import SharedNotes
from edge.process.start_gate import say_checked, wait_at_gate

if TYPE_CHECKING:
    from collections.abc import Callable


SWITCH_INTERVAL_S = 0.0005
"""So long one thread may keep Python's lock while the other wants it: 5 ms, as Python has it, is what a live finding
then waits for while the connection's thread sends a backlog."""


def run_publisher(
    job: DaemonJob,
    inbox: socket.socket,
    root_pid: int,
    heartbeat: Callable[[], None],
    gate: tuple[int, ...] = (),
    viewer_notes: SharedNotes | None = None,
) -> int:
    """Publish until SIGTERM; the exit code. Errors are two lines on stderr.

    ``heartbeat`` is called at every turn of the loop: the supervisor's watchdog kills a process that does not call it.
    ``gate``: file descriptors of the start gate, before which nothing is opened; empty: there is none.
    ``viewer_notes``: see `Publisher`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    try:
        if gate:
            create_sinks(job)  # raises what is wrong with them; they are made again when they may be opened
            if not _pass_gate(gate):
                return 0
        publisher = Publisher(job, inbox, root_pid, viewer_notes)
        for number in (signal.SIGTERM, WATCHDOG_SIGNAL):
            signal.signal(number, lambda *_: publisher.stop())
        # the supervisor may have asked already
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, WATCHDOG_SIGNAL})
        publisher.run(heartbeat)
    except EdgeError as error:
        with contextlib.suppress(OSError):  # the log may stand on a full disk
            print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _pass_gate(gate: tuple[int, ...]) -> bool:
    """Wait until the start gate is open. False: asked to stop before; nothing was opened that had to be closed."""
    say_checked(gate)
    asked: list[int] = []
    numbers = {signal.SIGTERM, WATCHDOG_SIGNAL}
    for number in numbers:
        signal.signal(number, lambda *_: asked.append(1))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    passed = wait_at_gate(gate, lambda: bool(asked))
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # until there is a publisher that can be stopped
    return passed and not asked


def main() -> int:
    """Main function: take over what the supervisor handed over, and publish until the end; the exit code."""
    inheritance = inherit()
    job = decode_json(inheritance.payload, DaemonJob)
    set_up_logs(job.settings.log)
    set_cpu_affinity(job.affinity.publisher)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    inbox, *more = inheritance.fds
    heartbeat = partial(send_heartbeat, more[0]) if more else lambda: None
    viewer_notes = SharedNotes(more[3]) if len(more) > 3 else None
    return run_publisher(job, socket.socket(fileno=inbox), os.getppid(), heartbeat, tuple(more[1:3]), viewer_notes)


if __name__ == "__main__":
    sys.exit(main())
